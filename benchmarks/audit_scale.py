"""Measure how time and memory of an audit grow with the number of files: synthetic pages, variants and copies.

OPENBLAS_NUM_THREADS=1 nice python benchmarks/audit_scale.py > benchmarks/audit_scale.md

Four of ten files are distinct pages, three are variants of these (ink changed, header recompressed) and three are
copies byte for byte. The result of reading each page is synthetic and is put where an interrupted audit stores it, so
that everything except the reading of images is measured, each size in a separate process, in seconds of processor time.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ecglens.datasets import file_facts
from ecglens.datasets.audit import audit
from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH
from ecglens.datasets.header_groups import Word
from ecglens.datasets.recordings import Recording, Recordings

SIZES = (10_000, 25_000, 50_000, 100_000)


def main() -> None:
    """Print the table, or measure one size if a folder and a size are given."""
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), int(sys.argv[2]))
        return
    print(
        f"# Growth of the audit\n\n`{__doc__.split(chr(10))[2]}` on {os.cpu_count()} shared cores, synthetic pages.\n"
    )
    print("| files | pages | found | wrong | s of one core | ms a file | MB at most |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), max(SIZES))
        for size in SIZES:
            subprocess.run([sys.executable, __file__, folder, str(size)], check=True)


def make(folder: Path, count: int) -> None:
    """Write files of a few bytes, and the store of what an audit would have read from them."""
    rng = np.random.default_rng(0)
    store = file_facts.open_store(folder / "all.sqlite")
    pages: list[file_facts.FileFacts] = []
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        if number % 10 >= 7:
            path.write_text(str(number - 7))
            continue
        path.write_text(str(number))
        if number % 10 == 0:
            pages = []
        facts = page(rng, number) if number % 10 < 4 else variant(pages[number % 10 - 4], rng, number)
        pages.append(facts)
        store.execute(
            "INSERT INTO facts VALUES (?, ?, ?)",
            (file_facts.file_digest(path), file_facts._VERSION, file_facts._pack(facts)),
        )
    store.commit()


def page(rng: np.random.Generator, number: int) -> file_facts.FileFacts:
    """Generate the facts of a page: four random walks, and a printed number that two pages share."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(4):
        wave = np.cumsum(rng.standard_normal(WIDTH))
        wave = 15 + 30 * line + 12 * (wave - wave.mean()) / np.abs(wave).max()
        points = np.stack([np.arange(WIDTH), wave], axis=1).round().astype(np.int32)
        cv2.polylines(ink, [points[:, None]], False, 1, 2)
    word = np.full((14, 62), 255, np.uint8)
    cv2.putText(word, f"{100_000 + number // 2}", (1, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
    strips = {name: rng.integers(0, 256, 768, dtype=np.uint8) for name in ("header", "footer", "date")}
    return file_facts.FileFacts(
        pixels=f"p{number}",
        height=786,
        width=1107,
        size_bytes=int(rng.integers(90_000, 120_000)),
        sharpness=float(rng.normal(8, 1)),
        beats=float(rng.normal(12, 3)),
        signature=np.packbits(ink > 0),
        words=tuple(Word(parting, 0, 0, word) for parting in range(3)),
        **strips,
    )


def variant(source: file_facts.FileFacts, rng: np.random.Generator, number: int) -> file_facts.FileFacts:
    """Change the facts of a page: remove one bit in a hundred of the ink and recompress the header."""
    noise = np.packbits(rng.random(HEIGHT * WIDTH, dtype=np.float32) < 0.01)
    coded = cv2.imencode(".jpg", source.words[0].pixels, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    word = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    words = tuple(replace(each, pixels=word) for each in source.words)
    return replace(source, pixels=f"p{number}", signature=source.signature & ~noise, words=words)


def measure(folder: Path, size: int) -> None:
    """Audit the first files and print a row."""
    rows = tuple(Recording(folder / f"{n:06d}.jpg", "ab"[n % 10 % 2], f"r{n:06d}", f"r{n:06d}") for n in range(size))
    start = time.process_time()
    result = audit(Recordings(rows), store=folder / "all.sqlite", workers=0)
    seconds = time.process_time() - start
    source = [10 * (n // 10) + (0, 1, 2, 3, 0, 1, 2, 0, 1, 2)[n % 10] for n in range(size)]
    wrong = sum(row.recording != f"r{first:06d}" for row, first in zip(result.recordings, source, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {size} | {size * 4 // 10} | {result.distinct} | {wrong} | {seconds:.0f} | {1000 * seconds / size:.1f} | "
        f"{peak:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

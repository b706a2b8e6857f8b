"""Measure how an audit of real image files grows: pages of four recorders, variants and copies byte for byte.

nice python benchmarks/audit_files.py WFDB_FOLDER SCRATCH_FOLDER > benchmarks/audit_files.md

One of ten files is a distinct page, rendered at 100 dpi and written as JPEG, three are variants of it (cropped by up to
3 % on each edge, resized by 0.6 to 1.4, recompressed) and six are copies byte for byte: a recording has about as many
files as in the published tree of the public set. Each size is audited by a separate process, which reuses what the one
before has stored about the files that both have: the seconds of reading, wall-clock time, are added up. The steps after
reading run in one process; their seconds are processor time.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from audit_copies import make_copy, read_records, render_other_page

from ecglens.datasets.audit import audit
from ecglens.datasets.recordings import Recording, Recordings

SIZES = (12_500, 25_000, 50_000, 100_000)
VARIANTS = 3
WORKERS = 2


def main() -> None:
    """Create the files and print the table, or print the row of one size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("signals", type=Path, help="folder of WFDB records")
    parser.add_argument("scratch", type=Path, help="folder for the files")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of files")
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--read", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        measure(options.scratch, options.row, options.read)
        return
    make(options.signals, options.scratch, max(options.sizes))
    used = sum(path.stat().st_size for path in options.scratch.glob("*/*.jpg")) / 1e9
    print("# Growth of the audit over real files\n")
    print(
        f"`{__doc__.split(chr(10))[2]}` on {os.cpu_count()} shared cores, {WORKERS} processes; {used:.1f} GB of JPEG.\n"
    )
    print("| files | pages | recordings found | copies missed | false | s reading | s of one core after", end=" ")
    print("| ms a file | MB at most |\n" + "|---" * 9 + "|", flush=True)
    read = 0.0
    for size in sorted(options.sizes):
        options = [str(options.signals), str(options.scratch), "--row", str(size), "--read", str(read)]
        done = subprocess.run([sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True)
        row, read = done.stdout.splitlines()[-2], float(done.stdout.splitlines()[-1])
        print(row, flush=True)


def make(signals: Path, folder: Path, count: int) -> None:
    """Write the files, block by block, except those that exist already."""
    records = read_records(signals)
    for block in range(0, count, 10):
        if _path(folder, block + 9).is_file():
            continue
        rng = np.random.default_rng(block)
        page = render_other_page(records, block // 10, rng)
        images = [page, *(make_copy(page, rng) for _ in range(VARIANTS))]
        quality = (cv2.IMWRITE_JPEG_QUALITY, 80)
        written = [cv2.imencode(".jpg", image, quality)[1].tobytes() for image in images]
        for number in range(10):
            path = _path(folder, block + number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written[number % len(written)])


def measure(folder: Path, size: int, before: float) -> None:
    """Audit the first files; print a row, and the seconds of reading of all sizes so far."""
    rows = tuple(Recording(_path(folder, n), "ab"[n // 10 % 2], f"r{n:06d}", f"r{n:06d}") for n in range(size))
    start = time.perf_counter()
    read, used = [start], [0.0]
    result = audit(
        Recordings(rows),
        store=folder / "facts.sqlite",
        workers=WORKERS,
        progress=lambda done, total: (read.append(time.perf_counter()), used.append(time.process_time())),
    )
    after, reading = time.process_time() - used[-1], before + read[-1] - start
    sources: defaultdict[str, set[int]] = defaultdict(set)
    for row in result.recordings:
        sources[row.recording].add(int(row.path.stem) // 10)
    false = sum(len(pages) - 1 for pages in sources.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = (
        size,
        size // 10,
        result.distinct,
        result.distinct + false - size // 10,
        false,
        round(reading),
        round(after),
    )
    print(f"| {' | '.join(map(str, counts))} | {1000 * (reading + after) / size:.1f} | {peak:.0f} |")
    print(reading)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"


if __name__ == "__main__":
    main()

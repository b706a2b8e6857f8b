"""Compare decoding in another process with decoding in this one, and time hostile files.

    python benchmarks/decoding.py [--repeat 30] [--write]

Pages are read in turn in both ways, with a process that is idle; the table has the median of each and the ratio. The
hostile files are those of ``tests/support/hostile_files.py``; each is sent to ``decode_apart``.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np

from ecglens.errors import EcgReadError
from ecglens.pages.decoding import decode_apart
from ecglens.pages.read import decode_here, read_page

HERE = Path(__file__).resolve().parent
PAGES = ("Normal_1.jpg", "MI_26.jpg", "00009_hr.pdf")

sys.path.insert(0, str(HERE.parent / "tests" / "support"))

import hostile_files

HOSTILE: dict[str, Callable[[], bytes]] = {
    "PDF, forms within forms": hostile_files.nested_forms,
    "PDF, a shading 400 times": hostile_files.costly_shading,
    "PDF, 4,000 transparent groups": hostile_files.many_transparency_groups,
    "PNG, 99 megapixels": lambda: hostile_files.large_png(9900, 10_000, alpha=False),
    "PNG, 99 megapixels with transparency": lambda: hostile_files.large_png(9900, 10_000, alpha=True),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=30, help="Number of times that each page is read.")
    parser.add_argument("--write", action="store_true", help="Also write decoding.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    text = "\n".join([*compare_pages(options.repeat), "", *time_hostile()])
    print(text)
    if options.write:
        (HERE / "decoding.md").write_text(
            f"# Decoding in another process\n\n`python benchmarks/decoding.py --write` printed:\n\n{text}\n", "utf-8"
        )


def compare_pages(repeat: int) -> list[str]:
    """Compare both ways on ordinary pages."""
    lines = ["| page | here, ms | in an idle process, ms | difference, ms (bar 15) |", "|---|---|---|---|"]
    for name in PAGES:
        path = HERE.parent / "tests" / "data" / name
        seconds: dict[Callable[..., object], list[float]] = {decode_here: [], decode_apart: []}
        for decode in (*seconds, *list(seconds) * repeat):  # the first two start the process and load the libraries
            start = time.perf_counter()
            read_page(path, decode=decode)
            seconds[decode].append(time.perf_counter() - start)
        here, apart = (1000 * float(np.median(values[1:])) for values in seconds.values())
        lines.append(f"| {name} | {here:.1f} | {apart:.1f} | {apart - here:.1f} |")
    return lines


def time_hostile() -> list[str]:
    """Time hostile files, each with the answer to its sender."""
    lines = ["| hostile file | KB | s | CPU s | answer |", "|---|---|---|---|---|"]
    for name, make in HOSTILE.items():
        data = make()
        start, used = time.perf_counter(), os.times().children_user
        try:
            page = read_page(data, decode=decode_apart)
            answer = f"a page of {page.width} x {page.height} px"
        except EcgReadError as error:
            answer = error.detail
        took, cpu = time.perf_counter() - start, os.times().children_user - used
        lines.append(f"| {name} | {len(data) / 1000:.0f} | {took:.1f} | {cpu:.1f} | {answer} |")
    return lines


if __name__ == "__main__":
    main()

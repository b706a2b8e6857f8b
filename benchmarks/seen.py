#!/usr/bin/env python3
"""How surely fingerprints of training pages tell a copy, on the public pages.

    python benchmarks/seen.py [--pages ../shared/data/mendeley/pages] [--copies 400] [--write]

Half of the pages are learnt. Of these, copies are made as people make them: cut by up to 3 % an edge, resized to 0.5 to
1.2 times, saved again at quality 30 to 80. All of the copies should be known again, and none of the other half.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ecglens.datasets.duplicates.fingerprints import TrainingPages


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=Path, default=ROOT.parent / "shared/data/mendeley/pages")
    parser.add_argument("--copies", type=int, default=400)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    paths = sorted(options.pages.glob("*.jpg"))
    order = rng.permutation(len(paths))
    learnt = [paths[number] for number in order[: len(paths) // 2]]
    others = [paths[number] for number in order[len(paths) // 2 :]]
    seen = TrainingPages.of(learnt)
    strange = seen.copies_in(others)
    with TemporaryDirectory() as folder:
        made = [
            _copied(learnt[rng.integers(len(learnt))], Path(folder) / f"{n}.jpg", rng) for n in range(options.copies)
        ]
        known = seen.copies_in(made)
        file = Path(folder) / "seen.npz"
        seen.save(file)
        size = file.stat().st_size
    same = seen.copies_in(learnt)
    lines = [
        f"`python benchmarks/seen.py --copies {options.copies}`: {len(learnt)} of {len(paths)} pages learnt, "
        f"{size / len(learnt):.0f} bytes each.",
        "",
        "| pages | asked | taken for learnt |",
        "|---|---|---|",
        f"| the learnt files themselves | {len(learnt)} | {sum(copy.kind == 'bytes' for copy in same)} |",
        f"| copies, cut, resized and saved again | {len(made)} | {len(known)} |",
        f"| other recordings of the same recorder | {len(others)} | {len(strange)} |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


def _copied(page: Path, to: Path, rng: np.random.Generator) -> Path:
    pixels = cv2.imread(str(page))
    height, width = pixels.shape[:2]
    top, bottom, left, right = (rng.uniform(0, 0.03, 4) * (height, height, width, width)).astype(int)
    cut = pixels[top : height - bottom, left : width - right]
    scale = rng.uniform(0.5, 1.2)
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    cv2.imwrite(str(to), small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 81))])
    return to


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measure how reliably fingerprints of training pages identify copies, on the public pages.

    python benchmarks/training_pages.py [--pages ../shared/data/mendeley/pages] [--copies 400] [--write]

Half of the pages are training pages. They are copied as people copy pages: cropped by up to 3 % on each edge, resized
by 0.5 to 1.2, saved again at quality 30 to 80. All copies should be recognized, and no page of the other half.
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
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--pages", type=Path, default=ROOT.parent / "shared/data/mendeley/pages", help="Folder of pages."
    )
    parser.add_argument("--copies", type=int, default=400, help="Number of copies.")
    parser.add_argument("--write", action="store_true", help="Also write training_pages.md.")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    paths = sorted(options.pages.glob("*.jpg"))
    order = rng.permutation(len(paths))
    training = [paths[number] for number in order[: len(paths) // 2]]
    others = [paths[number] for number in order[len(paths) // 2 :]]
    trained_on = TrainingPages.of(training)
    false = trained_on.copies_in(others)
    with TemporaryDirectory() as folder:
        copies = [
            _make_copy(training[rng.integers(len(training))], Path(folder) / f"{n}.jpg", rng)
            for n in range(options.copies)
        ]
        recognized = trained_on.copies_in(copies)
        file = Path(folder) / "training_pages.npz"
        trained_on.save(file)
        size = file.stat().st_size
    same = trained_on.copies_in(training)
    lines = [
        f"`python benchmarks/training_pages.py --copies {options.copies}`: {len(training)} of {len(paths)} pages "
        f"trained on, {size / len(training):.0f} bytes each.",
        "",
        "| pages | number | recognized as training pages |",
        "|---|---|---|",
        f"| the training files themselves | {len(training)} | {sum(copy.kind == 'bytes' for copy in same)} |",
        f"| copies, cropped, resized and saved again | {len(copies)} | {len(recognized)} |",
        f"| other recordings of the same recorder | {len(others)} | {len(false)} |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


def _make_copy(page: Path, to: Path, rng: np.random.Generator) -> Path:
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

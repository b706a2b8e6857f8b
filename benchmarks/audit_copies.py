"""Near-copies planted among real pages, alone and among thousands of made-up ones.

python benchmarks/audit_copies.py FOLDER_OF_PAGES [SEEDS]
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from ecglens.datasets.candidates import ALL_PAIRS
from ecglens.datasets.traces import HEIGHT, WIDTH, near_copies, trace_signature

SEEDS = 5
COPIES = 40
MANY = (0, 2 * ALL_PAIRS)
"""Made-up pages around the real ones: none, and enough that not all pairs are compared."""


def main() -> None:
    """Print the table."""
    pages = sorted(Path(sys.argv[1]).glob("*.jpg"))
    signatures = [trace_signature(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in pages]
    print(f"{len(pages)} distinct pages\n\n| seed | made-up pages around | planted | found | false |")
    print("|---|---|---|---|---|")
    for seed in range(int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS):
        rng = np.random.default_rng(seed)
        owners = rng.choice(len(pages), COPIES, replace=False)
        planted = [trace_signature(_copy(cv2.imread(str(pages[owner])), rng)) for owner in owners]
        right = {(int(owner), len(pages) + number) for number, owner in enumerate(owners)}
        for many in MANY:
            pairs = set(near_copies(signatures + planted + [_made(rng) for _ in range(many)]))
            print(f"| {seed} | {many} | {COPIES} | {len(right & pairs)} | {len(pairs - right)} |", flush=True)


def _copy(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cropped by up to 3 % an edge, resized by 0.6 to 1.4, recompressed with quality 40 to 85: one to all of it."""
    height, width = page.shape[:2]
    cut = (rng.uniform(0, 0.03, 4) * [height, height, width, width]).astype(int)
    asked = rng.integers(1, 8)
    if asked & 1:
        page = page[cut[0] : height - cut[1], cut[2] : width - cut[3]]
    if asked & 2:
        scale = float(rng.uniform(0.6, 1.4))
        page = cv2.resize(
            page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    if asked & 4:
        page = cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 86))])[1], 1)
    return cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)


def _made(rng: np.random.Generator) -> np.ndarray:
    """Signature of four random walks."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(4):
        wave = np.cumsum(rng.standard_normal(WIDTH))
        wave = 15 + 30 * line + 12 * (wave - wave.mean()) / np.abs(wave).max()
        points = np.stack([np.arange(WIDTH), wave], axis=1).round().astype(np.int32)
        cv2.polylines(ink, [points[:, None]], False, 1, 2)
    return np.packbits(ink > 0)


if __name__ == "__main__":
    main()

"""Near-copies planted among real pages, and how the search for them grows.

python benchmarks/audit_copies.py FOLDER_OF_PAGES
"""

import resource
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from ecglens.datasets.traces import HEIGHT, WIDTH, near_copies, trace_signature

SEEDS = 5
COPIES = 40
SIZES = (2500, 5000, 10000, 20000)


def main() -> None:
    """Print both tables."""
    pages = sorted(Path(sys.argv[1]).glob("*.jpg"))
    signatures = [trace_signature(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in pages]
    print(f"{len(pages)} distinct pages\n\n| seed | planted | found | false |\n|---|---|---|---|")
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        owners = rng.choice(len(pages), COPIES, replace=False)
        planted = [trace_signature(_copy(cv2.imread(str(pages[owner])), rng)) for owner in owners]
        pairs = near_copies(signatures + planted)
        right = {(int(owner), len(pages) + number) for number, owner in enumerate(owners)}
        print(f"| {seed} | {COPIES} | {len(right & set(pairs))} | {len(set(pairs) - right)} |")
    print("\n| pages, half of them variants | s | MB at most | variants found |\n|---|---|---|---|")
    rng = np.random.default_rng(0)
    for size in SIZES:
        made = _made(size, rng)
        start = time.perf_counter()
        pairs = near_copies(made)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {size} | {time.perf_counter() - start:.1f} | {peak:.0f} | {len(pairs)} |", flush=True)


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


def _made(size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Signatures of made-up traces, each once as it is and once with one bit in a hundred changed."""
    made = []
    for _ in range(size // 2):
        ink = np.zeros((HEIGHT, WIDTH), np.uint8)
        for line in range(4):
            wave = np.cumsum(rng.standard_normal(WIDTH)) * 1.5
            wave = 15 + 30 * line + 12 * (wave - wave.mean()) / np.abs(wave).max()
            points = np.stack([np.arange(WIDTH), wave], axis=1).round().astype(np.int32)
            cv2.polylines(ink, [points[:, None]], False, 1, 2)
        made += [np.packbits(ink > 0), np.packbits((ink > 0) ^ ((rng.random(ink.shape) < 0.01) & (ink > 0)))]
    return made


if __name__ == "__main__":
    main()

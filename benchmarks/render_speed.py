"""Measure the pages a second that ``ecglens.render`` renders on one core, clean and damaged.

python benchmarks/render_speed.py
"""

import time

import cv2
import numpy as np

from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord
from ecglens.render import DAMAGES, STYLES, damage, render_page
from ecglens.render.paper import draw_paper

REPEATS = 20
DPI = 152


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    t = np.arange(5000) / 500
    beats = np.exp(-(((t % 0.8) - 0.3) ** 2) / 2e-4)
    rng = np.random.default_rng(0)
    signals = np.float32([beats * rng.uniform(-1, 1.5) + 0.02 * rng.standard_normal(len(t)) for _ in STANDARD_LEADS])
    record = EcgRecord(signals, 500.0, STANDARD_LEADS)
    print("| page | size, px | pages/s | pages/s, paper not cached |")
    print("|---|---|---|---|")
    for style in STYLES:
        page = render_page(record, style=style, dpi=DPI).page
        cached = _rate(
            lambda seed, style=style: render_page(record, style=style, dpi=DPI, rng=np.random.default_rng(seed))
        )
        uncached = _rate(
            lambda seed, style=style: (draw_paper.cache_clear(), render_page(record, style=style, dpi=DPI))
        )
        print(f"| {style} | {page.width} x {page.height} | {cached:.1f} | {uncached:.1f} |")
    clean = render_page(record, dpi=DPI)
    print("\n| damage, strength 0.5 | pages/s |\n|---|---|")
    for kind in DAMAGES:
        print(f"| {kind} | {_rate(lambda seed, kind=kind: damage(clean, kind, 0.5, seed), 4):.1f} |")


def _rate(work, repeats: int = REPEATS) -> float:
    start = time.perf_counter()
    for seed in range(repeats):
        work(seed)
    return repeats / (time.perf_counter() - start)


if __name__ == "__main__":
    main()

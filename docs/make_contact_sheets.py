"""Contact sheets of every layout, grid, style and damage, from a record of tests/data.

python docs/make_contact_sheets.py
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ecglens.datasets.rendering import read_signals
from ecglens.layouts import LAYOUTS
from ecglens.render import DAMAGES, GRIDS, STYLES, RenderedPage, damage, render_page

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "tests" / "data" / "ptbxl_00001.csv"
RATE_BPM = 64
"""Heart rate of the record, so that the printed rate is that of the traces."""

PAGE_WIDTH, GAP, TITLE = 1760, 14, 22
COLORS = 256


def main() -> None:
    """Draw every sheet."""
    record = read_signals(RECORD)

    def page(**options: Any) -> RenderedPage:
        return render_page(record, **{"dpi": 120, "rate_bpm": RATE_BPM, **options})

    _sheet("layouts", {name: page(layout=name) for name in LAYOUTS}, across=3)
    _sheet("styles", {name: page(style=name) for name in STYLES}, across=2)
    near = {name: page(grid=name, dpi=200) for name in GRIDS}
    _sheet("grids", near, across=4, window=(300, 700, 100, 660))
    report = page(style="dotted-report")
    _sheet("damage", {f"{kind} {x}": damage(report, kind, x, 1) for kind in DAMAGES for x in (0.4, 1.0)}, across=4)


def _sheet(
    name: str, pages: dict[str, RenderedPage], *, across: int, window: tuple[int, int, int, int] | None = None
) -> None:
    width = PAGE_WIDTH // across - GAP
    tiles = [_tile(title, page, width, window) for title, page in pages.items()]
    rows = []
    for start in range(0, len(tiles), across):
        row = tiles[start : start + across]
        height = max(len(tile) for tile in row)
        canvas = np.full((height + GAP, PAGE_WIDTH, 3), 255, np.uint8)
        for place, tile in enumerate(row):
            left = place * (width + GAP)
            canvas[: len(tile), left : left + width] = tile
        rows.append(canvas)
    out = HERE / "images" / f"render-{name}.png"
    out.parent.mkdir(exist_ok=True)
    # A palette keeps the sheets small; the pages themselves are not reduced.
    Image.fromarray(np.vstack(rows)).quantize(COLORS).save(out, optimize=True)


def _tile(title: str, page: RenderedPage, width: int, window: tuple[int, int, int, int] | None) -> np.ndarray:
    pixels = page.page.pixels
    if window is not None:
        top, bottom, left, right = window
        pixels = pixels[top:bottom, left:right]
    scale = (width - 2) / pixels.shape[1]
    small = cv2.resize(pixels, (width - 2, round(pixels.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(170, 170, 170))
    tile = np.full((len(framed) + TITLE, width, 3), 255, np.uint8)
    tile[TITLE:] = framed
    cv2.putText(tile, title, (2, TITLE - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()

"""Contact sheets of every layout, grid, style and damage, from a record of tests/data.

python docs/make_contact_sheets.py
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ecglens.datasets.drawing import read_signals
from ecglens.layouts import LAYOUTS
from ecglens.render import DAMAGES, GRIDS, STYLES, RenderedPage, damage, render_page

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "tests" / "data" / "ptbxl_00001.csv"
TILE = (440, 320)


def main() -> None:
    """Draw every sheet."""
    record = read_signals(RECORD)
    _sheet("layouts", {name: render_page(record, layout=name, dpi=120) for name in LAYOUTS})
    _sheet("styles", {name: render_page(record, style=name, dpi=120) for name in STYLES})
    near = {name: render_page(record, grid=name, dpi=200) for name in GRIDS}
    _sheet("grids", near, window=(300, 700, 100, 660))
    page = render_page(record, style="dotted-report", dpi=120)
    _sheet("damage", {f"{kind} {share}": damage(page, kind, share, 1) for kind in DAMAGES for share in (0.4, 1.0)})


def _sheet(name: str, pages: dict[str, RenderedPage], window: tuple[int, int, int, int] | None = None) -> None:
    tiles = [_tile(title, page, window) for title, page in pages.items()]
    while len(tiles) % 4:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)]
    out = HERE / "images" / f"render-{name}.png"
    out.parent.mkdir(exist_ok=True)
    # A palette keeps the sheets small; the pages themselves are not reduced.
    Image.fromarray(np.vstack(rows)).quantize(96).save(out, optimize=True)


def _tile(title: str, page: RenderedPage, window: tuple[int, int, int, int] | None) -> np.ndarray:
    pixels = page.page.pixels
    if window is not None:
        top, bottom, left, right = window
        pixels = pixels[top:bottom, left:right]
    scale = min(TILE[0] / pixels.shape[1], (TILE[1] - 20) / pixels.shape[0])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE[1], TILE[0], 3), 255, np.uint8)
    tile[20 : 20 + small.shape[0], : small.shape[1]] = small
    cv2.putText(tile, title, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()

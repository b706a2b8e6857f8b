"""Traces lifted off a photographed grid.

On a page that lies flat the grid repeats from square to square, in whatever colour and light it was photographed, and
the traces do not: the median over the squares around a place is what the paper looks like there. What is darker than
that is ink. It is put on clean paper with the same grid.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.pages.grid import find_grid
from ecglens.pages.preprocessing import paper
from ecglens.records import NotFound, Page

__all__ = ["lifted"]

_AROUND = 2
"""Squares around a place, each way, that tell what its paper looks like."""
_STRIP_PX = 256
_INK_SHARE, _FULL = 0.03, 70
"""The most that the ink may cover, and which percentile of it is full black."""
_NOISE = 90
"""Percentile of what is darker than its paper that is still paper."""
_LINE_PX = 0.6
_LINE_COLOUR = (255, 190, 190)


def lifted(page: Page) -> Page | None:
    """The page's ink on clean paper, with a warning that says so; ``None`` where no grid is seen.

    Args:
        page: Laid flat and upright.
    """
    grid = find_grid(page.pixels)
    if isinstance(grid, NotFound):
        return None
    squares = (5 * grid.px_per_mm[0], 5 * grid.px_per_mm[1])
    brightest = np.asarray(page.pixels.max(axis=2), dtype=np.uint8)
    dark = np.asarray(255 - cv2.divide(brightest, np.maximum(paper(brightest), 1), scale=255.0), dtype=np.uint8)
    ink = cv2.subtract(dark, _usual(dark, squares)).astype(np.float32)
    full = float(np.percentile(ink[ink >= np.percentile(ink, 100 * (1 - _INK_SHARE))], _FULL))
    noise = float(np.percentile(ink, _NOISE))
    share = np.clip((ink - noise) / max(1.0, full - noise), 0, 1)[..., None]
    pixels = np.full(page.pixels.shape, 255, np.uint8)
    for axis, square in enumerate(squares):
        on_line = _on_line(dark.mean(axis=1 - axis), square)
        pixels[on_line if axis == 0 else (slice(None), on_line)] = _LINE_COLOUR
    said = "The grid was taken off the photograph, and the traces were put on clean paper."
    return replace(
        page, pixels=np.asarray(pixels * (1 - share), dtype=np.uint8), warnings=(*page.warnings, said), curves=()
    )


def _usual(dark: NDArray[np.uint8], squares: tuple[float, float]) -> NDArray[np.uint8]:
    """For each pixel the median over the same place in the squares around it."""
    height, width = dark.shape
    steps = [(down, right) for down in range(-_AROUND, _AROUND + 1) for right in range(-_AROUND, _AROUND + 1)]
    room = int(np.ceil(_AROUND * squares[0])) + 1
    whole = cv2.copyMakeBorder(dark, room, room, 0, 0, cv2.BORDER_REFLECT_101)
    usual = np.empty_like(dark)
    for top in range(0, height, _STRIP_PX):
        rows = min(_STRIP_PX, height - top)
        strip = whole[top : top + rows + 2 * room]
        moved = [
            cv2.warpAffine(
                strip,
                np.array([[1, 0, -right * squares[1]], [0, 1, -room - down * squares[0]]]),
                (width, rows),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            for down, right in steps
            if down or right
        ]
        usual[top : top + rows] = np.partition(np.stack(moved), len(moved) // 2, axis=0)[len(moved) // 2]
    return usual


def _on_line(profile: NDArray[np.float64], square: float) -> NDArray[np.bool_]:
    """Which rows, or columns, a grid's lines lie on, by the darkness of all of them."""
    places = np.arange(len(profile))
    wave = np.exp(-2j * np.pi * places / square) @ (profile - profile.mean())
    first = -float(np.angle(wave)) * square / (2 * np.pi)
    apart = (places - first) % square
    return np.asarray(np.minimum(apart, square - apart) < _LINE_PX, dtype=np.bool_)

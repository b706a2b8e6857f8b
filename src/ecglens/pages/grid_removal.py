"""Traces remove_photographed_grid off a photographed grid.

On a page that lies flat the grid repeats from square to square, in whatever color and light it was photographed, and
the traces do not: the median over the squares around a place is what the paper looks like there. What is darker than
that is ink. It is put on clean paper with the same grid.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.grid import find_grid
from ecglens.pages.preprocessing import estimate_paper
from ecglens.records import NotFound, Page

__all__ = ["LIMITS", "GridRemovalLimits", "remove_photographed_grid"]


@dataclass(frozen=True)
class GridRemovalLimits:
    """Thresholds of removing a photographed grid."""

    squares: int = threshold(
        2,
        "squares",
        "Squares around a place, in each direction, whose median is its paper.",
        low="Traces count as paper.",
        high="Uneven light leaves marks.",
    )
    max_ink: float = threshold(
        0.03,
        "1",
        "Largest share of the page that ink covers.",
        low="Ink is too pale.",
        high="Paper counts as ink.",
    )
    full_percentile: int = threshold(
        70,
        "%",
        "Percentile of the ink that is fully black.",
        low="Ink is too pale.",
        high="Thin strokes are too pale.",
    )
    noise_percentile: int = threshold(
        90,
        "%",
        "Percentile of the difference from the paper up to which it is noise.",
        low="Noise counts as ink.",
        high="Pale ink is lost.",
    )
    line_px: float = threshold(
        0.6,
        "px",
        "Half the width of the lines of the clean grid.",
        low="The clean grid is not found again.",
        high="The clean grid hides tips.",
    )


LIMITS = GridRemovalLimits()


_STRIP_PX = 256
_LINE_COLOUR = (255, 190, 190)


def remove_photographed_grid(page: Page) -> Page | None:
    """Put the page's ink on clean paper, with a warning; ``None`` where no grid is found.

    Args:
        page: Dewarped and upright page.
    """
    grid = find_grid(page.pixels)
    if isinstance(grid, NotFound):
        return None
    squares = (5 * grid.px_per_mm[0], 5 * grid.px_per_mm[1])
    brightest = np.asarray(page.pixels.max(axis=2), dtype=np.uint8)
    dark = np.asarray(
        255 - cv2.divide(brightest, np.maximum(estimate_paper(brightest), 1), scale=255.0), dtype=np.uint8
    )
    ink = cv2.subtract(dark, _local_paper(dark, squares)).astype(np.float32)
    full = float(np.percentile(ink[ink >= np.percentile(ink, 100 * (1 - LIMITS.max_ink))], LIMITS.full_percentile))
    noise = float(np.percentile(ink, LIMITS.noise_percentile))
    share = np.clip((ink - noise) / max(1.0, full - noise), 0, 1)[..., None]
    pixels = np.full(page.pixels.shape, 255, np.uint8)
    for axis, square in enumerate(squares):
        on_line = _is_on_line(dark.mean(axis=1 - axis), square)
        pixels[on_line if axis == 0 else (slice(None), on_line)] = _LINE_COLOUR
    warning = "The grid was removed from the photograph, and the traces were put on clean paper."
    return replace(
        page,
        pixels=np.asarray(pixels * (1 - share), dtype=np.uint8),
        warnings=(*page.warnings, warning),
        curves=(),
        texts=(),
    )


def _local_paper(dark: NDArray[np.uint8], squares: tuple[float, float]) -> NDArray[np.uint8]:
    """Median of each pixel over the same place in the squares around it."""
    height, width = dark.shape
    steps = [
        (down, right)
        for down in range(-LIMITS.squares, LIMITS.squares + 1)
        for right in range(-LIMITS.squares, LIMITS.squares + 1)
    ]
    room = int(np.ceil(LIMITS.squares * squares[0])) + 1
    whole = cv2.copyMakeBorder(dark, room, room, 0, 0, cv2.BORDER_REFLECT_101)
    local = np.empty_like(dark)
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
        local[top : top + rows] = np.partition(np.stack(moved), len(moved) // 2, axis=0)[len(moved) // 2]
    return local


def _is_on_line(profile: NDArray[np.float64], square: float) -> NDArray[np.bool_]:
    """Return which rows, or columns, a grid's lines lie on, by the darkness of all of them."""
    places = np.arange(len(profile))
    wave = np.exp(-2j * np.pi * places / square) @ (profile - profile.mean())
    first = -float(np.angle(wave)) * square / (2 * np.pi)
    apart = (places - first) % square
    return np.asarray(np.minimum(apart, square - apart) < LIMITS.line_px, dtype=np.bool_)

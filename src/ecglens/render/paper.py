"""Draw the grids of common ECG paper, at any scale and with sub-pixel accuracy.

The lines of the grid have their width on paper. A pixel that is half covered by a line is half colored, so that the
mean spacing of the lines is exact at every resolution.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import RenderError

__all__ = ["GRIDS", "GridStyle", "draw_paper", "grid_style"]

Color = tuple[int, int, int]

_LEVELS = 16


@dataclass(frozen=True, slots=True)
class GridStyle:
    """Colors and line widths of a printed grid.

    Attributes:
        minor: RGB of the lines or dots at every millimeter, or ``None``.
        major: RGB of the lines at every 5 mm, or ``None``.
        minor_mm: Width of a minor line, or diameter of a dot, in mm.
        major_mm: Width of a major line in mm.
        dotted: Print dots at the crossings of the minor lines, and major lines as rows of dots 0.5 mm apart.
        ground: RGB of the paper.
    """

    minor: Color | None
    major: Color | None
    minor_mm: float = 0.10
    major_mm: float = 0.22
    dotted: bool = False
    ground: Color = (255, 255, 255)


_WHITE = (255, 255, 255)

GRIDS: Mapping[str, GridStyle] = MappingProxyType(
    {
        "pink-dotted": GridStyle((176, 78, 92), (176, 78, 92), 0.13, 0.13, dotted=True),
        "pink-lines": GridStyle((252, 218, 222), (244, 164, 172)),
        "red-lines": GridStyle((244, 176, 168), (226, 96, 88), ground=(255, 250, 248)),
        "red-dotted": GridStyle((214, 60, 60), (206, 40, 40), 0.16, 0.16, dotted=True),
        "green-lines": GridStyle((196, 226, 200), (120, 182, 130), ground=(252, 255, 251)),
        "green-dotted": GridStyle((84, 150, 96), (84, 150, 96), 0.16, 0.16, dotted=True),
        "blue-lines": GridStyle((202, 218, 240), (134, 166, 214), ground=(252, 253, 255)),
        "blue-dotted": GridStyle((86, 116, 180), (86, 116, 180), 0.16, 0.16, dotted=True),
        "orange-lines": GridStyle((250, 214, 176), (238, 164, 98), ground=(255, 252, 246)),
        "gray-lines": GridStyle((222, 222, 222), (172, 172, 172)),
        "gray-dotted": GridStyle((128, 128, 128), (128, 128, 128), 0.16, 0.16, dotted=True),
        "none": GridStyle(None, None),
    }
)


def grid_style(name: str) -> GridStyle:
    """Look up a grid style by name.

    Args:
        name: One of ``GRIDS``.

    Raises:
        RenderError: The style does not exist.
    """
    try:
        return GRIDS[name]
    except KeyError:
        raise RenderError(f"Expected a grid out of {', '.join(GRIDS)}, got '{name}'.") from None


@lru_cache(maxsize=8)
def draw_paper(
    height: int,
    width: int,
    px_per_mm: float,
    grid: str | GridStyle,
    area: tuple[float, float, float, float] | None = None,
) -> NDArray[np.uint8]:
    """Draw empty paper.

    The result is cached and shared, so copy it before drawing on it.

    Args:
        height: Height in px.
        width: Width in px.
        px_per_mm: Pixels per millimeter of paper.
        grid: One of ``GRIDS`` or a style of your own.
        area: Area of the grid, ``(top, left, bottom, right)`` in px, with major lines through its top left corner; the
            whole page if ``None``.

    Returns:
        ``(height, width, 3)`` uint8 RGB, read-only.

    Raises:
        RenderError: The grid does not exist.
    """
    style = grid if isinstance(grid, GridStyle) else grid_style(grid)
    top, left, bottom, right = area or (0.0, 0.0, float(height), float(width))
    pixels = np.full((height, width, 3), style.ground if area is None else _WHITE, dtype=np.uint8)
    rows = slice(max(0, round(top)), min(height, round(bottom) + 1))
    columns = slice(max(0, round(left)), min(width, round(right) + 1))
    y_mm = (np.arange(rows.start, rows.stop, dtype=np.float64) - top) / px_per_mm
    x_mm = (np.arange(columns.start, columns.stop, dtype=np.float64) - left) / px_per_mm
    pixels[rows, columns] = _grid(y_mm, x_mm, px_per_mm, style)
    pixels.setflags(write=False)
    return pixels


def _grid(
    y_mm: NDArray[np.float64], x_mm: NDArray[np.float64], px_per_mm: float, style: GridStyle
) -> NDArray[np.uint8]:
    pixel_mm = 1 / px_per_mm
    minor_rows, minor_columns = (_lines(axis, 1.0, style.minor_mm, pixel_mm) for axis in (y_mm, x_mm))
    major_rows, major_columns = (_lines(axis, 5.0, style.major_mm, pixel_mm) for axis in (y_mm, x_mm))
    if style.dotted:
        half_rows, half_columns = (_lines(axis, 0.5, style.minor_mm, pixel_mm) for axis in (y_mm, x_mm))
        minor = np.multiply.outer(minor_rows, minor_columns)
        major = np.maximum(np.multiply.outer(major_rows, half_columns), np.multiply.outer(half_rows, major_columns))
    else:
        minor = np.maximum.outer(minor_rows, minor_columns)
        major = np.maximum.outer(major_rows, major_columns)
    index = np.rint(minor * (_LEVELS - 1)).astype(np.uint8) * _LEVELS + np.rint(major * (_LEVELS - 1)).astype(np.uint8)
    pixels = cv2.LUT(cv2.merge([index, index, index]), _blend_table(style))
    return np.asarray(pixels, dtype=np.uint8)


def _lines(axis_mm: NDArray[np.float64], period_mm: float, width_mm: float, pixel_mm: float) -> NDArray[np.float32]:
    """Return the share of each pixel that the lines of one direction cover."""
    distance = np.abs(axis_mm - np.rint(axis_mm / period_mm) * period_mm)
    covered = (width_mm + pixel_mm) / 2 - distance
    return np.clip(covered / pixel_mm, 0, min(1.0, width_mm / pixel_mm)).astype(np.float32)


def _blend_table(style: GridStyle) -> NDArray[np.uint8]:
    """Return the RGB for each pair of minor and major coverage, ``(1, 256, 3)``."""
    minor, major = np.divmod(np.arange(_LEVELS * _LEVELS), _LEVELS)
    table = np.tile(np.array(style.ground, dtype=np.float64), (_LEVELS * _LEVELS, 1))
    for level, color in ((minor, style.minor), (major, style.major)):
        if color is not None:
            share = (level / (_LEVELS - 1))[:, None]
            table = table * (1 - share) + np.array(color) * share
    return np.rint(table).astype(np.uint8)[None]

"""Lines and pulses of ink on a normalized page, whose places and scale are known."""

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.normalized import PX_PER_MM, NormalizedPage
from ecglens.pages.grid import Grid
from ecglens.records import Box

INK = 255


def draw_pulse(
    ink: NDArray[np.uint8],
    *,
    zero: int,
    left: int,
    height_mm: float = 10.0,
    width_mm: float = 5.0,
    roof: bool = True,
    filled: bool = False,
) -> None:
    """Draw a calibration pulse, 2 px thick, with feet of 2 mm, into ``ink``.

    Args:
        ink: ``(height, width)`` uint8, changed in place.
        zero: First row of its feet.
        left: First column of its left flank.
        height_mm: Distance of its roof from its feet.
        width_mm: Distance of its flanks.
        roof: Whether it has a roof.
        filled: Whether there is ink between its flanks.
    """
    top, right = zero - round(height_mm * PX_PER_MM), left + round(width_mm * PX_PER_MM)
    foot = 2 * PX_PER_MM
    ink[top : zero + 2, left : left + 2] = ink[top : zero + 2, right : right + 2] = INK
    ink[zero : zero + 2, left - foot : left + 2] = ink[zero : zero + 2, right : right + 2 + foot] = INK
    if roof:
        ink[top : top + 2, left : right + 2] = INK
    if filled:
        ink[top : zero + 2, left : right + 2] = INK


def draw_line(
    ink: NDArray[np.uint8],
    *,
    zero: int,
    left: int,
    right: int,
    beats: NDArray[np.int64] | None = None,
    height_mm: float = 6.0,
) -> None:
    """Draw a line of a trace, 2 px thick, with narrow complexes of ``height_mm`` at the columns ``beats``."""
    columns = np.arange(left, right)
    curve = np.zeros(len(columns))
    for beat in () if beats is None else beats:
        curve += height_mm * PX_PER_MM * np.maximum(0, 1 - np.abs(columns - beat) / 4)
    rows = zero - np.rint(curve).astype(np.intp)
    for column, row, before in zip(columns, rows, [rows[0], *rows[:-1]], strict=True):
        ink[min(row, before) : max(row, before) + 2, column] = INK


def normalized_from(ink: NDArray[np.uint8], *, pulse: NDArray[np.uint8] | None = None) -> NormalizedPage:
    """Return a normalized page with this ink whose upright page has the same pixels."""
    whole = Box(0.0, 0.0, float(ink.shape[0]), float(ink.shape[1]))
    return NormalizedPage(
        ink=ink,
        scale=(1.0, 1.0),
        origin=(0.0, 0.0),
        rotation_deg=0.0,
        to_upright=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        grid=Grid((float(PX_PER_MM), float(PX_PER_MM)), whole, 10.0),
        pulse=pulse,
    )

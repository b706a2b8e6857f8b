"""From the outline of a stroke to the line that the pen's middle went.

A round pen of radius r that follows a curve leaves ink whose upper edge is the curve, lifted by rolling a disc along
it. Rolling the disc back under that edge gives the curve again, exactly at upward spikes however narrow, while valleys
narrower than the pen stay filled; rolling it back over the lower edge is exact at downward spikes. Where both agree
that is the curve; where they do not, the curve goes with the one that leaves its surroundings (closing by a disc:
Serra, Image Analysis and Mathematical Morphology, 1982).
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, maximum_filter1d, minimum_filter1d

__all__ = ["OVERSAMPLE", "Outline", "centre_line", "outline", "pen_radius"]

OVERSAMPLE = 4
"""Places in a column of pixels; a steep stroke's edge lies between columns."""

Outline = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Upper and lower edge of a trace, ``(places,)`` rows each, NaN where it is hidden."""

_MARGIN_PX = 2.5
_FLANK_PX = 6.0
_FAINT_PX = 2
_THIN_PERCENTILE = 10
_APART_PX = 3.0
_SURROUNDINGS = 3.0
_SPIKE_WIDTH = 4.0
_SPIKE_REACH = 1.5
_LEVEL_PX = 0.05


def outline(ink: NDArray[np.uint8], top: NDArray[np.float64], bottom: NDArray[np.float64], *, level: float) -> Outline:
    """Edges of one trace to a fraction of a pixel both ways.

    Args:
        ink: ``(height, width)`` uint8.
        top: ``(width,)``, first row of the trace's run in each column, NaN where it is hidden.
        bottom: Its last row.
        level: Ink at the edge.

    Returns:
        ``(width * OVERSAMPLE,)`` each.
    """
    height, width = ink.shape
    nothing = np.full(width * OVERSAMPLE, np.nan)
    if np.isnan(top).all():
        return nothing, nothing.copy()
    first = max(0, int(np.nanmin(top) - _MARGIN_PX) - 1)
    last = min(height, int(np.nanmax(bottom) + _MARGIN_PX) + 2)
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    # Beside a steep stroke stand half-covered pixels, in rows that only the next column's run reaches.
    highest = np.maximum(minimum_filter1d(np.nan_to_num(top, nan=np.inf), 3), top - _FLANK_PX) - _MARGIN_PX
    lowest = np.minimum(maximum_filter1d(np.nan_to_num(bottom, nan=-np.inf), 3), bottom + _FLANK_PX) + _MARGIN_PX
    inside = (rows >= highest) & (rows <= lowest) & ~np.isnan(top)
    own = np.where(inside, ink[first:last], np.uint8(0))
    size = (width * OVERSAMPLE, last - first)
    fine = np.asarray(cv2.resize(own, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    peak = fine.max(axis=0).astype(np.float64)
    # A thin stroke can be nowhere quite black; a half-covered column at a stroke's end is none.
    faint = binary_opening((peak < level) & (peak > 0), np.ones(_FAINT_PX * OVERSAMPLE, dtype=np.bool_))
    levels = np.where(faint, peak / 2, level)
    black = fine >= levels
    there = black.any(axis=0)
    up = np.asarray(black.argmax(axis=0), dtype=np.intp)
    down = np.asarray(len(black) - 1 - black[::-1].argmax(axis=0), dtype=np.intp)
    upper = first + up - _beyond(fine, up, -1, levels)
    lower = first + down + _beyond(fine, down, 1, levels)
    return np.where(there, upper, np.nan), np.where(there, lower, np.nan)


def _beyond(
    fine: NDArray[np.uint8], edge: NDArray[np.intp], step: int, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far past the last black row, in [0, 1), the ink falls to each column's level."""
    columns = np.arange(fine.shape[1])
    outside = edge + step
    inner = fine[edge, columns].astype(np.float64)
    outer = np.where(
        (outside >= 0) & (outside < len(fine)), fine[np.clip(outside, 0, len(fine) - 1), columns], 0
    ).astype(np.float64)
    return np.asarray((inner - levels) / np.maximum(inner - outer, 1e-3), dtype=np.float64)


def pen_radius(edges: Outline) -> float:
    """Half the thickness of a trace where it runs level, px."""
    return max(0.25, float(np.nanpercentile(edges[1] - edges[0], _THIN_PERCENTILE)) / 2)


def centre_line(edges: Outline, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The line of the pen's middle.

    Args:
        edges: From :func:`outline`, without NaN.
        radius: Of the pen, px.

    Returns:
        ``(places,)`` rows, and by how many px the two ways of rolling the disc back differ.
    """
    upper, lower = edges
    above, below = _rolled_back(upper, radius), -_rolled_back(-lower, radius)
    middle, apart = (above + below) / 2, below - above
    width = int(_SURROUNDINGS * radius * OVERSAMPLE) | 1
    around = cv2.blur(middle.reshape(1, -1).astype(np.float32), (width, 1)).ravel().astype(np.float64)
    agreed = apart <= _APART_PX
    if agreed.any():
        bridged = np.interp(np.arange(len(middle)), np.flatnonzero(agreed), middle[agreed])
        around = np.where(agreed, around, bridged)
    up, down = np.maximum(around - above, 0) ** 2, np.maximum(below - around, 0) ** 2
    chosen = (up * above + down * below + 1e-3 * middle) / (up + down + 1e-3)
    return np.where(apart > 0, chosen, middle), np.maximum(apart, 0)


def _rolled_back(edge: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """The curve whose upper edge this is, by a disc rolled under it.

    Beside the tip of a spike only the disc's outer half counts: a tip printed narrower than the pen would otherwise let
    the disc fall down its other side.
    """
    left, right = _one_sided(edge, radius, 1), _one_sided(edge, radius, -1)
    curve = np.maximum(left, right)
    window = int(_SPIKE_WIDTH * radius * OVERSAMPLE) | 1
    at_tip = edge <= minimum_filter1d(edge, window) + _LEVEL_PX
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], at_tip, [False]]).astype(np.int8)))
    reach = int(_SPIKE_REACH * radius * OVERSAMPLE)
    for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
        if stop - start > 2 * reach:
            continue
        tip = (start + stop - 1) // 2
        first, last = max(0, tip - reach), min(len(edge), tip + reach + 1)
        curve[first:tip] = left[first:tip]
        curve[tip] = edge[tip] + radius
        curve[tip + 1 : last] = right[tip + 1 : last]
    return curve


def _one_sided(edge: NDArray[np.float64], radius: float, side: int) -> NDArray[np.float64]:
    """The edge rolled back by the half of a disc that lies to one side."""
    curve = edge + radius
    for place in range(1, int(radius * OVERSAMPLE) + 1):
        lift = np.sqrt(max(radius**2 - (place / OVERSAMPLE) ** 2, 0.0))
        shifted = np.empty_like(edge)
        if side > 0:
            shifted[place:], shifted[:place] = edge[:-place], edge[0]
        else:
            shifted[:-place], shifted[-place:] = edge[place:], edge[-1]
        np.maximum(curve, shifted + lift, out=curve)
    return curve

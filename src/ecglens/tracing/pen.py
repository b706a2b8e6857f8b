"""From the outline of a stroke to the center line of the pen.

A round pen of radius r that follows a curve leaves ink whose upper edge is the curve, lifted by rolling a disc along
it. Rolling the disc back under that edge gives the curve again: exactly at upward spikes however narrow, while valleys
narrower than the pen stay filled. Rolling it back over the lower edge is exact at downward spikes. Where both agree,
that is the curve; where they do not, the curve follows the one that leaves its surroundings (closing by a disc: Serra,
Image Analysis and Mathematical Morphology, 1982).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.sliding import open_mask, sliding_maximum, sliding_minimum

__all__ = ["LIMITS", "OVERSAMPLE", "Outline", "PenLimits", "find_center_line", "find_outline", "find_pen_radius"]

OVERSAMPLE = 4
"""Places in a column of pixels; a steep stroke's edge lies between columns."""

Outline = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Upper and lower edge of a trace, ``(places,)`` rows each, NaN where it is hidden."""


@dataclass(frozen=True)
class PenLimits:
    """Thresholds of the outline of a stroke and of its center line."""

    margin_px: float = threshold(
        2.5,
        "px",
        "Distance from a run within which half-covered pixels belong to it.",
        low="Edges are cut, and tips get low.",
        high="Ink of neighbors belongs to the stroke.",
    )
    flank_px: float = threshold(
        6.0,
        "px",
        "Height by which a run may grow to that of its neighboring column.",
        low="Tips between two columns are lost.",
        high="Print beside a steep stroke belongs to it.",
    )
    thin_percentile: float = threshold(
        10.0,
        "%",
        "Percentile of the thickness at which the trace runs level.",
        low="The pen is too thin, and steep strokes get wide.",
        high="Steep strokes count as the pen's thickness, and tips get low.",
    )
    max_apart_px: float = threshold(
        3.0,
        "px",
        "Largest difference of the two ways of rolling with which they agree.",
        low="Noise decides between them.",
        high="Narrow spikes are averaged away.",
    )
    surroundings: float = threshold(
        3.0,
        "pen radii",
        "Width of the surroundings that a spike leaves.",
        low="Broad spikes are their own surroundings.",
        high="Neighboring waves are surroundings.",
    )
    spike_width: float = threshold(
        4.0,
        "pen radii",
        "Width over which a tip is the highest place.",
        low="Notches count as tips.",
        high="Tips of close double spikes are overlooked.",
    )
    spike_reach: float = threshold(
        1.5,
        "pen radii",
        "Reach beside a tip in which only the outer half of the disc counts.",
        low="Narrow tips fall down on their other side.",
        high="Round tops get pointed.",
    )


LIMITS = PenLimits()

_FAINT_PX = 2
"""Width of faint ink from which it is a thin stroke and not the half-covered end of one."""
_LEVEL_PX = 0.05
"""Rows by which places of one tip may differ."""


def find_outline(
    ink: NDArray[np.uint8], top: NDArray[np.float64], bottom: NDArray[np.float64], *, level: float
) -> Outline:
    """Find the edges of one trace to a fraction of a pixel in both directions.

    Args:
        ink: ``(height, width)`` uint8.
        top: ``(width,)``, first row of the trace's run in each column, NaN where it is hidden.
        bottom: ``(width,)``, its last row.
        level: Ink at the edge.

    Returns:
        ``(width * OVERSAMPLE,)`` each.
    """
    height, width = ink.shape
    nothing = np.full(width * OVERSAMPLE, np.nan)
    if np.isnan(top).all():
        return nothing, nothing.copy()
    margin = LIMITS.margin_px
    first = max(0, int(np.nanmin(top) - margin) - 1)
    last = min(height, int(np.nanmax(bottom) + margin) + 2)
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    # Beside a steep stroke are half-covered pixels, in rows that only the next column's run reaches.
    highest = np.maximum(sliding_minimum(np.nan_to_num(top, nan=np.inf), 3), top - LIMITS.flank_px) - margin
    lowest = np.minimum(sliding_maximum(np.nan_to_num(bottom, nan=-np.inf), 3), bottom + LIMITS.flank_px) + margin
    is_inside = (rows >= highest) & (rows <= lowest) & ~np.isnan(top)
    own = np.where(is_inside, ink[first:last], np.uint8(0))
    size = (width * OVERSAMPLE, last - first)
    fine = np.asarray(cv2.resize(own, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    peak = fine.max(axis=0).astype(np.float64)
    # A thin stroke may reach the level nowhere; a half-covered column at a stroke's end is no thin stroke.
    is_faint = open_mask((peak < level) & (peak > 0), _FAINT_PX * OVERSAMPLE)
    levels = np.where(is_faint, peak / 2, level)
    black = fine >= levels
    is_visible = black.any(axis=0)
    up = np.asarray(black.argmax(axis=0), dtype=np.intp)
    down = np.asarray(len(black) - 1 - black[::-1].argmax(axis=0), dtype=np.intp)
    upper = first + up - _fraction_beyond(fine, up, -1, levels)
    lower = first + down + _fraction_beyond(fine, down, 1, levels)
    return np.where(is_visible, upper, np.nan), np.where(is_visible, lower, np.nan)


def _fraction_beyond(
    fine: NDArray[np.uint8], edge: NDArray[np.intp], step: int, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance past the last black row, in [0, 1), at which the ink falls to each column's level."""
    columns = np.arange(fine.shape[1])
    outside = edge + step
    inner = fine[edge, columns].astype(np.float64)
    outer = np.where(
        (outside >= 0) & (outside < len(fine)), fine[np.clip(outside, 0, len(fine) - 1), columns], 0
    ).astype(np.float64)
    return np.asarray((inner - levels) / np.maximum(inner - outer, 1e-3), dtype=np.float64)


def find_pen_radius(edges: Outline) -> float:
    """Return half the thickness of a trace where it runs level, px."""
    return max(0.25, float(np.nanpercentile(edges[1] - edges[0], LIMITS.thin_percentile)) / 2)


def find_center_line(edges: Outline, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the line along which the center of the pen moved.

    Args:
        edges: From :func:`find_outline`, without NaN.
        radius: Radius of the pen, px.

    Returns:
        ``(places,)`` rows, and by how many px the two ways of rolling the disc back differ.
    """
    upper, lower = edges
    above, below = _roll_back(upper, radius), -_roll_back(-lower, radius)
    middle, apart = (above + below) / 2, below - above
    width = int(LIMITS.surroundings * radius * OVERSAMPLE) | 1
    around = cv2.blur(middle.reshape(1, -1).astype(np.float32), (width, 1)).ravel().astype(np.float64)
    agree = apart <= LIMITS.max_apart_px
    if agree.any():
        bridged = np.interp(np.arange(len(middle)), np.flatnonzero(agree), middle[agree])
        around = np.where(agree, around, bridged)
    up, down = np.maximum(around - above, 0) ** 2, np.maximum(below - around, 0) ** 2
    chosen = (up * above + down * below + 1e-3 * middle) / (up + down + 1e-3)
    return np.where(apart > 0, chosen, middle), np.maximum(apart, 0)


def _roll_back(edge: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """The curve whose upper edge this is, by a disc rolled under it.

    Beside the tip of a spike only the disc's outer half counts: a tip printed narrower than the pen would otherwise let
    the disc fall down on its other side.
    """
    left, right = _roll_back_half(edge, radius, 1), _roll_back_half(edge, radius, -1)
    curve = np.maximum(left, right)
    window = int(LIMITS.spike_width * radius * OVERSAMPLE) | 1
    is_tip = edge <= sliding_minimum(edge, window) + _LEVEL_PX
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], is_tip, [False]]).astype(np.int8)))
    reach = int(LIMITS.spike_reach * radius * OVERSAMPLE)
    for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
        if stop - start > 2 * reach:
            continue
        tip = (start + stop - 1) // 2
        first, last = max(0, tip - reach), min(len(edge), tip + reach + 1)
        curve[first:tip] = left[first:tip]
        curve[tip] = edge[tip] + radius
        curve[tip + 1 : last] = right[tip + 1 : last]
    return curve


def _roll_back_half(edge: NDArray[np.float64], radius: float, side: int) -> NDArray[np.float64]:
    """The edge rolled back by the half of a disc that lies on one side."""
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

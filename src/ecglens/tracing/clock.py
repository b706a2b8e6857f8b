"""The clock of a photographed page: when its traces begin, and how many pixels a second has, from both ends of them.

Blur and a thick pen move the beginning of a trace to the left and its end to the right by the same distance, so that
the middle of both is exact. A time error of 4 ms costs half of the signal-to-noise ratio of steep complexes.
"""

from dataclasses import dataclass

import numpy as np

from ecglens.limits import threshold
from ecglens.records import LeadBox
from ecglens.tracing.lines import Line, TracedLines
from ecglens.tracing.pen import OVERSAMPLE
from ecglens.tracing.scale import find_standard_duration

__all__ = ["LIMITS", "Clock", "ClockLimits", "find_clock"]


@dataclass(frozen=True)
class ClockLimits:
    """Thresholds of finding the clock by the ends of the traces."""

    reach_mm: float = threshold(
        1.5,
        "mm",
        "Distance from the ends of the boxes within which the ends of the traces are searched.",
        low="Ends are not found.",
        high="Pulses and print count as ends.",
    )
    max_stretch: float = threshold(
        0.012,
        "1",
        "Largest relative difference of the pixels per second from those by the scale.",
        low="Grids that are printed too wide make the clock fail.",
        high="Wrong ends stretch the time.",
    )
    grid_tolerance: float = threshold(
        0.003,
        "1",
        "The same up to which the scale is used, which does not depend on the radius of the pen.",
        low="The radius of the pen stretches the time.",
        high="Grids that are printed slightly too wide stretch the time.",
    )
    snap_s: float = threshold(
        0.03,
        "s",
        "Distance from a whole part of the traces within which a lead begins there.",
        low="Leads begin early or late by a pixel.",
        high="Leads that truly begin elsewhere are moved.",
    )
    min_share: float = threshold(
        0.5,
        "1",
        "Least share of the lines whose two ends are visible.",
        low="One line with dirt at its end decides.",
        high="Pages with a cut corner have no clock.",
    )


LIMITS = ClockLimits()


@dataclass(frozen=True, slots=True)
class Clock:
    """Time on a page.

    Attributes:
        start_px: Column of the upright page at which the traces begin.
        px_per_s: Columns of a second.
        part_s: Duration of a lead beside others in its line.
    """

    start_px: float
    px_per_s: float
    part_s: float

    def start_of(self, column_px: float) -> float:
        """Return the column at which a lead begins whose box begins near a whole part of the traces."""
        seconds = (column_px - self.start_px) / self.px_per_s
        nearest = round(seconds / self.part_s) * self.part_s
        if abs(seconds - nearest) > LIMITS.snap_s:
            return column_px
        return self.start_px + nearest * self.px_per_s


def find_clock(
    traced: TracedLines, lines: list[tuple[LeadBox, ...]], *, px_per_mm: float, px_per_s: float, fs_hz: float
) -> Clock | None:
    """Find the clock of a page whose traces all begin and end together; ``None`` where their ends are not visible.

    Args:
        traced: Traces of the page.
        lines: Boxes of its leads, line by line.
        px_per_mm: Horizontal scale.
        px_per_s: Pixels per second by the scale.
        fs_hz: Sampling rate, for the last sample.
    """
    left = float(np.median([line[0].box.left for line in lines])) + traced.shift_px
    right = float(np.median([line[-1].box.right for line in lines]))
    duration_s = find_standard_duration((right - left) / px_per_s)
    if duration_s is None:
        return None
    reach = LIMITS.reach_mm * px_per_mm
    both = [_find_ends(traced, line, (left, right), reach) for line in traced.lines]
    ends = np.array([each for each in both if each is not None], dtype=np.float64)
    if len(ends) < max(1.0, LIMITS.min_share * len(lines)):
        return None
    visible_s = duration_s - 1 / fs_hz
    pen_px = 2 * traced.pen_radius_px * traced.ink.shrink
    measured = float(np.median(ends[:, 1] - ends[:, 0]) - pen_px) / visible_s
    if abs(measured / px_per_s - 1) > LIMITS.max_stretch:
        return None
    used = px_per_s if abs(measured / px_per_s - 1) <= LIMITS.grid_tolerance else measured
    start = float(np.median(ends.mean(axis=1))) - visible_s / 2 * used
    return Clock(start, used, duration_s / max(len(line) for line in lines))


def _find_ends(
    traced: TracedLines, line: Line, expected: tuple[float, float], reach: float
) -> tuple[float, float] | None:
    """Columns of the page at which the ink of a line begins and ends, near the expected ones."""
    ends = []
    for column, way in zip(expected, (-1, 1), strict=True):
        inner, outer = (round(float(traced.ink.column(column + way * off))) for off in (-reach, reach))
        end = _find_end(traced, line, inner, outer)
        if end is None:
            return None
        ends.append(traced.ink.page_column(end))
    return ends[0], ends[1]


def _find_end(traced: TracedLines, line: Line, inner: int, outer: int) -> float | None:
    """Column of the ink at which a line falls to the level of an edge, from one column outwards to another."""
    ink, way = traced.ink, 1 if outer > inner else -1
    if not 0 <= min(inner, outer) <= max(inner, outer) < ink.pixels.shape[1] or line.is_hidden[inner * OVERSAMPLE]:
        return None
    before = float(ink.level)
    row = round(float(line.center[inner * OVERSAMPLE]))
    for column in range(inner, outer, way):
        if not line.is_hidden[column * OVERSAMPLE]:
            row = round(float(line.center[column * OVERSAMPLE]))
        here = float(ink.pixels[max(0, row - 2) : row + 3, column].max(initial=0))
        if here < ink.level:
            if ink.separators[max(0, column - 2) : column + 3].any():
                return None
            return column - way * (ink.level - here) / max(before - here, 1.0)
        before = here
    return None

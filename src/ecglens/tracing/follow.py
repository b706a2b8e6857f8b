"""Following traces: upright runs of ink, column by column, and the cheapest path through them.

A pen never leaves the paper, so that a trace's runs in neighboring columns touch. All lines of a page are followed at
once, each by dynamic programming over the runs of its columns (Viterbi 1967): jumps cost their height, distance from
the line's zero costs a little, and a line may stay hidden for a while where its ink is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["HIDDEN", "LIMITS", "FollowLimits", "Runs", "find_runs", "follow_lines"]

HIDDEN = -1
"""Place of a line in a column in which its trace is hidden."""


@dataclass(frozen=True)
class FollowLimits:
    """Costs of the path of a trace."""

    jump_per_mm: float = threshold(
        2.0,
        "1/mm",
        "Cost of a gap between the runs of neighboring columns.",
        low="Traces jump to print and to neighboring lines.",
        high="Steep thin strokes, which are broken in pale prints, end before their tips.",
    )
    emerge_per_mm: float = threshold(
        0.3,
        "1/mm",
        "Cost of appearing again at another height after being hidden.",
        low="Hidden traces come back on a neighboring line.",
        high="Traces stay hidden where they come back higher or lower.",
    )
    shape_per_mm: float = threshold(
        0.1,
        "1/mm",
        "Cost of ink that only one of two touching runs covers.",
        low="Traces take a dot beside a flank instead of its tip.",
        high="Traces avoid steep strokes.",
    )
    max_shape_mm: float = threshold(
        60.0,
        "mm",
        "Height from which more such ink costs no more.",
        low="Very tall complexes are cut short.",
        high="No known failure: complexes of 60 mm are rare.",
    )
    stray_per_mm: float = threshold(
        0.02,
        "1/mm",
        "Cost of the distance from the line's zero.",
        low="Traces change to neighboring lines where complexes cross.",
        high="Wandering baselines and tall complexes are abandoned.",
    )
    max_stray: float = threshold(
        1.0,
        "1",
        "Largest cost of that distance.",
        low="Traces change to neighboring lines.",
        high="Tall complexes are abandoned.",
    )
    hidden: float = threshold(
        3.0,
        "1",
        "Cost of a column in which the trace is hidden.",
        low="Traces hide instead of following steep strokes.",
        high="Traces follow print and dirt instead of hiding.",
    )
    in_name: float = threshold(
        1.0,
        "1",
        "Cost of a column in which the trace would be a stroke of a lead name: less than hiding.",
        low="Traces follow letters.",
        high="Traces hide where they cross their lead's name.",
    )


LIMITS = FollowLimits()

_NOWHERE = -1e6
_MAX_RUNS = 48
"""Number of runs of a column that are looked at, the longest ones: more are noise."""
_FORBIDDEN = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Upright runs of ink, ``(columns, most)`` each: first and last row; far above the page where there is none."""

    top: NDArray[np.float32]
    bottom: NDArray[np.float32]


def find_runs(black: NDArray[np.bool_]) -> Runs:
    """Find the upright runs of True in ``(height, width)``, top to bottom; of very many in a column, the longest."""
    height, width = black.shape
    edges = np.zeros((width, height + 1), dtype=np.int8)
    edges[:, :-1] = black.T
    edges[:, 1:] -= black.T
    columns, tops = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    counts = np.bincount(columns, minlength=width)
    for column in np.flatnonzero(counts > _MAX_RUNS):
        members = np.flatnonzero(columns == column)
        longest = np.argsort(tops[members] - ends[members], kind="stable")[:_MAX_RUNS]
        dropped = np.delete(members, longest)
        columns, tops, ends = (np.delete(values, dropped) for values in (columns, tops, ends))
    counts = np.minimum(counts, _MAX_RUNS)
    place = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (width, max(1, int(counts.max(initial=0))))
    top, bottom = (np.full(shape, _NOWHERE, dtype=np.float32) for _ in range(2))
    top[columns, place] = tops
    bottom[columns, place] = ends - 1
    return Runs(top, bottom)


def follow_lines(
    runs: Runs,
    zeros: NDArray[np.float64],
    *,
    px_per_mm: float,
    reach_px: float,
    names: Iterable[tuple[float, float, float, float]] = (),
) -> NDArray[np.intp]:
    """Find the run of each line in each column.

    Args:
        runs: Runs of the page's ink between the first and the last column of the traces.
        zeros: ``(lines,)``, rows of 0 mV.
        px_per_mm: Pixels per millimeter.
        reach_px: Largest distance of a trace from its zero line.
        names: Top, left, bottom and right of printed names whose strokes may look like the trace.

    Returns:
        ``(lines, columns)``, place among the column's runs or ``HIDDEN``.
    """
    columns, most = runs.top.shape
    lines = len(zeros)
    zero = np.asarray(zeros, dtype=np.float32)[:, None]
    emerge = LIMITS.emerge_per_mm / px_per_mm
    run_cost, step_cost = _run_cost(runs, zero, px_per_mm, reach_px, names), _step_cost(runs, px_per_mm)
    back = np.zeros((columns, lines, most + 1), dtype=np.int16)
    cost = np.zeros((lines, most + 1), dtype=np.float32)
    new, step = np.empty_like(cost), np.empty((lines, most + 1, most), dtype=np.float32)
    every, last_row = np.arange(lines), np.array(zeros, dtype=np.float32)
    cost[:, :most], cost[:, most] = run_cost[0], LIMITS.hidden
    for column in range(1, columns):
        from_hidden = np.maximum(runs.top[column] - last_row[:, None], last_row[:, None] - runs.bottom[column])
        np.add(cost[:, :most, None], step_cost[column - 1], out=step[:, :most])
        step[:, most] = cost[:, most, None] + emerge * np.maximum(from_hidden, 0)
        back[column, :, :most] = step.argmin(axis=1)
        np.add(step.min(axis=1), run_cost[column], out=new[:, :most])
        best = cost[:, :most].argmin(axis=1)
        hide = cost[every, best] + LIMITS.hidden
        stays_hidden = cost[:, most] <= hide
        new[:, most] = np.where(stays_hidden, cost[:, most], hide) + LIMITS.hidden
        back[column, :, most] = np.where(stays_hidden, most, best)
        last_row = np.where(stays_hidden, last_row, (runs.top[column - 1] + runs.bottom[column - 1])[best] / 2)
        np.subtract(new, new.min(axis=1, keepdims=True), out=cost)
    path = np.empty((lines, columns), dtype=np.intp)
    state = cost.argmin(axis=1)
    for column in range(columns - 1, -1, -1):
        path[:, column] = state
        state = back[column, every, state].astype(np.intp)
    return np.where(path == most, HIDDEN, path)


def _run_cost(
    runs: Runs,
    zero: NDArray[np.float32],
    px_per_mm: float,
    reach_px: float,
    names: Iterable[tuple[float, float, float, float]],
) -> NDArray[np.float32]:
    """``(columns, lines, runs)``, cost of each run of a column for each line."""
    distance = np.maximum(0, np.maximum(runs.top[:, None] - zero, zero - runs.bottom[:, None]))
    stray = np.minimum(LIMITS.stray_per_mm / px_per_mm * distance, LIMITS.max_stray)
    cost = np.where(distance > reach_px, _FORBIDDEN, stray)
    return np.asarray(cost + LIMITS.in_name * _are_inside(runs, names)[:, None], dtype=np.float32)


def _step_cost(runs: Runs, px_per_mm: float) -> NDArray[np.float32]:
    """``(columns - 1, runs, runs)``, cost of going from each run of a column to each of the next.

    Ink that only one of two touching runs covers costs too: a flank goes on to the tip, not to a dot beside it.
    """
    top, bottom = runs.top[1:, None], runs.bottom[1:, None]
    before_top, before_bottom = runs.top[:-1, :, None], runs.bottom[:-1, :, None]
    gap = np.maximum(top - before_bottom, before_top - bottom) - 1
    uncovered = np.minimum(np.abs(top - before_top) + np.abs(bottom - before_bottom), LIMITS.max_shape_mm * px_per_mm)
    cost = LIMITS.jump_per_mm / px_per_mm * np.maximum(gap, 0) + LIMITS.shape_per_mm / px_per_mm * uncovered
    return np.asarray(cost, dtype=np.float32)


def _are_inside(runs: Runs, boxes: Iterable[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """Return whether each run lies in one of the boxes from end to end."""
    is_inside = np.zeros(runs.top.shape, dtype=np.bool_)
    for top, left, bottom, right in boxes:
        part = slice(max(0, int(left)), max(0, int(right) + 1))
        is_inside[part] |= (runs.top[part] >= top) & (runs.bottom[part] <= bottom)
    return is_inside

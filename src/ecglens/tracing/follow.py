"""Which ink belongs to which trace: upright runs of ink, column by column, and the cheapest way through them.

A pen never leaves the paper, so a trace's runs in neighbouring columns touch. All lines of a page are followed at
once, each by dynamic programming over the runs of its columns (Viterbi 1967): jumps cost their height, straying from
the line's zero costs a little, and a line may stay hidden for a while where its ink is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIDDEN", "Runs", "follow", "runs_of"]

HIDDEN = -1

_NOWHERE = -1e6
_MOST = 48
_FORBIDDEN = 1e9
_JUMP_PER_MM = 2.0
_EMERGE_PER_MM = 0.3
_SHAPE_PER_MM = 0.1
_ALONE_MOST_MM = 60.0
_STRAY_PER_MM = 0.02
_STRAY_MOST = 1.0
_HIDDEN_COST = 3.0
_PRINT_COST = 1.0
"""Of a column in which a trace would be a stroke of print: less than hiding, more than going on to a tip."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Upright runs of ink, ``(columns, most)`` each: first and last row; far above the page where there is none."""

    top: NDArray[np.float32]
    bottom: NDArray[np.float32]


def runs_of(black: NDArray[np.bool_]) -> Runs:
    """Upright runs of True in ``(height, width)``, top to bottom; of a column with very many the ``_MOST`` longest."""
    height, width = black.shape
    edges = np.zeros((width, height + 1), dtype=np.int8)
    edges[:, :-1] = black.T
    edges[:, 1:] -= black.T
    columns, tops = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    counts = np.bincount(columns, minlength=width)
    for column in np.flatnonzero(counts > _MOST):
        there = np.flatnonzero(columns == column)
        kept = np.argsort(tops[there] - ends[there], kind="stable")[:_MOST]
        dropped = np.delete(there, kept)
        columns, tops, ends = (np.delete(values, dropped) for values in (columns, tops, ends))
    counts = np.minimum(counts, _MOST)
    place = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (width, max(1, int(counts.max(initial=0))))
    top, bottom = (np.full(shape, _NOWHERE, dtype=np.float32) for _ in range(2))
    top[columns, place] = tops
    bottom[columns, place] = ends - 1
    return Runs(top, bottom)


def follow(
    runs: Runs,
    zeros: NDArray[np.float64],
    *,
    px_per_mm: float,
    reach_px: float,
    names: Iterable[tuple[float, float, float, float]] = (),
) -> NDArray[np.intp]:
    """The run of each line in each column.

    Args:
        runs: Of the page's ink between the first and the last column of the traces.
        zeros: ``(lines,)``, rows of 0 mV.
        px_per_mm: Pixels per millimetre.
        reach_px: How far from its zero line a trace may stand.
        names: Top, left, bottom and right of print whose strokes may be taken for the trace's.

    Returns:
        ``(lines, columns)``, place among the column's runs or ``HIDDEN``.
    """
    columns, most = runs.top.shape
    lines = len(zeros)
    zero = np.asarray(zeros, dtype=np.float32)[:, None]
    emerge = _EMERGE_PER_MM / px_per_mm
    here, onward = _standing(runs, zero, px_per_mm, reach_px, names), _going(runs, px_per_mm)
    back = np.zeros((columns, lines, most + 1), dtype=np.int16)
    cost = np.zeros((lines, most + 1), dtype=np.float32)
    new, step = np.empty_like(cost), np.empty((lines, most + 1, most), dtype=np.float32)
    every, last_row = np.arange(lines), np.array(zeros, dtype=np.float32)
    cost[:, :most], cost[:, most] = here[0], _HIDDEN_COST
    for column in range(1, columns):
        from_hidden = np.maximum(runs.top[column] - last_row[:, None], last_row[:, None] - runs.bottom[column])
        np.add(cost[:, :most, None], onward[column - 1], out=step[:, :most])
        step[:, most] = cost[:, most, None] + emerge * np.maximum(from_hidden, 0)
        back[column, :, :most] = step.argmin(axis=1)
        np.add(step.min(axis=1), here[column], out=new[:, :most])
        seen = cost[:, :most].argmin(axis=1)
        dive = cost[every, seen] + _HIDDEN_COST
        stay = cost[:, most] <= dive
        new[:, most] = np.where(stay, cost[:, most], dive) + _HIDDEN_COST
        back[column, :, most] = np.where(stay, most, seen)
        last_row = np.where(stay, last_row, (runs.top[column - 1] + runs.bottom[column - 1])[seen] / 2)
        np.subtract(new, new.min(axis=1, keepdims=True), out=cost)
    path = np.empty((lines, columns), dtype=np.intp)
    state = cost.argmin(axis=1)
    for column in range(columns - 1, -1, -1):
        path[:, column] = state
        state = back[column, every, state].astype(np.intp)
    return np.where(path == most, HIDDEN, path)


def _standing(
    runs: Runs,
    zero: NDArray[np.float32],
    px_per_mm: float,
    reach_px: float,
    names: Iterable[tuple[float, float, float, float]],
) -> NDArray[np.float32]:
    """``(columns, lines, runs)``, what it costs each line to be each run of a column."""
    away = np.maximum(0, np.maximum(runs.top[:, None] - zero, zero - runs.bottom[:, None]))
    cost = np.where(away > reach_px, _FORBIDDEN, np.minimum(_STRAY_PER_MM / px_per_mm * away, _STRAY_MOST))
    return np.asarray(cost + _PRINT_COST * _inside(runs, names)[:, None], dtype=np.float32)


def _going(runs: Runs, px_per_mm: float) -> NDArray[np.float32]:
    """``(columns - 1, runs, runs)``, what it costs to go on from each run of a column to each of the next.

    Ink that only one of two touching runs covers costs too: a flank goes on to the tip, not to a dot beside it.
    """
    top, bottom = runs.top[1:, None], runs.bottom[1:, None]
    before_top, before_bottom = runs.top[:-1, :, None], runs.bottom[:-1, :, None]
    gap = np.maximum(top - before_bottom, before_top - bottom) - 1
    alone = np.minimum(np.abs(top - before_top) + np.abs(bottom - before_bottom), _ALONE_MOST_MM * px_per_mm)
    cost = _JUMP_PER_MM / px_per_mm * np.maximum(gap, 0) + _SHAPE_PER_MM / px_per_mm * alone
    return np.asarray(cost, dtype=np.float32)


def _inside(runs: Runs, boxes: Iterable[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """Which runs lie in one of the boxes from end to end."""
    found = np.zeros(runs.top.shape, dtype=np.bool_)
    for top, left, bottom, right in boxes:
        part = slice(max(0, int(left)), max(0, int(right) + 1))
        found[part] |= (runs.top[part] >= top) & (runs.bottom[part] <= bottom)
    return found

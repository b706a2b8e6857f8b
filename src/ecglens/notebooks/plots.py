"""Plots of signals on ECG paper, by matplotlib."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.extras import require
from ecglens.records import EcgRecord

__all__ = ["plot_record"]

_MM_PER_S, _MM_PER_MV = 25.0, 10.0
_INCHES_PER_MM = 0.8 / 25.4
"""Size of a millimeter of paper: 10 s are 20 cm wide, as notebooks have room for."""
_MARGIN_MV = 0.5
_MIN_ROW_MV = 1.5
"""Least height of a row, so that flat leads do not touch."""
_QUANTILES = (0.1, 99.9)
"""Percentiles between which the samples of a row lie, without artifacts of single samples."""
_MINOR, _MAJOR, _TRACE = "#f7d9d9", "#eba9a9", "#14213d"


def plot_record(record: EcgRecord, *, start_s: float = 0.0, seconds: float = 10.0, ax: Any = None) -> Any:
    """Plot the signals of a record on ECG paper at 25 mm/s and 10 mm/mV.

    Leads that follow each other in time, as on a page of 3x4 leads, share a row.

    Args:
        record: Signals in mV.
        start_s: Start of the part that is shown.
        seconds: Length of that part.
        ax: ``matplotlib.axes.Axes`` to draw in; a new figure by default.

    Returns:
        The ``matplotlib.axes.Axes``, in s and mV.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    placed = record.with_distinct_leads().on_one_clock()
    first = max(0, round(start_s * placed.fs_hz))
    part = placed.signals_mv[:, first : first + max(2, round(seconds * placed.fs_hz))]
    times = (first + np.arange(part.shape[1])) / placed.fs_hz
    rows = _share_rows(part)
    zeros = _place_rows(part, rows)
    top, bottom = zeros[0] + _reach(part[rows[0]])[1] + _MARGIN_MV, zeros[-1] + _reach(part[rows[-1]])[0] - _MARGIN_MV
    left, right = first / placed.fs_hz, (first + max(part.shape[1], 2) - 1) / placed.fs_hz
    if ax is None:
        ax = _new_axes((right - left) * _MM_PER_S, (top - bottom) * _MM_PER_MV)
    _draw_paper(ax, left, right, bottom, top)
    for zero, leads in zip(zeros, rows, strict=True):
        for lead in leads:
            valid = np.flatnonzero(~np.isnan(part[lead]))
            ax.plot(times, part[lead] + zero, color=_TRACE, linewidth=0.8)
            begin = times[valid[0]] if len(valid) else left
            ax.annotate(
                placed.leads[lead], (begin, zero), (3, 12), textcoords="offset points", fontsize=8, weight="bold"
            )
    return ax


def _share_rows(signals: NDArray[np.float32]) -> list[list[int]]:
    """Return the leads of each row: a lead goes into the first row whose leads have ended before it begins."""
    rows: list[list[int]] = []
    ends: list[int] = []
    for lead, signal in enumerate(signals):
        valid = np.flatnonzero(~np.isnan(signal))
        first, last = (int(valid[0]), int(valid[-1])) if len(valid) else (0, len(signal))
        row = next((number for number, end in enumerate(ends) if end <= first), None)
        if row is None:
            rows.append([lead])
            ends.append(last)
        else:
            rows[row].append(lead)
            ends[row] = last
    return rows


def _place_rows(signals: NDArray[np.float32], rows: list[list[int]]) -> list[float]:
    """Return the height of each row's zero line in mV, downward, so that rows do not overlap."""
    zeros = [0.0]
    for above, below in zip(rows[:-1], rows[1:], strict=True):
        room = _reach(signals[below])[1] - _reach(signals[above])[0]
        zeros.append(zeros[-1] - max(_MIN_ROW_MV, room + 0.2))
    return zeros


def _reach(signals: NDArray[np.float32]) -> tuple[float, float]:
    """Return the lowest and highest level of signals in mV, without artifacts, at least 0.5 mV around zero."""
    valid = signals[~np.isnan(signals)]
    low, high = np.percentile(valid, _QUANTILES) if valid.size else (0.0, 0.0)
    return min(float(low), -_MARGIN_MV), max(float(high), _MARGIN_MV)


def _new_axes(width_mm: float, height_mm: float) -> Any:
    pyplot = require("matplotlib.pyplot", extra="plot")
    _, ax = pyplot.subplots(figsize=(width_mm * _INCHES_PER_MM, height_mm * _INCHES_PER_MM))
    return ax


def _draw_paper(ax: Any, left: float, right: float, bottom: float, top: float) -> None:
    """Draw lines each millimeter and bolder ones each 5 mm."""
    for step_mm, color, width in ((1.0, _MINOR, 0.4), (5.0, _MAJOR, 0.7)):
        style: dict[str, Any] = {"colors": color, "linewidth": width, "zorder": 0}
        ax.vlines(_multiples(left, right, step_mm / _MM_PER_S), bottom, top, **style)
        ax.hlines(_multiples(bottom, top, step_mm / _MM_PER_MV), left, right, **style)
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="s", yticks=[])
    ax.set_title("25 mm/s, 10 mm/mV", loc="right", fontsize=8)
    for side in ("top", "left", "right"):
        ax.spines[side].set_visible(False)


def _multiples(low: float, high: float, step: float) -> NDArray[np.float64]:
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step

"""Plots of signals on ECG paper, by matplotlib."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import RecordError
from ecglens.extras import require
from ecglens.notebooks.rows import MARGIN_MV, find_reach, place_rows, share_rows
from ecglens.records import EcgRecord

__all__ = ["plot_record"]

_MM_PER_S, _MM_PER_MV = 25.0, 10.0
_INCHES_PER_MM = 0.8 / 25.4
"""Size of a millimeter of paper: 10 s are 20 cm wide, as notebooks have room for."""
_MARGINS_INCHES = (0.1, 0.5, 0.1, 0.3)
"""Left, below, right and above the paper: the time below, the scale above."""
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
        RecordError: The part is outside of the recording.
    """
    if not (0 <= start_s < record.duration_s and 0 < seconds < np.inf):
        raise RecordError(
            f"Expected a part of the {record.duration_s:g} s of the recording, got {seconds:g} s from {start_s:g} s on."
        )
    placed = record.with_distinct_leads().on_one_clock()
    first = max(0, round(start_s * placed.fs_hz))
    part = placed.signals_mv[:, first : first + max(2, round(seconds * placed.fs_hz))]
    part = np.where(np.isfinite(part), part, np.nan)
    times = (first + np.arange(part.shape[1])) / placed.fs_hz
    rows = share_rows(part)
    zeros = place_rows(part, rows)
    top = zeros[0] + find_reach(part[rows[0]])[1] + MARGIN_MV
    bottom = zeros[-1] + find_reach(part[rows[-1]])[0] - MARGIN_MV
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


def _new_axes(width_mm: float, height_mm: float) -> Any:
    pyplot = require("matplotlib.pyplot", extra="plot")
    left, bottom, right, top = _MARGINS_INCHES
    paper = width_mm * _INCHES_PER_MM, height_mm * _INCHES_PER_MM
    size = left + paper[0] + right, bottom + paper[1] + top
    figure = pyplot.figure(figsize=size)
    return figure.add_axes((left / size[0], bottom / size[1], paper[0] / size[0], paper[1] / size[1]))


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

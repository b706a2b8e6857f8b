"""Rows of a plot: leads that follow each other in time share one, as on a page of 3x4 leads."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MARGIN_MV", "find_reach", "place_rows", "share_rows"]

MARGIN_MV = 0.5
"""Room above and below, and least height of a lead on each side of its zero line."""
_MIN_ROW_MV = 1.5
"""Least height of a row, so that flat leads do not touch."""
_QUANTILES = (0.1, 99.9)
"""Percentiles between which the samples of a row lie, without artifacts of single samples."""


def share_rows(signals: NDArray[np.float32]) -> list[list[int]]:
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


def place_rows(signals: NDArray[np.float32], rows: list[list[int]]) -> list[float]:
    """Return the height of each row's zero line in mV, downward, so that rows do not overlap."""
    zeros = [0.0]
    for above, below in zip(rows[:-1], rows[1:], strict=True):
        room = find_reach(signals[below])[1] - find_reach(signals[above])[0]
        zeros.append(zeros[-1] - max(_MIN_ROW_MV, room + 0.2))
    return zeros


def find_reach(signals: NDArray[np.float32]) -> tuple[float, float]:
    """Return the lowest and highest level of signals in mV, without artifacts, at least 0.5 mV around zero."""
    valid = signals[~np.isnan(signals)]
    low, high = np.percentile(valid, _QUANTILES) if valid.size else (0.0, 0.0)
    return min(float(low), -MARGIN_MV), max(float(high), MARGIN_MV)

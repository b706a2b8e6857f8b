"""Results as pandas data frames."""

from typing import Any

import numpy as np

from ecglens.extras import require
from ecglens.measurements import FIGURES, Measurements
from ecglens.records import EcgRecord

__all__ = ["frame_measurements", "frame_record"]


def frame_record(record: EcgRecord) -> Any:
    """Return a ``pandas.DataFrame`` of the signals in mV, a column for each lead, by time in s from the start.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    placed = record.with_distinct_leads().on_one_clock()
    pandas = require("pandas", extra="table")
    times = np.arange(placed.signals_mv.shape[1]) / placed.fs_hz
    index = pandas.Index(times, name="time_s")
    return pandas.DataFrame(placed.signals_mv.T, index=index, columns=list(placed.leads))


def frame_measurements(measurements: Measurements) -> Any:
    """Return a ``pandas.DataFrame`` of the measurements, a row for each, with error, unit and reference range.

    The levels of ST follow the other figures, as ``st_j_mv[V2]``. Figures that could not be measured are NaN.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    figures = {name: getattr(measurements, name) for name in FIGURES}
    for name in ("st_j_mv", "st_j60_mv"):
        figures |= {f"{name}[{lead}]": level for lead, level in getattr(measurements, name).items()}
    rows = []
    for figure in figures.values():
        if figure is None:
            rows.append((np.nan, np.nan, "", np.nan, np.nan, ""))
            continue
        low, high = figure.reference or (None, None)
        limits = (np.nan if low is None else low, np.nan if high is None else high)
        rows.append((figure.value, figure.error, figure.unit, *limits, figure.position or ""))
    pandas = require("pandas", extra="table")
    index = pandas.Index(list(figures), name="measurement")
    return pandas.DataFrame(rows, index=index, columns=["value", "error", "unit", "low", "high", "position"])

"""What limb leads owe each other: I + III = II (Einthoven 1913) and aVR + aVL + aVF = 0 (Goldberger 1942)."""

import numpy as np
from numpy.typing import NDArray

from ecglens.records import EcgRecord

__all__ = ["einthoven_rmse", "goldberger_rmse"]


def einthoven_rmse(record: EcgRecord) -> float | None:
    """Root mean square of I + III - II in mV, its mean removed; ``None`` where the three never stand side by side."""
    return _rmse(record, {"I": 1.0, "III": 1.0, "II": -1.0})


def goldberger_rmse(record: EcgRecord) -> float | None:
    """The same of aVR + aVL + aVF; ``-aVR`` of Cabrera pages counts as aVR turned over."""
    right = "-aVR" if "-aVR" in record.leads else "aVR"
    return _rmse(record, {right: -1.0 if right == "-aVR" else 1.0, "aVL": 1.0, "aVF": 1.0})


def _rmse(record: EcgRecord, weights: dict[str, float]) -> float | None:
    if not set(weights) <= set(record.leads):
        return None
    clock = record.on_one_clock()
    rows = [weight * clock.signals_mv[clock.leads.index(lead)] for lead, weight in weights.items()]
    rest: NDArray[np.float32] = np.sum(rows, axis=0)
    rest = rest[~np.isnan(rest)]
    return float(np.sqrt(np.mean((rest - rest.mean()) ** 2))) if rest.size >= record.fs_hz else None

"""Samples as whole microvolts of 16 bits, which hold 65 mV about an offset of each lead.

Electrodes have a direct voltage of up to 300 mV, on which the ECG of a few mV lies. The step stays a microvolt: what
moves is the zero.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEPS_PER_MV", "choose_offsets", "digitize"]

STEPS_PER_MV = 1000
_MISSING = -32768
_LARGEST = 32767
_CENTERED_MV = 25.0
"""Largest voltage that needs no offset."""
_SPAN_MV = 60.0
"""Largest span that is held about its middle; beyond it, what most samples are near to is held."""


def choose_offsets(samples_mv: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return an offset for each lead in whole mV, 0 where none is needed.

    Args:
        samples_mv: ``(leads, samples)`` in mV; NaN where missing.
    """
    offsets = np.zeros(len(samples_mv), dtype=np.int64)
    for lead, row in enumerate(samples_mv):
        valid = row[np.isfinite(row)]
        if len(valid) and float(np.abs(valid).max()) > _CENTERED_MV:
            low, high = float(valid.min()), float(valid.max())
            offsets[lead] = round((low + high) / 2 if high - low <= _SPAN_MV else float(np.median(valid)))
    return offsets


def digitize(samples_mv: NDArray[np.floating], offsets_mv: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return samples in microvolts less their offset; -32768 where missing or out of the range.

    Args:
        samples_mv: ``(leads, samples)`` in mV; NaN where missing.
        offsets_mv: ``(leads,)`` in mV.
    """
    whole = np.rint((samples_mv.astype(np.float64) - offsets_mv[:, None]) * STEPS_PER_MV)
    return np.where(np.abs(whole) <= _LARGEST, whole, _MISSING).astype("<i2")  # false for NaN

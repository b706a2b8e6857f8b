"""Offsets of electrodes, which would move the trace of a digital ECG off its line."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["remove_offset"]

_LARGE_MV = 0.5
"""Level from which a lead is displayed around its own median; traces of pages are within 0.2 mV of their lines."""


def remove_offset(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples of a lead around its own level, where that is far from 0 mV.

    Args:
        signal: ``(samples,)`` in mV, NaN where a sample is missing.

    >>> remove_offset(np.array([7.5, np.nan, 8.5, 7.5], np.float32)).tolist()
    [0.0, nan, 1.0, 0.0]
    >>> remove_offset(np.array([0.1, 1.0, 0.1], np.float32)).tolist() == np.array([0.1, 1.0, 0.1], np.float32).tolist()
    True
    """
    valid = signal[~np.isnan(signal)]
    level = np.float32(np.median(valid)) if valid.size else np.float32(0.0)
    return signal - level if abs(level) > _LARGE_MV else signal

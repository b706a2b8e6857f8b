"""Savitzky-Golay filters and peaks, as in ``scipy.signal``.

Importing ``scipy.signal`` takes longer than reading and measuring a page, so that the two functions of it that every
measurement needs are written out here; tests hold them to scipy's results.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_peaks", "savitzky_golay"]


def savitzky_golay(
    signals: NDArray[np.float64], width: int, *, derivative: int = 0, delta: float = 1.0, extend: bool = False
) -> NDArray[np.float64]:
    """Fit parabolas to windows of samples, and return their value or slope at the center of each window.

    Args:
        signals: ``(..., samples)`` without NaN.
        width: Odd number of samples in a window, at most that of the signals.
        derivative: 0 for the values, 1 for the slopes.
        delta: Sampling interval.
        extend: Repeat the first and the last sample beyond the ends; otherwise the parabolas of the first and the last
            window are evaluated there.

    Returns:
        The same shape.
    """
    weights = _weights(width, derivative) / delta**derivative
    half, samples = width // 2, signals.shape[-1]
    flat = signals.reshape(-1, samples)
    padded = np.pad(flat, ((0, 0), (half, half)), mode="edge" if extend else "constant")
    out = np.stack([np.convolve(row, weights[half][::-1], "valid") for row in padded])
    if not extend:
        out[:, :half] = flat[:, :width] @ weights[:half].T
        out[:, samples - half :] = flat[:, samples - width :] @ weights[half + 1 :].T
    return out.reshape(signals.shape)


@lru_cache(maxsize=32)
def _weights(width: int, derivative: int) -> NDArray[np.float64]:
    """Weights of a window's samples in its parabola's value or slope at each of its places, ``(width, width)``."""
    places = np.arange(width) - width // 2
    powers = np.stack([np.ones(width), places, places**2], axis=1).astype(np.float64)
    fit = np.linalg.pinv(powers)
    if derivative == 0:
        return np.asarray(powers @ fit)
    return np.asarray(np.stack([np.zeros(width), np.ones(width), 2.0 * places], axis=1) @ fit)


def find_peaks(values: NDArray[np.float64], *, distance: int = 1) -> NDArray[np.intp]:
    """Find local maxima; of a plateau its middle.

    Args:
        values: ``(samples,)``.
        distance: Least number of samples between two peaks; of closer ones the higher stays.

    Returns:
        Places of the peaks in ascending order; the first and the last sample are none.
    """
    changes = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate([[0], changes])
    ends = np.concatenate([changes, [len(values)]]) - 1
    levels = values[starts]
    is_peak = np.zeros(len(starts), dtype=np.bool_)
    is_peak[1:-1] = (levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:])
    peaks = (starts[is_peak] + ends[is_peak]) // 2
    if distance <= 1:
        return np.asarray(peaks, dtype=np.intp)
    stays = np.ones(len(peaks), dtype=np.bool_)
    for number in np.argsort(values[peaks], kind="stable")[::-1]:
        if stays[number]:
            is_close = np.abs(peaks - peaks[number]) < distance
            is_close[number] = False
            stays[is_close] = False
    return np.asarray(peaks[stays], dtype=np.intp)

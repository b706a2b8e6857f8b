"""Savitzky-Golay filters, averages, peaks and resampling, as in ``scipy.signal`` and ``scipy.ndimage``.

Importing ``scipy.signal`` takes longer than reading and measuring a page, so that the functions that every reading
needs are written out here; tests hold them to scipy's results.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["find_peaks", "moving_average", "resample", "savitzky_golay"]

_KAISER_BETA = 5.0
"""Shape of the window of the filter that resamples, as in ``scipy.signal.resample_poly``."""
_HALF_PERIODS = 10
"""Length of the filter on each side, in samples at the lower of the two rates."""


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


def moving_average(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Average the samples of a window around each; beyond its ends, the signal is mirrored.

    Args:
        values: ``(samples,)``, at least ``width`` of them.
        width: Number of samples in a window.
    """
    before = width // 2
    sums = np.cumsum(np.pad(values, (before + 1, width - 1 - before), mode="symmetric"))
    return np.asarray((sums[width:] - sums[:-width]) / width)


def resample(values: NDArray[np.float64], up: int, down: int) -> NDArray[np.float64]:
    """Resample by a ratio of whole numbers; beyond its ends the signal goes on along the line through both.

    Args:
        values: ``(samples,)`` without NaN, at least one.
        up: Numerator of the ratio.
        down: Denominator of the ratio.

    Returns:
        ``(ceil(samples * up / down),)``.
    """
    up, down = up // gcd(up, down), down // gcd(up, down)
    if up == down:
        return values.copy()
    half, samples = _HALF_PERIODS * max(up, down), len(values)
    weights, terms = _low_pass(up, down), 2 * half // up + 1
    beyond = half // up + 1
    slope = (values[-1] - values[0]) / max(1, samples - 1)
    steps = slope * np.arange(1, beyond + 1)
    unused = np.zeros(terms)  # behind the last sample that has a weight
    extended = np.concatenate([values[0] - steps[::-1], values, values[-1] + steps, unused])
    out = np.empty(-(-samples * up // down))
    windows = sliding_window_view(extended, terms)
    for phase in range(min(up, len(out))):  # the weights repeat after ``up`` samples, ``down`` samples of the signal on
        place = -((half - phase * down) // up)
        offsets = half + phase * down - (place + np.arange(terms)) * up
        is_within = (offsets >= 0) & (offsets <= 2 * half)
        own = np.where(is_within, weights[np.where(is_within, offsets, 0)], 0.0)
        part = out[phase::up]
        part[:] = windows[place + beyond :: down][: len(part)] @ own
    return out


@lru_cache(maxsize=32)
def _low_pass(up: int, down: int) -> NDArray[np.float64]:
    """Weights of the low pass below half the lower rate, ``(2 * half + 1,)``, at ``up`` times the first rate."""
    rate = max(up, down)
    offsets = np.arange(-_HALF_PERIODS * rate, _HALF_PERIODS * rate + 1)
    weights = np.sinc(offsets / rate) * np.kaiser(len(offsets), _KAISER_BETA)
    return np.asarray(weights * up / weights.sum())

"""Operations on signals that beats, waves and spikes share."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FS_HZ", "cut_windows", "fill_gaps", "median_of_known", "moving_average"]

FS_HZ = 500.0
"""Sampling rate of all measuring."""


def fill_gaps(signals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Draw straight lines over missing samples.

    Args:
        signals: ``(leads, samples)``; NaN where nothing is known.

    Returns:
        The same shape without NaN; a lead without any known sample is 0.
    """
    out = np.array(signals, dtype=np.float64)
    columns = np.arange(out.shape[1])
    for row in out:
        is_valid = ~np.isnan(row)
        if is_valid.any() and not is_valid.all():
            row[~is_valid] = np.interp(columns[~is_valid], columns[is_valid], row[is_valid])
    return np.nan_to_num(out)


def cut_windows(
    signals: NDArray[np.float64], fiducials: NDArray[np.float64], before: int, after: int
) -> NDArray[np.float64]:
    """Cut a window around each beat.

    Args:
        signals: ``(leads, samples)``.
        fiducials: ``(beats,)``, samples.
        before: Samples of the window before the fiducial.
        after: Samples of the window from the fiducial on.

    Returns:
        ``(beats, leads, before + after)``; NaN outside the record.
    """
    padded = np.pad(signals, ((0, 0), (before, after)), constant_values=np.nan)
    starts = np.rint(fiducials).astype(int)
    places = np.clip(starts[:, None] + np.arange(before + after), 0, padded.shape[1] - 1)
    return np.moveaxis(padded[:, places], 0, 1)


def median_of_known(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median over the first axis of what is known; NaN where nothing is.

    It gives what ``numpy.nanmedian`` gives, in a fraction of its time.
    """
    ordered = np.sort(windows, axis=0)
    count = (~np.isnan(ordered)).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    take = np.take_along_axis
    return np.asarray((take(ordered, low[None], 0) + take(ordered, np.minimum(high, len(ordered) - 1)[None], 0))[0] / 2)


def moving_average(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Average the values over windows; the first and the last value are repeated beyond the ends.

    Args:
        values: ``(samples,)`` without NaN.
        width: Samples of a window.
    """
    anchor = (width // 2, 0)
    average = cv2.blur(values.reshape(1, -1), (width, 1), anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(average, dtype=np.float64).ravel()

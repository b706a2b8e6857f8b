"""Sliding windows over one dimension, by OpenCV: importing ``scipy.ndimage`` takes longer than reading a page."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["dilate_mask", "open_mask", "sliding_maximum", "sliding_minimum"]


def sliding_maximum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the largest value in a window around each one; windows end at the ends of the values.

    Args:
        values: ``(samples,)`` without NaN.
        width: Odd number of samples in a window.
    """
    return np.asarray(cv2.dilate(values.reshape(1, -1), np.ones((1, width), np.uint8)), dtype=np.float64).ravel()


def sliding_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the smallest value in a window around each one, as :func:`sliding_maximum`."""
    return np.asarray(cv2.erode(values.reshape(1, -1), np.ones((1, width), np.uint8)), dtype=np.float64).ravel()


def dilate_mask(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return where the mask is true within ``reach`` samples."""
    widened = cv2.dilate(mask.astype(np.uint8).reshape(1, -1), np.ones((1, 2 * reach + 1), np.uint8))
    return np.asarray(widened, dtype=np.bool_).ravel()


def open_mask(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the stretches of the mask that are at least ``width`` samples long."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    out = np.zeros(len(mask), dtype=np.bool_)
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        out[start:stop] = stop - start >= width
    return out

"""Signals of a record as a model's array."""

import numpy as np
from numpy.typing import NDArray

from ecglens.models.inputs.recipes import LeadSignals
from ecglens.records import EcgRecord

__all__ = ["UNKNOWN_SCALE", "compute_known_share", "make_signal_array"]

UNKNOWN_SCALE = 0.5
"""Mask of samples of which only the shape is known, not the amplitude in mV."""

_TURNED = {"aVR": "-aVR", "-aVR": "aVR"}


def make_signal_array(record: EcgRecord, recipe: LeadSignals, *, is_scale_known: bool = True) -> NDArray[np.float32]:
    """Make the array of a record: signals, then masks of the valid samples.

    Each lead begins where it does on its page or in its recording. Its median is subtracted; missing samples are 0, and
    so is their mask. A lead that the record lacks is missing as a whole; ``aVR`` is made from ``-aVR``.

    Args:
        record: Signals.
        recipe: Leads, rate and length.
        is_scale_known: Whether the signals are in mV; otherwise the masks are ``UNKNOWN_SCALE``.

    Returns:
        ``(2 * leads, samples)`` float32, signals in mV then masks.
    """
    array = np.zeros(recipe.shapes["signal"], np.float32)
    leads = len(recipe.leads)
    for index, name in enumerate(recipe.leads):
        signal, valid = _resample(_lead(record, name), record.fs_hz, recipe.fs_hz)
        length = min(len(signal), recipe.samples)
        array[index, :length] = signal[:length]
        array[leads + index, :length] = valid[:length] * (1.0 if is_scale_known else UNKNOWN_SCALE)
    return array


def compute_known_share(array: NDArray[np.float32], recipe: LeadSignals) -> float:
    """Compute the share of valid samples in the first window of the result of :func:`make_signal_array`."""
    return float((array[len(array) // 2 :, : recipe.window] > 0).mean())


def _lead(record: EcgRecord, name: str) -> NDArray[np.float32]:
    """Return a lead of the record, empty if it has none."""
    for own, sign in ((name, 1.0), (_TURNED.get(name, name), -1.0)):
        if own in record.leads:
            return np.asarray(sign * record.signals_mv[record.leads.index(own)], dtype=np.float32)
    return np.empty(0, np.float32)


def _resample(
    signal: NDArray[np.float32], fs_hz: float, target_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Resample a signal around its median, 0 where samples are missing; return it with the mask of valid samples."""
    valid = np.isfinite(signal)
    if not valid.any():
        return np.empty(0, np.float32), np.empty(0, np.bool_)
    places = np.arange(len(signal))
    whole = np.interp(places, places[valid], signal[valid] - np.median(signal[valid]))
    if fs_hz != target_hz:
        from fractions import Fraction

        from scipy.signal import resample_poly  # a label from pixels should not wait for it

        ratio = Fraction(target_hz / fs_hz).limit_denominator(1000)
        whole = resample_poly(whole, ratio.numerator, ratio.denominator, padtype="line")
        nearest = np.minimum(np.rint(np.arange(len(whole)) * fs_hz / target_hz).astype(np.intp), len(signal) - 1)
        valid = valid[nearest]
    return np.where(valid, whole, 0.0).astype(np.float32), valid

"""Signals of a record as a model's array."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ecglens.measuring.filters import resample
from ecglens.models.inputs.recipes import LeadSignals
from ecglens.records import EcgRecord

__all__ = ["compute_known_share", "make_signal_array", "resample_lead"]

_TURNED = {"aVR": "-aVR", "-aVR": "aVR"}


def make_signal_array(record: EcgRecord, recipe: LeadSignals) -> NDArray[np.float32]:
    """Make the array of a record: signals, then masks of the valid samples.

    Each lead begins where it does on its page or in its recording. Its median is subtracted; missing samples are 0, and
    so is their mask. A lead that the record lacks is missing as a whole; ``aVR`` is made from ``-aVR``.

    Returns:
        ``(2 * leads, samples)`` float32, signals in mV then masks.
    """
    array = np.zeros(recipe.shapes["signal"], np.float32)
    leads = len(recipe.leads)
    for index, name in enumerate(recipe.leads):
        signal, valid = resample_lead(record, name, recipe.fs_hz)
        length = min(len(signal), recipe.samples)
        array[index, :length], array[leads + index, :length] = signal[:length], valid[:length]
    return array


def compute_known_share(array: NDArray[np.float32]) -> float:
    """Compute the share of valid samples in the result of :func:`make_signal_array`."""
    return float(array[len(array) // 2 :].mean())


def resample_lead(record: EcgRecord, name: str, target_hz: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Resample a lead of a record around its median.

    Returns:
        ``(samples,)`` in mV, 0 where samples are missing, and the mask of valid samples; both empty where the record
        lacks the lead.
    """
    return _resample(_lead(record, name), record.fs_hz, target_hz)


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
        ratio = Fraction(target_hz / fs_hz).limit_denominator(1000)
        whole = resample(whole, ratio.numerator, ratio.denominator)
        nearest = np.minimum(np.rint(np.arange(len(whole)) * fs_hz / target_hz).astype(np.intp), len(signal) - 1)
        valid = valid[nearest]
    return np.where(valid, whole, 0.0).astype(np.float32), valid

"""Signals of a record as a model's array."""

import numpy as np
from numpy.typing import NDArray

from ecglens.models.inputs.recipes import LeadSignals
from ecglens.records import EcgRecord

__all__ = ["known_share", "signal_array"]

_TURNED = {"aVR": "-aVR", "-aVR": "aVR"}


def signal_array(record: EcgRecord, recipe: LeadSignals) -> NDArray[np.float32]:
    """Signals and masks of a record.

    Each lead begins where it does on its page or in its recording; its median is taken off, what is not known is 0 and
    so is its mask. A lead that the record lacks is not known at all; ``aVR`` is made from ``-aVR``.

    Returns:
        ``(2 * leads, samples)`` float32, signals in mV then masks.
    """
    array = np.zeros(recipe.shapes["signal"], np.float32)
    leads = len(recipe.leads)
    for index, name in enumerate(recipe.leads):
        signal, known = _resampled(_lead(record, name), record.fs_hz, recipe.fs_hz)
        length = min(len(signal), recipe.samples)
        array[index, :length], array[leads + index, :length] = signal[:length], known[:length]
    return array


def known_share(array: NDArray[np.float32]) -> float:
    """Share of samples that are known in the result of :func:`signal_array`."""
    return float(array[len(array) // 2 :].mean())


def _lead(record: EcgRecord, name: str) -> NDArray[np.float32]:
    """A lead of the record, empty where it has none."""
    for own, sign in ((name, 1.0), (_TURNED.get(name, name), -1.0)):
        if own in record.leads:
            return np.asarray(sign * record.signals_mv[record.leads.index(own)], dtype=np.float32)
    return np.empty(0, np.float32)


def _resampled(
    signal: NDArray[np.float32], fs_hz: float, wanted_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Signal around its median at another rate, 0 where it is not known, and where it is."""
    known = np.isfinite(signal)
    if not known.any():
        return np.empty(0, np.float32), np.empty(0, np.bool_)
    places = np.arange(len(signal))
    whole = np.interp(places, places[known], signal[known] - np.median(signal[known]))
    if fs_hz != wanted_hz:
        from fractions import Fraction

        from scipy.signal import resample_poly  # a label from pixels should not wait for it

        ratio = Fraction(wanted_hz / fs_hz).limit_denominator(1000)
        whole = resample_poly(whole, ratio.numerator, ratio.denominator, padtype="line")
        nearest = np.minimum(np.rint(np.arange(len(whole)) * fs_hz / wanted_hz).astype(np.intp), len(signal) - 1)
        known = known[nearest]
    return np.where(known, whole, 0.0).astype(np.float32), known

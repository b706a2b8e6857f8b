"""The typical beat of each lead as a model's array, whatever the layout that shows it.

Leads that begin together are searched for R peaks together. A page of four columns gives two or three beats of each
lead, a recording of 10 s a dozen; the median of either is one beat of the same length, aligned at the R peak.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecglens.measuring.filters import find_peaks, moving_average
from ecglens.models.inputs.recipes import LeadBeats
from ecglens.models.inputs.signals import resample_lead
from ecglens.records import EcgRecord

__all__ = ["UNKNOWN_SCALE", "describe_rhythm", "find_r_peaks", "make_beat_array", "make_typical_beat"]

UNKNOWN_SCALE = 0.5
"""Mask of samples of which only the shape is known, not the amplitude in mV."""

_ENERGY_S = (0.09, 0.07)
"""Windows over which the energy of the slopes is averaged, one after the other: about one QRS complex."""
_LEAST_ENERGY = 0.35
"""Energy of a beat, as a part of the typical peak's."""
_REFRACTORY_S = 0.28
_T_WAVE_S, _T_WAVE_ENERGY = 0.4, 0.5
"""Time after a beat within which a peak of less than this part of its energy is its T wave."""
_TYPICAL_RR_S = 0.8
_FLAT_MV = 0.01
"""Least span of a signal: two steps of the coarsest recorders, of 5 µV."""
_STEEPEST = 98
"""Percentile of slopes and energies that stands for the steepest ones, of which a few may be artifacts."""


def make_beat_array(record: EcgRecord, recipe: LeadBeats, *, is_scale_known: bool = True) -> NDArray[np.float32]:
    """Make the array of a record: typical beats, their masks, and the rhythm.

    Args:
        record: Signals; leads may be missing or flat, and samples NaN.
        recipe: Leads, rate and length.
        is_scale_known: Whether the signals are in mV; otherwise the masks are ``UNKNOWN_SCALE``.

    Returns:
        ``(2 * leads + 3, samples)`` float32: signals in mV, masks, and the rows of :func:`describe_rhythm`.
    """
    leads = len(recipe.leads)
    record = _leave_out_flat_leads(record)
    array = np.zeros(recipe.shapes["signal"], np.float32)
    intervals: list[NDArray[np.float64]] = []
    for members in _group_by_start(record, recipe.leads):
        resampled = [resample_lead(record, recipe.leads[lead], recipe.fs_hz) for lead in members]
        length = max(len(signal) for signal, _ in resampled)
        signals, valid = np.zeros((len(members), length), np.float32), np.zeros((len(members), length), np.bool_)
        for row, (signal, mask) in enumerate(resampled):
            signals[row, : len(signal)], valid[row, : len(mask)] = signal, mask
        peaks = find_r_peaks(signals, recipe.fs_hz)
        intervals.append(np.diff(peaks) / recipe.fs_hz)
        beats, masks = make_typical_beat(np.where(valid, signals, np.nan), peaks, recipe)
        array[members], array[[leads + lead for lead in members]] = beats, masks
    array[leads : 2 * leads] *= 1.0 if is_scale_known else UNKNOWN_SCALE
    array[2 * leads :] = describe_rhythm(np.concatenate(intervals) if intervals else np.empty(0))[:, None]
    return array


def _leave_out_flat_leads(record: EcgRecord) -> EcgRecord:
    """Return a record in which leads without any signal, as of a loose electrode, are missing."""
    valid = [row[np.isfinite(row)] for row in record.signals_mv]
    is_flat = np.array([not row.size or np.ptp(row) < _FLAT_MV for row in valid], dtype=np.bool_)
    if not is_flat.any():
        return record
    return replace(record, signals_mv=np.where(is_flat[:, None], np.float32(np.nan), record.signals_mv))


def find_r_peaks(signals: NDArray[np.float32], fs_hz: float) -> NDArray[np.intp]:
    """Find the R peaks of leads that were recorded together.

    After Pan and Tompkins (1985, doi:10.1109/TBME.1985.325532), on all leads at once: each is scaled by its own
    steepest slopes.

    Args:
        signals: ``(leads, samples)``, without NaN.
        fs_hz: Sampling rate.

    Returns:
        Samples at which the energy of the slopes is greatest, ascending.
    """
    if signals.shape[1] < 2 * round(_REFRACTORY_S * fs_hz):
        return np.empty(0, np.intp)
    slopes = np.abs(np.diff(signals, axis=1, append=signals[:, -1:]))
    steepest = np.percentile(slopes, _STEEPEST, axis=1, keepdims=True) + 1e-4
    energy = (np.minimum(slopes / steepest, 2) ** 2).mean(axis=0)
    for seconds in _ENERGY_S:
        energy = moving_average(energy, max(1, round(seconds * fs_hz)))
    least = _LEAST_ENERGY * float(np.percentile(energy, _STEEPEST))
    candidates = find_peaks(energy, distance=round(_REFRACTORY_S * fs_hz))
    candidates = candidates[energy[candidates] >= max(least, 1e-9)]
    peaks: list[int] = []
    for peak in candidates.tolist():
        is_t_wave = peaks and peak - peaks[-1] < _T_WAVE_S * fs_hz and energy[peak] < _T_WAVE_ENERGY * energy[peaks[-1]]
        if not is_t_wave:
            peaks.append(peak)
    return np.array(peaks, np.intp)


def make_typical_beat(
    signals: NDArray[np.float32], peaks: NDArray[np.intp], recipe: LeadBeats
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make the median of the beats of each lead, around its own median.

    Args:
        signals: ``(leads, samples)``, NaN where samples are missing.
        peaks: R peaks of the leads.
        recipe: Length of a beat before and after its R peak.

    Returns:
        Beats ``(leads, beat samples)``, 0 where no beat has a sample, and their masks.
    """
    before, samples = recipe.before, recipe.samples
    if not len(peaks):
        nothing = np.zeros((len(signals), samples), np.float32)
        return nothing, nothing
    padded = np.full((len(signals), signals.shape[1] + samples), np.nan, np.float32)
    padded[:, before : before + signals.shape[1]] = signals
    beats = padded[:, peaks[:, None] + np.arange(samples)]
    counts = np.isfinite(beats).sum(axis=1)
    ordered = np.sort(beats, axis=1)  # NaN last
    median = (_take(ordered, np.maximum(counts - 1, 0) // 2) + _take(ordered, counts // 2)) / 2
    valid = counts > 0
    if valid.all():
        centers = np.median(median, axis=1)
    else:
        centers = np.array([np.median(row[mask]) if mask.any() else 0 for row, mask in zip(median, valid, strict=True)])
    typical = np.where(valid, median - centers[:, None], 0.0)
    return typical.astype(np.float32), valid.astype(np.float32)


def describe_rhythm(intervals_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the typical RR interval from 0.8 s, its relative deviation, and whether there is any; zeros without one.

    >>> describe_rhythm(np.array([1.0, 1.0])).astype(float).round(2).tolist()
    [0.2, 0.0, 1.0]
    """
    if not len(intervals_s):
        return np.zeros(3, np.float32)
    deviation = intervals_s.std() / intervals_s.mean()
    return np.array([np.median(intervals_s) - _TYPICAL_RR_S, deviation, 1.0], np.float32)


def _take(ordered: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.float32]:
    last = ordered.shape[1] - 1
    return np.take_along_axis(ordered, np.minimum(places, last)[:, None], axis=1)[:, 0]


def _group_by_start(record: EcgRecord, leads: Sequence[str]) -> list[list[int]]:
    """Group the leads of a recipe that the record has by the time at which they begin."""
    starts = dict(zip(record.leads, record.start_s or (0.0,) * len(record.leads), strict=True))
    groups: dict[float, list[int]] = {}
    for place, lead in enumerate(leads):
        name = lead if lead in starts else "-aVR"
        if name in starts and (lead in starts or lead == "aVR"):
            groups.setdefault(starts[name], []).append(place)
    return list(groups.values())

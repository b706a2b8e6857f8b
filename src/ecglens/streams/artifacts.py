"""Steps of the baseline, pacing spikes and saturated amplifiers, which look like beats or pauses and are none."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["LIMITS", "STEP_SIDE_S", "ArtifactLimits", "has_saturated_part", "is_spike", "is_step"]

_FAULTS = "benchmarks/streams.md: faults; tests/streams/test_artifacts.py"


@dataclass(frozen=True)
class ArtifactLimits:
    """Thresholds of artifacts."""

    constant_s: float = threshold(
        1.0,
        "s",
        "Time for which all leads hold one value beyond those of the ECG where no ECG arrives.",
        low="The highest part of a slow wave counts as a saturated amplifier.",
        high="RR intervals reach across saturated amplifiers.",
        evidence=_FAULTS,
    )
    max_rise_s: float = threshold(
        0.012,
        "s",
        "Longest time in which a step of the baseline rises from a tenth to nine tenths of its height.",
        low="Steps that passed a filter of the recorder count as beats.",
        high="QRS complexes with a high ST segment count as steps.",
        evidence=_FAULTS,
    )
    max_spike_s: float = threshold(
        0.01,
        "s",
        "Longest time for which a pacing spike is higher than half of its height.",
        low="Spikes that passed a filter of the recorder count as beats.",
        high="Narrow QRS complexes count as spikes.",
        evidence=_FAULTS,
    )
    max_beside_spike: float = threshold(
        0.15,
        "1",
        "Largest span of a lead beside a pacing spike without a QRS complex, as a part of the spike's height.",
        low="Noise makes a spike a beat.",
        high="Low QRS complexes behind high spikes are lost.",
        evidence=_FAULTS,
    )
    max_beside_spike_mv: float = threshold(
        0.3,
        "mV",
        "Largest span of a lead beside a pacing spike without a QRS complex.",
        low="P waves and noise make a spike a beat.",
        high="Low QRS complexes behind high spikes are lost.",
        evidence=_FAULTS,
    )
    min_lasting: float = threshold(
        0.8,
        "1",
        "Part of the span around it by which a step of the baseline moves the lead for good.",
        low="QRS complexes with a high ST segment count as steps.",
        high="Steps beside waves and noise count as beats.",
        evidence=_FAULTS,
    )
    min_part: float = threshold(
        0.3,
        "1",
        "Span of a lead as a part of the largest one, from which the lead has to show the step too.",
        low="Noise of one lead makes a step a beat.",
        high="A step in one lead hides a beat in the others.",
        evidence=_FAULTS,
    )


LIMITS = ArtifactLimits()
STEP_SIDE_S = 0.12
"""Time on both sides of a step in which the level before and behind it is measured; the detector is so late."""
_LEVEL_S = 0.06
_MIN_SPIKE_HZ = 200.0
_MAX_MISSING = 0.5
_MIN_RISE = 0.7
"""Part of its span by which a lead rises in a step or a spike within ``max_rise_s``; the other checks are stricter."""


def has_saturated_part(samples: NDArray[np.floating], fs_hz: float) -> bool:
    """Return whether all leads hold one value for longer than any ECG does, and that value is none of the ECG's.

    Leads that hold a value amid the ECG are flat. An asystole may look like that, so that it counts as one.

    Args:
        samples: ``(leads, samples)`` in mV; NaN where missing.
        fs_hz: Sampling rate.
    """
    length = round(LIMITS.constant_s * fs_hz)
    if samples.shape[1] <= length:
        return False
    changes = np.diff(samples, axis=1)
    moving = np.flatnonzero(((changes != 0) & ~np.isnan(changes)).any(axis=0))
    edges = np.r_[-1, moving, changes.shape[1]]
    for start, end in pairwise(edges):  # samples from start + 1 to end hold their value
        if end - start - 1 < length:
            continue
        values, others = samples[:, start + 1], np.delete(samples, np.s_[start + 1 : end + 1], axis=1)
        valid = ~np.isnan(values) & ~np.isnan(others).all(axis=1)
        if others.shape[1] and any(
            value > np.nanmax(row) or value < np.nanmin(row)
            for value, row in zip(values[valid], others[valid], strict=True)
        ):
            return True
    return False


def is_step(samples: NDArray[np.floating], fs_hz: float) -> bool:
    """Return whether a part of a stream shows a step of the baseline and no QRS complex.

    A step is steeper than a QRS complex and does not come back; a pacing spike comes back, and a QRS complex that ends
    in a high ST segment rises for longer.

    Args:
        samples: ``(leads, samples)`` in mV, ``STEP_SIDE_S`` on both sides of the steepest point; NaN where missing.
        fs_hz: Sampling rate.
    """
    rows = _select_rows(samples, fs_hz)
    return bool(len(rows)) and all(_is_step(row, fs_hz) for row in rows)


def is_spike(samples: NDArray[np.floating], fs_hz: float) -> bool:
    """Return whether a part of a stream shows a pacing spike that no QRS complex follows.

    Args:
        samples: ``(leads, samples)`` in mV, ``STEP_SIDE_S`` on both sides of the steepest point; NaN where missing.
        fs_hz: Sampling rate. Below 200 Hz a narrow QRS complex cannot be distinguished from a spike.
    """
    rows = _select_rows(samples, fs_hz) if fs_hz >= _MIN_SPIKE_HZ else np.empty((0, 0))
    return bool(len(rows)) and all(_is_spike(row, fs_hz) for row in rows)


def _select_rows(samples: NDArray[np.floating], fs_hz: float) -> NDArray[np.float64]:
    """Return the leads in which a step or a spike has to show, with lines over their gaps; none where none is steep."""
    is_missing = np.isnan(samples)
    rows = samples.astype(np.float64)
    if is_missing.any():
        is_present = is_missing.mean(axis=1) < _MAX_MISSING
        rows, is_missing = rows[is_present], is_missing[is_present]
        places = np.arange(samples.shape[1])
        for row, gap in zip(rows, is_missing, strict=True):
            row[gap] = np.interp(places[gap], places[~gap], row[~gap])
    nothing = np.empty((0, samples.shape[1]))
    if not rows.size:
        return nothing
    spans = rows.max(axis=1) - rows.min(axis=1)
    lag = max(round(LIMITS.max_rise_s * fs_hz), 2)
    rise = np.abs(rows[:, lag:] - rows[:, :-lag]).max(initial=0.0)
    if rise < _MIN_RISE * spans.max():  # as in nearly all beats
        return nothing
    return np.asarray(rows[(spans >= LIMITS.min_part * spans.max()) & (spans > 0)])


def _is_spike(row: NDArray[np.float64], fs_hz: float) -> bool:
    apart = row - np.median(row)
    at = int(np.abs(apart).argmax())
    width = max(round(LIMITS.max_spike_s * fs_hz), 2)
    is_high = np.abs(apart) > 0.5 * abs(apart[at])
    beside = np.delete(apart, np.s_[max(at - width, 0) : at + width + 1])
    largest = min(LIMITS.max_beside_spike * abs(apart[at]), LIMITS.max_beside_spike_mv)
    return bool(is_high.sum() <= width and np.ptp(beside) <= largest)


def _is_step(row: NDArray[np.float64], fs_hz: float) -> bool:
    side = max(round(_LEVEL_S * fs_hz), 1)
    before, after = float(np.median(row[:side])), float(np.median(row[-side:]))
    height = after - before
    if abs(height) < LIMITS.min_lasting * float(np.ptp(row)):
        return False
    parts = (row - before) / height
    risen = int(np.argmax(parts > 0.9))
    low = np.flatnonzero(parts[:risen] < 0.1)
    return bool(len(low) and (risen - int(low[-1])) / fs_hz <= max(LIMITS.max_rise_s, 1.5 / fs_hz))

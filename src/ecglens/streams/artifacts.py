"""What looks like a beat or a pause and is neither: steps of the baseline, and saturated amplifiers."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["LIMITS", "STEP_SIDE_S", "ArtifactLimits", "has_saturated_part", "is_step"]

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
        known = ~np.isnan(values) & ~np.isnan(others).all(axis=1)
        if others.shape[1] and any(
            value > np.nanmax(row) or value < np.nanmin(row)
            for value, row in zip(values[known], others[known], strict=True)
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
    valid = samples[~np.isnan(samples).any(axis=1)].astype(np.float64)
    spans = np.ptp(valid, axis=1) if len(valid) else np.empty(0)
    if not len(spans) or spans.max() <= 0:
        return False
    return all(_is_step(row, fs_hz) for row in valid[spans >= LIMITS.min_part * spans.max()])


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

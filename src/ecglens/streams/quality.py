"""Quality of each lead of a stream over its last seconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["LIMITS", "QualityLimits", "has_no_signal", "rate_lead"]

_QUALITY = "benchmarks/streams.md: signal quality"


@dataclass(frozen=True)
class QualityLimits:
    """Thresholds below which a lead fails a check."""

    min_span_mv: float = threshold(
        0.05,
        "mV",
        "Least span of a lead over some seconds.",
        low="Electrodes that are off count as leads.",
        high="Leads of low voltage fail.",
        evidence=_QUALITY,
    )
    max_missing: float = threshold(
        0.1,
        "1",
        "Largest share of missing samples.",
        low="A single lost packet makes a lead fail.",
        high="Leads with many holes pass.",
        evidence=_QUALITY,
    )
    max_clipped: float = threshold(
        0.1,
        "1",
        "Largest share of samples at the highest or at the lowest value.",
        low="Flat parts between beats fail.",
        high="Saturated amplifiers pass.",
        evidence=_QUALITY,
    )
    min_stand_out: float = threshold(
        6.0,
        "1",
        "Least ratio of the slopes of QRS complexes to the median slope.",
        low="Muscle noise passes.",
        high="Fast rhythms with wide complexes fail.",
        evidence=_QUALITY,
    )


LIMITS = QualityLimits()
_MISSING, _FLAT, _SATURATED = "samples are missing", "the lead is flat", "the amplifier is saturated"
_MAX_OFF = 0.2
"""Highest quality of a lead that shows nothing; a lead of which packets are lost has a higher one."""


def has_no_signal(quality: float, reason: str) -> bool:
    """Return whether a lead shows nothing, by the result of :func:`rate_lead`.

    >>> has_no_signal(0.0, "the lead is flat"), has_no_signal(0.1, "beats do not stand out from noise")
    (True, False)
    """
    return quality <= _MAX_OFF and reason in (_MISSING, _FLAT, _SATURATED)


def rate_lead(samples: NDArray[np.floating], stand_out: float) -> tuple[float, str]:
    """Return the quality of a lead in [0, 1], and the check that it failed, or an empty text.

    Args:
        samples: ``(samples,)`` of some seconds in mV; NaN where missing.
        stand_out: Slopes of its QRS complexes over its median slope; NaN where they are not measured yet.
    """
    missing = float(np.isnan(samples).mean()) if samples.size else 1.0
    if missing > LIMITS.max_missing:
        return 0.5 * (1 - missing), _MISSING
    valid = samples[~np.isnan(samples)]
    low, high = float(valid.min()), float(valid.max())
    if high - low < LIMITS.min_span_mv:
        return 0.0, _FLAT
    clipped = max(float((valid == high).mean()), float((valid == low).mean()))
    if clipped > LIMITS.max_clipped:
        return 0.2, _SATURATED
    if np.isnan(stand_out):
        return 0.5, ""
    quality = float(np.clip(0.5 * stand_out / LIMITS.min_stand_out, 0, 1))
    return quality, "" if quality >= 0.5 else "beats do not stand out from noise"

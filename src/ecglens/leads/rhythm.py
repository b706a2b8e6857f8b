"""Rate, its variability, and QT corrected for it: what the distances of beats say.

Usual ranges in adults: rate 60 to 100 by convention; QTc 390 to 460 ms from Rautaharju et al. 2009 (AHA/ACCF/HRS part
IV, doi:10.1161/CIRCULATIONAHA.108.191096; 450 is the limit for men).
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.beats import FS_HZ, Beats
from ecglens.records import Measured

__all__ = ["corrected", "distances", "lone_part", "rhythm", "usual_distance"]

_LEAST_STEPS = 3
"""Successive differences that a variability needs."""

_FIDUCIAL_MS = 2.0
_USUAL_QTC_MS = (390.0, 460.0)


def lone_part(beats: Beats) -> float:
    """Part of the beats whose shape no other beat has; noise has shapes of one beat each."""
    return float((np.bincount(beats.shapes)[beats.shapes] == 1).mean())


def distances(signals: NDArray[np.float64], beats: Beats) -> NDArray[np.float64]:
    """Distance of each beat to the next in samples; NaN over a stretch that no lead shows.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``.
        beats: Of these signals.
    """
    hidden = np.cumsum(np.isnan(signals).all(axis=0))
    places = np.clip(np.rint(beats.samples).astype(int), 0, signals.shape[1] - 1)
    seen = np.diff(hidden[places]) < 0.02 * np.diff(places)
    return np.where(seen, np.diff(beats.samples), np.nan)


def usual_distance(rr: NDArray[np.float64]) -> float:
    """Median distance of beats in samples; a second where none is known."""
    return float(np.nanmedian(rr)) if np.isfinite(rr).any() else FS_HZ


def rhythm(beats: Beats, rr: NDArray[np.float64]) -> dict[str, Measured | None]:
    """Rate, mean distance and its variability, by their names in ``Measurements``.

    Args:
        beats: Of the record.
        rr: Their distances in samples, as :func:`distances` gives them.
    """
    known = rr[~np.isnan(rr)] * 1000 / FS_HZ
    none = dict.fromkeys(("rate_bpm", "basic_rate_bpm", "rr_ms", "sdnn_ms", "rmssd_ms"))
    if len(known) < 1:
        return none
    mean = float(known.mean())
    basic = 60_000 / _middle_mean(known)
    spread = float(known.std(ddof=1)) / len(known) ** 0.5 if len(known) > 1 else 0.0
    error = float(np.hypot(spread, _FIDUCIAL_MS * 2**0.5 / len(known)))
    usual = np.where((beats.shapes[:-1] == 0) & (beats.shapes[1:] == 0), rr, np.nan) * 1000 / FS_HZ
    steps = np.diff(usual)
    steps, normal = steps[~np.isnan(steps)], usual[~np.isnan(usual)]
    found: dict[str, Measured | None] = {
        **none,
        "rate_bpm": Measured(60_000 / mean, 60_000 / mean**2 * error, "1/min", (60.0, 100.0)),
        "basic_rate_bpm": Measured(basic, basic**2 / 60_000 * error, "1/min", (60.0, 100.0)),
        "rr_ms": Measured(mean, error, "ms", (600.0, 1000.0)),
    }
    if len(steps) >= _LEAST_STEPS:
        sdnn, rmssd = float(normal.std(ddof=1)), float(np.sqrt((steps**2).mean()))
        found["sdnn_ms"] = Measured(sdnn, float(np.hypot(sdnn / (2 * (len(normal) - 1)) ** 0.5, _FIDUCIAL_MS)), "ms")
        found["rmssd_ms"] = Measured(rmssd, float(np.hypot(rmssd / (2 * len(steps)) ** 0.5, _FIDUCIAL_MS)), "ms")
    return found


def _middle_mean(values: NDArray[np.float64]) -> float:
    """Mean of the middle half, values on its edges in part: early beats and pauses hardly move it."""
    ranks = np.arange(1, len(values) + 1)
    aside = len(values) / 4
    weights = np.clip(np.minimum(ranks - aside, len(values) + 1 - ranks - aside), 0, 1)
    return float((np.sort(values) * weights).sum() / weights.sum())


def corrected(qt: Measured | None, rr: Measured | None) -> dict[str, Measured | None]:
    """QT for a beat a second after the last, by Bazett (1920) and by Fridericia (1920).

    Args:
        qt: In ms.
        rr: Mean distance of beats in ms.
    """
    if qt is None or rr is None:
        return {}
    found: dict[str, Measured | None] = {}
    for name, power in (("qtc_bazett_ms", 1 / 2), ("qtc_fridericia_ms", 1 / 3)):
        value = qt.value / (rr.value / 1000) ** power
        error = value * float(np.hypot(qt.error / qt.value, power * rr.error / rr.value))
        found[name] = Measured(value, error, "ms", _USUAL_QTC_MS)
    return found

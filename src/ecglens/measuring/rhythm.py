"""Heart rate and heart rate variability from the RR intervals of a record.

The reference range of the rate in adults, 60 to 100/min, is a convention.
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.measuring.beats import Beats
from ecglens.measuring.signals import FS_HZ
from ecglens.records import Measured

__all__ = ["measure_rhythm", "rr_intervals", "single_share", "typical_rr"]

_MIN_DIFFERENCES = 3
"""Number of successive differences that a variability needs."""

_FIDUCIAL_MS = 2.0
"""Standard uncertainty of a beat's time: one sample."""

_MAX_HIDDEN_SHARE = 0.02
"""Share of an RR interval that no lead may show: a beat could hide in more."""


def single_share(beats: Beats) -> float:
    """Return the share of beats whose shape no other beat has; noise has shapes of one beat each."""
    return float((np.bincount(beats.shapes)[beats.shapes] == 1).mean())


def rr_intervals(signals: NDArray[np.float64], beats: Beats) -> NDArray[np.float64]:
    """Return the RR interval from each beat to the next in samples; NaN over a time that no lead shows.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``.
        beats: Beats of these signals.
    """
    hidden = np.cumsum(np.isnan(signals).all(axis=0))
    places = np.clip(np.rint(beats.samples).astype(int), 0, signals.shape[1] - 1)
    is_visible = np.diff(hidden[places]) < _MAX_HIDDEN_SHARE * np.diff(places)
    return np.where(is_visible, np.diff(beats.samples), np.nan)


def typical_rr(rr: NDArray[np.float64]) -> float:
    """Return the median RR interval in samples; a second where none is known."""
    return float(np.nanmedian(rr)) if np.isfinite(rr).any() else FS_HZ


def measure_rhythm(beats: Beats, rr: NDArray[np.float64]) -> dict[str, Measured | None]:
    """Measure the rate, the mean RR interval and its variability.

    Args:
        beats: Beats of the record.
        rr: RR intervals in samples, from :func:`rr_intervals`.

    Returns:
        Figures by their names in ``Measurements``.
    """
    known_ms = rr[~np.isnan(rr)] * 1000 / FS_HZ
    nothing = dict.fromkeys(("rate_bpm", "basic_rate_bpm", "rr_ms", "sdnn_ms", "rmssd_ms"))
    if len(known_ms) < 1:
        return nothing
    mean = float(known_ms.mean())
    basic = 60_000 / _midmean(known_ms)
    spread = float(known_ms.std(ddof=1)) / len(known_ms) ** 0.5 if len(known_ms) > 1 else 0.0
    error = float(np.hypot(spread, _FIDUCIAL_MS * 2**0.5 / len(known_ms)))
    normal = np.where((beats.shapes[:-1] == 0) & (beats.shapes[1:] == 0), rr, np.nan) * 1000 / FS_HZ
    differences = np.diff(normal)
    differences, normal = differences[~np.isnan(differences)], normal[~np.isnan(normal)]
    figures: dict[str, Measured | None] = {
        **nothing,
        "rate_bpm": Measured(60_000 / mean, 60_000 / mean**2 * error, "1/min", (60.0, 100.0)),
        "basic_rate_bpm": Measured(basic, basic**2 / 60_000 * error, "1/min", (60.0, 100.0)),
        "rr_ms": Measured(mean, error, "ms", (600.0, 1000.0)),
    }
    if len(differences) >= _MIN_DIFFERENCES:
        sdnn, rmssd = float(normal.std(ddof=1)), float(np.sqrt((differences**2).mean()))
        sdnn_error = float(np.hypot(sdnn / (2 * (len(normal) - 1)) ** 0.5, _FIDUCIAL_MS))
        rmssd_error = float(np.hypot(rmssd / (2 * len(differences)) ** 0.5, _FIDUCIAL_MS))
        figures |= {"sdnn_ms": Measured(sdnn, sdnn_error, "ms"), "rmssd_ms": Measured(rmssd, rmssd_error, "ms")}
    return figures


def _midmean(values: NDArray[np.float64]) -> float:
    """Mean of the middle half, values on its edges in part: early beats and pauses hardly change it."""
    ranks = np.arange(1, len(values) + 1)
    quarter = len(values) / 4
    weights = np.clip(np.minimum(ranks - quarter, len(values) + 1 - ranks - quarter), 0, 1)
    return float((np.sort(values) * weights).sum() / weights.sum())

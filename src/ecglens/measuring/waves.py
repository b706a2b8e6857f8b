"""Onsets and ends of the waves of a beat, over all leads together.

A median beat of each lead is made first. The edges are found in the root mean square of the slopes of all leads: it is
quiet before and after a wave whatever the level of each lead, and a wave that is flat in one lead is steep in another.
The leads of a page need not be printed side by side, because they share the clock of the beats.

The limits were set on the odd half of LUDB (Kalyakulina et al. 2020, doi:10.1109/ACCESS.2020.3029211);
``benchmarks/measure.md`` reports both halves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.beats import Beats
from ecglens.measuring.filters import find_peaks, savitzky_golay
from ecglens.measuring.signals import FS_HZ, cut_windows, median_of_known

__all__ = [
    "BEFORE",
    "LIMITS",
    "WaveLimits",
    "Waves",
    "correlate_p_waves",
    "cut_beats",
    "cut_normal_beats",
    "delineate",
]

_LUDB = "benchmarks/measure.md: errors against the marks of LUDB, odd half"

BEFORE = 200
"""Samples of a beat's window before its fiducial."""

_AFTER = 350
"""Samples of a beat's window from its fiducial on."""

_QRS_REACH = (-60, 75)
"""Samples from the fiducial between which the QRS complex is searched for: 120 ms before to 150 ms after."""


@dataclass(frozen=True)
class WaveLimits:
    """Thresholds of the onsets and ends of waves."""

    qrs_slope_samples: int = threshold(
        11,
        "samples",
        "Window of the slopes of the QRS complex; 22 ms.",
        low="Noise keeps the beat from being quiet, and QRS gets long.",
        high="Slopes are smeared, and QRS gets long.",
        evidence=_LUDB,
    )
    p_slope_samples: int = threshold(
        21,
        "samples",
        "Window of the slopes of the P wave; 42 ms.",
        low="P waves drown in noise.",
        high="P waves melt into the QRS complex.",
        evidence=_LUDB,
    )
    t_slope_samples: int = threshold(
        41,
        "samples",
        "Window of the slopes of the T wave; 82 ms.",
        low="T ends at notches and noise.",
        high="T ends late.",
        evidence=_LUDB,
    )
    qrs_on_of_top: float = threshold(
        0.03,
        "1",
        "Slope below which nothing moves before QRS, as a part of the steepest.",
        low="QRS begins in the PR segment.",
        high="QRS begins late.",
        evidence=_LUDB,
    )
    qrs_on_mv_s: float = threshold(
        0.4,
        "mV/s",
        "Slope that is added to it.",
        low="QRS begins in the PR segment of noisy records.",
        high="QRS begins late in records of low voltage.",
        evidence=_LUDB,
    )
    qrs_end_of_top: float = threshold(
        0.04,
        "1",
        "Slope below which nothing moves after QRS, as a part of the steepest.",
        low="QRS ends within the ST segment.",
        high="QRS ends before its terminal slow part, as in right bundle branch block.",
        evidence=_LUDB,
    )
    qrs_end_mv_s: float = threshold(
        1.0,
        "mV/s",
        "Slope that is added to it.",
        low="A sloping ST segment lengthens QRS.",
        high="QRS ends before its terminal slow part.",
        evidence=_LUDB,
    )
    quiet_samples: int = threshold(
        6,
        "samples",
        "Length of the quiet that ends a wave; 12 ms.",
        low="A notch within QRS ends it.",
        high="Short PR segments are no quiet, and QRS begins in the P wave.",
        evidence=_LUDB,
    )
    t_end_of_flank: float = threshold(
        0.25,
        "1",
        "Slope at which T ends, as a part of its last steep flank's.",
        low="T ends late, in U waves or on the next P wave.",
        high="T ends early, and QT gets short.",
        evidence=_LUDB,
    )
    min_t_flank: float = threshold(
        0.7,
        "1",
        "Least slope of the last flank of T, as a part of the steepest after QRS.",
        low="U waves and P waves of the next beat count as flanks of T.",
        high="The second flank of an asymmetric T wave is overlooked.",
        evidence=_LUDB,
    )
    p_edge_of_flank: float = threshold(
        0.2,
        "1",
        "Slope at which P begins and ends, as a part of its flank's.",
        low="P begins early, and PR gets long.",
        high="P begins late, and PR gets short.",
        evidence=_LUDB,
    )
    max_slope_before_p: float = threshold(
        0.6,
        "1",
        "Largest slope between T and P, as a part of P's: flutter moves there as much as in a P wave.",
        low="P waves behind a U wave are not measured.",
        high="Flutter and fibrillation waves are measured as P waves.",
        evidence=_LUDB,
    )
    min_p_height: float = threshold(
        3.5,
        "1",
        "Least slope of a P wave as a multiple of the quietest slope before QRS.",
        low="Noise is measured as P waves.",
        high="Flat P waves are not measured.",
        evidence=_LUDB,
    )
    qrs_on_shift: int = threshold(
        3,
        "samples",
        "Samples by which the readers of LUDB mark the onset of QRS before the threshold is passed.",
        low="QRS and QT get short.",
        high="QRS and QT get long, PR short.",
        evidence=_LUDB,
    )
    qrs_end_shift: int = threshold(
        1,
        "samples",
        "Samples by which they mark the end of QRS after the threshold is passed; 2 by LUDB alone.",
        low="QRS gets short.",
        high="QRS gets longer than recorders print it, which mark it some 10 ms shorter than these readers.",
        evidence=f"{_LUDB}; benchmarks/real_pages.md: QRS beside what recorders printed",
    )
    p_on_shift: int = threshold(
        1,
        "samples",
        "Samples by which they mark the onset of P before the threshold is passed.",
        low="PR gets short.",
        high="PR gets long.",
        evidence=_LUDB,
    )
    p_end_shift: int = threshold(
        4,
        "samples",
        "Samples by which they mark the end of P before the threshold is passed.",
        low="P gets long.",
        high="P gets short.",
        evidence=_LUDB,
    )


LIMITS = WaveLimits()


@dataclass(frozen=True, slots=True)
class Waves:
    """Onsets and ends of waves in samples from the fiducial; ``None`` where one could not be found."""

    qrs_on: int | None = None
    qrs_end: int | None = None
    t_end: int | None = None
    p_on: int | None = None
    p_end: int | None = None


def cut_normal_beats(signals: NDArray[np.float64], beats: Beats, *, level_at: tuple[int, int]) -> NDArray[np.float64]:
    """Cut out the beats of the normal shape and subtract their baseline.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV, on one clock.
        beats: Beats of these signals.
        level_at: First and last sample from the fiducial between which the signal is at its baseline.

    Returns:
        ``(normal beats, leads, window)``; NaN outside the record and where the window reaches into another beat.
    """
    return np.asarray(cut_beats(signals, beats, level_at=level_at)[beats.shapes == 0])


def cut_beats(signals: NDArray[np.float64], beats: Beats, *, level_at: tuple[int, int]) -> NDArray[np.float64]:
    """Cut out all beats, as :func:`cut_normal_beats` does those of the normal shape."""
    windows = cut_windows(signals, beats.samples, BEFORE, _AFTER)
    first = max(BEFORE + level_at[0], 0)  # noise may seem a QRS complex that begins where the window does
    baseline = np.median(windows[:, :, first : BEFORE + level_at[1]], axis=2)
    clock = np.arange(-BEFORE, _AFTER)
    intervals = np.diff(beats.samples)
    drift = np.zeros_like(baseline)
    if len(intervals):
        drift[:-1] = np.nan_to_num((baseline[1:] - baseline[:-1]) / intervals[:, None])
    windows -= baseline[:, :, None] + drift[:, :, None] * (clock - sum(level_at) / 2)
    next_beat = np.r_[intervals, np.inf][:, None] - 100
    last_beat = 150 - np.r_[np.inf, intervals][:, None]
    is_other_beat = (clock > next_beat) | (clock < last_beat)
    windows[np.broadcast_to(is_other_beat[:, None], windows.shape)] = np.nan
    return windows


def delineate(beat: NDArray[np.float64], rr: float) -> Waves:
    """Find the onsets and ends of the waves of a median beat.

    Args:
        beat: ``(leads, window)``, mV, median of what :func:`cut_normal_beats` returns; a lead with gaps in a wave is
            left out there.
        rr: Typical RR interval in samples.
    """
    low, high = (BEFORE + side for side in _QRS_REACH)
    visible = beat[~np.isnan(beat[:, low:high]).any(axis=1)]
    if not len(visible):
        return Waves()
    activity = _activity(visible, LIMITS.qrs_slope_samples)
    top = float(activity[low:high].max())
    if top <= 0:
        return Waves()
    steep = np.flatnonzero(activity[low:high] > 0.3 * top) + low
    noise = 3 * float(np.percentile(activity, 15))
    before = LIMITS.qrs_on_of_top * top + float(np.hypot(LIMITS.qrs_on_mv_s, noise))
    after = LIMITS.qrs_end_of_top * top + float(np.hypot(LIMITS.qrs_end_mv_s, noise))
    qrs_on = _first_quiet(activity, int(steep[0]), -1, before)
    qrs_end = _first_quiet(activity, int(steep[-1]), 1, after)
    if qrs_on is None or qrs_end is None:
        return Waves()
    t_end = _find_t_end(beat, qrs_end, rr)
    p_on, p_end = _find_p_wave(beat, qrs_on, (BEFORE + 200 if t_end is None else t_end) - rr)
    edges = (qrs_on - LIMITS.qrs_on_shift, qrs_end + LIMITS.qrs_end_shift, t_end, p_on, p_end)
    return Waves(*(None if edge is None else edge - BEFORE for edge in edges))


def correlate_p_waves(windows: NDArray[np.float64], waves: Waves) -> float:
    """Correlate the P wave of each beat with those of the others.

    Args:
        windows: ``(beats, leads, window)``, from :func:`cut_normal_beats`.
        waves: Waves of the median beat; the signals from the onset of P to that of QRS are compared.

    Returns:
        Median over the beats of the correlation of a beat's slopes with the median slopes of the others: 1 where every
        beat has the same P wave, near 0 where atria and ventricles beat independently or nothing is there.
    """
    if waves.p_on is None or waves.qrs_on is None:
        return 0.0
    part = windows[:, :, BEFORE + waves.p_on - 10 : BEFORE + waves.qrs_on]
    width = LIMITS.p_slope_samples
    slopes = savitzky_golay(np.nan_to_num(part), width, derivative=1, extend=True)[:, :, ::4]
    slopes[np.isnan(part).any(axis=2)] = np.nan
    correlations = []
    for number, beat in enumerate(slopes):
        others = np.delete(slopes, number, axis=0)
        if not len(others):
            break
        typical = median_of_known(others)
        is_valid = ~(np.isnan(beat) | np.isnan(typical))
        one, two = beat[is_valid], typical[is_valid]
        if len(one):
            correlations.append(float(one @ two / max(np.sqrt((one @ one) * (two @ two)), 1e-12)))
    return float(np.median(correlations)) if correlations else 0.0


def _activity(beat: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Root mean square of the leads' slopes in mV/s."""
    slopes = savitzky_golay(np.nan_to_num(beat), width, derivative=1, delta=1 / FS_HZ)
    return np.asarray(np.sqrt((slopes**2).mean(axis=0)))


def _first_quiet(activity: NDArray[np.float64], start: int, step: int, limit: float) -> int | None:
    """First sample from ``start`` on from which the activity stays below a limit for a while."""
    is_quiet = (activity < limit)[start::step]
    if len(is_quiet) < LIMITS.quiet_samples:
        return None
    stays_quiet = np.convolve(is_quiet, np.ones(LIMITS.quiet_samples), "valid") > LIMITS.quiet_samples - 0.5
    return start + step * int(np.argmax(stays_quiet)) if stays_quiet.any() else None


def _find_t_end(beat: NDArray[np.float64], qrs_end: int, rr: float) -> int | None:
    """Place where the last steep flank of the T wave has become quiet."""
    first = qrs_end + 40
    last = BEFORE + int(np.clip(rr - 130, 0.6 * rr, 310))
    visible = beat[~np.isnan(beat[:, BEFORE + _QRS_REACH[0] : last]).any(axis=1)]
    if last - first < 30 or not len(visible):
        return None
    activity = _activity(visible, LIMITS.t_slope_samples)[first:last]
    flanks = find_peaks(np.r_[0, activity, 0]) - 1
    if not len(flanks):
        return None
    flank = int(flanks[activity[flanks] >= LIMITS.min_t_flank * activity.max()][-1])
    floor = float(activity[flank:].min())
    below = np.flatnonzero(activity[flank:] < floor + LIMITS.t_end_of_flank * (activity[flank] - floor))
    return first + flank + int(below[0]) if len(below) else None


def _find_p_wave(beat: NDArray[np.float64], qrs_on: int, t_end_before: float) -> tuple[int | None, int | None]:
    """Onset and end of a P wave that is separate from the T wave before it."""
    quiet_from = max(int(t_end_before) + 15, 8)
    first, last = max(quiet_from, qrs_on - 150), qrs_on - 4
    visible = beat[~np.isnan(beat[:, quiet_from:qrs_on]).any(axis=1)]
    if last - first < 30 or not len(visible):
        return None, None
    whole = _activity(visible[:, : qrs_on + 1], LIMITS.p_slope_samples)
    activity = whole[first:last]
    flanks = find_peaks(activity)
    if not len(flanks) or activity.max() < LIMITS.min_p_height * np.percentile(activity, 10):
        return None, None
    top = float(activity[flanks].max())
    steep = flanks[activity[flanks] >= 0.5 * top]
    floor = float(activity.min())
    limit = floor + LIMITS.p_edge_of_flank * (top - floor)
    before = np.flatnonzero(activity[: steep[0]] < limit)
    tail = activity[steep[-1] :]
    after = np.flatnonzero(tail < max(limit, 1.02 * float(tail.min())))
    if not len(before):
        return None, None
    p_on = first + int(before[-1]) - LIMITS.p_on_shift
    p_end = first + int(steep[-1] + after[0]) - LIMITS.p_end_shift if tail.min() < 0.5 * top else None
    ahead = whole[quiet_from : p_on - 7]
    is_separate = len(ahead) > 20 and ahead.max() < LIMITS.max_slope_before_p * top
    return (p_on, p_end) if is_separate else (None, None)

"""Where the waves of a beat begin and end, seen in all leads together.

A median beat of each lead is made first. What is then looked at is the root mean square of the slopes of all leads:
it is quiet before a wave and after it whatever the level of each lead, and a wave that one lead shows flat another
shows steep. The leads of a page need not be printed side by side: they share the clock of the beats.

Thresholds and leads of time were set on the odd half of LUDB (Kalyakulina et al. 2020,
doi:10.1109/ACCESS.2020.3029211); ``benchmarks/measure.md`` reports both halves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecglens.leads.beats import FS_HZ, Beats, median, windows

__all__ = ["BEFORE", "Waves", "beat_windows", "delineate", "p_likeness"]

BEFORE = 200
"""Samples of a beat's window before its fiducial."""

_AFTER = 350
_QRS_REACH = (-60, 75)
"""Samples from the fiducial between which the QRS complex is looked for."""

_QRS_SLOPE = 11
_P_SLOPE = 21
_T_SLOPE = 41
"""Samples over which slopes are taken: 22, 42 and 82 ms."""

_QRS_ON = (0.03, 0.4)
_QRS_END = (0.04, 1.0)
"""Part of the steepest slope, and mV/s above it, under which nothing moves before and after the QRS complex."""

_QUIET = 6
"""Samples that must be quiet."""

_T_END = 0.25
_P_EDGE = 0.2
"""Part of its flank's slope at which a wave ends."""

_P_APART = 0.6
"""What comes before a P wave moves less than this part of it; flutter does not."""

_P_TALL = 3.5
"""How far a P wave's slope stands above the quietest before the QRS complex."""

_QRS_ON_EARLIER, _QRS_END_LATER, _P_ON_EARLIER, _P_END_EARLIER = 3, 2, 1, 4
"""Samples by which the readers of LUDB mark an edge sooner or later than where the slope passes its threshold."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Edges of the waves in samples from the fiducial; ``None`` where one cannot be told."""

    qrs_on: int | None = None
    qrs_end: int | None = None
    t_end: int | None = None
    p_on: int | None = None
    p_end: int | None = None


def beat_windows(signals: NDArray[np.float64], beats: Beats, *, level: tuple[int, int]) -> NDArray[np.float64]:
    """Cut the beats of the usual shape out and take the baseline off.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV, on one clock.
        beats: Of these signals.
        level: First and last sample from the fiducial between which a beat is at rest.

    Returns:
        ``(beats, leads, window)``; NaN outside the record and where the next or the last beat reigns.
    """
    cut = windows(signals, beats.samples, BEFORE, _AFTER)
    rest = np.median(cut[:, :, BEFORE + level[0] : BEFORE + level[1]], axis=2)
    clock = np.arange(-BEFORE, _AFTER)
    gaps = np.diff(beats.samples)
    drift = np.zeros_like(rest)
    if len(gaps):
        drift[:-1] = np.nan_to_num((rest[1:] - rest[:-1]) / gaps[:, None])
    cut -= rest[:, :, None] + drift[:, :, None] * (clock - sum(level) / 2)
    next_beat = np.r_[gaps, np.inf][:, None] - 100
    last_beat = 150 - np.r_[np.inf, gaps][:, None]
    cut[np.broadcast_to(((clock > next_beat) | (clock < last_beat))[:, None], cut.shape)] = np.nan
    return np.asarray(cut[beats.shapes == 0])


def delineate(beat: NDArray[np.float64], rr: float) -> Waves:
    """Find the edges of the waves of a median beat.

    Args:
        beat: ``(leads, window)``, mV, as :func:`beat_windows` cuts; a lead with gaps in a wave is not looked at there.
        rr: Usual distance of beats in samples.
    """
    low, high = (BEFORE + side for side in _QRS_REACH)
    shown = beat[~np.isnan(beat[:, low:high]).any(axis=1)]
    if not len(shown):
        return Waves()
    activity = _activity(shown, _QRS_SLOPE)
    top = float(activity[low:high].max())
    if top <= 0:
        return Waves()
    strong = np.flatnonzero(activity[low:high] > 0.3 * top) + low
    noise = 3 * float(np.percentile(activity, 15))
    on = _quiet(activity, int(strong[0]), -1, _QRS_ON[0] * top + float(np.hypot(_QRS_ON[1], noise)))
    end = _quiet(activity, int(strong[-1]), 1, _QRS_END[0] * top + float(np.hypot(_QRS_END[1], noise)))
    if on is None or end is None:
        return Waves()
    t_end = _t_end(beat, end, rr)
    p_on, p_end = _p_wave(beat, on, (BEFORE + 200 if t_end is None else t_end) - rr)
    edges = (on - _QRS_ON_EARLIER, end + _QRS_END_LATER, t_end, p_on, p_end)
    return Waves(*(None if edge is None else edge - BEFORE for edge in edges))


def p_likeness(cut: NDArray[np.float64], waves: Waves) -> float:
    """How alike the P waves of the beats are: median correlation of each beat's slopes with the others' median.

    Args:
        cut: ``(beats, leads, window)``, as :func:`beat_windows` cuts.
        waves: Of the median beat; the stretch from the beginning of P to that of QRS is compared.

    Returns:
        1 for the same in every beat, near 0 where atria and ventricles go their own ways or nothing is there.
    """
    if waves.p_on is None or waves.qrs_on is None:
        return 0.0
    stretch = cut[:, :, BEFORE + waves.p_on - 10 : BEFORE + waves.qrs_on]
    slopes = signal.savgol_filter(np.nan_to_num(stretch), _P_SLOPE, 2, deriv=1, axis=2, mode="nearest")[:, :, ::4]
    slopes[np.isnan(stretch).any(axis=2)] = np.nan
    found = []
    for number, beat in enumerate(slopes):
        others = np.delete(slopes, number, axis=0)
        if not len(others):
            break
        rest = median(others)
        known = ~(np.isnan(beat) | np.isnan(rest))
        one, two = beat[known], rest[known]
        if len(one):
            found.append(float(one @ two / max(np.sqrt((one @ one) * (two @ two)), 1e-12)))
    return float(np.median(found)) if found else 0.0


def _activity(beat: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Root mean square of the leads' slopes in mV/s."""
    slopes = signal.savgol_filter(np.nan_to_num(beat), width, 2, deriv=1, delta=1 / FS_HZ, axis=1)
    return np.asarray(np.sqrt((slopes**2).mean(axis=0)))


def _quiet(activity: NDArray[np.float64], start: int, step: int, threshold: float) -> int | None:
    """First sample from ``start`` on after which the activity stays below a threshold for a while."""
    quiet = (activity < threshold)[start::step]
    if len(quiet) < _QUIET:
        return None
    held = np.convolve(quiet, np.ones(_QUIET), "valid") > _QUIET - 0.5
    return start + step * int(np.argmax(held)) if held.any() else None


def _t_end(beat: NDArray[np.float64], qrs_end: int, rr: float) -> int | None:
    """Where the last steep flank of the T wave has gone quiet."""
    first = qrs_end + 40
    last = BEFORE + int(np.clip(rr - 130, 0.6 * rr, 310))
    shown = beat[~np.isnan(beat[:, BEFORE + _QRS_REACH[0] : last]).any(axis=1)]
    if last - first < 30 or not len(shown):
        return None
    activity = _activity(shown, _T_SLOPE)[first:last]
    flanks = signal.find_peaks(np.r_[0, activity, 0])[0] - 1
    if not len(flanks):
        return None
    flank = int(flanks[activity[flanks] >= 0.7 * activity.max()][-1])
    floor = float(activity[flank:].min())
    below = np.flatnonzero(activity[flank:] < floor + _T_END * (activity[flank] - floor))
    return first + flank + int(below[0]) if len(below) else None


def _p_wave(beat: NDArray[np.float64], qrs_on: int, t_end_before: float) -> tuple[int | None, int | None]:
    """Both edges of a P wave that stands apart from the T wave before it."""
    quiet_from = max(int(t_end_before) + 15, 8)
    first, last = max(quiet_from, qrs_on - 150), qrs_on - 4
    shown = beat[~np.isnan(beat[:, quiet_from:qrs_on]).any(axis=1)]
    if last - first < 30 or not len(shown):
        return None, None
    whole = _activity(shown[:, : qrs_on + 1], _P_SLOPE)
    activity = whole[first:last]
    flanks = signal.find_peaks(activity)[0]
    if not len(flanks) or activity.max() < _P_TALL * np.percentile(activity, 10):
        return None, None
    top = float(activity[flanks].max())
    tall = flanks[activity[flanks] >= 0.5 * top]
    floor = float(activity.min())
    threshold = floor + _P_EDGE * (top - floor)
    before = np.flatnonzero(activity[: tall[0]] < threshold)
    tail = activity[tall[-1] :]
    after = np.flatnonzero(tail < max(threshold, 1.02 * float(tail.min())))
    if not len(before):
        return None, None
    on = first + int(before[-1]) - _P_ON_EARLIER
    end = first + int(tall[-1] + after[0]) - _P_END_EARLIER if tail.min() < 0.5 * top else None
    ahead = whole[quiet_from : on - 7]
    apart = len(ahead) > 20 and ahead.max() < _P_APART * top
    return (on, end) if apart else (None, None)

"""Figures of the rhythm: irregularity, beats with P waves, premature beats, the longest RR interval, pacing spikes.

They describe the seconds that a record shows, and nothing before or after them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.analysis import Analysis
from ecglens.measuring.filters import savitzky_golay
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.waves import BEFORE, cut_beats, delineate
from ecglens.records import Measured, Rhythm

__all__ = ["LIMITS", "RhythmLimits", "measure_rhythm_figures"]

_CRITERIA = "benchmarks/criteria.md: rhythms against diagnoses, odd half"


@dataclass(frozen=True)
class RhythmLimits:
    """Thresholds of P waves and premature beats."""

    p_reach_s: float = threshold(
        0.22,
        "s",
        "Time before QRS in which a P wave is searched for.",
        low="P waves of long PR intervals are overlooked.",
        high="T waves are compared instead of P waves.",
        evidence=_CRITERIA,
    )
    min_p_reach_s: float = threshold(
        0.08,
        "s",
        "Least time before QRS that fast beats must leave free for the search.",
        low="P waves are searched for in a few samples.",
        high="P waves of fast rhythms are not searched for.",
        evidence=_CRITERIA,
    )
    min_p_correlation: float = threshold(
        0.6,
        "1",
        "Correlation with the other beats from which a beat has their P wave.",
        low="Fibrillation waves count as P waves.",
        high="Low P waves in noise are overlooked.",
        evidence=_CRITERIA,
    )
    min_p_share: float = threshold(
        0.5,
        "1",
        "Share of beats with a P wave from which PR is estimated.",
        low="Fibrillation gets a PR interval.",
        high="Low P waves get none.",
        evidence=_CRITERIA,
    )
    max_estimate_bpm: float = threshold(
        100.0,
        "1/min",
        "Rate up to which PR is estimated from the peak of P.",
        low="Long PR intervals at ordinary rates are not estimated.",
        high="Peaks of T waves count as peaks of P waves.",
        evidence=_CRITERIA,
    )
    premature: float = threshold(
        0.85,
        "1",
        "RR interval up to which a beat is premature, as a part of the median.",
        low="Late premature beats are overlooked.",
        high="Respiration makes beats premature.",
        evidence=_CRITERIA,
    )
    max_broad_rr: float = threshold(
        1.1,
        "1",
        "RR interval up to which a broad beat of another shape is premature, as a part of the median.",
        low="Late or interpolated ventricular beats are overlooked.",
        high="Escape beats count as premature.",
        evidence=_CRITERIA,
    )
    min_broad_ms: float = threshold(
        120.0,
        "ms",
        "QRS duration from which a premature beat is broad.",
        low="Aberrant narrow beats count as broad.",
        high="Ventricular beats from near the septum count as narrow.",
        evidence=_CRITERIA,
    )


LIMITS = RhythmLimits()

_FIDUCIAL_MS = 2.0
"""Standard uncertainty of a beat's time: one sample."""
_MIN_DIFFERENCES = 3
"""Number of successive differences that an irregularity needs."""
_MIN_BEATS = 3
"""Number of beats that the P waves of a record need to be compared."""
_P_HUMP_SAMPLES = 25
"""Width of the middle of a P wave, 50 ms, against the 50 ms on either side."""
_PEAK_REACH = 200
"""Samples before QRS in which the peak of P is searched for."""
_PEAK_AFTER_QRS = 60
"""Samples after the QRS complex of the beat before, in which it is not."""
_ONSET_TO_PEAK_MS, _ESTIMATE_ERROR_MS = 61.0, 13.0
"""Median of PR less the time from the peak of P to QRS, and its deviation (half of the middle 68 %), on the signals of
the odd half of the records of ``benchmarks/criteria.md`` whose PR was measured."""
_LEVEL_AT = (-60, -50)
"""Samples from the fiducial at which the level before a broad beat is taken."""


def measure_rhythm_figures(analysis: Analysis, *, pr: Measured | None, qrs: Measured | None) -> Rhythm:
    """Measure the figures of rhythm and conduction.

    Args:
        analysis: From :func:`ecglens.measuring.analysis.analyze`.
        pr: PR interval, if it could be measured from the onset of P.
        qrs: QRS duration, with whatever error.
    """
    narrow, broad = _count_premature(analysis)
    p_share = _measure_p_share(analysis)
    has_p = p_share is not None and p_share.value >= LIMITS.min_p_share
    return Rhythm(
        beats=Measured(float(len(analysis.beats.samples)), 0.0, "1"),
        irregularity=_measure_irregularity(analysis.rr),
        p_share=p_share,
        pr_estimate_ms=pr if pr is not None or not has_p else _estimate_pr(analysis),
        qrs_estimate_ms=qrs,
        premature_narrow=Measured(float(narrow), 0.0, "1"),
        premature_broad=Measured(float(broad), 0.0, "1"),
        longest_rr_ms=_measure_longest_rr(analysis.rr),
        spikes=Measured(float(analysis.spikes), 0.0, "1"),
    )


def _measure_irregularity(rr: NDArray[np.float64]) -> Measured | None:
    """Median difference of successive RR intervals as a share of the median RR interval."""
    differences = np.abs(np.diff(rr))
    differences = differences[~np.isnan(differences)]
    if len(differences) < _MIN_DIFFERENCES:
        return None
    middle, typical = float(np.median(differences)), float(np.nanmedian(rr))
    # Standard error of a median of normal values, sigma from the median absolute deviation.
    scatter = 1.25 * 1.4826 * float(np.median(np.abs(differences - middle))) / len(differences) ** 0.5
    fiducial = _FIDUCIAL_MS * FS_HZ / 1000 / len(differences) ** 0.5
    return Measured(middle / typical, float(np.hypot(scatter, fiducial)) / typical, "1")


def _measure_longest_rr(rr: NDArray[np.float64]) -> Measured | None:
    if not np.isfinite(rr).any():
        return None
    return Measured(float(np.nanmax(rr)) * 1000 / FS_HZ, _FIDUCIAL_MS * 2**0.5, "ms")


def _measure_p_share(analysis: Analysis) -> Measured | None:
    """Share of the normal beats whose signal before QRS goes the way of the other beats'."""
    on, windows = analysis.waves.qrs_on, analysis.windows
    if on is None or len(windows) < _MIN_BEATS:
        return None
    # The windows are unknown up to 300 ms after the beat before.
    reach = min(LIMITS.p_reach_s * FS_HZ, analysis.typical_rr - 0.3 * FS_HZ + on, BEFORE + on)
    if reach < LIMITS.min_p_reach_s * FS_HZ:
        return None
    part = windows[:, :, BEFORE + on - round(reach) : BEFORE + on - 2]
    slopes = savitzky_golay(np.nan_to_num(part), 21, derivative=1, extend=True)[:, :, ::4]
    slopes[np.isnan(part).any(axis=2)] = np.nan
    correlations = np.array([_correlate_with_others(slopes, number) for number in range(len(slopes))])
    available = correlations[~np.isnan(correlations)]
    if len(available) < _MIN_BEATS:
        return None
    hits, beats = int((available >= LIMITS.min_p_correlation).sum()), len(available)
    # The variance of a share by Agresti and Coull (1998), so that no share is certain.
    plausible = (hits + 2) / (beats + 4)
    return Measured(hits / beats, (plausible * (1 - plausible) / (beats + 4)) ** 0.5, "1")


def _estimate_pr(analysis: Analysis) -> Measured | None:
    """PR interval by the peak of P: where the leads bend most like a P wave between T and QRS."""
    waves, rr = analysis.waves, analysis.typical_rr
    if waves.qrs_on is None or waves.qrs_end is None or rr < 60 / LIMITS.max_estimate_bpm * FS_HZ:
        return None
    last = BEFORE + waves.qrs_on
    first = max(last - _PEAK_REACH, round(BEFORE + waves.qrs_end - rr) + _PEAK_AFTER_QRS, 0)
    part = median_of_known(analysis.windows)[:, first:last]
    part = part[~np.isnan(part).any(axis=1)]
    width = _P_HUMP_SAMPLES
    if len(part) < 2 or part.shape[1] <= 3 * width:
        return None
    hump = np.repeat((-0.5, 1.0, -0.5), width) / width
    bend = np.sqrt((np.stack([np.convolve(row, hump, "valid") for row in part]) ** 2).mean(axis=0))
    peak = first + int(bend.argmax()) + 1.5 * width
    return Measured(_to_ms(last - peak) + _ONSET_TO_PEAK_MS, _ESTIMATE_ERROR_MS, "ms", (120.0, 200.0))


def _correlate_with_others(slopes: NDArray[np.float64], number: int) -> float:
    """Correlation of the slopes of one beat with the median of the others', over the leads that both show."""
    beat, others = slopes[number], median_of_known(np.delete(slopes, number, axis=0))
    is_known = ~(np.isnan(beat) | np.isnan(others))
    one, two = beat[is_known], others[is_known]
    power = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / power if power > 0 else np.nan


def _count_premature(analysis: Analysis) -> tuple[int, int]:
    """Number of premature beats that are narrow, and that are broad."""
    shapes, typical = analysis.beats.shapes, analysis.typical_rr
    before = np.r_[np.nan, analysis.rr] / typical
    is_broad = np.isin(shapes, _broad_shapes(analysis))
    # A beat that is early after a premature one is early after an early one, as in runs; a step of the rate is not.
    is_narrow = ~is_broad & (before <= LIMITS.premature) & (np.r_[np.nan, before[:-1]] > LIMITS.premature)
    return int(is_narrow.sum()), int((is_broad & (before <= LIMITS.max_broad_rr)).sum())


def _broad_shapes(analysis: Analysis) -> list[int]:
    """Shapes other than the normal one whose QRS complex is broad and broader than the normal one."""
    beats, waves = analysis.beats, analysis.waves
    others = np.setdiff1d(beats.shapes, [0])
    if not len(others):
        return []
    windows = cut_beats(analysis.signals, beats, level_at=_LEVEL_AT)
    normal_ms = 0.0 if waves.qrs_on is None or waves.qrs_end is None else _to_ms(waves.qrs_end - waves.qrs_on)
    broad = []
    for shape in others:
        own = delineate(median_of_known(windows[beats.shapes == shape]), analysis.typical_rr)
        if own.qrs_on is not None and own.qrs_end is not None:
            width_ms = _to_ms(own.qrs_end - own.qrs_on)
            if width_ms >= LIMITS.min_broad_ms and width_ms > normal_ms:
                broad.append(int(shape))
    return broad


def _to_ms(samples: float) -> float:
    return samples * 1000 / FS_HZ

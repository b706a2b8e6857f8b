"""Beats: R peaks from all leads together, and which beats have the same shape.

The detector works on the slope of the signals, as most do since Pan and Tompkins (1985, doi:10.1109/TBME.1985.325532),
but on all leads at once: each lead is scaled by its own steepest deflections and weighted by how far these stand out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.filters import find_peaks, savitzky_golay
from ecglens.measuring.signals import FS_HZ, cut_windows, fill_gaps, median_of_known, moving_average

__all__ = ["LIMITS", "BeatLimits", "Beats", "find_beats"]


@dataclass(frozen=True)
class BeatLimits:
    """Thresholds of beat detection and of the comparison of beats."""

    slope_samples: int = threshold(
        11,
        "samples",
        "Window of the slopes; 22 ms, a low pass near 35 Hz.",
        low="Noise and steps of pixels count as slopes.",
        high="Narrow QRS complexes lose their slopes against T waves.",
    )
    slow_slope_samples: int = threshold(
        61,
        "samples",
        "Window of the slow slopes that are subtracted; 122 ms, as QRS complexes turn faster than T waves.",
        low="Wide QRS complexes are subtracted too.",
        high="Steep T waves count as beats.",
    )
    energy_s: float = threshold(
        0.08,
        "s",
        "Window over which the energy of the slopes is averaged: about one QRS complex.",
        low="One QRS complex has several peaks.",
        high="Early beats melt into the beat before.",
    )
    refractory_s: float = threshold(
        0.22,
        "s",
        "Least time between two beats.",
        low="Both halves of wide QRS complexes count as beats.",
        high="Beats of rates above 270/min are lost.",
    )
    min_height: float = threshold(
        0.46,
        "1",
        "Least energy of a beat as a part of the typical peak's.",
        low="T waves and artifacts count as beats.",
        high="Low beats between high ones are lost.",
        evidence="benchmarks/measure.py, table of beats: F1 against the marks of LUDB",
    )
    t_wave_s: float = threshold(
        0.42,
        "s",
        "Time after a beat within which a low peak is its T wave.",
        low="Late T waves count as beats.",
        high="Early low beats count as T waves.",
    )
    max_t_wave_height: float = threshold(
        0.55,
        "1",
        "Height below which a peak close behind a beat is its T wave, as a part of the beat's.",
        low="Tall T waves count as beats.",
        high="Early beats that are lower than the one before are lost.",
    )
    min_searchback_height: float = threshold(
        0.2,
        "1",
        "Least energy of a beat where the rhythm lacks one, as a part of the typical peak's.",
        low="P waves and noise fill true pauses.",
        high="Low beats in a regular rhythm are lost, and pauses appear.",
    )
    gap_of_median: float = threshold(
        1.6,
        "1",
        "RR interval from which a beat may be missing, as a multiple of the median.",
        low="Searches go on in ordinary irregular rhythms.",
        high="Missed beats stay missed.",
    )
    searchback_margin: float = threshold(
        0.4,
        "1",
        "Least distance of a missing beat from both neighbors, as a part of the median RR interval.",
        low="T waves fill the gap.",
        high="Early beats in the gap are not found.",
    )
    max_stray_height: float = threshold(
        0.8,
        "1",
        "Height below which a peak with a shape of its own, inside a steady rhythm, is no beat.",
        low="Artifacts between regular beats count as beats.",
        high="True extra beats between regular beats are dropped.",
    )
    border_s: float = threshold(
        0.1,
        "s",
        "Time around a peak within which leads give way to the next column.",
        low="The step between two columns counts as a beat.",
        high="Single premature beats near the border of two columns are lost.",
    )
    max_stray_end_height: float = threshold(
        0.65,
        "1",
        "The same for the first and the last peak of a record.",
        low="Cut waves at the edges of the record count as beats.",
        high="Low first and last beats are dropped.",
    )
    steady: float = threshold(
        0.1,
        "1",
        "Largest relative deviation from the median RR interval with which the rhythm goes on without a peak.",
        low="Artifacts in a slightly irregular rhythm count as beats.",
        high="Extra beats in an irregular rhythm are dropped.",
    )
    early: float = threshold(
        0.7,
        "1",
        "RR interval below which a lone first peak is doubted, as a part of the median.",
        low="Lead names printed on the traces count as first beats.",
        high="True early first beats are dropped.",
    )
    cut_s: float = threshold(
        0.08,
        "s",
        "Time from the start of the record within which such a first peak is dropped.",
        low="Lead names printed on the traces count as first beats.",
        high="True first beats are dropped.",
    )
    min_correlation: float = threshold(
        0.85,
        "1",
        "Least correlation of the slopes of two beats of one shape.",
        low="Extrasystoles count as normal beats.",
        high="Normal beats in noise fall into many shapes.",
        evidence="benchmarks/measure.py, table of shapes",
    )
    max_gain: float = threshold(
        1.7,
        "1",
        "Largest ratio of the amplitudes of two beats of one shape.",
        low="Breathing splits normal beats into shapes.",
        high="Extrasystoles of the same direction count as normal beats.",
    )


LIMITS = BeatLimits()

_TEMPLATE_S = (0.08, 0.12)
"""Part of a beat around its fiducial that is aligned and compared: a wide QRS complex."""
_ALIGN_REACH_S = 0.05
"""Largest shift of a fiducial that fits a beat to the median of its shape."""
_MANY_LEADS = 6
"""Number of leads from which the one with the most energy has no vote: it may be an artifact."""


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats of a record.

    Attributes:
        samples: ``(beats,)`` float, fiducial of each beat in samples at ``FS_HZ``; beats of one shape have it at the
            same place of the complex.
        shapes: ``(beats,)`` int, number of each beat's shape; 0 is the shape of the normal beats.
        height: Energy of the beats over the energy between them; 1 for no difference.
    """

    samples: NDArray[np.float64]
    shapes: NDArray[np.intp]
    height: float


def find_beats(signals: NDArray[np.floating]) -> Beats:
    """Find the beats of a record.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV, all on one clock, without spikes; NaN where nothing is known.
    """
    slopes = _slopes(signals, LIMITS.slope_samples)
    energy = _energy(slopes - _slopes(signals, LIMITS.slow_slope_samples))
    peaks, height = _peaks(energy)
    if len(peaks) == 0:
        return Beats(np.empty(0), np.empty(0, np.intp), height)
    fiducials, shapes = _align_and_group(slopes, peaks.astype(float))
    is_beat = ~_is_stray(fiducials, shapes, np.nan_to_num(energy)[peaks], _changes_leads(signals, fiducials))
    if not is_beat.all():
        fiducials, shapes = _align_and_group(slopes, fiducials[is_beat])
    return Beats(fiducials, shapes, height)


def _slopes(signals: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """Slope of each lead in mV/s, from parabolas over ``width`` samples; NaN where the lead is."""
    slopes = savitzky_golay(fill_gaps(signals), width, derivative=1, delta=1 / FS_HZ, extend=True)
    return np.where(np.isnan(signals), np.nan, slopes)


def _energy(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """One curve for all leads: 1 where each lead is as steep as it ever is."""
    weighted, weights = np.zeros((2, *slopes.shape))
    for number, steepness in enumerate(np.abs(slopes)):
        is_valid = ~np.isnan(steepness)
        if is_valid.sum() < FS_HZ / 2:
            continue
        typical, largest = np.percentile(steepness[is_valid], (50, 98.5))
        if largest > 0:
            weights[number, is_valid] = np.clip((largest / max(typical, 1e-9) - 4) / 8, 0.02, 1)
            weighted[number, is_valid] = weights[number, is_valid] * np.minimum(steepness[is_valid] / largest, 1.5) ** 2
    total, weight = weighted.sum(axis=0), weights.sum(axis=0)
    has_many_leads = (weights > 0).sum(axis=0) >= _MANY_LEADS
    loudest = weighted.argmax(axis=0)[None]
    total -= np.where(has_many_leads, np.take_along_axis(weighted, loudest, 0)[0], 0)
    weight -= np.where(has_many_leads, np.take_along_axis(weights, loudest, 0)[0], 0)
    mean = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    smooth = moving_average(np.nan_to_num(mean), round(LIMITS.energy_s * FS_HZ))
    return np.where(np.isnan(mean), np.nan, np.sqrt(np.maximum(smooth, 0)))


def _peaks(energy: NDArray[np.float64]) -> tuple[NDArray[np.intp], float]:
    """Peaks of the energy that are beats, and how far they rise above what lies between them."""
    valid = np.nan_to_num(energy)
    candidates = find_peaks(np.r_[0, valid, 0], distance=round(LIMITS.refractory_s * FS_HZ)) - 1
    if len(candidates) == 0 or not valid.any():
        return np.empty(0, np.intp), 1.0
    heights = valid[candidates]
    window = round(2 * FS_HZ)
    tops = [
        heights[(candidates >= start) & (candidates < start + window)].max(initial=0)
        for start in range(0, max(len(energy) - window // 2, 1), window // 2)
    ]
    typical = float(np.median([top for top in tops if top > 0]))
    floor = float(np.nanpercentile(energy, 30))
    beats = candidates[heights >= LIMITS.min_height * typical]
    is_close = np.diff(beats) < LIMITS.t_wave_s * FS_HZ
    is_low = valid[beats[1:]] < LIMITS.max_t_wave_height * valid[beats[:-1]]
    beats = beats[np.r_[True, ~(is_close & is_low)]]
    missing = _missing_beats(valid, beats, candidates[heights >= LIMITS.min_searchback_height * typical])
    return np.union1d(beats, np.array(missing, dtype=np.intp)), typical / max(floor, 1e-9)


def _missing_beats(energy: NDArray[np.float64], beats: NDArray[np.intp], candidates: NDArray[np.intp]) -> list[int]:
    """The highest candidate well inside each RR interval that is too long for the rhythm."""
    intervals = np.diff(beats)
    missing = []
    for start, interval in zip(beats[:-1], intervals, strict=True):
        typical = np.median(intervals)
        margin = LIMITS.searchback_margin * typical
        inside = candidates[(candidates > start + margin) & (candidates < start + interval - margin)]
        if len(intervals) > 1 and interval > LIMITS.gap_of_median * typical and len(inside):
            missing.append(int(inside[np.argmax(energy[inside])]))
    return missing


def _align_and_group(
    slopes: NDArray[np.float64], fiducials: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Fiducials and shapes; each improves the other, so that both are computed twice."""
    shapes = np.zeros(len(fiducials), np.intp)
    for _ in range(2):
        fiducials = _align(slopes, fiducials, shapes)
        shapes = _group_shapes(slopes, fiducials)
    return fiducials, shapes


def _changes_leads(signals: NDArray[np.floating], fiducials: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether most leads that are known near a peak begin or end there, as at the border of two columns."""
    is_known = ~np.isnan(signals)
    reach = round(LIMITS.border_s * FS_HZ)
    before, after = (
        is_known[:, np.clip(np.rint(fiducials).astype(np.intp) + step, 0, is_known.shape[1] - 1)]
        for step in (-reach, reach)
    )
    return np.asarray((before != after).sum(axis=0) > 0.5 * (before | after).sum(axis=0))


def _is_stray(
    fiducials: NDArray[np.float64],
    shapes: NDArray[np.intp],
    heights: NDArray[np.float64],
    changes_leads: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Peaks that are no beats.

    These are peaks with a shape of their own: low ones without which the rhythm goes on, low first and last ones, and
    one at the very start of the record with the next beat close behind, as a lead name on the trace makes it. Others
    lie where one column of leads gives way to the next, so that no shape is known; the rhythm goes on without them.
    """
    is_single = np.bincount(shapes)[shapes] == 1
    relative_height = heights / np.median(heights)
    intervals = np.diff(fiducials)
    in_rhythm, at_end, is_cut = np.zeros((3, len(fiducials)), bool)
    at_end[[0, -1]] = True
    if len(intervals) > 2:
        typical = np.median(intervals)
        in_rhythm[1:-1] = np.abs((intervals[1:] + intervals[:-1]) / typical - 1) < LIMITS.steady
        is_cut[0] = fiducials[0] < LIMITS.cut_s * FS_HZ and intervals[0] < LIMITS.early * typical
    is_low = (in_rhythm & (relative_height < LIMITS.max_stray_height)) | (
        at_end & (relative_height < LIMITS.max_stray_end_height)
    )
    return np.asarray((is_single & (is_low | is_cut)) | (in_rhythm & changes_leads))


def _long_leads(slopes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Leads that are known nearly as long as any: all of a recording, the rhythm strips of a page."""
    valid = (~np.isnan(slopes)).sum(axis=1)
    return np.asarray(valid >= 0.8 * valid.max())


def _align(
    slopes: NDArray[np.float64], fiducials: NDArray[np.float64], shapes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Move each beat to where it fits the median of its shape best, to a fraction of a sample."""
    rows = slopes[_long_leads(slopes)]
    before, after = (round(side * FS_HZ) for side in _TEMPLATE_S)
    reach = round(_ALIGN_REACH_S * FS_HZ)
    wide = cut_windows(rows, fiducials, before + reach, after + reach)
    out = fiducials.copy()
    for shape in np.unique(shapes):
        members = np.flatnonzero(shapes == shape)
        valid = members[~np.isnan(wide[members]).all(axis=(1, 2))]
        if len(valid) < 2:
            continue
        template = np.nan_to_num(median_of_known(wide[valid][:, :, reach:-reach]))
        filled = np.nan_to_num(wide[valid])
        fits = np.stack(
            [np.einsum("blw,lw->b", filled[:, :, lag : lag + before + after], template) for lag in range(2 * reach + 1)]
        )
        best = np.clip(fits.argmax(axis=0), 1, 2 * reach - 1)
        left, top, right = (fits[best + step, np.arange(len(valid))] for step in (-1, 0, 1))
        curvature = left - 2 * top + right
        fraction = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, 1), 0)
        out[valid] = np.rint(fiducials[valid]) + best - reach + np.clip(fraction, -0.5, 0.5)
    return out


def _group_shapes(slopes: NDArray[np.float64], fiducials: NDArray[np.float64]) -> NDArray[np.intp]:
    """Number the shapes of the beats; two beats that share no lead count as the same shape."""
    same = _have_same_shape(slopes, fiducials)
    shapes = np.full(len(fiducials), -1)
    groups: list[NDArray[np.intp]] = []
    while (shapes < 0).any():
        free = shapes < 0
        seed = int(np.argmax((same & free).sum(axis=1) * free))
        members = np.flatnonzero(same[seed] & free)
        members = members[same[np.ix_(members, members)].mean(axis=1) > 0.5]
        members = np.union1d(members, [seed])
        shapes[members] = len(groups)
        groups.append(members)
    return np.asarray(np.argsort(_order_groups(slopes, fiducials, groups))[shapes])


def _have_same_shape(slopes: NDArray[np.float64], fiducials: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(beats, beats)``, by the correlation of the slopes at the best lag and the ratio of their amplitudes."""
    before, after = (round(side * FS_HZ) for side in _TEMPLATE_S)
    lag = 8
    filled = np.nan_to_num(cut_windows(slopes, fiducials, before + lag, after + lag))
    center = filled[:, :, lag:-lag]
    power = (center**2).sum(axis=2)
    shared = power @ (power > 0).astype(float).T
    scale = np.sqrt(shared * shared.T)
    flat = center.reshape(len(fiducials), -1)
    width = before + after
    products = [
        flat @ filled[:, :, shift : shift + width].reshape(len(fiducials), -1).T for shift in range(0, 2 * lag + 1, 2)
    ]
    correlation = np.divide(np.max(products, axis=0), scale, out=np.ones_like(scale), where=scale > 0)
    gain = np.divide(shared, shared.T, out=np.ones_like(scale), where=scale > 0)
    is_similar = np.maximum(correlation, correlation.T) > LIMITS.min_correlation
    return np.asarray(is_similar & (np.abs(np.log(np.maximum(gain, 1e-9))) < 2 * np.log(LIMITS.max_gain)))


def _order_groups(
    slopes: NDArray[np.float64], fiducials: NDArray[np.float64], groups: list[NDArray[np.intp]]
) -> NDArray[np.intp]:
    """Groups in the order of their numbers: the narrowest of the large ones first, then by size."""
    before, after = (round(side * FS_HZ) for side in _TEMPLATE_S)
    center = np.nan_to_num(cut_windows(slopes, fiducials, before, after))
    durations = np.array([_energy_spread(center[members]) for members in groups])
    sizes = np.array([len(members) for members in groups])
    large = np.flatnonzero(sizes >= 0.6 * sizes.max())
    first = large[np.argmin(durations[large])]
    others = [number for number in np.argsort(-sizes, kind="stable") if number != first]
    return np.array([first, *others], dtype=np.intp)


def _energy_spread(windows: NDArray[np.float64]) -> float:
    """Standard deviation in time of the energy of beats, in samples."""
    energy = (windows**2).sum(axis=(0, 1))
    places = np.arange(len(energy))
    total = max(float(energy.sum()), 1e-12)
    middle = float((energy * places).sum() / total)
    return float(np.sqrt((energy * (places - middle) ** 2).sum() / total))

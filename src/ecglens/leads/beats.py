"""Where the heart beats: R peaks from all leads together, and which beats look alike.

The detector works on the speed of the trace, as most do since Pan and Tompkins (1985, doi:10.1109/TBME.1985.325532),
but on all leads at once: each lead is scaled by its own fastest deflections and counts by how far these stand out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

__all__ = ["FS_HZ", "Beats", "find_beats", "median", "windows", "without_spikes"]

FS_HZ = 500.0
"""All measuring is done at this rate."""

_SLOPE = 11
"""Samples over which a slope is taken: 22 ms, a low pass near 35 Hz."""

_SLOW_SLOPE = 61
"""Slopes over 82 ms are taken off those over 22 ms, as QRS complexes turn faster than T waves."""

_SPIKE_MV = 0.12
_SPIKE_QUIET_S = 0.04
_SPIKES = 3

_ENERGY_S = 0.08
_REFRACTORY_S = 0.22
_THRESHOLD = 0.46
"""Part of the usual height of a beat's energy that makes a beat."""

_T_WAVE_S = 0.42

_SEARCHBACK = 0.2
"""The same where a beat is missing in the rhythm."""

_TEMPLATE_S = (0.08, 0.12)
_MANY_LEADS = 6
_STRAY, _STRAY_END = 0.8, 0.65
"""Height against the usual beat's below which a shape that no other beat has is doubted."""

_EARLY, _CUT_S = 0.7, 0.08
"""Part of the usual distance to the next, and of a record's beginning, within which such a beat is left out."""

_STEADY = 0.1
_REACH_S = 0.05
_GAIN = 1.7

_ALIKE = 0.85
"""Least correlation of two beats of one shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats of a record.

    Attributes:
        samples: ``(beats,)`` float, fiducial of each in samples at ``FS_HZ``; beats of one shape have it at one place.
        shapes: ``(beats,)`` int; 0 is the shape that most beats have.
        height: How far the beats' energy stands above what lies between them, 1 for none.
    """

    samples: NDArray[np.float64]
    shapes: NDArray[np.intp]
    height: float


def _slopes(signals: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """Slope of each lead in mV/s, from parabolas over ``width`` samples; NaN where the lead is."""
    slopes = signal.savgol_filter(_filled(signals), width, 2, deriv=1, delta=1 / FS_HZ, axis=1, mode="nearest")
    return np.where(np.isnan(signals), np.nan, slopes)


def find_beats(signals: NDArray[np.floating]) -> Beats:
    """Find the beats of a record.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV, all on one clock, without spikes; NaN where nothing is known.
    """
    slopes = _slopes(signals, _SLOPE)
    energy = _energy(slopes - _slopes(signals, _SLOW_SLOPE))
    peaks, height = _peaks(energy)
    if len(peaks) == 0:
        return Beats(np.empty(0), np.empty(0, np.intp), height)
    fiducials, shapes = _settled(slopes, peaks.astype(float))
    kept = ~_stray(fiducials, shapes, np.nan_to_num(energy)[peaks])
    if not kept.all():
        fiducials, shapes = _settled(slopes, fiducials[kept])
    return Beats(fiducials, shapes, height)


def without_spikes(signals: NDArray[np.floating]) -> tuple[NDArray[np.float64], bool]:
    """Take a pacemaker's spikes out: what jumps within 4 ms and stands alone.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV.

    Returns:
        The signals, and whether spikes were taken out: only where at least three rise from a quiet line in two leads
        (or the only one), so that no narrow R wave is taken for one.
    """
    out = np.array(signals, dtype=np.float64)
    filled = _filled(signals)
    jump = np.pad(np.abs(filled[:, 2:] - filled[:, :-2]), ((0, 0), (1, 1)))
    large = jump > np.maximum(_SPIKE_MV, 12 * np.median(jump, axis=1, keepdims=True))
    alone, quiet = np.zeros_like(large), np.zeros_like(large)
    width = round(_SPIKE_QUIET_S * FS_HZ)
    for row, place in zip(*np.nonzero(large), strict=True):
        before = filled[row, max(place - width - 2, 0) : place - 2]
        around = filled[row, max(place - width // 2, 0) : place + width // 2 + 1]
        alone[row, place] = jump[row, place] > 0.55 * np.ptp(around)
        quiet[row, place] = alone[row, place] and len(before) == width and np.ptp(before) < 0.3 * jump[row, place]
    together = ndimage.maximum_filter1d(quiet, 11, axis=1).sum(axis=0) >= min(2, len(signals))
    if (np.diff(together.astype(int)) == 1).sum() < _SPIKES:
        return out, False
    for row, place in zip(*np.nonzero(alone), strict=True):
        first, last = max(place - 3, 0), min(place + 12, out.shape[1] - 1)
        out[row, first : last + 1] = np.linspace(out[row, first], out[row, last], last - first + 1)
    return out, True


def _filled(signals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Straight lines over what is missing."""
    out = np.array(signals, dtype=np.float64)
    columns = np.arange(out.shape[1])
    for row in out:
        known = ~np.isnan(row)
        if known.any() and not known.all():
            row[~known] = np.interp(columns[~known], columns[known], row[known])
    return np.nan_to_num(out)


def _energy(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """One curve for all leads, 1 where each is as steep as it ever is; the steepest of many has no vote."""
    weighted, weights = np.zeros((2, *slopes.shape))
    for number, steep in enumerate(np.abs(slopes)):
        known = ~np.isnan(steep)
        if known.sum() < FS_HZ / 2:
            continue
        usual, most = np.percentile(steep[known], (50, 98.5))
        if most > 0:
            weights[number, known] = np.clip((most / max(usual, 1e-9) - 4) / 8, 0.02, 1)
            weighted[number, known] = weights[number, known] * np.minimum(steep[known] / most, 1.5) ** 2
    total, weight = weighted.sum(axis=0), weights.sum(axis=0)
    outvoted = (weights > 0).sum(axis=0) >= _MANY_LEADS
    loudest = weighted.argmax(axis=0)[None]
    total -= np.where(outvoted, np.take_along_axis(weighted, loudest, 0)[0], 0)
    weight -= np.where(outvoted, np.take_along_axis(weights, loudest, 0)[0], 0)
    mean = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    smooth = ndimage.uniform_filter1d(np.nan_to_num(mean), round(_ENERGY_S * FS_HZ), mode="nearest")
    return np.where(np.isnan(mean), np.nan, np.sqrt(np.maximum(smooth, 0)))


def _peaks(energy: NDArray[np.float64]) -> tuple[NDArray[np.intp], float]:
    known = np.nan_to_num(energy)
    candidates, _ = signal.find_peaks(np.r_[0, known, 0], distance=round(_REFRACTORY_S * FS_HZ))
    candidates = candidates - 1
    if len(candidates) == 0 or not known.any():
        return np.empty(0, np.intp), 1.0
    heights = known[candidates]
    window = round(2 * FS_HZ)
    tops = [
        heights[(candidates >= start) & (candidates < start + window)].max(initial=0)
        for start in range(0, max(len(energy) - window // 2, 1), window // 2)
    ]
    usual = float(np.median([top for top in tops if top > 0]))
    floor = float(np.nanpercentile(energy, 30))
    beats = candidates[heights >= _THRESHOLD * usual]
    close = np.diff(beats) < _T_WAVE_S * FS_HZ
    low = known[beats[1:]] < 0.55 * known[beats[:-1]]
    beats = beats[np.r_[True, ~(close & low)]]
    missed = _missed(known, beats, candidates[heights >= _SEARCHBACK * usual])
    return np.union1d(beats, np.array(missed, dtype=np.intp)), usual / max(floor, 1e-9)


def _missed(energy: NDArray[np.float64], beats: NDArray[np.intp], low: NDArray[np.intp]) -> list[int]:
    """The highest low peak well inside each gap that is too long for the rhythm."""
    gaps = np.diff(beats)
    found = []
    for start, gap in zip(beats[:-1], gaps, strict=True):
        usual = np.median(gaps)
        inside = low[(low > start + 0.4 * usual) & (low < start + gap - 0.4 * usual)]
        if len(gaps) > 1 and gap > 1.6 * usual and len(inside):
            found.append(int(inside[np.argmax(energy[inside])]))
    return found


def _settled(
    slopes: NDArray[np.float64], fiducials: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Fiducials and shapes, each by the other, twice."""
    shapes = np.zeros(len(fiducials), np.intp)
    for _ in range(2):
        fiducials = _aligned(slopes, fiducials, shapes)
        shapes = _shapes(slopes, fiducials)
    return fiducials, shapes


def _stray(fiducials: NDArray[np.float64], shapes: NDArray[np.intp], heights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Peaks of a shape of their own: low ones that the rhythm goes on without or that stand first or last.

    And one at the record's very beginning with the next beat close behind: lead names on the traces look like that.
    """
    lone = np.bincount(shapes)[shapes] == 1
    low = heights / np.median(heights)
    gaps = np.diff(fiducials)
    fits = np.zeros(len(fiducials), bool)
    if len(gaps) > 2:
        fits[1:-1] = np.abs((gaps[1:] + gaps[:-1]) / np.median(gaps) - 1) < _STEADY
    ends = np.zeros(len(fiducials), bool)
    ends[[0, -1]] = True
    cut = np.zeros(len(fiducials), bool)
    if len(gaps) > 2:
        cut[0] = fiducials[0] < _CUT_S * FS_HZ and gaps[0] < _EARLY * np.median(gaps)
    return np.asarray(lone & ((fits & (low < _STRAY)) | (ends & (low < _STRAY_END)) | cut))


def _clock(slopes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Leads that are known nearly as long as any: all of a recording, the rhythm strips of a page."""
    known = (~np.isnan(slopes)).sum(axis=1)
    return np.asarray(known >= 0.8 * known.max())


def windows(rows: NDArray[np.float64], fiducials: NDArray[np.float64], before: int, after: int) -> NDArray[np.float64]:
    """``(beats, leads, before + after)``; NaN outside the record."""
    padded = np.pad(rows, ((0, 0), (before, after)), constant_values=np.nan)
    starts = np.rint(fiducials).astype(int)
    places = np.clip(starts[:, None] + np.arange(before + after), 0, padded.shape[1] - 1)
    return np.moveaxis(padded[:, places], 0, 1)


def _aligned(
    slopes: NDArray[np.float64], fiducials: NDArray[np.float64], shapes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Move each beat to where it fits the median of its shape best, to a part of a sample."""
    rows = slopes[_clock(slopes)]
    before, after = (round(side * FS_HZ) for side in _TEMPLATE_S)
    reach = round(_REACH_S * FS_HZ)
    wide = windows(rows, fiducials, before + reach, after + reach)
    out = fiducials.copy()
    for shape in np.unique(shapes):
        members = np.flatnonzero(shapes == shape)
        known = members[~np.isnan(wide[members]).all(axis=(1, 2))]
        if len(known) < 2:
            continue
        template = np.nan_to_num(median(wide[known][:, :, reach:-reach]))
        filled = np.nan_to_num(wide[known])
        fits = np.stack(
            [np.einsum("blw,lw->b", filled[:, :, lag : lag + before + after], template) for lag in range(2 * reach + 1)]
        )
        best = np.clip(fits.argmax(axis=0), 1, 2 * reach - 1)
        left, top, right = (fits[best + step, np.arange(len(known))] for step in (-1, 0, 1))
        bend = left - 2 * top + right
        part = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0)
        out[known] = np.rint(fiducials[known]) + best - reach + np.clip(part, -0.5, 0.5)
    return out


def median(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the first axis of what is known; NaN where nothing is."""
    ordered = np.sort(windows, axis=0)
    count = (~np.isnan(ordered)).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    take = np.take_along_axis
    return np.asarray((take(ordered, low[None], 0) + take(ordered, np.minimum(high, len(ordered) - 1)[None], 0))[0] / 2)


def _shapes(slopes: NDArray[np.float64], fiducials: NDArray[np.float64]) -> NDArray[np.intp]:
    """Number the shapes of beats; two beats that no lead shows both count as alike."""
    before, after = (round(side * FS_HZ) for side in _TEMPLATE_S)
    lag = 8
    wide = windows(slopes, fiducials, before + lag, after + lag)
    filled = np.nan_to_num(wide)
    centre = filled[:, :, lag:-lag]
    power = (centre**2).sum(axis=2)
    known = (power > 0).astype(float)
    common = power @ known.T
    scale = np.sqrt(common * common.T)
    flat = centre.reshape(len(fiducials), -1)
    width = before + after
    products = [
        flat @ filled[:, :, shift : shift + width].reshape(len(fiducials), -1).T for shift in range(0, 2 * lag + 1, 2)
    ]
    alike = np.divide(np.max(products, axis=0), scale, out=np.ones_like(scale), where=scale > 0)
    ratio = np.divide(common, common.T, out=np.ones_like(scale), where=scale > 0)
    same = (np.maximum(alike, alike.T) > _ALIKE) & (np.abs(np.log(np.maximum(ratio, 1e-9))) < 2 * np.log(_GAIN))
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
    duration = np.array([_spread(centre[members]) for members in groups])
    size = np.array([len(members) for members in groups])
    usual = np.flatnonzero(size >= 0.6 * size.max())
    first = usual[np.argmin(duration[usual])]
    order = np.r_[first, [number for number in np.argsort(-size, kind="stable") if number != first]]
    return np.asarray(np.argsort(order)[shapes])


def _spread(windows: NDArray[np.float64]) -> float:
    """How far the energy of beats spreads in time, in samples."""
    energy = (windows**2).sum(axis=(0, 1))
    places = np.arange(len(energy))
    total = max(float(energy.sum()), 1e-12)
    middle = float((energy * places).sum() / total)
    return float(np.sqrt((energy * (places - middle) ** 2).sum() / total))

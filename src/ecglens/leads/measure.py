"""From signals to the figures that stand on an electrocardiogram, each with its error bar or not at all.

Beats come from all leads together, waves from the median beat. An error bar joins three things: how the figure moves
when beats are left out (jackknife), the sampling, and how far the figure is from two cardiologists' marks on LUDB.

Usual ranges in adults: QRS 70 to 110 ms and axis -30 to 90 degrees from Surawicz et al.
2009 (AHA/ACCF/HRS part III, doi:10.1161/CIRCULATIONAHA.108.191095); PR 120 to 200 ms by convention; P up to
120 ms from Hancock et al. 2009 (part V, doi:10.1161/CIRCULATIONAHA.108.191097); ST at J from -0.05 to 0.1 mV, 0.2 mV
in V2 and V3, from Thygesen et al. 2018 (doi:10.1161/CIR.0000000000000617; limits there differ by age and sex).
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecglens.leads.beats import FS_HZ, Beats, find_beats, median, without_spikes
from ecglens.leads.levels import frontal_axis, level
from ecglens.leads.rhythm import corrected, distances, lone_part, rhythm, usual_distance
from ecglens.leads.waves import BEFORE, Waves, beat_windows, delineate, p_likeness
from ecglens.records import EcgRecord, Measured, Measurements

__all__ = ["measure"]

_METHOD_MS = {"p": 8.0, "pr": 8.0, "qrs": 10.0, "qt": 16.0}
"""Standard deviation against the marks of LUDB, odd half (``benchmarks/measure.md``)."""

_POSSIBLE_MS = {"p": (60, 180), "pr": (80, 400), "qrs": (50, 260), "qt": (200, 700)}
_WORST_MS = {"p": 20.0, "pr": 20.0, "qrs": 16.0, "qt": 35.0}
"""Largest error by leaving beats out with which a figure is still given."""

_USUAL_MS = {"p": (None, 120.0), "pr": (120.0, 200.0), "qrs": (70.0, 110.0), "qt": None}
_FOLDS = 6
_LEAST_HEIGHT = 3.5
"""Beats stand so far above what lies between them; noise and random walks reach 2.4."""

_MOST_LONE = 0.45
"""Part of the beats whose shape no other has; more are noise."""

_LEAST_P_LIKENESS = 0.6
_LEAST_SPAN_MV = 0.05
_FIRST_LEVEL = (-50, -40)
_FIRST_COMPLEX = (-30, 40)
_AXIS_DEG = 3.0
_WORST_AXIS_DEG = 30.0
_GAP_S = 0.04
_LOW_PASS_HZ = 40.0
_LOW_PASS_QRS_MS = 13.0
_LOW_PASS_ST_MV = 0.012
"""Root mean square change of the figures of LUDB, odd half, under a low pass of 25 Hz."""

_LEVEL_MV = 0.01


def measure(record: EcgRecord, *, low_pass_hz: float | None = None) -> Measurements:
    """Measure a record.

    Args:
        record: Signals in mV; rows may begin at different times and have gaps, as those of a page do. Leads whose
            quality is below 0.5 are left out.
        low_pass_hz: Low pass of the recorder where it is known, such as the one printed on a page; below 40 Hz the
            QRS complex and ST are marked as less sure.

    Returns:
        The figures; ``None`` for each that cannot be told, with the reason in ``warnings``.
    """
    leads, signals, notes = _prepared(record)
    if not leads:
        return Measurements(warnings=(*notes, "No lead has a signal that could be measured."))
    clean, paced = without_spikes(signals)
    beats = find_beats(clean)
    alike = int((beats.shapes == 0).sum())
    if beats.height < _LEAST_HEIGHT or alike < 2 or lone_part(beats) > _MOST_LONE:
        return Measurements(warnings=(*notes, "No beats that are like one another stand out of the signals."))
    if alike < len(beats.samples):
        notes.append(f"{len(beats.samples) - alike} of {len(beats.samples)} beats have another shape than the usual.")
    if paced:
        notes.append("Spikes as of a pacemaker were taken out; edges of waves beside them are less sure.")
    soft = low_pass_hz is not None and low_pass_hz <= _LOW_PASS_HZ
    if soft:
        notes.append(f"A low pass of {low_pass_hz:g} Hz widens the QRS complex and changes ST.")
    rr = distances(clean, beats)
    cut, waves = _usual_beat(clean, beats, rr)
    figures = _durations(cut, waves, usual_distance(rr), step_ms=1000 / min(record.fs_hz, FS_HZ), soft=soft)
    if figures["pr"] is None:
        notes.append("No P wave stands before the beats in one way; P and PR are not told.")
    missing = [name for name, of in (("QRS", "qrs"), ("QT", "qt")) if figures[of] is None]
    notes += [f"{name} could not be told with a useful error." for name in missing]
    pace = rhythm(beats, rr)
    qtc = corrected(figures["qt"], pace["rr_ms"])
    rate = pace["rate_bpm"]
    if qtc and rate is not None and not 50 <= rate.value <= 100:
        notes.append("Bazett's QTc misleads at this rate; Fridericia's is the better one.")
    shown = _by_lead(leads, cut, waves) if figures["qrs"] is not None else {}
    peak = _r_peak(cut, waves)
    return Measurements(
        **pace,
        **{f"{name}_ms": figure for name, figure in figures.items()},
        **qtc,
        axis_deg=_axis(shown, waves),
        st_j_mv=_st(shown, waves, 0.0, soft=soft),
        st_j60_mv=_st(shown, waves, 0.06, soft=soft),
        r_peaks_s=tuple(float(second) for second in (beats.samples + peak) / FS_HZ),
        edges_s=_edges(waves, peak, figures),
        warnings=tuple(notes),
    )


def _prepared(record: EcgRecord) -> tuple[list[str], NDArray[np.float64], list[str]]:
    """Leads that can be used, at ``FS_HZ`` on one clock, and what was left out."""
    placed = record.on_one_clock()
    quality = placed.quality or (1.0,) * len(placed.leads)
    rows, leads, notes = [], [], []
    bad = [lead for lead, value in zip(placed.leads, quality, strict=True) if value < 0.5]
    if bad:
        notes.append(f"Left out for their quality: {', '.join(bad)}.")
    for lead, row in zip(placed.leads, placed.signals_mv, strict=True):
        known = row[~np.isnan(row)]
        if lead not in bad and len(known) >= 0.5 * placed.fs_hz and np.ptp(known) >= _LEAST_SPAN_MV:
            rows.append(_at_rate(row.astype(np.float64), placed.fs_hz))
            leads.append(lead)
    return leads, np.array(rows), notes


def _at_rate(row: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """One lead at ``FS_HZ`` with its short gaps bridged."""
    known = np.flatnonzero(~np.isnan(row))
    gaps = np.diff(known)
    for start, gap in zip(known[:-1][gaps > 1], gaps[gaps > 1], strict=True):
        if gap - 1 <= _GAP_S * fs_hz:
            row[start : start + gap + 1] = np.linspace(row[start], row[start + gap], gap + 1)
    if fs_hz == FS_HZ:
        return row
    ratio = Fraction(FS_HZ / fs_hz).limit_denominator(1000)
    out = np.full(round(len(row) * FS_HZ / fs_hz), np.nan)
    known = np.flatnonzero(~np.isnan(row))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        part = signal.resample_poly(row[run], ratio.numerator, ratio.denominator, padtype="line")
        first = round(run[0] * FS_HZ / fs_hz)
        out[first : first + len(part)] = part[: len(out) - first]
    return out


def _usual_beat(
    signals: NDArray[np.float64], beats: Beats, rr: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Waves]:
    """Windows of the usual beats and the edges of their median: with a guessed level, then with that before QRS."""
    usual = usual_distance(rr)
    level_at = _FIRST_LEVEL
    for _ in range(2):
        cut = beat_windows(signals, beats, level=level_at)
        waves = delineate(median(cut), usual)
        if waves.qrs_on is not None:
            level_at = (waves.qrs_on - 9, waves.qrs_on + 1)
    return cut, waves


def _spans_ms(waves: Waves) -> dict[str, float]:
    """Lengths in ms, NaN where an edge is missing."""
    at = {name: np.nan if edge is None else 1000 * edge / FS_HZ for name, edge in _named(waves)}
    return {
        "p": at["p_end"] - at["p_on"],
        "pr": at["qrs_on"] - at["p_on"],
        "qrs": at["qrs_end"] - at["qrs_on"],
        "qt": at["t_end"] - at["qrs_on"],
    }


def _durations(
    cut: NDArray[np.float64], waves: Waves, usual: float, *, step_ms: float, soft: bool
) -> dict[str, Measured | None]:
    """P, PR, QRS and QT, with the jackknife over groups of beats."""
    spans = _spans_ms(waves)
    folds = min(len(cut), _FOLDS)
    without = [_spans_ms(delineate(median(np.delete(cut, np.s_[fold::folds], axis=0)), usual)) for fold in range(folds)]
    atria = p_likeness(cut, waves) >= _LEAST_P_LIKENESS and _POSSIBLE_MS["p"][0] <= spans["p"] <= _POSSIBLE_MS["p"][1]
    found: dict[str, Measured | None] = {}
    for name, span in spans.items():
        told = np.array([fold[name] for fold in without])
        told = told[~np.isnan(told)]
        low, high = _POSSIBLE_MS[name]
        found[name] = None
        if not low <= span <= high or len(told) < 0.66 * folds or (name in {"p", "pr"} and not atria):
            continue
        moved = float(np.sqrt((folds - 1) / folds * ((told - told.mean()) ** 2).sum() * folds / len(told)))
        if moved <= _WORST_MS[name]:
            parts = (moved, _METHOD_MS[name], step_ms / 6**0.5, _LOW_PASS_QRS_MS if soft and name == "qrs" else 0)
            found[name] = Measured(span, float(np.linalg.norm(parts)), "ms", _USUAL_MS[name])
    return found if found["p"] is not None else {**found, "pr": None}


def _by_lead(leads: list[str], cut: NDArray[np.float64], waves: Waves) -> dict[str, NDArray[np.float64]]:
    """Windows of each lead by its name; of a lead that is printed twice, those with more whole beats."""
    first, last = (BEFORE + (edge or 0) for edge in (waves.qrs_on, waves.qrs_end))
    shown: dict[str, NDArray[np.float64]] = {}
    for number, name in enumerate(leads):
        rows = cut[:, number]
        whole = rows[~np.isnan(rows[:, first - 10 : last + 1]).any(axis=1)]
        lead = name.removesuffix("-rhythm")
        if len(whole) and len(whole) > len(shown.get(lead, ())):
            shown[lead] = whole
    return shown


def _axis(shown: dict[str, NDArray[np.float64]], waves: Waves) -> Measured | None:
    if waves.qrs_on is None or waves.qrs_end is None:
        return None
    complexes = {lead: median(rows)[BEFORE + waves.qrs_on : BEFORE + waves.qrs_end + 1] for lead, rows in shown.items()}
    found = frontal_axis({lead: (float(row.sum()), float(np.abs(row).sum())) for lead, row in complexes.items()})
    if found is None or found[1] > _WORST_AXIS_DEG:
        return None
    return Measured(found[0], float(np.hypot(found[1], _AXIS_DEG)), "deg", (-30.0, 90.0))


def _st(
    shown: dict[str, NDArray[np.float64]], waves: Waves, later_s: float, *, soft: bool
) -> dict[str, Measured | None]:
    """Level of each lead at, or some time after, the J point."""
    found: dict[str, Measured | None] = {}
    for lead, rows in shown.items():
        place = BEFORE + (waves.qrs_end or 0) + round(later_s * FS_HZ)
        at = level(rows, place)
        found[lead] = None
        if at is not None:
            error = float(np.linalg.norm((at[1], _LEVEL_MV, _LOW_PASS_ST_MV if soft else 0)))
            found[lead] = Measured(at[0], error, "mV", (-0.05, 0.2 if lead in {"V2", "V3"} else 0.1))
    return found


def _r_peak(cut: NDArray[np.float64], waves: Waves) -> int:
    """Where the usual beat is farthest from its level in the median lead, in samples from its fiducial."""
    first, last = _FIRST_COMPLEX if waves.qrs_on is None or waves.qrs_end is None else (waves.qrs_on, waves.qrs_end)
    complexes = np.abs(np.nan_to_num(median(cut)[:, BEFORE + first : BEFORE + last + 1]))
    return first + int(np.median(complexes.argmax(axis=1)[complexes.any(axis=1)]))


def _named(waves: Waves) -> tuple[tuple[str, int | None], ...]:
    names = ("p_on", "p_end", "qrs_on", "qrs_end", "t_end")
    return tuple((name, getattr(waves, name)) for name in names)


def _edges(waves: Waves, peak: int, figures: dict[str, Measured | None]) -> dict[str, float]:
    """Edges that belong to a figure, in s from the R peak."""
    of = {"p_on": "pr", "p_end": "p", "qrs_on": "qrs", "qrs_end": "qrs", "t_end": "qt"}
    return {
        name: (edge - peak) / FS_HZ
        for name, edge in _named(waves)
        if edge is not None and figures[of[name]] is not None
    }

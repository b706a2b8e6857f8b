"""From signals to the figures that stand on an electrocardiogram, each with its error bar or not at all.

Beats come from all leads together, waves from the median beat. An error bar joins three things: how the figure moves
when beats are left out (jackknife), the sampling, and how far the figure is from two cardiologists' marks on LUDB.

Usual ranges in adults: QRS 70 to 110 ms and axis -30 to 90 degrees from Surawicz et al.
2009 (AHA/ACCF/HRS part III, doi:10.1161/CIRCULATIONAHA.108.191095); PR 120 to 200 ms by convention; P up to
120 ms from Hancock et al. 2009 (part V, doi:10.1161/CIRCULATIONAHA.108.191097); ST at J from -0.05 to 0.1 mV, 0.2 mV
in V2 and V3, from Thygesen et al. 2018 (doi:10.1161/CIR.0000000000000617; limits there differ by age and sex).
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.analysis import Analysis, analyse
from ecglens.leads.beats import FS_HZ, median
from ecglens.leads.levels import frontal_axis, level
from ecglens.leads.rhythm import corrected, rhythm
from ecglens.leads.waves import BEFORE, Waves, delineate, p_likeness
from ecglens.records import EcgRecord, Measured, Measurements, NotFound

__all__ = ["measure", "measured"]

_METHOD_MS = {"p": 8.0, "pr": 8.0, "qrs": 10.0, "qt": 16.0}
"""Standard deviation against the marks of LUDB, odd half (``benchmarks/measure.md``)."""

_POSSIBLE_MS = {"p": (60, 180), "pr": (80, 400), "qrs": (50, 260), "qt": (200, 700)}
_WORST_MS = {"p": 20.0, "pr": 20.0, "qrs": 16.0, "qt": 35.0}
"""Largest error by leaving beats out with which a figure is still given."""

_USUAL_MS = {"p": (None, 120.0), "pr": (120.0, 200.0), "qrs": (70.0, 110.0), "qt": None}
_FOLDS = 6
_LEAST_P_LIKENESS = 0.6
_FIRST_COMPLEX = (-30, 40)
_AXIS_DEG = 3.0
_WORST_AXIS_DEG = 30.0
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
    found = analyse(record)
    if isinstance(found, NotFound):
        return Measurements(warnings=(found.reason,))
    return measured(found, step_ms=1000 / min(record.fs_hz, FS_HZ), low_pass_hz=low_pass_hz)


def measured(found: Analysis, *, step_ms: float, low_pass_hz: float | None = None) -> Measurements:
    """The figures of a record whose beats are known.

    Args:
        found: The record made ready.
        step_ms: Sampling step of the record.
        low_pass_hz: As in :func:`measure`.
    """
    soft = low_pass_hz is not None and low_pass_hz <= _LOW_PASS_HZ
    figures = _durations(found, step_ms=step_ms, soft=soft)
    pace = rhythm(found.beats, found.rr)
    qtc = corrected(figures["qt"], pace["rr_ms"])
    shown = found.by_lead() if figures["qrs"] is not None else {}
    peak = _r_peak(found)
    notes = list(found.notes)
    if low_pass_hz is not None and soft:
        notes.append(f"A low pass of {low_pass_hz:g} Hz widens the QRS complex and changes ST.")
    return Measurements(
        **pace,
        **{f"{name}_ms": figure for name, figure in figures.items()},
        **qtc,
        axis_deg=_axis(shown, found.waves),
        st_j_mv=_st(shown, found.waves, 0.0, soft=soft),
        st_j60_mv=_st(shown, found.waves, 0.06, soft=soft),
        r_peaks_s=tuple(float(second) for second in (found.beats.samples + peak) / FS_HZ),
        edges_s=_edges(found.waves, peak, figures),
        warnings=(*notes, *_warnings(found, figures, pace["rate_bpm"])),
    )


def _warnings(found: Analysis, figures: dict[str, Measured | None], rate: Measured | None) -> list[str]:
    beats = len(found.beats.samples)
    others = int((found.beats.shapes != 0).sum())
    notes = []
    if others:
        notes.append(f"{others} of {beats} beats have another shape than the usual.")
    if found.paced:
        notes.append("Spikes as of a pacemaker were taken out; edges of waves beside them are less sure.")
    if figures["pr"] is None:
        notes.append("No P wave stands before the beats in one way; P and PR are not told.")
    for name in ("qrs", "qt"):
        if figures[name] is None:
            notes.append(f"{name.upper()} could not be told with a useful error.")
    if figures["qt"] is not None and rate is not None and not 50 <= rate.value <= 100:
        notes.append("Bazett's QTc misleads at this rate; Fridericia's is the better one.")
    return notes


def _spans_ms(waves: Waves) -> dict[str, float]:
    """Lengths in ms, NaN where an edge is missing."""
    at = {name: np.nan if edge is None else 1000 * edge / FS_HZ for name, edge in _named(waves)}
    return {
        "p": at["p_end"] - at["p_on"],
        "pr": at["qrs_on"] - at["p_on"],
        "qrs": at["qrs_end"] - at["qrs_on"],
        "qt": at["t_end"] - at["qrs_on"],
    }


def _durations(found: Analysis, *, step_ms: float, soft: bool) -> dict[str, Measured | None]:
    """P, PR, QRS and QT, with the jackknife over groups of beats."""
    cut, spans = found.cut, _spans_ms(found.waves)
    folds = min(len(cut), _FOLDS)
    left = [median(np.delete(cut, np.s_[fold::folds], axis=0)) for fold in range(folds)]
    without = [_spans_ms(delineate(beat, found.usual_rr)) for beat in left]
    low, high = _POSSIBLE_MS["p"]
    atria = low <= spans["p"] <= high and p_likeness(cut, found.waves) >= _LEAST_P_LIKENESS
    figures: dict[str, Measured | None] = dict.fromkeys(spans)
    for name, span in spans.items():
        told = np.array([fold[name] for fold in without])
        told = told[~np.isnan(told)]
        low, high = _POSSIBLE_MS[name]
        if not low <= span <= high or len(told) < 0.66 * folds or (name in {"p", "pr"} and not atria):
            continue
        moved = float(np.sqrt((folds - 1) * ((told - told.mean()) ** 2).mean()))
        if moved <= _WORST_MS[name]:
            parts = (moved, _METHOD_MS[name], step_ms / 6**0.5, _LOW_PASS_QRS_MS if soft and name == "qrs" else 0)
            figures[name] = Measured(span, float(np.linalg.norm(parts)), "ms", _USUAL_MS[name])
    return figures if figures["p"] is not None else {**figures, "pr": None}


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
            usual = (-0.1, 0.05) if lead == "aVR" else (-0.05, 0.2 if lead in {"V2", "V3"} else 0.1)
            found[lead] = Measured(at[0], error, "mV", usual)
    return found


def _r_peak(found: Analysis) -> int:
    """Where the usual beat is farthest from its level in the median lead, in samples from its fiducial."""
    on, end = found.waves.qrs_on, found.waves.qrs_end
    first, last = _FIRST_COMPLEX if on is None or end is None else (on, end)
    complexes = np.abs(np.nan_to_num(median(found.cut)[:, BEFORE + first : BEFORE + last + 1]))
    shown = complexes.any(axis=1)
    return first + int(np.median(complexes.argmax(axis=1)[shown])) if shown.any() else 0


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

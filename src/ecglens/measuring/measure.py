"""Measurements of an ECG, each with its error bar, or none where it could not be measured reliably.

Beats come from all leads together, waves from the median beat. An error bar combines how the figure moves when beats
are left out (jackknife), the sampling interval, and the deviation from two cardiologists' marks on LUDB.

Reference ranges in adults: QRS 70 to 110 ms and axis -30 to 90 degrees from Surawicz et al. 2009 (AHA/ACCF/HRS part
III, doi:10.1161/CIRCULATIONAHA.108.191095); PR 120 to 200 ms by convention; P up to 120 ms from Hancock et al. 2009
(part V, doi:10.1161/CIRCULATIONAHA.108.191097); ST at the J point from -0.05 to 0.1 mV, 0.2 mV in V2 and V3, from
Thygesen et al. 2018 (doi:10.1161/CIR.0000000000000617; its limits differ by age and sex).
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.analysis import Analysis, analyze
from ecglens.measuring.lead_waves import measure_lead_waves
from ecglens.measuring.levels import frontal_axis, measure_level
from ecglens.measuring.qtc import correct_qt
from ecglens.measuring.rhythm import measure_rhythm
from ecglens.measuring.rhythm_figures import measure_rhythm_figures
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.waves import BEFORE, Waves, correlate_p_waves, delineate
from ecglens.records import EcgRecord, Measured, Measurements, NotFound

__all__ = ["LIMITS", "MeasureLimits", "measure", "measure_analysis"]

_LUDB = "benchmarks/measure.md: deviation from the marks of LUDB, odd half"


@dataclass(frozen=True)
class MeasureLimits:
    """Thresholds that decide which figures are given."""

    p_range_ms: tuple[float, float] = threshold(
        (60.0, 180.0),
        "ms",
        "Durations that a P wave can have.",
        low="Noise is measured as a P wave; the longest P waves are not measured.",
        high="The shortest P waves are not measured; T waves are measured as P waves.",
    )
    pr_range_ms: tuple[float, float] = threshold(
        (80.0, 400.0),
        "ms",
        "Durations that a PR interval can have.",
        low="Waves within QRS are measured as P waves; long first-degree blocks are not measured.",
        high="Short PR intervals are not measured; T waves are measured as P waves.",
    )
    qrs_range_ms: tuple[float, float] = threshold(
        (50.0, 260.0),
        "ms",
        "Durations that a QRS complex can have.",
        low="Spikes are measured as QRS complexes; very wide complexes are not measured.",
        high="Narrow complexes are not measured; QRS and T together are measured as one complex.",
    )
    qt_range_ms: tuple[float, float] = threshold(
        (200.0, 700.0),
        "ms",
        "Durations that a QT interval can have.",
        low="QRS complexes are measured as QT; long QT is not measured.",
        high="Short QT is not measured; T of the next beat is measured.",
    )
    max_p_error_ms: float = threshold(
        20.0,
        "ms",
        "Largest jackknife error with which the duration of P and PR are given.",
        low="Most P waves are not measured.",
        high="Figures without use are given.",
    )
    max_qrs_error_ms: float = threshold(
        16.0,
        "ms",
        "Largest jackknife error with which QRS is given.",
        low="QRS of records with few beats is not measured.",
        high="Figures without use are given.",
    )
    max_estimate_error_ms: float = threshold(
        40.0,
        "ms",
        "Largest jackknife error with which QRS serves the criteria, whose outcomes take its error into account.",
        low="Bundle branch blocks with few or changing beats are not recognized.",
        high="Waves are measured in complexes without edges.",
        evidence="benchmarks/criteria.md: bundle branch blocks on pages, odd half",
    )
    max_qt_error_ms: float = threshold(
        35.0,
        "ms",
        "Largest jackknife error with which QT is given.",
        low="QT with flat T waves is not measured.",
        high="Figures without use are given.",
    )
    min_p_correlation: float = threshold(
        0.6,
        "1",
        "Least correlation of the P waves of the beats: below it atria and ventricles beat independently.",
        low="Fibrillation waves and AV dissociation get a PR interval.",
        high="Low P waves in noise are not measured.",
        evidence="benchmarks/measure.md, table of P waves on LUDB: share in sinus rhythm and without",
    )
    max_axis_error_deg: float = threshold(
        30.0,
        "deg",
        "Largest disagreement of the limb leads with which the axis is given.",
        low="Axes of slightly shifted columns are not measured.",
        high="Axes that contradict single leads are given.",
    )
    max_low_pass_hz: float = threshold(
        40.0,
        "Hz",
        "Low pass of the recorder up to which QRS and ST are marked as less certain.",
        low="Smoothed QRS complexes have too small error bars.",
        high="Diagnostic recordings have too large error bars.",
    )


LIMITS = MeasureLimits()

_METHOD_ERROR_MS = {"p": 8.0, "pr": 8.0, "qrs": 10.0, "qt": 16.0}
"""Standard deviation from the marks of LUDB, odd half (``benchmarks/measure.md``)."""

_REFERENCE_MS = {"p": (None, 120.0), "pr": (120.0, 200.0), "qrs": (70.0, 110.0), "qt": None}
_FOLDS = 6
"""Groups of beats that the jackknife leaves out."""
_MIN_FOLDS = 0.66
"""Share of these groups without which a figure could still be measured."""
_FIRST_COMPLEX = (-30, 40)
"""Samples from the fiducial among which the R peak is where the edges of QRS are unknown."""
_AXIS_ERROR_DEG = 3.0
_LOW_PASS_QRS_MS = 6.5
_LOW_PASS_ST_MV = 0.012
"""Root mean square change of the figures of LUDB under a low pass of 25 Hz (``benchmarks/low_pass.md``)."""
_LOW_PASS_WIDENS_MS_HZ2 = MappingProxyType({"qrs": 4000.0, "qt": 1800.0, "pr": -800.0})
"""Mean change of a duration under a low pass of second order, times the square of its frequency
(``benchmarks/low_pass.md``)."""

_LEVEL_ERROR_MV = 0.01
"""Uncertainty of the level before QRS."""


def measure(record: EcgRecord, *, low_pass_hz: float | None = None) -> Measurements:
    """Measure a record.

    Args:
        record: Signals in mV; rows may begin at different times and have gaps, as those of a page do. Leads whose
            quality is below 0.5 are left out.
        low_pass_hz: Low pass of the recorder where it is known, such as the one printed on a page; up to 40 Hz, its
            mean effect on PR, QRS and QT is taken off, and QRS and ST get larger error bars.

    Returns:
        The figures; ``None`` for each that could not be measured reliably, with the reason in ``warnings``.
    """
    analysis = analyze(record)
    if isinstance(analysis, NotFound):
        return Measurements(warnings=(analysis.reason,))
    return measure_analysis(analysis, step_ms=1000 / min(record.fs_hz, FS_HZ), low_pass_hz=low_pass_hz)


def measure_analysis(analysis: Analysis, *, step_ms: float, low_pass_hz: float | None = None) -> Measurements:
    """Measure a record that was analyzed before.

    Args:
        analysis: From :func:`ecglens.measuring.analysis.analyze`.
        step_ms: Sampling interval of the record.
        low_pass_hz: As for :func:`measure`.
    """
    is_smoothed = low_pass_hz is not None and low_pass_hz <= LIMITS.max_low_pass_hz
    durations, qrs_estimate = _measure_durations(analysis, step_ms=step_ms, is_smoothed=is_smoothed)
    if low_pass_hz is not None and is_smoothed:
        durations = _correct_for_low_pass(durations, low_pass_hz)
        qrs_estimate = durations["qrs"] or qrs_estimate
    rhythm = measure_rhythm(analysis.beats, analysis.rr)
    by_lead = analysis.by_lead() if durations["qrs"] is not None else {}
    peak = _r_peak(analysis)
    notes = list(analysis.notes)
    if low_pass_hz is not None and is_smoothed:
        notes.append(
            f"A low pass of {low_pass_hz:g} Hz widens the QRS complex, which is corrected on average, and changes ST."
        )
    return Measurements(
        **rhythm,
        **{f"{name}_ms": figure for name, figure in durations.items()},
        **correct_qt(durations["qt"], rhythm["rr_ms"]),
        axis_deg=_measure_axis(by_lead, analysis.waves),
        st_j_mv=_measure_st(by_lead, analysis.waves, 0.0, is_smoothed=is_smoothed),
        st_j60_mv=_measure_st(by_lead, analysis.waves, 0.06, is_smoothed=is_smoothed),
        leads=measure_lead_waves(
            by_lead if by_lead or qrs_estimate is None else analysis.by_lead(),
            analysis.waves,
            has_p=durations["pr"] is not None,
            has_t=durations["qt"] is not None,
            is_smoothed=is_smoothed,
        ),
        rhythm=measure_rhythm_figures(analysis, pr=durations["pr"], qrs=qrs_estimate),
        r_peaks_s=tuple(float(second) for second in (analysis.beats.samples + peak) / FS_HZ),
        edges_s=_edges(analysis.waves, peak, durations),
        warnings=(*notes, *_warnings(analysis, durations, rhythm["rate_bpm"])),
    )


def _warnings(analysis: Analysis, durations: dict[str, Measured | None], rate: Measured | None) -> list[str]:
    beats = len(analysis.beats.samples)
    others = int((analysis.beats.shapes != 0).sum())
    notes = []
    if others:
        notes.append(f"{others} of {beats} beats have another shape than the normal beats.")
    if analysis.is_paced:
        notes.append("Pacing spikes were removed; onsets and ends of waves beside them are less certain.")
    if durations["pr"] is None:
        notes.append("No consistent P wave precedes the QRS complexes; P and PR were not measured.")
    for name in ("qrs", "qt"):
        if durations[name] is None:
            notes.append(f"{name.upper()} could not be measured reliably.")
    if durations["qt"] is not None and rate is not None and not 50 <= rate.value <= 100:
        notes.append("Bazett's QTc misleads at this rate; Fridericia's is more reliable.")
    return notes


def _spans_ms(waves: Waves) -> dict[str, float]:
    """Durations in ms, NaN where an edge is missing."""
    at = {name: np.nan if edge is None else 1000 * edge / FS_HZ for name, edge in _named_edges(waves)}
    return {
        "p": at["p_end"] - at["p_on"],
        "pr": at["qrs_on"] - at["p_on"],
        "qrs": at["qrs_end"] - at["qrs_on"],
        "qt": at["t_end"] - at["qrs_on"],
    }


def _measure_durations(
    analysis: Analysis, *, step_ms: float, is_smoothed: bool
) -> tuple[dict[str, Measured | None], Measured | None]:
    """P, PR, QRS and QT, with the jackknife over groups of beats; and QRS even where its error is large."""
    windows, spans = analysis.windows, _spans_ms(analysis.waves)
    ranges = {"p": LIMITS.p_range_ms, "pr": LIMITS.pr_range_ms, "qrs": LIMITS.qrs_range_ms, "qt": LIMITS.qt_range_ms}
    max_errors = {"p": LIMITS.max_p_error_ms, "pr": LIMITS.max_p_error_ms}
    max_errors |= {"qrs": LIMITS.max_qrs_error_ms, "qt": LIMITS.max_qt_error_ms}
    folds = min(len(windows), _FOLDS)
    beats = [median_of_known(np.delete(windows, np.s_[fold::folds], axis=0)) for fold in range(folds)]
    without = [_spans_ms(delineate(beat, analysis.typical_rr)) for beat in beats]
    low, high = ranges["p"]
    has_p = low <= spans["p"] <= high and correlate_p_waves(windows, analysis.waves) >= LIMITS.min_p_correlation
    durations: dict[str, Measured | None] = dict.fromkeys(spans)
    qrs_estimate: Measured | None = None
    for name, span in spans.items():
        estimates = np.array([fold[name] for fold in without])
        estimates = estimates[~np.isnan(estimates)]
        low, high = ranges[name]
        is_possible = low <= span <= high and len(estimates) >= _MIN_FOLDS * folds
        if not is_possible or (name in {"p", "pr"} and not has_p):
            continue
        jackknife = float(np.sqrt((folds - 1) * ((estimates - estimates.mean()) ** 2).mean()))
        filter_error = _LOW_PASS_QRS_MS if is_smoothed and name == "qrs" else 0
        parts = (jackknife, _METHOD_ERROR_MS[name], step_ms / 6**0.5, filter_error)
        measured = Measured(span, float(np.linalg.norm(parts)), "ms", _REFERENCE_MS[name])
        if jackknife <= max_errors[name]:
            durations[name] = measured
        if name == "qrs" and jackknife <= LIMITS.max_estimate_error_ms:
            qrs_estimate = measured
    return (durations if durations["p"] is not None else {**durations, "pr": None}), qrs_estimate


def _correct_for_low_pass(durations: dict[str, Measured | None], low_pass_hz: float) -> dict[str, Measured | None]:
    """Durations less what the recorder's low pass adds on average."""
    corrected = dict(durations)
    for name, widens in _LOW_PASS_WIDENS_MS_HZ2.items():
        figure = durations[name]
        if figure is not None:
            corrected[name] = replace(figure, value=figure.value - widens / low_pass_hz**2)
    return corrected


def _measure_axis(by_lead: dict[str, NDArray[np.float64]], waves: Waves) -> Measured | None:
    if waves.qrs_on is None or waves.qrs_end is None:
        return None
    qrs = slice(BEFORE + waves.qrs_on, BEFORE + waves.qrs_end + 1)
    complexes = {lead: median_of_known(rows)[qrs] for lead, rows in by_lead.items()}
    axis = frontal_axis({lead: (float(row.sum()), float(np.abs(row).sum())) for lead, row in complexes.items()})
    if axis is None or axis[1] > LIMITS.max_axis_error_deg:
        return None
    return Measured(axis[0], float(np.hypot(axis[1], _AXIS_ERROR_DEG)), "deg", (-30.0, 90.0))


def _measure_st(
    by_lead: dict[str, NDArray[np.float64]], waves: Waves, after_j_s: float, *, is_smoothed: bool
) -> dict[str, Measured | None]:
    """Level of each lead at, or some time after, the J point."""
    levels: dict[str, Measured | None] = {}
    for lead, rows in by_lead.items():
        column = BEFORE + (waves.qrs_end or 0) + round(after_j_s * FS_HZ)
        level = measure_level(rows, column)
        levels[lead] = None
        if level is not None:
            error = float(np.linalg.norm((level[1], _LEVEL_ERROR_MV, _LOW_PASS_ST_MV if is_smoothed else 0)))
            reference = (-0.1, 0.05) if lead == "aVR" else (-0.05, 0.2 if lead in {"V2", "V3"} else 0.1)
            levels[lead] = Measured(level[0], error, "mV", reference)
    return levels


def _r_peak(analysis: Analysis) -> int:
    """Samples from the fiducial to where the typical beat is farthest from its level in the median lead."""
    on, end = analysis.waves.qrs_on, analysis.waves.qrs_end
    first, last = _FIRST_COMPLEX if on is None or end is None else (on, end)
    qrs = slice(BEFORE + first, BEFORE + last + 1)
    complexes = np.abs(np.nan_to_num(median_of_known(analysis.windows)[:, qrs]))
    is_visible = complexes.any(axis=1)
    return first + int(np.median(complexes.argmax(axis=1)[is_visible])) if is_visible.any() else 0


def _named_edges(waves: Waves) -> tuple[tuple[str, int | None], ...]:
    names = ("p_on", "p_end", "qrs_on", "qrs_end", "t_end")
    return tuple((name, getattr(waves, name)) for name in names)


def _edges(waves: Waves, peak: int, durations: dict[str, Measured | None]) -> dict[str, float]:
    """Edges of the waves whose durations are given, in s from the R peak."""
    figure_of = {"p_on": "pr", "p_end": "p", "qrs_on": "qrs", "qrs_end": "qrs", "t_end": "qt"}
    return {
        name: (edge - peak) / FS_HZ
        for name, edge in _named_edges(waves)
        if edge is not None and durations[figure_of[name]] is not None
    }

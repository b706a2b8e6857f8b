"""Features of each lead in time and frequency, one row a record, for classical models.

``FEATURES`` has every name with its meaning; ``docs/features.md`` is generated from it. What is unknown is NaN, so that
a row always has the same columns. Amplitudes come from the median beat of the lead, edges of waves from all leads
together, spectra from the longest stretch of the lead without a gap (Welch 1967, doi:10.1109/TAU.1967.1161901).
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecglens.layouts import STANDARD_LEADS, lead_of_row
from ecglens.measurements import FIGURES
from ecglens.measuring.analysis import Analysis, analyze
from ecglens.measuring.measure import measure_analysis
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.waves import BEFORE, Waves
from ecglens.records import EcgRecord, Measurements, NotFound

__all__ = ["FEATURES", "GLOBAL_FEATURES", "LEAD_FEATURES", "compute_features"]

_BANDS_HZ = ((0.5, 3.0), (3.0, 8.0), (8.0, 15.0), (15.0, 25.0), (25.0, 40.0))
"""Bands up to 40 Hz, the highest frequency that a page preserves; many recorders filter from 25 Hz on."""

_WELCH_S = 2.0
_SMOOTH_SAMPLES = 15
"""Window over which P and T waves are smoothed; 30 ms."""
_UNIT_TEXTS = {"deg": "degrees"}

GLOBAL_FEATURES = MappingProxyType(
    {
        **{name: f"{kind.meaning}, {_UNIT_TEXTS.get(kind.unit, kind.unit)}" for name, kind in FIGURES.items()},
        "beats": "number of beats",
        "other_shapes": "share of the beats whose shape is not that of the normal beats",
    }
)

LEAD_FEATURES = MappingProxyType(
    {
        "p_mv": "P wave, largest deviation from the level before QRS, mV",
        "q_mv": "deepest point of QRS before its highest, 0 where none is below the level, mV",
        "r_mv": "highest point of QRS, 0 where none is above the level, mV",
        "s_mv": "deepest point of QRS after its highest, 0 where none is below the level, mV",
        "r_share": "r / (r - s), 1 without S and 0 without R",
        "r_at_ms": "time from the onset of QRS to its highest point, ms",
        "qrs_span_mv": "highest minus deepest point of QRS, mV",
        "qrs_area_mvms": "signed area of QRS, mV ms",
        "qrs_slope_mvs": "steepest slope in QRS without its sign, mV/s",
        "st_j_mv": "level at the J point, mV",
        "st_j60_mv": "level 60 ms after the J point, mV",
        "st_slope_mvs": "slope between the two, mV/s",
        "t_mv": "T wave, largest deviation from the level before QRS, mV",
        "t_area_mvms": "signed area from the J point to the end of T, mV ms",
        "t_at_ms": "time from the J point to the peak of T, ms",
        "span_mv": "99th minus 1st percentile of the lead, mV",
        **{
            f"band{number}": f"share of the power from 0.5 to 40 Hz that lies from {low:g} to {high:g} Hz"
            for number, (low, high) in enumerate(_BANDS_HZ, start=1)
        },
        "center_hz": "mean frequency of that power, Hz",
        "entropy": "spectral entropy of that power, 0 for one line and 1 for a flat spectrum",
    }
)

FEATURES = MappingProxyType(
    {
        **GLOBAL_FEATURES,
        **{
            f"{lead}_{name}": f"{lead}: {meaning}" for lead in STANDARD_LEADS for name, meaning in LEAD_FEATURES.items()
        },
    }
)
"""Every column in its order, with its meaning."""


def compute_features(record: EcgRecord) -> dict[str, float]:
    """Compute the features of a record.

    Args:
        record: Signals in mV; leads whose quality is below 0.5 are left out, a rhythm strip replaces its lead where it
            shows more beats, ``-aVR`` counts as aVR.

    Returns:
        A number for every name of ``FEATURES``, NaN where it is unknown.
    """
    row = dict.fromkeys(FEATURES, float("nan"))
    analysis = analyze(record)
    if isinstance(analysis, NotFound):
        return row
    figures = measure_analysis(analysis, step_ms=1000 / min(record.fs_hz, FS_HZ))
    row.update(_global_features(analysis, figures))
    by_lead = analysis.by_lead() if figures.qrs_ms is not None else {}
    for name in dict.fromkeys(lead_of_row(lead) for lead in analysis.leads):
        lead, sign = ("aVR", -1.0) if name == "-aVR" else (name, 1.0)
        if lead in STANDARD_LEADS:
            values = _spectrum_features(_longest_stretch(analysis, name))
            if name in by_lead:
                values |= _shape_features(sign * median_of_known(by_lead[name]), analysis.waves, set(figures.edges_s))
            row.update({f"{lead}_{feature}": value for feature, value in values.items()})
    return row


def _global_features(analysis: Analysis, figures: Measurements) -> dict[str, float]:
    counts = {
        "beats": float(len(analysis.beats.samples)),
        "other_shapes": float((analysis.beats.shapes != 0).mean()),
    }
    measured = {name: getattr(figures, name) for name in FIGURES}
    return {**counts, **{name: figure.value for name, figure in measured.items() if figure is not None}}


def _shape_features(beat: NDArray[np.float64], waves: Waves, reliable_edges: set[str]) -> dict[str, float]:
    """Amplitudes, times and areas of the waves of one lead's median beat; of P and T only with a reliable edge.

    A wave of which a part is unknown, as between the traces of short columns, has none.
    """
    if waves.qrs_on is None or waves.qrs_end is None:
        return {}
    on, end = BEFORE + waves.qrs_on, BEFORE + waves.qrs_end
    step_ms = 1000 / FS_HZ
    qrs = beat[on : end + 1]
    if np.isnan(qrs).any():
        return {}
    top = int(qrs.argmax())
    r = max(float(qrs[top]), 0.0)
    q, s = (min(float(part.min(initial=0.0)), 0.0) for part in (qrs[:top], qrs[top:]))
    values = {
        "q_mv": q,
        "r_mv": r,
        "s_mv": s,
        "r_share": r / (r - s) if r > s else np.nan,
        "r_at_ms": top * step_ms,
        "qrs_span_mv": float(np.ptp(qrs)),
        "qrs_area_mvms": float(qrs.sum()) * step_ms,
        "qrs_slope_mvs": float(np.abs(np.diff(qrs)).max()) * FS_HZ,
    }
    later = end + round(0.06 * FS_HZ)
    values["st_j_mv"], values["st_j60_mv"] = float(beat[end]), float(beat[later])
    values["st_slope_mvs"] = (values["st_j60_mv"] - values["st_j_mv"]) / 0.06
    if waves.t_end is not None and "t_end" in reliable_edges:
        stretch = beat[end : BEFORE + waves.t_end + 1]
        if not np.isnan(stretch).any():
            after_j = round(0.04 * FS_HZ)
            peak = after_j + int(np.abs(_smooth(stretch)[after_j:]).argmax())
            values |= {"t_mv": float(_smooth(stretch)[peak]), "t_area_mvms": float(stretch.sum()) * step_ms}
            values["t_at_ms"] = peak * step_ms
    if waves.p_on is not None and "p_on" in reliable_edges:
        stretch = beat[BEFORE + waves.p_on : on]
        if not np.isnan(stretch).any():
            p_wave = _smooth(stretch)
            values["p_mv"] = float(p_wave[np.abs(p_wave).argmax()])
    return values


def _smooth(stretch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit parabolas by least squares; a stretch shorter than their window is returned unchanged."""
    return np.asarray(signal.savgol_filter(stretch, _SMOOTH_SAMPLES, 2)) if len(stretch) >= _SMOOTH_SAMPLES else stretch


def _longest_stretch(analysis: Analysis, lead: str) -> NDArray[np.float64]:
    """The longest stretch without a gap of the rows that show a lead."""
    longest = np.empty(0)
    for row in (number for number, name in enumerate(analysis.leads) if lead_of_row(name) == lead):
        valid = np.flatnonzero(~np.isnan(analysis.signals[row]))
        for run in np.split(valid, np.flatnonzero(np.diff(valid) > 1) + 1):
            longest = analysis.signals[row][run] if len(run) > len(longest) else longest
    return longest


def _spectrum_features(stretch: NDArray[np.float64]) -> dict[str, float]:
    window = round(_WELCH_S * FS_HZ)
    if len(stretch) < window:
        return {}
    frequencies_hz, power = signal.welch(signal.detrend(stretch), FS_HZ, nperseg=window)
    is_inside = (frequencies_hz >= _BANDS_HZ[0][0]) & (frequencies_hz < _BANDS_HZ[-1][1])
    frequencies_hz, power = frequencies_hz[is_inside], power[is_inside]
    if power.sum() <= 0:
        return {}
    shares = power / power.sum()
    bands = {
        f"band{number}": float(shares[(frequencies_hz >= low) & (frequencies_hz < high)].sum())
        for number, (low, high) in enumerate(_BANDS_HZ, start=1)
    }
    positive = shares[shares > 0]
    return {
        "span_mv": float(np.diff(np.percentile(stretch, (1, 99)))[0]),
        **bands,
        "center_hz": float((shares * frequencies_hz).sum()),
        "entropy": float(-(positive * np.log(positive)).sum() / np.log(len(shares))),
    }

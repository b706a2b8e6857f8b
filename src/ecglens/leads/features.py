"""Figures of shape and spectrum of each lead, one row a record, for classical models.

``FEATURES`` has every name with what it is; ``docs/features.md`` is made of it. What is not known is NaN, so that a row
always has the same columns. Amplitudes come from the median beat of the lead, edges of waves from all leads together,
spectra from the longest stretch of the lead without a gap (Welch 1967, doi:10.1109/TAU.1967.1161901).
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecglens.layouts import RHYTHM, STANDARD_LEADS
from ecglens.leads.analysis import Analysis, analyse
from ecglens.leads.beats import FS_HZ, median
from ecglens.leads.measure import measured
from ecglens.leads.waves import BEFORE, Waves
from ecglens.records import EcgRecord, Measurements, NotFound

__all__ = ["FEATURES", "GLOBAL_FEATURES", "LEAD_FEATURES", "features"]

_BANDS_HZ = ((0.5, 3.0), (3.0, 8.0), (8.0, 15.0), (15.0, 25.0), (25.0, 40.0))
"""Up to 40 Hz, as far as a page keeps; the filter of many recorders ends at 25 Hz."""

_WELCH_S = 2.0
_WIDE = 15

GLOBAL_FEATURES = MappingProxyType(
    {
        "rate_bpm": "ventricular rate, 1/min",
        "basic_rate_bpm": "rate of the middle half of the distances of beats, 1/min",
        "rr_ms": "mean distance of beats, ms",
        "sdnn_ms": "standard deviation of the distances of usual beats, ms",
        "rmssd_ms": "root mean square of their successive differences, ms",
        "p_ms": "length of the P wave, ms",
        "pr_ms": "beginning of P to beginning of QRS, ms",
        "qrs_ms": "length of the QRS complex over all leads, ms",
        "qt_ms": "beginning of QRS to end of T, ms",
        "qtc_bazett_ms": "QT / sqrt(RR), ms",
        "qtc_fridericia_ms": "QT / cbrt(RR), ms",
        "axis_deg": "frontal axis of the QRS complex, degrees",
        "beats": "number of beats",
        "other_shapes": "part of the beats that have another shape than the usual",
    }
)

LEAD_FEATURES = MappingProxyType(
    {
        "p_mv": "P wave, farthest from the level before QRS, mV",
        "q_mv": "deepest point of QRS before its highest, 0 where none is below the level, mV",
        "r_mv": "highest point of QRS, 0 where none is above the level, mV",
        "s_mv": "deepest point of QRS after its highest, 0 where none is below the level, mV",
        "r_part": "r / (r - s), 1 without S and 0 without R",
        "r_at_ms": "time from the beginning of QRS to its highest point, ms",
        "qrs_span_mv": "highest less deepest point of QRS, mV",
        "qrs_area_mvms": "area of QRS with its sign, mV ms",
        "qrs_slope_mvs": "steepest slope in QRS without its sign, mV/s",
        "st_j_mv": "level at the J point, mV",
        "st_j60_mv": "level 60 ms later, mV",
        "st_slope_mvs": "slope between the two, mV/s",
        "t_mv": "T wave, farthest from the level before QRS, mV",
        "t_area_mvms": "area from the J point to the end of T with its sign, mV ms",
        "t_at_ms": "time from the J point to the top of T, ms",
        "span_mv": "99th less 1st percentile of the lead, mV",
        **{
            f"band{number}": f"part of the power from 0.5 to 40 Hz that lies from {low:g} to {high:g} Hz"
            for number, (low, high) in enumerate(_BANDS_HZ, start=1)
        },
        "centre_hz": "mean frequency of that power, Hz",
        "entropy": "its spectral entropy, 0 for one line and 1 for a flat spectrum",
    }
)

FEATURES = MappingProxyType(
    {
        **GLOBAL_FEATURES,
        **{f"{lead}_{name}": f"{lead}: {what}" for lead in STANDARD_LEADS for name, what in LEAD_FEATURES.items()},
    }
)
"""Every column in its order, with what it is."""


def features(record: EcgRecord) -> dict[str, float]:
    """The row of a record.

    Args:
        record: Signals in mV; leads whose quality is below 0.5 are left out, a rhythm strip stands in for its lead
            where it shows more beats, ``-aVR`` counts as aVR.

    Returns:
        A number for every name of ``FEATURES``, NaN where it is not known.
    """
    row = dict.fromkeys(FEATURES, float("nan"))
    found = analyse(record)
    if isinstance(found, NotFound):
        return row
    figures = measured(found, step_ms=1000 / min(record.fs_hz, FS_HZ))
    row.update(_of_record(found, figures))
    shown = found.by_lead() if figures.qrs_ms is not None else {}
    for name in dict.fromkeys(lead.removesuffix(RHYTHM) for lead in found.leads):
        lead, sign = ("aVR", -1.0) if name == "-aVR" else (name, 1.0)
        if lead in STANDARD_LEADS:
            parts = _spectrum(_longest(found, name))
            if name in shown:
                parts |= _shape(sign * median(shown[name]), found.waves, set(figures.edges_s))
            row.update({f"{lead}_{part}": value for part, value in parts.items()})
    return row


def _of_record(found: Analysis, figures: Measurements) -> dict[str, float]:
    counted = {
        "beats": float(len(found.beats.samples)),
        "other_shapes": float((found.beats.shapes != 0).mean()),
    }
    told = {name: getattr(figures, name) for name in GLOBAL_FEATURES if name not in counted}
    return {**counted, **{name: figure.value for name, figure in told.items() if figure is not None}}


def _shape(beat: NDArray[np.float64], waves: Waves, sure: set[str]) -> dict[str, float]:
    """Amplitudes, times and areas of the waves of one lead's median beat; of P and T only with a sure edge."""
    if waves.qrs_on is None or waves.qrs_end is None:
        return {}
    on, end = BEFORE + waves.qrs_on, BEFORE + waves.qrs_end
    step_ms = 1000 / FS_HZ
    complex_ = beat[on : end + 1]
    top = int(complex_.argmax())
    r = max(float(complex_[top]), 0.0)
    q, s = (min(float(part.min(initial=0.0)), 0.0) for part in (complex_[:top], complex_[top:]))
    found = {
        "q_mv": q,
        "r_mv": r,
        "s_mv": s,
        "r_part": r / (r - s) if r > s else np.nan,
        "r_at_ms": top * step_ms,
        "qrs_span_mv": float(np.ptp(complex_)),
        "qrs_area_mvms": float(complex_.sum()) * step_ms,
        "qrs_slope_mvs": float(np.abs(np.diff(complex_)).max()) * FS_HZ,
    }
    later = end + round(0.06 * FS_HZ)
    found["st_j_mv"], found["st_j60_mv"] = float(beat[end]), float(beat[later])
    found["st_slope_mvs"] = (found["st_j60_mv"] - found["st_j_mv"]) / 0.06
    if waves.t_end is not None and "t_end" in sure:
        stretch = beat[end : BEFORE + waves.t_end + 1]
        at = round(0.04 * FS_HZ) + int(np.abs(_smooth(stretch)[round(0.04 * FS_HZ) :]).argmax())
        found |= {"t_mv": float(_smooth(stretch)[at]), "t_area_mvms": float(stretch.sum()) * step_ms}
        found["t_at_ms"] = at * step_ms
    if waves.p_on is not None and "p_on" in sure:
        p_wave = _smooth(beat[BEFORE + waves.p_on : on])
        found["p_mv"] = float(p_wave[np.abs(p_wave).argmax()])
    return found


def _smooth(stretch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares parabolas over 30 ms; a stretch shorter than that as it is."""
    return np.asarray(signal.savgol_filter(stretch, _WIDE, 2)) if len(stretch) >= _WIDE else stretch


def _longest(found: Analysis, lead: str) -> NDArray[np.float64]:
    """The longest stretch without a gap of the rows that show a lead."""
    best = np.empty(0)
    for row in (number for number, name in enumerate(found.leads) if name.removesuffix(RHYTHM) == lead):
        known = np.flatnonzero(~np.isnan(found.signals[row]))
        for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            best = found.signals[row][run] if len(run) > len(best) else best
    return best


def _spectrum(stretch: NDArray[np.float64]) -> dict[str, float]:
    window = round(_WELCH_S * FS_HZ)
    if len(stretch) < window:
        return {}
    hertz, power = signal.welch(signal.detrend(stretch), FS_HZ, nperseg=window)
    inside = (hertz >= _BANDS_HZ[0][0]) & (hertz < _BANDS_HZ[-1][1])
    hertz, power = hertz[inside], power[inside]
    if power.sum() <= 0:
        return {}
    parts = power / power.sum()
    bands = {
        f"band{number}": float(parts[(hertz >= low) & (hertz < high)].sum())
        for number, (low, high) in enumerate(_BANDS_HZ, start=1)
    }
    sure = parts[parts > 0]
    return {
        "span_mv": float(np.diff(np.percentile(stretch, (1, 99)))[0]),
        **bands,
        "centre_hz": float((parts * hertz).sum()),
        "entropy": float(-(sure * np.log(sure)).sum() / np.log(len(parts))),
    }

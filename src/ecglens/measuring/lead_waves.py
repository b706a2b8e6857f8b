"""Waves of the median beat lead by lead: amplitudes and durations of Q, R, S and R', and amplitudes of P and T.

Onsets and ends come from all leads together (:mod:`ecglens.measuring.waves`); within them each lead has its own waves.
A wave is a stretch of one sign, as in the recommendations of the CSE Working Party (Eur Heart J 1985;6:815), which
also give its least duration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.filters import savitzky_golay
from ecglens.measuring.levels import measure_level
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.waves import BEFORE, Waves
from ecglens.records import LeadWaves, Measured

__all__ = ["LIMITS", "LeadWaveLimits", "measure_lead_waves"]

_CRITERIA = "benchmarks/criteria.md: statements against diagnoses, odd half"


@dataclass(frozen=True)
class LeadWaveLimits:
    """Thresholds of the waves of one lead."""

    min_wave_mv: float = threshold(
        0.03,
        "mV",
        "Least amplitude of a wave of the QRS complex.",
        low="Noise of the trace counts as Q waves and R' waves.",
        high="Small r and q waves are overlooked, and complexes count as QS.",
        evidence=_CRITERIA,
    )
    min_wave_s: float = threshold(
        0.006,
        "s",
        "Least duration of a wave of the QRS complex.",
        low="Noise of the trace counts as waves.",
        high="Narrow q waves are overlooked.",
        evidence="CSE Working Party, Eur Heart J 1985;6:815",
    )
    min_last_peak: float = threshold(
        0.7,
        "1",
        "Least height of a later peak of the highest positive wave, as a part of the highest peak.",
        low="Shoulders of narrow complexes delay the R peak.",
        high="The second peak of a notched R wave, as in left bundle branch block, is overlooked.",
        evidence=_CRITERIA,
    )
    p_t_samples: int = threshold(
        15,
        "samples",
        "Window over which P and T waves are smoothed; 30 ms.",
        low="Noise adds to the amplitudes of P and T.",
        high="Narrow P waves get low.",
        evidence=_CRITERIA,
    )
    t_after_j_s: float = threshold(
        0.06,
        "s",
        "Time after the J point from which on the T wave is searched for.",
        low="Raised ST segments count as T waves.",
        high="Early T waves are overlooked.",
        evidence=_CRITERIA,
    )


LIMITS = LeadWaveLimits()

_LEVEL_ERROR_MV = 0.01
"""Uncertainty of the level before QRS, as for ST levels."""
_DURATION_ERROR_MS = 6.0
"""Uncertainty of the duration of a wave in one lead: three samples at its two edges."""
_LOW_PASS_SHARE = 0.05
"""Part of the height of narrow waves that a recorder's low pass may take away (``benchmarks/low_pass.md``)."""


@dataclass(frozen=True, slots=True)
class _Deflection:
    """A stretch of QRS of one sign: its first and last sample, and its extreme value."""

    first: int
    last: int
    value: float


def measure_lead_waves(
    by_lead: Mapping[str, NDArray[np.float64]], waves: Waves, *, has_p: bool, has_t: bool, is_smoothed: bool
) -> dict[str, LeadWaves]:
    """Measure the waves of each lead.

    Args:
        by_lead: ``(beats, window)`` of each lead, mV, from :meth:`ecglens.measuring.analysis.Analysis.by_lead`.
        waves: Onsets and ends of the typical beat.
        has_p: Whether the edges of P are reliable.
        has_t: Whether the end of T is reliable.
        is_smoothed: Whether the recorder's low pass makes narrow waves lower.

    Returns:
        The waves by lead; none where QRS has no edges, and none of a lead that shows fewer than two beats.
    """
    if waves.qrs_on is None or waves.qrs_end is None:
        return {}
    out = {}
    for lead, rows in by_lead.items():
        if len(rows) >= 2:
            typical = median_of_known(rows)
            figures = _measure_qrs(rows, typical, waves.qrs_on, waves.qrs_end, is_smoothed=is_smoothed)
            if has_p and waves.p_on is not None:
                figures |= _measure_p(rows, typical, waves.p_on, waves.p_end or waves.qrs_on)
            if has_t and waves.t_end is not None:
                figures |= _measure_t(rows, typical, waves.qrs_end, waves.t_end)
            out[lead] = LeadWaves(**figures)
    return out


def _measure_qrs(
    rows: NDArray[np.float64], typical: NDArray[np.float64], on: int, end: int, *, is_smoothed: bool
) -> dict[str, Measured | None]:
    """Waves of the QRS complex of one lead."""
    qrs = typical[BEFORE + on : BEFORE + end + 1]
    deflections = _find_deflections(qrs)
    positive = [wave for wave in deflections if wave.value > 0]
    first = positive[0] if positive else None
    # Without a positive wave the complex is QS: it counts as a Q wave and as an S wave.
    before = [wave for wave in deflections if wave.value < 0 and (first is None or wave.last < first.first)]
    after = [wave for wave in deflections if wave.value < 0 and (first is None or wave.first > first.last)]
    q, s = _deepest(before), after[0] if first is not None and after else _deepest(after)
    highest = max(positive, key=lambda wave: wave.value, default=None)

    def amplitude(wave: _Deflection | None) -> Measured:
        column = BEFORE + on + (int(np.abs(qrs).argmax()) if wave is None else _extreme(qrs, wave))
        value = 0.0 if wave is None else abs(wave.value)
        return Measured(value, _error_mv(rows, column, value if is_smoothed else 0.0), "mV")

    def duration(wave: _Deflection | None) -> Measured:
        samples = 0 if wave is None else wave.last - wave.first + 1
        return Measured(samples * 1000 / FS_HZ, _DURATION_ERROR_MS, "ms")

    span = float(np.ptp(qrs))
    span_error = float(
        np.linalg.norm([_error_mv(rows, BEFORE + on + int(at), 0.0) for at in (qrs.argmax(), qrs.argmin())])
    )
    peak = None if highest is None else Measured(_last_peak_ms(qrs, highest), _DURATION_ERROR_MS, "ms")
    return {
        "q_mv": amplitude(q),
        "q_ms": duration(q),
        "r_mv": amplitude(first),
        "r_ms": duration(first),
        "s_mv": amplitude(s),
        "s_ms": duration(s),
        "r2_mv": amplitude(positive[1] if len(positive) > 1 else None),
        "r_peak_ms": peak,
        "qrs_span_mv": Measured(span, float(np.hypot(span_error, _LOW_PASS_SHARE * span * is_smoothed)), "mV"),
    }


def _find_deflections(qrs: NDArray[np.float64]) -> list[_Deflection]:
    """Stretches of one sign that are high and long enough to be waves, neighbors of one sign joined."""
    signs = np.sign(qrs)
    borders = np.flatnonzero(np.diff(signs)) + 1
    deflections: list[_Deflection] = []
    for first, last in zip((0, *borders), (*(borders - 1), len(qrs) - 1), strict=True):
        part = qrs[first : last + 1]
        value = float(part[np.abs(part).argmax()])
        # A raised or lowered ST segment reaches into the end of QRS, and is no wave of it.
        beyond = abs(value) - (abs(float(qrs[-1])) if last == len(qrs) - 1 else 0.0)
        if beyond < LIMITS.min_wave_mv or len(part) < LIMITS.min_wave_s * FS_HZ:
            continue
        if deflections and np.sign(deflections[-1].value) == np.sign(value):
            previous = deflections.pop()
            first, value = previous.first, max(previous.value, value, key=abs)
        deflections.append(_Deflection(int(first), int(last), value))
    return deflections


def _deepest(waves: list[_Deflection]) -> _Deflection | None:
    return min(waves, key=lambda wave: wave.value, default=None)


def _extreme(qrs: NDArray[np.float64], wave: _Deflection) -> int:
    return wave.first + int(np.abs(qrs[wave.first : wave.last + 1]).argmax())


def _last_peak_ms(qrs: NDArray[np.float64], wave: _Deflection) -> float:
    """Time from the onset of QRS to the last local maximum of a wave that is nearly as high as the highest."""
    part = np.r_[-np.inf, qrs[wave.first : wave.last + 1], -np.inf]
    is_peak = (part[1:-1] >= part[:-2]) & (part[1:-1] > part[2:]) & (part[1:-1] >= LIMITS.min_last_peak * wave.value)
    return (wave.first + int(np.flatnonzero(is_peak)[-1])) * 1000 / FS_HZ


def _measure_p(
    rows: NDArray[np.float64], typical: NDArray[np.float64], on: int, end: int
) -> dict[str, Measured | None]:
    """Amplitude of the P wave and terminal force, from the level at the onset of P."""
    part = typical[BEFORE + on - 5 : BEFORE + end + 1]
    if np.isnan(part).any() or len(part) < LIMITS.p_t_samples:
        return {}
    wave = savitzky_golay(part, LIMITS.p_t_samples)
    wave = wave[5:] - wave[:6].mean()
    top = int(np.abs(wave).argmax())
    error = _error_mv(rows, BEFORE + on + top, 0.0)
    depth, width_ms = _find_negative_end(wave)
    force_error = float(np.hypot(error * width_ms, depth * _DURATION_ERROR_MS))
    return {
        "p_mv": Measured(float(wave[top]), error, "mV"),
        "p_terminal_mvms": Measured(depth * width_ms, force_error, "mV ms"),
    }


def _find_negative_end(wave: NDArray[np.float64]) -> tuple[float, float]:
    """Depth in mV and duration in ms of the negative part of a P wave that follows its positive part, if any."""
    deepest = int(wave.argmin())
    if wave[deepest] >= 0 or (wave.max() > 0 and wave.argmax() > deepest):
        return 0.0, 0.0
    borders = np.r_[-1, np.flatnonzero(wave >= 0), len(wave)]
    first, last = borders[borders < deepest][-1] + 1, borders[borders > deepest][0]
    return float(-wave[deepest]), float(last - first) * 1000 / FS_HZ


def _measure_t(
    rows: NDArray[np.float64], typical: NDArray[np.float64], qrs_end: int, t_end: int
) -> dict[str, Measured | None]:
    """Amplitude of the T wave, from the level before QRS."""
    first = BEFORE + qrs_end + round(LIMITS.t_after_j_s * FS_HZ)
    part = typical[first : BEFORE + t_end + 1]
    if len(part) < LIMITS.p_t_samples or np.isnan(part).any():
        return {}
    wave = savitzky_golay(part, LIMITS.p_t_samples)
    top = int(np.abs(wave).argmax())
    return {"t_mv": Measured(float(wave[top]), _error_mv(rows, first + top, 0.0), "mV")}


def _error_mv(rows: NDArray[np.float64], column: int, smoothed_mv: float) -> float:
    """Uncertainty of an amplitude: scatter over the beats, the level, and what a low pass takes away."""
    level = measure_level(rows, column, reach=1)
    scatter = 0.0 if level is None else level[1]
    return float(np.linalg.norm((scatter, _LEVEL_ERROR_MV, _LOW_PASS_SHARE * smoothed_mv)))

"""The paper speed at which a page was read, and whether its measurements speak for it.

A wrong paper speed stretches or shrinks every duration alike. Diseases seldom do: a wide QRS complex comes with a
normal rate, a slow rate with a narrow complex.
"""

from dataclasses import dataclass

from ecglens.limits import threshold
from ecglens.records import Measurements

__all__ = ["LIMITS", "SpeedLimits", "doubt_speed", "is_speed_plausible"]

_EVIDENCE = "`python benchmarks/speed_doubts.py`: false alarms and hits on PTB-XL and LUDB (benchmarks/speed_doubts.md)"


@dataclass(frozen=True)
class SpeedLimits:
    """Thresholds from which durations and rate together put the paper speed in doubt."""

    slow_rate_bpm: float = threshold(
        55.0,
        "1/min",
        "Rate up to which a record may be a stretched one.",
        low="Stretched records of fast rates are not noticed.",
        high="Slow rates with wide complexes bring a warning.",
        evidence=_EVIDENCE,
    )
    slow_pr_ms: float = threshold(
        220.0,
        "ms",
        "PR interval from which a record may be a stretched one, where PR was measured.",
        low="Slow rates with wide complexes bring a warning.",
        high="Stretched records are not noticed.",
        evidence=_EVIDENCE,
    )
    slow_qrs_ms: float = threshold(
        140.0,
        "ms",
        "QRS duration from which a record may be a stretched one.",
        low="Slow rates with a long QT bring a warning.",
        high="Stretched records of narrow complexes are not noticed.",
        evidence=_EVIDENCE,
    )
    slow_qt_ms: float = threshold(
        540.0,
        "ms",
        "QT interval from which a record may be a stretched one.",
        low="Bundle branch blocks at slow rates bring a warning.",
        high="Stretched records of fast rates are not noticed.",
        evidence=_EVIDENCE,
    )
    slow_qrs_alone_ms: float = threshold(
        150.0,
        "ms",
        "QRS duration from which a record may be a stretched one, where QT could not be measured.",
        low="Bundle branch blocks at slow rates bring a warning.",
        high="Stretched records whose QT is too long to be measured are not noticed.",
        evidence=_EVIDENCE,
    )
    very_slow_rate_bpm: float = threshold(
        40.0,
        "1/min",
        "Rate up to which QRS and QT need not be measured, or not be as long, for a record to be a stretched one.",
        low="Stretched records in which little was measured are not noticed.",
        high="Slow rates bring a warning where little else was measured.",
        evidence=_EVIDENCE,
    )
    very_slow_qrs_ms: float = threshold(
        110.0,
        "ms",
        "QRS duration from which a record of a very slow rate may be a stretched one, where QRS was measured.",
        low="Very slow rates bring a warning.",
        high="Stretched records of narrow complexes are not noticed.",
        evidence=_EVIDENCE,
    )
    very_slow_qt_ms: float = threshold(
        600.0,
        "ms",
        "QT interval from which a record of a very slow rate may be a stretched one, where QT was measured.",
        low="Very slow rates bring a warning.",
        high="Stretched records are not noticed.",
        evidence=_EVIDENCE,
    )
    fast_rate_bpm: float = threshold(
        100.0,
        "1/min",
        "Rate from which a record may be a shrunk one.",
        low="Short intervals at normal rates bring a warning.",
        high="Shrunk records of slow rates are not noticed.",
        evidence=_EVIDENCE,
    )
    fast_pr_ms: float = threshold(
        110.0,
        "ms",
        "PR interval up to which a record may be a shrunk one, where PR was measured.",
        low="Shrunk records are not noticed.",
        high="Fast rates with narrow complexes bring a warning.",
        evidence=_EVIDENCE,
    )
    fast_qrs_ms: float = threshold(
        80.0,
        "ms",
        "QRS duration up to which a record may be a shrunk one.",
        low="Shrunk records of wide complexes are not noticed.",
        high="Fast rates with narrow complexes bring a warning.",
        evidence=_EVIDENCE,
    )
    fast_qt_ms: float = threshold(
        280.0,
        "ms",
        "QT interval up to which a record may be a shrunk one.",
        low="Shrunk records of slow rates are not noticed.",
        high="Fast rates with narrow complexes bring a warning.",
        evidence=_EVIDENCE,
    )
    fast_qrs_alone_ms: float = threshold(
        70.0,
        "ms",
        "QRS duration up to which a record may be a shrunk one, where QT could not be measured.",
        low="Shrunk records whose QT is too short to be measured are not noticed.",
        high="Fast rates with narrow complexes bring a warning.",
        evidence=_EVIDENCE,
    )
    plausible_rate_bpm: tuple[float, float] = threshold(
        (50.0, 110.0),
        "1/min",
        "Rates that speak for the paper speed, together with QRS and QT.",
        low="Stretched records seem plausible; fast rates do not.",
        high="Slow rates do not seem plausible; shrunk records do.",
        evidence=_EVIDENCE,
    )
    plausible_qrs_ms: tuple[float, float] = threshold(
        (76.0, 130.0),
        "ms",
        "QRS durations that speak for the paper speed, together with rate and QT.",
        low="Shrunk records seem plausible; wide complexes do not.",
        high="Narrow complexes do not seem plausible; stretched records do.",
        evidence=_EVIDENCE,
    )
    plausible_qt_ms: tuple[float, float] = threshold(
        (320.0, 480.0),
        "ms",
        "QT intervals that speak for the paper speed, together with rate and QRS.",
        low="Shrunk records seem plausible; long QT does not.",
        high="Short QT does not seem plausible; stretched records do.",
        evidence=_EVIDENCE,
    )


LIMITS = SpeedLimits()


def doubt_speed(measurements: Measurements, speed_mm_s: float) -> str | None:
    """Return a sentence where all durations are long at a low rate, or short at a high rate; ``None`` elsewhere.

    Args:
        measurements: Measurements at that paper speed.
        speed_mm_s: Paper speed at which the page was read.

    >>> from ecglens.records import Measured
    >>> rate, qrs, qt = Measured(38.2, 1, "1/min"), Measured(164, 9, "ms"), Measured(682, 9, "ms")
    >>> print(doubt_speed(Measurements(rate_bpm=rate, qrs_ms=qrs, qt_ms=qt), 25).partition(",")[0])
    QRS of 164 ms
    """
    rate, pr, qrs, qt = _values(measurements)
    if rate is None:
        return None
    is_slow = (pr is None or pr >= LIMITS.slow_pr_ms) and (_is_slow(rate, qrs, qt) or _is_very_slow(rate, qrs, qt))
    is_fast = (pr is None or pr <= LIMITS.fast_pr_ms) and _is_fast(rate, qrs, qt)
    if not is_slow and not is_fast:
        return None
    other = 2 * speed_mm_s if is_slow else speed_mm_s / 2
    durations = [f"{name} of {value:.0f} ms" for name, value in (("QRS", qrs), ("QT", qt)) if value is not None]
    *firsts, last = [*durations, f"a rate of {rate:.0f}/min"]
    figures = f"{', '.join(firsts)} and {last} fit" if firsts else f"{last.capitalize()} fits"
    return f"{figures} a page at {other:g} mm/s, but {speed_mm_s:g} mm/s was used; check the paper speed."


def _is_slow(rate: float, qrs: float | None, qt: float | None) -> bool:
    if rate > LIMITS.slow_rate_bpm or qrs is None:
        return False
    return qrs >= LIMITS.slow_qrs_alone_ms if qt is None else qrs >= LIMITS.slow_qrs_ms and qt >= LIMITS.slow_qt_ms


def _is_very_slow(rate: float, qrs: float | None, qt: float | None) -> bool:
    return (
        rate <= LIMITS.very_slow_rate_bpm
        and (qrs is None or qrs >= LIMITS.very_slow_qrs_ms)
        and (qt is None or qt >= LIMITS.very_slow_qt_ms)
    )


def _is_fast(rate: float, qrs: float | None, qt: float | None) -> bool:
    if rate < LIMITS.fast_rate_bpm or qrs is None:
        return False
    return qrs <= LIMITS.fast_qrs_alone_ms if qt is None else qrs <= LIMITS.fast_qrs_ms and qt <= LIMITS.fast_qt_ms


def is_speed_plausible(measurements: Measurements) -> bool:
    """Return whether rate, QRS and QT are all ordinary, as they seldom are at half or twice the paper speed."""
    rate, _, qrs, qt = _values(measurements)
    ranges = (
        (rate, LIMITS.plausible_rate_bpm),
        (qrs, LIMITS.plausible_qrs_ms),
        (qt, LIMITS.plausible_qt_ms),
    )
    return all(value is not None and low <= value <= high for value, (low, high) in ranges)


def _values(measurements: Measurements) -> tuple[float | None, float | None, float | None, float | None]:
    """Rate in 1/min; PR, QRS and QT in ms."""
    rate, pr, qrs, qt = (
        None if figure is None else figure.value
        for figure in (measurements.rate_bpm, measurements.pr_ms, measurements.qrs_ms, measurements.qt_ms)
    )
    return rate, pr, qrs, qt

"""Checks of a record that came from a file, whatever its format is."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.limits import threshold
from ecglens.records import EcgRecord

__all__ = ["LIMITS", "RecordLimits", "check_rate", "check_record", "check_signals"]


@dataclass(frozen=True)
class RecordLimits:
    """Limits of records that come from files."""

    rate_hz: tuple[float, float] = threshold(
        (10.0, 100_000.0),
        "Hz",
        "Lowest and highest sampling rate; recorders have 100 to 8,000 Hz, trends of monitors fewer.",
        low="A few samples state hours, and resampling them takes gigabytes.",
        high="Rates of other signals pass as an ECG's.",
    )
    lead_hours: float = threshold(
        100.0,
        "h",
        "Longest recording, over all leads: a day of three leads has 72 h, one lead over three days as well.",
        low="Holter recordings are refused.",
        high="Measuring takes gigabytes.",
    )
    leads: int = threshold(
        1000,
        "1",
        "Number of leads; maps of the body surface have up to 250.",
        low="Maps of the body surface are refused.",
        high="A small file with thousands of leads takes minutes.",
    )
    max_mv: float = threshold(
        10_000.0,
        "mV",
        "Highest voltage; electrodes add up to 1,000 mV to an ECG.",
        low="Recordings with an offset are refused.",
        high="Numbers in another unit are read as millivolts.",
    )


LIMITS = RecordLimits()
_MOST_NAMED = 12


def check_record(record: EcgRecord, name: str) -> EcgRecord:
    """Return a record whose parts fit each other, as everything that works with records expects; infinity becomes NaN.

    Args:
        record: From a file.
        name: Name of the file, for the error.

    Raises:
        DatasetError: The rate, the length or a voltage is none of an ECG, there is no sample, or the names do not fit
            the signals.
    """
    check_rate(record.fs_hz, name)
    check_signals(record.signals_mv, name)
    rows, *others = len(record.signals_mv), record.leads, record.start_s, record.quality
    if len(record.leads) != rows or any(len(each) not in {0, rows} for each in others):
        raise DatasetError(
            f"Expected a name and, where they are given, a start and a quality for each of {rows} leads in {name}, got "
            f"{', '.join(str(len(each)) for each in others)}."
        )
    if not all(isinstance(lead, str) for lead in record.leads):
        raise DatasetError(f"Expected names of leads in {name}, got other values.")
    if rows > LIMITS.leads:
        raise DatasetError(f"Expected at most {LIMITS.leads:,} leads in {name}, got {rows:,}; write fewer leads.")
    record = _remove_control_characters(record)
    if not all(isinstance(start, int | float) and math.isfinite(start) for start in record.start_s):
        raise DatasetError(f"Expected starts of leads in s in {name}, got other values.")
    samples = record.signals_mv.shape[1] + max(record.start_s, default=0.0) * record.fs_hz
    hours = rows * samples / record.fs_hz / 3600
    if hours > LIMITS.lead_hours:
        raise DatasetError(
            f"Expected at most {LIMITS.lead_hours:g} hours over all leads in {name}, got {hours:,.0f}; cut the "
            "recording into parts."
        )
    is_known = np.isfinite(record.signals_mv)
    highest = float(np.abs(record.signals_mv[is_known]).max(initial=0.0))
    if highest > LIMITS.max_mv:
        raise DatasetError(
            f"Expected voltages of at most {LIMITS.max_mv:,.0f} mV in {name}, got {highest:.3g} mV; check its unit."
        )
    if np.isinf(record.signals_mv).any():
        record = replace(record, signals_mv=np.where(is_known, record.signals_mv, np.float32(np.nan)))
    empty = [lead for lead, row in zip(record.leads, is_known, strict=True) if not row.any()]
    if not empty:
        return record
    return replace(record, warnings=(*record.warnings, f"The file has no number in {', '.join(empty[:_MOST_NAMED])}."))


def _remove_control_characters(record: EcgRecord) -> EcgRecord:
    """Return a record without characters in its texts that control a terminal, whoever prints them."""

    def clean(text: str, allowed: str = "") -> str:
        return "".join(letter if letter.isprintable() or letter in allowed else "?" for letter in text)

    leads = tuple(clean(lead) for lead in record.leads)
    comments = tuple(clean(comment, "\n\t") for comment in record.comments)
    return (
        record
        if (leads, comments) == (record.leads, record.comments)
        else replace(record, leads=leads, comments=comments)
    )


def check_rate(fs_hz: float, name: str) -> None:
    """Check a sampling rate before anything is computed with it.

    Args:
        fs_hz: Sampling rate.
        name: Name of the file, for the error.

    Raises:
        DatasetError: No recorder samples an ECG at this rate.
    """
    low, high = LIMITS.rate_hz
    if not low <= fs_hz <= high:
        raise DatasetError(
            f"Expected a sampling rate of {low:g} to {high:,.0f} Hz in {name}, got {fs_hz:g} Hz; correct it."
        )


def check_signals(signals: NDArray[np.floating], name: str) -> None:
    """Check that signals are leads of samples before a record is made of them.

    Args:
        signals: ``(leads, samples)``.
        name: Name of the file, for the error.

    Raises:
        DatasetError: There is no sample.
    """
    if signals.ndim != 2 or not signals.size:
        raise DatasetError(f"Expected leads of one sample or more in {name}, got none; give a file of signals.")

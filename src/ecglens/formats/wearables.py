"""Exports of wearables as text: the CSV of Apple Health, and the log of Polar's sensors."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.formats.selection import find_mv_per_unit
from ecglens.formats.texts import decode_text
from ecglens.layouts import canonical_lead
from ecglens.records import EcgRecord

__all__ = ["looks_like_apple_health", "looks_like_polar", "read_apple_health", "read_polar"]

_HEADER_LINES = 25
"""Lines in which the values of the export of Apple Health begin at the latest."""
_RATE = re.compile(r"([\d.,]+)\s*(?:hertz|hz|herc|herts|герц|гц|ヘルツ|赫|헤르츠)", re.IGNORECASE)
"""Rate with its unit, whose long name phones translate (CLDR, frequency-hertz)."""
_CYRILLIC_MV = MappingProxyType({"мкв": 1e-3, "мв": 1.0})
_UV_PER_MV = 1e3
_LEAD = re.compile(r"(?<![A-Za-z0-9])(I{1,3}|aV[RLF]|V[1-6])(?![A-Za-z0-9])")
_POLAR_COLUMNS = ("sensor timestamp [ns]", "ecg [uV]")
_RATES_HZ = (50.0, 2000.0)
_MAX_GAP_S = 600.0
"""Longest gap within a record; a longer one separates two recordings."""


def looks_like_apple_health(head: bytes) -> bool:
    """Return whether a text that begins so is an export of Apple Health: names and values, a rate in Hz, a unit.

    The names are in the language of the phone; of the unit of the rate, its spellings are known.
    """
    try:
        rows = _rows(decode_text(head, is_whole=False))[:_HEADER_LINES]
    except ValueError:
        return False
    return _find_rate(rows) is not None and _find_mv_per_unit(rows) is not None


def looks_like_polar(head: bytes) -> bool:
    """Return whether a text that begins so is a log of an ECG by a Polar sensor."""
    columns = head.decode("utf-8-sig", "ignore").partition("\n")[0].strip().split(";")
    return set(_POLAR_COLUMNS) <= set(columns)


def read_apple_health(path: str | Path) -> EcgRecord:
    """Read an ECG that Apple Health exported as CSV; the person's name and dates are not taken over.

    Raises:
        DatasetError: The file cannot be read, or states no rate or unit.
    """
    path = Path(path)
    rows = _rows(_read_text(path))
    start = next((number for number, row in enumerate(rows) if _is_number(row)), len(rows))
    header = rows[:start]
    rate, scale = _find_rate(header), _find_mv_per_unit(header)
    if rate is None or scale is None:
        raise DatasetError(f"Expected a rate in Hz and a unit of voltage in {path.name}, got none; export it again.")
    try:
        values = [_number(row) for row in rows[start:] if any(row)]
    except ValueError as error:
        raise DatasetError(
            f"Expected a number in each line after the header of {path.name}, got another text."
        ) from error
    below = header[next(number for number, row in enumerate(header) if _find_rate([row]) is not None) :]
    # A name, which is above the rate, may have the number of a lead too: Elizabeth II.
    lead = next((hit[1] for row in below if len(row) > 1 for hit in [_LEAD.search(row[-1])] if hit), "I")
    signals = np.array([values], np.float32) * np.float32(scale)
    return check_record(EcgRecord(signals, rate, (canonical_lead(lead),)), path.name)


def read_polar(path: str | Path) -> EcgRecord:
    """Read the log of a Polar sensor; samples that were lost on the way are NaN.

    Raises:
        DatasetError: The file cannot be read, or its times do not increase.
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(_read_text(path).splitlines(), delimiter=";"))
        clock = np.array([int(row[_POLAR_COLUMNS[0]]) for row in rows], np.int64)
        values = np.array([float(row[_POLAR_COLUMNS[1]]) for row in rows])
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise DatasetError(
            f"Expected the columns {' and '.join(_POLAR_COLUMNS)} with numbers in {path.name}; export the log again."
        ) from error
    seconds = (clock - clock[:1]) / 1e9
    steps = np.diff(seconds)
    if not len(steps) or np.any(steps <= 0) or steps.max() > _MAX_GAP_S:
        raise DatasetError(
            f"Expected times that increase, without gaps of over {_MAX_GAP_S / 60:g} minutes, in {path.name}; cut it "
            "into parts."
        )
    rate = 1 / float(np.median(steps))
    if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
        raise DatasetError(
            f"Expected {_RATES_HZ[0]:g} to {_RATES_HZ[1]:g} samples a second in {path.name}, got {rate:g}."
        )
    places = np.rint(seconds * rate).astype(int)
    signals = np.full((1, places[-1] + 1), np.nan, np.float32)
    signals[0, places] = values / _UV_PER_MV
    comments = ("recorder: Polar sensor, the lead depends on how it was worn",)
    return check_record(EcgRecord(signals, round(rate, 2), ("ECG",), comments=comments), path.name)


def _read_text(path: Path) -> str:
    try:
        return decode_text(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"Expected a text file at {path.name}, but it cannot be read as one.") from error


def _rows(text: str) -> list[list[str]]:
    separator = ";" if ";" in text.partition("\n")[0] else ","
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator)]
    except csv.Error:
        return []


def _find_rate(rows: Sequence[Sequence[str]]) -> float | None:
    """Return the first rate in Hz."""
    hits = (_RATE.search(",".join(row[1:])) for row in rows)
    text = next((hit[1] for hit in hits if hit), "").strip(".,").replace(",", ".")
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if _RATES_HZ[0] <= rate <= _RATES_HZ[1] else None


def _find_mv_per_unit(rows: Sequence[Sequence[str]]) -> float | None:
    """Return how many millivolts the first unit of voltage is."""
    scales = (find_mv_per_unit(cell) or _CYRILLIC_MV.get(cell.strip().lower()) for row in rows for cell in row[1:])
    return next((scale for scale in scales if scale is not None), None)


def _is_number(row: Sequence[str]) -> bool:
    try:
        _number(row)
    except ValueError:
        return False
    return True


def _number(row: Sequence[str]) -> float:
    """Return the number in a line, which has a comma before its decimals in many languages.

    >>> _number(["-12", "5"]), _number(["-12.5"]), _number(["-12,5", ""])
    (-12.5, -12.5, -12.5)
    """
    return float(".".join(cell for cell in row if cell).replace(",", "."))

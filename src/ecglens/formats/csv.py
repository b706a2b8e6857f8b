"""Records as CSV: a column ``time_s``, then a column for each lead such as ``II_mV``; every line below is numbers."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_rate, check_record
from ecglens.formats.clock import is_clock_name, read_rate
from ecglens.formats.coded import lead_number, plain_lead_name
from ecglens.formats.folders import make_folder
from ecglens.formats.names import names_ecg
from ecglens.formats.selection import Signal, find_mv_per_unit, select_signals
from ecglens.formats.texts import decode_text
from ecglens.layouts import STANDARD_LEADS, lead_of_row
from ecglens.records import EcgRecord, Tracing, distinct_names
from ecglens.tables import parse_cell, write_rows

__all__ = ["lacks_names", "looks_like_record", "read_csv", "write_csv", "write_traces"]

_FORM = "a column time_s, a column in mV for each lead, and two or more rows of numbers"
_WITH_UNIT = re.compile(r"(.+?)(?:[ _]?[\[(]|[ _/.,:-]+(?:in[ _])?)([^\W\d_]+)[\])]?")
"""Name of a column with what may be its unit, such as ``II_mV``, ``II [mV]`` or ``II/mV``."""
_LEAD_V = re.compile(r"lead[ _]+V|(?:ECG|EKG) +V|.+-V", re.IGNORECASE)
"""Names of the chest lead V, whose V is no unit."""
_IN_BRACKETS = re.compile(r"(.+?) ?[\[(]([^\[\]()]+)[\])]")
"""Name of a column with any unit in brackets, which is no lead if that is no voltage."""
_UNIT = re.compile("[a-zA-Zµμ]+|[hms:.]+")
"""Unit below the name of a column; PhysioNet's tables have ``hh:mm:ss.mmm`` below the time."""
_MAX_SPAN_MV = 40.0
"""Largest difference of 98 % of the numbers of a lead that may be mV; an ECG's is below 10 mV, in µV above 100."""
_MIN_SPAN_MV = 0.02
"""Smallest such difference of the lead where it is largest; that of an ECG in V is below 0.01."""
_MIN_JUDGED = 50
"""Fewest samples of a lead by which counts and normalized numbers are distinguished from mV."""
_NORMAL = 0.01
"""Largest difference of mean and standard deviation from 0 and 1 that are z-scores; an ECG in mV has 0.1 to 0.5."""
_MOST_NAMED = 12
_HEAD_BYTES = 4096
"""Part of a file that its first line is in."""


def read_csv(path: str | Path, *, fs_hz: float | None = None) -> EcgRecord:
    """Read a record from CSV.

    Args:
        path: A line with lead names, then numbers, separated by commas, semicolons or tabs. Units are part of the
            names (``time_s,II_mV``) or a line of their own (``s,mV``). Where neither states the unit of a column that
            is named as a lead of an ECG, its numbers are read as mV, with a warning, if they can be those of an ECG in
            mV. Other columns, also those of text, are left out with a warning, columns that number the lines without
            one. An empty cell is
            NaN.
        fs_hz: Sampling rate; needed where no column of times states it.

    Raises:
        DatasetError: The file cannot be read, has no lead, a unit is missing or not a voltage, or nothing states the
            sampling rate.
    """
    path = Path(path)
    header, units, body = _read_table(path)
    clock = next((number for number, name in enumerate(header) if is_clock_name(name)), None)
    columns = {number: _parse_column(body, number) for number in range(len(header)) if number != clock}
    _check_texts({number for number, values in columns.items() if values is None}, header, units, body, path)
    numbers = {n: np.full(len(body), np.nan) if values is None else values for n, values in columns.items()}
    if clock is not None:
        rate = read_rate([row[clock] for row in body], header[clock], units[clock], path.name)
        fs_hz = fs_hz or rate
    if fs_hz is None:
        raise DatasetError(f"Expected a column time_s in {path.name} or a sampling rate, got neither.")
    names = [plain_lead_name(name) for name in header]
    chosen, warnings = _choose_columns(numbers, header, names, units, path)
    scale = np.array([find_mv_per_unit(units[number] or "mV") for number in chosen], float)
    with np.errstate(over="ignore"):  # what no float can hold is infinite, and thus missing
        signals = np.ascontiguousarray(np.stack([numbers[n] for n in chosen]) * scale[:, None], dtype=np.float32)
    unstated = [number for number in chosen if not units[number]]
    if unstated:
        rows = [signals[chosen.index(number)] for number in unstated]
        warnings = (*warnings, _check_unstated(rows, [names[number] for number in unstated], path))
    leads = distinct_names(names[number] for number in chosen)
    check_rate(fs_hz, path.name)
    return check_record(EcgRecord(signals, float(fs_hz), leads, warnings=warnings), path.name)


def _read_table(path: Path) -> tuple[list[str], list[str], list[list[str]]]:
    """Return names and units of the columns, and the rows below them.

    Raises:
        DatasetError: The file is no table of one sample a row.
    """
    try:
        rows = [row for row in _iterate_rows(decode_text(path.read_bytes())) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"Expected a CSV of signals at {path.name}, but it cannot be read.") from error
    if len(rows) < 3:
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got {len(rows)} lines; add samples, or give another file."
        )
    widths = {len(row): line for line, row in reversed(list(enumerate(rows, start=1)))}
    if len(widths) != 1:
        line = max(widths.values())
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got another number of cells in line {line} than before; correct it."
        )
    if _is_numbers(rows[0]):
        raise DatasetError(
            f"Expected names of the columns in the first line of {path.name}, such as time_s,I_mV,II_mV, got numbers; "
            "add a line of names."
        )
    header, units = _split_names(rows[0])
    below = [_strip_quotes(cell) for cell in rows[1]]
    has_units = any(below) and all(_UNIT.fullmatch(cell) and cell.lower() != "nan" for cell in below)
    body = rows[2:] if has_units else rows[1:]
    if len(body) < 2:
        raise DatasetError(f"Expected two samples or more in {path.name}, got {len(body)}.")
    return header, below if has_units else units, body


def _check_texts(
    texts: Collection[int], header: Sequence[str], units: Sequence[str], body: Sequence[Sequence[str]], path: Path
) -> None:
    """Refuse a file with text in a lead, or with no lead beside its columns of text.

    Raises:
        DatasetError: It is one.
    """
    leads = [number for number, name in enumerate(header) if _names_lead(name, units[number])]
    wrong = [number for number in texts if number in leads or not leads]
    if wrong:
        text = _first_text(body, wrong[0])
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got '{text}' in place of a number; give a file of signals."
        )


def _choose_columns(
    columns: Mapping[int, NDArray[np.float64]],
    header: Sequence[str],
    names: Sequence[str],
    units: Sequence[str],
    path: Path,
) -> tuple[list[int], tuple[str, ...]]:
    """Return the columns that are leads, and a sentence on others that were left out.

    Raises:
        DatasetError: There is none.
    """
    leads = [number for number, values in columns.items() if not _is_index(names[number], values)]
    if not leads:
        raise DatasetError(f"Expected a column for each lead in {path.name}, got only time.")
    strange = [units[number] for number in leads if units[number] and find_mv_per_unit(units[number]) is None]
    if strange and not any(find_mv_per_unit(units[number]) for number in leads):
        raise DatasetError(f"Expected a unit of mV, uV, µV or V in {path.name}, got '{strange[0]}'.")
    is_voltage = {number: _names_lead(header[number], units[number]) for number in leads}
    if not any(is_voltage.values()):
        listed = ", ".join(header[number] or "no name" for number in leads[:_MOST_NAMED])
        raise DatasetError(
            f"Expected a lead of an ECG with its unit in the header of {path.name}, such as II_mV or II_uV, got "
            f"{listed}; name the unit of each lead."
        )
    signals = [Signal(header[number], names[number], is_voltage[number], 0.0) for number in leads]
    selection = select_signals(signals, path.name)
    return [leads[number] for number in selection.numbers], selection.warnings


def _is_index(name: str, values: NDArray[np.float64]) -> bool:
    """Return whether a column numbers the lines, or is empty and without a name."""
    if not name and np.isnan(values).all():
        return True
    return not lead_number(name) and bool(np.all(np.diff(values) == 1))


def _is_numbers(row: Sequence[str]) -> bool:
    """Return whether a line has numbers only."""
    try:
        return bool([float(cell) for cell in row if cell.strip()])
    except ValueError:
        return False


def _check_unstated(signals_mv: Sequence[NDArray[np.float32]], leads: Sequence[str], path: Path) -> str:
    """Return the warning that numbers without a unit were taken as mV.

    Raises:
        DatasetError: They are no ECG in mV.
    """
    rows = [row for row in (row[np.isfinite(row)] for row in signals_mv) if row.size]
    span = max((float(np.ptp(np.percentile(row, (1, 99)))) for row in rows), default=0.0)
    if span > _MAX_SPAN_MV:
        fault = f"{span:,.0f} between low and high"
    elif 0 < span < _MIN_SPAN_MV:
        fault = f"{span:.2g} between low and high, as of volts"
    elif span and all(_has_whole_numbers(row) for row in rows):
        fault = "whole numbers"
    elif span and all(_is_normalized(row) for row in rows):
        fault = "numbers that were normalized"
    else:
        fault = ""
    if fault:
        raise DatasetError(
            f"Expected numbers of an ECG in mV in {path.name}, got {fault}; name their unit in the header, such as "
            "II_mV or II_uV."
        )
    return f"The file names no unit of {', '.join(leads[:_MOST_NAMED])}; the numbers were taken as millivolts."


def _has_whole_numbers(samples: NDArray[np.float32]) -> bool:
    """Return whether samples are whole numbers, such as steps of a converter."""
    return len(samples) >= _MIN_JUDGED and bool(np.all(samples == np.rint(samples)))


def _is_normalized(samples: NDArray[np.float32]) -> bool:
    """Return whether samples are z-scores, or are scaled to 0 to 1 or to -1 to 1."""
    if len(samples) < _MIN_JUDGED:
        return False
    is_scored = abs(float(samples.mean())) < _NORMAL and abs(float(samples.std()) - 1) < _NORMAL
    return is_scored or (float(samples.min()), float(samples.max())) in {(0.0, 1.0), (-1.0, 1.0)}


def write_csv(record: EcgRecord, path: str | Path) -> None:
    """Write a record as CSV, column by column on one clock, in mV; unknown samples are empty cells.

    Args:
        record: Signals in mV.
        path: Where to write; its folder is made where it is missing.
    """
    path = Path(path)
    make_folder(path.parent)
    with path.open("w", newline="", encoding="utf-8") as stream:
        names = [f"{lead}_mV" for lead in distinct_names(record.leads)]
        write_rows(stream, [["time_s", *names]], unchanged=_inverted_leads(names))
        samples = enumerate(record.on_one_clock().signals_mv.T)
        write_rows(stream, ([_format_s(number / record.fs_hz), *map(_format_mv, row)] for number, row in samples))


def write_traces(tracing: Tracing, path: str | Path) -> None:
    """Write the lines of a page on which nothing tells the scale of a millivolt.

    A row a sample: lead, column and row in px of the upright page, and mm right of the lead's beginning and above its
    zero line, which are a guess where ``px_per_mm_source`` is ``"none"``. A cell is empty where the trace is hidden.

    Args:
        tracing: Of the page.
        path: File to write.
    """
    down, across = tracing.layout.px_per_mm
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        names = distinct_names(trace.lead for trace in tracing.traces)
        rows: list[Sequence[str]] = [("lead", "column_px", "row_px", "right_mm", "up_mm")]
        for name, trace in zip(names, tracing.traces, strict=True):
            for column, row in zip(trace.columns_px, trace.rows_px, strict=True):
                right = f"{(column - trace.columns_px[0]) / across:.3f}"
                hidden = bool(np.isnan(row))
                up = "" if hidden else f"{(trace.baseline_px - row) / down:.3f}"
                rows.append((name, f"{column:.2f}", "" if hidden else f"{row:.2f}", right, up))
        write_rows(stream, rows, unchanged=_inverted_leads(names))


def _format_s(value: float) -> str:
    """Return a time with as many decimals as a rate of ten digits needs, and without those that are 0."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def _format_mv(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def _inverted_leads(names: Iterable[str]) -> set[str]:
    """Return the names of -aVR among them, which begin like a formula."""
    return {name for name in names if lead_of_row(name.removesuffix("_mV")) == "-aVR"}


def _names_lead(name: str, unit: str) -> bool:
    """Return whether a column is a lead by its unit, or without one by its name."""
    return find_mv_per_unit(unit) is not None if unit else names_ecg(name)


def _parse_column(rows: Sequence[Sequence[str]], number: int) -> NDArray[np.float64] | None:
    """Return the numbers of a column, NaN for empty cells; ``None`` where it has text."""
    try:
        return np.array([float(row[number]) if row[number].strip() else np.nan for row in rows])
    except ValueError:
        return None


def _first_text(rows: Iterable[Sequence[str]], number: int) -> str:
    """Return the first cell of a column that is no number."""
    return next(row[number] for row in rows if row[number].strip() and not _is_numbers([row[number]]))


def looks_like_record(path: Path) -> bool:
    """Return whether the header of a CSV has a column of time or of a standard lead, as a file of signals has.

    Other tables lie in the folders of signals too, such as the recordings.csv that ``ecglens render`` writes.
    """
    try:
        header = _split_names(_first_row(path))[0]
    except (OSError, ValueError, csv.Error):
        return True  # reading the file says what is wrong with it
    leads = {lead.lower() for lead in (*STANDARD_LEADS, "-aVR")}
    return any(is_clock_name(name) or lead_of_row(plain_lead_name(name)).lower() in leads for name in header)


def lacks_names(path: Path) -> bool:
    """Return whether a file is a table of numbers whose first line does not name its columns."""
    try:
        row = _first_row(path)
    except (OSError, ValueError, csv.Error):
        return False
    return len(row) > 1 and _is_numbers(row)


def _first_row(path: Path) -> list[str]:
    with path.open("rb") as stream:
        head = decode_text(stream.read(_HEAD_BYTES), is_whole=False)
    return next(_iterate_rows(head), [])


def _iterate_rows(text: str) -> Iterator[list[str]]:
    """Iterate over the rows of a table whose separator the first line shows; beside a comma, decimals have a point.

    Comments before it, of lines that begin with ``#``, are no rows.
    """
    lines = list(dropwhile(lambda line: line.startswith("#") or not line.strip(), text.splitlines()))
    separator = next((mark for mark in "\t;" if lines and mark in lines[0]), ",")  # a comma may be of a decimal
    for row in csv.reader(lines, delimiter=separator):
        yield row if separator == "," else [cell.replace(",", ".") for cell in row]


def _strip_quotes(cell: str) -> str:
    """Return a cell without the single quotes that PhysioNet's tables have around texts.

    >>> _strip_quotes("'Elapsed time'"), _strip_quotes("'=1")
    ('Elapsed time', "'=1")
    """
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == "'" else cell


def _split_names(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names and units of columns; empty units where the names have none.

    >>> _split_names(["time_s", "II_mV", "V1 [uV]", "aVR"])
    (['time_s', 'II', 'V1', 'aVR'], ['', 'mV', 'uV', ''])
    """
    parts = [_split_unit(parse_cell(_strip_quotes(cell))) for cell in cells]
    return [name for name, _ in parts], [unit for _, unit in parts]


def _split_unit(text: str) -> tuple[str, str]:
    """Return the name of a column and its unit; no unit where the name has none.

    >>> _split_unit("II_volts"), _split_unit("Lead V"), _split_unit("HR_bpm"), _split_unit("Resp [L]")
    (('II', 'volts'), ('Lead V', ''), ('HR_bpm', ''), ('Resp', 'L'))
    """
    hit = _WITH_UNIT.fullmatch(text)
    if hit and find_mv_per_unit(hit[2]) is not None and not _LEAD_V.fullmatch(text):
        return hit[1], hit[2]
    bracketed = _IN_BRACKETS.fullmatch(text)
    return (bracketed[1], bracketed[2]) if bracketed else (text, "")

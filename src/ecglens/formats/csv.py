"""Records as CSV: a column ``time_s``, then a column for each lead such as ``II_mV``; every line below is numbers."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import numpy as np

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.layouts import STANDARD_LEADS, canonical_lead, lead_of_row
from ecglens.records import EcgRecord, Tracing, distinct_names
from ecglens.tables import parse_cell, write_rows

__all__ = ["looks_like_record", "read_csv", "write_csv", "write_traces"]

_FORM = "a column time_s, a column in mV for each lead, and two or more rows of numbers"
_TIME = ("time_s", "time", "t", "seconds")
_TO_S = MappingProxyType({"s": 1.0, "ms": 1e-3})
_WITH_UNIT = re.compile(r"(.+?)(?:_| ?[\[(]| )(mV|[uµμ]V)[\])]?", re.IGNORECASE)
"""Name of a column with its unit, such as ``II_mV`` or ``II [mV]``."""
_TO_MV = MappingProxyType({"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3})


def read_csv(path: str | Path, *, fs_hz: float | None = None) -> EcgRecord:
    """Read a record from CSV.

    Args:
        path: A line with lead names, then numbers, separated by commas, semicolons or tabs. Units are part of the
            names (``time_s,II_mV``) or a line of their own (``s,mV``); mV where neither says otherwise. An empty cell
            is NaN.
        fs_hz: Sampling rate; needed where no column ``time_s`` tells it.

    Raises:
        DatasetError: The file cannot be read, has no lead, a unit is not a voltage, or nothing tells the sampling rate.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(_iterate_rows(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"Expected a CSV of signals at {path.name}, but it cannot be read.") from error
    if len(rows) < 3:
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got {len(rows)} lines; add samples, or give another file."
        )
    widths = {len(row): line for line, row in reversed(list(enumerate(rows, start=1))) if row}
    if len(widths) != 1:
        line = max(widths.values())
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got another number of cells in line {line} than before; correct it."
        )
    header, named_units = _split_names(rows[0])
    units = [cell.strip() for cell in rows[1]]
    has_units = bool(units) and all(re.fullmatch("[a-zA-Zµμ]+", unit) and unit.lower() != "nan" for unit in units)
    try:
        body = rows[2:] if has_units else rows[1:]
        values = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in body if row])
    except ValueError as error:
        raise DatasetError(
            f"Expected {_FORM} in {path.name}, got '{_first_text(body)}' in place of a number; give a file of signals."
        ) from error
    if len(values) < 2:
        raise DatasetError(f"Expected two samples or more in {path.name}, got {len(values)}.")
    clock = next((number for number, name in enumerate(header) if name.lower() in _TIME), None)
    if clock is not None:
        values[:, clock] *= _scale(units[clock], _TO_S, path) if has_units else 1.0
        steps = np.diff(values[:, clock])
        if not (np.all(steps > 0) and np.allclose(steps, steps.mean(), rtol=0.05)):
            raise DatasetError(f"Expected even steps of time in {path.name}, but they differ.")
        fs_hz = fs_hz or round(float(1 / steps.mean()), 3)
    if fs_hz is None:
        raise DatasetError(f"Expected a column time_s in {path.name} or a sampling rate, got neither.")
    leads = [number for number in range(len(header)) if number != clock]
    if not leads:
        raise DatasetError(f"Expected a column for each lead in {path.name}, got only time.")
    lead_units = units if has_units else named_units
    scale = np.array([_scale(lead_units[number] or "mV", _TO_MV, path) for number in leads])
    signals = np.ascontiguousarray((values[:, leads] * scale).T, dtype=np.float32)
    names = tuple(canonical_lead(header[number]) for number in leads)
    return check_record(EcgRecord(signals, float(fs_hz), names), path.name)


def write_csv(record: EcgRecord, path: str | Path) -> None:
    """Write a record as CSV, column by column on one clock, in mV; unknown samples are empty cells.

    Args:
        record: Signals in mV.
        path: Where to write; its folder is made where it is missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        names = [f"{lead}_mV" for lead in distinct_names(record.leads)]
        write_rows(stream, [["time_s", *names]], unchanged=_inverted_leads(names))
        samples = enumerate(record.on_one_clock().signals_mv.T)
        write_rows(stream, ([f"{number / record.fs_hz:.6g}", *map(_format_mv, row)] for number, row in samples))


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


def _format_mv(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def _inverted_leads(names: Iterable[str]) -> set[str]:
    """Return the names of -aVR among them, which begin like a formula."""
    return {name for name in names if lead_of_row(name.removesuffix("_mV")) == "-aVR"}


def _first_text(rows: Iterable[Sequence[str]]) -> str:
    """Return the first cell that is no number."""
    for cell in (cell for row in rows for cell in row if cell.strip()):
        try:
            float(cell)
        except ValueError:
            return cell
    return ""


def looks_like_record(path: Path) -> bool:
    """Return whether the header of a CSV has a column of time or of a standard lead, as a file of signals has.

    Other tables lie in the folders of signals too, such as the recordings.csv that ``ecglens render`` writes.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header = [name.lower() for name in _split_names(next(_iterate_rows(stream), []))[0]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return True  # reading the file says what is wrong with it
    leads = {lead.lower() for lead in (*STANDARD_LEADS, "-aVR")}
    return any(name in _TIME or lead_of_row(canonical_lead(name)).lower() in leads for name in header)


def _iterate_rows(stream: TextIO) -> Iterator[list[str]]:
    """Iterate over the rows of a table whose separator the first line shows; beside a comma, decimals have a point."""
    first = stream.readline()
    separator = max(",;\t", key=first.count)
    for row in csv.reader(chain([first], stream), delimiter=separator):
        yield row if separator == "," else [cell.replace(",", ".") for cell in row]


def _split_names(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names and units of columns; empty units where the names have none.

    >>> _split_names(["time_s", "II_mV", "V1 [uV]", "aVR"])
    (['time_s', 'II', 'V1', 'aVR'], ['', 'mV', 'uV', ''])
    """
    hits = [_WITH_UNIT.fullmatch(parse_cell(cell.strip())) for cell in cells]
    names = [hit[1] if hit else parse_cell(cell.strip()) for hit, cell in zip(hits, cells, strict=True)]
    return names, [hit[2] if hit else "" for hit in hits]


def _scale(unit: str, factors: Mapping[str, float], path: Path) -> float:
    if unit.lower() not in factors:
        raise DatasetError(f"Expected a unit of {', '.join(factors)} in {path.name}, got '{unit}'.")
    return factors[unit.lower()]

"""WFDB records (PhysioNet): header and signal files to and from ``EcgRecord``."""

import re
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from ecglens.errors import DatasetError, MissingDataError
from ecglens.extras import require
from ecglens.formats.checks import check_rate, check_record
from ecglens.formats.coded import microvolts, plain_lead_name, remarks
from ecglens.formats.folders import make_folder
from ecglens.formats.selection import Signal, find_mv_per_unit, select_signals
from ecglens.formats.wfdb_files import HEADER_ENDING, unpack_record
from ecglens.records import EcgRecord, distinct_names

__all__ = ["read_wfdb", "write_wfdb"]

_MAX_SAMPLES = 30_000_000
"""Samples of all signals together, of which wfdb takes some 20 bytes each: twelve leads at 500 Hz for 80 minutes."""
_MAX_SIGNALS = 1000
_NO_SEGMENT = "~"
_BITS = MappingProxyType({"80": 8, "212": 12, "16": 16, "61": 16, "160": 16, "24": 24, "32": 32})
"""Bits of a sample by the format of its file, where all samples have the same."""
_RATE = 2
"""Position of the sampling rate among the fields of the first line."""
_GAIN, _DESCRIPTION = 2, 8
"""Positions of the gain and of the name of a signal among the fields of its line."""
_SUMS = 65_536
"""Number of values of a checksum."""
_UNSTATED_RATE = "The header states no sampling rate; 250 Hz was used, the default of WFDB."


def read_wfdb(path: str | Path) -> EcgRecord:
    """Read a WFDB record.

    Args:
        path: The header, with or without ``.hea``, or a ZIP of the record's files.

    Returns:
        Signals in mV; samples that are marked invalid are NaN. Signals of other units or rates, and those without a
        gain, are left out with a warning. Another one names signals that do not have the checksum of the header.

    Raises:
        DatasetError: The record cannot be read, or no signal is an ECG whose gain and unit of voltage are stated.
        MissingExtraError: wfdb is not installed.
    """
    path = Path(path)
    if path.is_file() and path.suffix != HEADER_ENDING:
        with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
            return read_wfdb(unpack_record(path, Path(folder)))
    wfdb = _wfdb()
    stem = path.with_suffix("") if path.suffix == HEADER_ENDING else path
    if not stem.with_name(f"{stem.name}.hea").is_file():
        raise DatasetError(f"Expected a WFDB header {stem.name}.hea in {stem.parent}, but none is there.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wfdb warns of its own use of numpy and pandas
            _check_rate_text(stem)
            header = _check_header(wfdb, stem)
            _check_files(wfdb, header, stem)
            record = wfdb.rdrecord(str(stem), smooth_frames=False)
            altered = _find_altered(wfdb, header, stem)
    except DatasetError:
        raise
    # wfdb answers damage with whatever exception it leads to, whose words no user understands; soundfile's among them.
    except Exception as error:
        raise DatasetError(
            f"Expected a WFDB record at {stem.name}, but its header or its signals are damaged; export it again."
        ) from error
    if record.e_p_signal is None or not record.n_sig:
        raise DatasetError(f"Expected signals in the WFDB record {stem.name}, but it has none.")
    labels = _label_signals(record.sig_name)
    names = distinct_names(map(plain_lead_name, labels))
    scales = [find_mv_per_unit(unit) for unit in record.units]
    lines, comments = _read_lines(stem)
    uncalibrated = _find_uncalibrated(header, stem, labels)
    selection = select_signals(
        [
            Signal(label, name, scale is not None and number not in uncalibrated, float(record.fs) * count)
            for number, (label, name, scale, count) in enumerate(
                zip(labels, names, scales, record.samps_per_frame, strict=True)
            )
        ],
        stem.name,
    )
    rows = [record.e_p_signal[number] * (scales[number] or 1.0) for number in selection.numbers]
    signals = np.ascontiguousarray(rows, dtype=np.float32)
    notes = (*selection.warnings, *([] if len(lines[0]) > _RATE else [_UNSTATED_RATE]), *_describe_altered(altered))
    leads = tuple(names[number] for number in selection.numbers)
    check_rate(selection.rate_hz, stem.name)
    read = EcgRecord(signals, selection.rate_hz, leads, comments=comments, warnings=notes)
    return check_record(read, stem.name)


def _check_rate_text(stem: Path) -> None:
    """Refuse a header whose sampling rate is no plain number above 0: wfdb assumes 250 Hz, or reads 1e3 as 1.

    Raises:
        DatasetError: It is none.
    """
    first = _read_lines(stem)[0][:1]
    text = first[0][_RATE] if first and len(first[0]) > _RATE else ""
    if text and not re.match(r"(\d+\.?\d*|\.\d+)(?=$|[/(])", text):
        raise DatasetError(
            f"Expected a sampling rate above 0 Hz in the header of the WFDB record {stem.name}, got {ascii(text)}; "
            "correct it."
        )


def _label_signals(names: Sequence[str | None]) -> list[str]:
    """Return the names of signals, and numbers of channels for those without one."""
    return [label or f"channel {number}" for number, label in enumerate(names, start=1)]


def _find_uncalibrated(header: Any, stem: Path, labels: Sequence[str]) -> set[int]:
    """Return the positions of signals whose gain is 0 or missing, for which wfdb assumes 200 steps a millivolt."""
    if not hasattr(header, "seg_name"):
        return {number for number, fields in enumerate(_signal_lines(stem)) if not _states_gain(fields)}
    names = set(header.seg_name) - {_NO_SEGMENT}
    lines = [fields for name in names for fields in _signal_lines(stem.with_name(name))]
    missing = {" ".join(fields[_DESCRIPTION:]) for fields in lines if not _states_gain(fields)}
    return {number for number, label in enumerate(labels) if label in missing}


def _signal_lines(stem: Path) -> list[list[str]]:
    """Return the fields of each signal of a header."""
    first, *lines = _read_lines(stem)[0]
    return lines[: int(first[1])]


def _states_gain(fields: Sequence[str]) -> bool:
    """Return whether a line of a signal has a gain, such as ``200(1024)/mV``."""
    number = re.match(r"[-+\d.eE]+", fields[_GAIN]) if len(fields) > _GAIN else None
    return number is not None and float(number[0]) != 0


def _read_lines(stem: Path) -> tuple[list[list[str]], tuple[str, ...]]:
    """Return the fields of each line of a header, and its comments, of which wfdb drops letters beyond ASCII."""
    content = stem.with_name(f"{stem.name}.hea").read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line.strip(" \t#") for line in lines if line.startswith("#"))
    return [line.split() for line in lines if not line.startswith("#")], comments


def write_wfdb(record: EcgRecord, path: str | Path) -> None:
    """Write a record as WFDB, format 16, one microvolt a step; unknown samples are marked invalid.

    Column 0 is the start of the recording; comments, quality and warnings are comment lines.

    Args:
        record: Signals in mV.
        path: The header, with or without ``.hea``; its folder is made where it is missing.

    Raises:
        DatasetError: The name is not of letters, digits, ``-`` and ``_``, a sample is beyond 32.7 mV, or WFDB cannot
            store the record for another reason.
        MissingExtraError: wfdb is not installed.
    """
    wfdb = _wfdb()
    path = Path(path).with_suffix("") if Path(path).suffix == ".hea" else Path(path)
    if not re.fullmatch(r"[\w-]+", path.name, flags=re.ASCII):
        raise DatasetError(f"Expected letters, digits, - and _ in the name of a WFDB record, got '{path.name}'.")
    make_folder(path.parent)
    placed = record.with_distinct_leads().on_one_clock()
    digital = microvolts(placed.signals_mv).T
    count = len(record.leads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as above
            wfdb.wrsamp(
                path.name,
                fs=record.fs_hz,
                units=["mV"] * count,
                sig_name=list(placed.leads),
                d_signal=np.ascontiguousarray(digital),
                fmt=["16"] * count,
                adc_gain=[1000.0] * count,
                baseline=[0] * count,
                comments=list(remarks(record)),
                write_dir=str(path.parent),
            )
    except (ValueError, TypeError, IndexError) as error:
        raise DatasetError(
            f"Expected a record that WFDB can store as {path.name}, but wfdb refuses it: {error}"
        ) from error


def _check_header(wfdb: ModuleType, stem: Path) -> Any:
    """Return a header, and refuse one that states more samples than a recording has, or segments without end.

    Raises:
        DatasetError: It does.
    """
    header = wfdb.rdheader(str(stem))
    if not hasattr(header, "seg_name"):
        _check_signals(header, stem.name)
        return header
    _check_length(header.n_sig, header.sig_len, stem.name)
    for name in set(header.seg_name) - {_NO_SEGMENT}:
        segment = wfdb.rdheader(str(stem.with_name(name)))
        if hasattr(segment, "seg_name"):
            raise DatasetError(f"Expected segments without segments in the WFDB record {stem.name}, got {name}.")
        _check_signals(segment, stem.name)
    return header


def _check_files(wfdb: ModuleType, header: Any, stem: Path) -> None:
    """Refuse a header whose files of signals are not beside it or are cut short.

    Raises:
        DatasetError: A file is shorter than the header states.
        MissingDataError: A file is missing.
    """
    for part in _read_parts(wfdb, header, stem).values():
        for name in dict.fromkeys(part.file_name or ()):
            # wfdb reads, or refuses, what lies elsewhere; a name of ~ is that of a layout, which has no signals.
            if name == _NO_SEGMENT or not re.fullmatch(r"[\w.-]+", name, flags=re.ASCII):
                continue
            path = stem.with_name(name)
            if not path.is_file():
                raise MissingDataError(
                    f"Expected the signals of the WFDB record {stem.name} in {name} beside its header, got no such "
                    "file; put it there."
                )
            stated, size = _count_bytes(part, name), path.stat().st_size
            if size < stated:
                raise DatasetError(
                    f"Expected {stated:,} bytes in {name}, as the header of the WFDB record {stem.name} states, got "
                    f"{size:,}; the file is cut short, so copy it again."
                )


def _read_parts(wfdb: ModuleType, header: Any, stem: Path) -> dict[Path, Any]:
    """Return the headers of the segments of a record, or its own, by their paths without an ending."""
    if not hasattr(header, "seg_name"):
        return {stem: header}
    paths = dict.fromkeys(stem.with_name(name) for name in header.seg_name if name != _NO_SEGMENT)
    return {path: wfdb.rdheader(str(path)) for path in paths}


def _find_altered(wfdb: ModuleType, header: Any, stem: Path) -> list[str]:
    """Return the names of signals whose samples do not have the checksum that a header states.

    It is the sum of the samples in 16 bits (header(5) of WFDB). 0 is what programs write that compute none.
    """
    altered: dict[str, None] = {}
    for path, part in _read_parts(wfdb, header, stem).items():
        if not any(part.checksum or ()) or _NO_SEGMENT in part.file_name:
            continue
        record = wfdb.rdrecord(str(path), physical=False, smooth_frames=False, ignore_skew=True)
        labels = _label_signals(part.sig_name)
        sums = zip(labels, part.checksum, record.calc_checksum(expanded=True), strict=True)
        altered |= dict.fromkeys(label for label, stated, actual in sums if stated and stated % _SUMS != actual)
    return list(altered)


def _describe_altered(names: Sequence[str]) -> list[str]:
    """Return a sentence on signals that do not have their checksum, where there are any."""
    signals = ", ".join(plain_lead_name(name) for name in names)
    return (
        [f"The file may be damaged: the samples of {signals} differ from the checksum in its header."] if names else []
    )


def _count_bytes(header: Any, name: str) -> int:
    """Return the least number of bytes that a file of signals must have by its header; 0 where that is open."""
    rows = [row for row, file_name in enumerate(header.file_name) if file_name == name]
    bits = _BITS.get(header.fmt[rows[0]], 0)
    samples = sum(header.samps_per_frame[row] or 1 for row in rows) * (header.sig_len or 0)
    return (header.byte_offset[rows[0]] or 0) + samples * bits // 8


def _check_signals(header: Any, name: str) -> None:
    """Refuse signals of more samples than a recording has."""
    _check_length(max(header.n_sig or 0, sum(header.samps_per_frame or ())), header.sig_len, name)


def _check_length(signals: int, samples: int | None, name: str) -> None:
    """Refuse more samples than a recording has; a header may leave their number to the file."""
    if signals > _MAX_SIGNALS or signals * (samples or 0) > _MAX_SAMPLES:
        raise DatasetError(
            f"Expected a WFDB record of at most {_MAX_SIGNALS} signals and {_MAX_SAMPLES:,} samples at {name}, got "
            f"{signals:,} signals of {samples or 0:,}; cut it into parts."
        )


def _wfdb() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing wfdb makes pandas warn
        return require("wfdb", extra="signal")

"""Every format by its name, and a record in or out of any of them."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from ecglens.arguments import check_type, describe_value
from ecglens.errors import (
    ArgumentError,
    DatasetError,
    EcgLensError,
    MissingDataError,
    MissingExtraError,
    RecordError,
)
from ecglens.extras import is_installed
from ecglens.formats.aecg import write_aecg
from ecglens.formats.alivecor import looks_like_atc, read_atc
from ecglens.formats.contec import looks_like_contec, read_contec
from ecglens.formats.csv import lacks_names, looks_like_record, read_csv, write_csv
from ecglens.formats.dicom import read_dicom, write_dicom
from ecglens.formats.edf import write_edf
from ecglens.formats.fhir import read_fhir, write_fhir
from ecglens.formats.folders import make_folder
from ecglens.formats.healforce import looks_like_healforce, read_healforce
from ecglens.formats.json import read_json, write_json
from ecglens.formats.names import plain_name
from ecglens.formats.recorders import (
    RECORDER_FORMATS,
    detect_recorder_format,
    guess_recorder_format,
    read_recorder_file,
)
from ecglens.formats.texts import decode_text
from ecglens.formats.wearables import looks_like_apple_health, looks_like_polar, read_apple_health, read_polar
from ecglens.formats.wfdb import read_wfdb, write_wfdb
from ecglens.formats.wfdb_files import holds_record
from ecglens.records import EcgRecord
from ecglens.statements import Statement

__all__ = [
    "FORMATS",
    "RECORD_TITLES",
    "RecordFormat",
    "WrittenFiles",
    "detect_format",
    "place_record",
    "read_record",
    "strip_ending",
    "write_in_formats",
    "write_record",
]


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """A format of records.

    Attributes:
        ending: Of the file, or of the one of several that names them.
        write: Writes a record to a path with the ending, for some formats with the time of recording.
        dated: Whether ``write`` takes ``recorded``.
        stated: Whether ``write`` takes ``statements``.
        module: Optional dependency that writing needs; empty where it needs none.
        plain: Whether its names are of ASCII letters, digits, ``-`` and ``_`` only.
        gaps: Whether it can state that samples are missing, as most of a lead is on a page of 3x4.
    """

    ending: str
    write: Callable[..., None]
    dated: bool = False
    stated: bool = False
    plain: bool = False
    gaps: bool = True
    module: str = ""

    @property
    def is_available(self) -> bool:
        """Whether this installation can write the format."""
        return not self.module or is_installed(self.module)


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The files of a record in several formats.

    Attributes:
        paths: A file for each format that can hold the record, as from :func:`write_record`.
        refusals: Sentences that say why the others cannot, by format.
    """

    paths: tuple[Path, ...]
    refusals: Mapping[str, str]


FORMATS = MappingProxyType(
    {
        "wfdb": RecordFormat(".hea", write_wfdb, plain=True, module="wfdb"),
        "csv": RecordFormat(".csv", write_csv),
        "json": RecordFormat(".json", write_json),
        "dicom": RecordFormat(".dcm", write_dicom, dated=True, module="pydicom"),
        "fhir": RecordFormat(".fhir.json", write_fhir, dated=True, stated=True),
        "edf": RecordFormat(".edf", write_edf, dated=True, gaps=False),
        "aecg": RecordFormat(".aecg.xml", write_aecg, dated=True, gaps=False),
    }
)
"""Formats that are written, by name."""

RECORD_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "wfdb": "WFDB",
        "dicom": "DICOM waveforms",
        "muse": "GE MUSE XML",
        "sierra": "Philips Sierra XML",
        "mortara": "Mortara ELI XML",
        "aecg": "HL7 aECG",
        "scp": "SCP-ECG",
        "edf": "EDF",
        "ishne": "ISHNE",
        "mfer": "MFER",
        "atc": "AliveCor ATC",
        "kardia": "Kardia JSON",
        "apple_health": "Apple Health CSV",
        "polar": "Polar sensor log",
        "contec": "Contec ECG90A",
        "healforce": "Healforce Prince 180",
        "fhir": "FHIR Observation",
        "json": "JSON of ecglens",
        "csv": "CSV",
    }
)
"""Titles of the formats that are read, by name."""

_READERS: Mapping[str, Callable[[Path], EcgRecord]] = MappingProxyType(
    {
        "wfdb": read_wfdb,
        "dicom": read_dicom,
        "atc": read_atc,
        "apple_health": read_apple_health,
        "polar": read_polar,
        "contec": read_contec,
        "healforce": read_healforce,
        "fhir": read_fhir,
        "json": read_json,
        "csv": read_csv,
        **dict.fromkeys(RECORDER_FORMATS.values(), read_recorder_file),
    }
)


def _is_object(head: bytes, word: bytes) -> bool:
    """Return whether a file begins as an object of JSON that has a word in it."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and word in head


_MARKS: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {
        "dicom": lambda head: head[128:132] == b"DICM",
        "atc": looks_like_atc,
        "contec": looks_like_contec,
        "healforce": looks_like_healforce,
        "fhir": lambda head: _is_object(head, b'"resourceType"') and (b'"Observation"' in head or b'"Bundle"' in head),
        "json": lambda head: _is_object(head, b'"ecglens-record"'),
        "polar": looks_like_polar,
        "apple_health": looks_like_apple_health,
    }
)
"""Whether a file that begins so has a format; the formats of recorders and CSV are looked for after these."""

_UNNAMED = "the file"
"""Name of bytes in errors."""

_ZIP_START = b"PK\x03\x04"
"""Beginning of a ZIP; a file that is stored in one without compression is in it as it is, with its marks."""

_HEAD_BYTES = 4096
"""Part of a file in which the marks of the formats are."""


def write_record(
    record: EcgRecord,
    stem: str | Path,
    form: str,
    *,
    recorded: datetime | None = None,
    statements: Sequence[Statement] = (),
) -> Path:
    """Write a record in a format.

    Args:
        record: Signals in mV.
        stem: Where to write, without an ending; its folder is made where it is missing. What a format's names must not
            hold becomes ``_``.
        form: A name in ``FORMATS``.
        recorded: When the recording began, for the formats that say so.
        statements: What criteria say about the record, for the formats that can say so.

    Returns:
        The file that was written; of WFDB, the header.

    Raises:
        DatasetError: There is no such format, or it cannot hold this record.
        MissingExtraError: What the format needs is not installed.
        ArgumentError: The record is none.
    """
    check_type(record, EcgRecord, "a record, such as one from ecglens.read_record")
    path = place_record(stem, form)
    chosen = FORMATS[form]
    options: dict[str, Any] = {"recorded": recorded} if chosen.dated else {}
    chosen.write(record, path, **options, **({"statements": statements} if chosen.stated else {}))
    return path


def write_in_formats(record: EcgRecord, stem: str | Path, forms: Sequence[str]) -> WrittenFiles:
    """Write a record in those of several formats that can hold it; where an error ends the work, in none of them.

    Args:
        record: As for :func:`write_record`.
        stem: As for :func:`write_record`; files that exist are replaced.
        forms: Names in ``FORMATS``.

    Returns:
        A file for each format that can hold the record, and why the others cannot.

    Raises:
        DatasetError: As for :func:`write_record`, where no format can hold the record.
        MissingExtraError: As for :func:`write_record`, likewise.
    """
    stem = Path(stem)
    make_folder(stem.parent)
    paths: list[Path] = []
    errors: dict[str, DatasetError | MissingExtraError] = {}
    with tempfile.TemporaryDirectory(prefix=".ecglens-", dir=stem.parent) as folder:
        for form in forms:
            try:
                paths.append(write_record(record, Path(folder) / form / stem.name, form))
            except (DatasetError, MissingExtraError) as error:
                errors[form] = error
        if not paths and len(errors) == 1:
            raise next(iter(errors.values()))
        if not paths:
            raise DatasetError(" ".join(dict.fromkeys(map(str, errors.values()))))
        for path in sorted(part for each in paths for part in each.parent.iterdir()):
            path.replace(stem.parent / path.name)
    refusals = {form: error.detail for form, error in errors.items()}
    return WrittenFiles(tuple(stem.parent / path.name for path in paths), MappingProxyType(refusals))


def place_record(stem: str | Path, form: str) -> Path:
    """Return the file to which :func:`write_record` writes.

    Raises:
        DatasetError: There is no such format.
        ArgumentError: The stem is no path.
    """
    if not isinstance(form, str) or form not in FORMATS:
        raise DatasetError(f"Expected one of the formats {', '.join(FORMATS)}, got {describe_value(form)}.")
    check_type(stem, (str, os.PathLike), "a path to write to, without an ending")
    stem = Path(stem)
    name = plain_name(stem.name) if FORMATS[form].plain else stem.name
    return stem.with_name(f"{name}{FORMATS[form].ending}")


def strip_ending(name: str) -> str:
    """Return the name of a file without its ending, of which some formats have one with two points.

    >>> strip_ending("a.b.fhir.json"), strip_ending("a.b.csv")
    ('a.b', 'a.b')
    """
    endings = [form.ending for form in FORMATS.values() if form.ending.count(".") > 1]
    ending = next((ending for ending in endings if name.lower().endswith(ending)), Path(name).suffix)
    return name[: len(name) - len(ending)]


def read_record(source: str | Path | bytes | BinaryIO) -> EcgRecord:
    """Read a digital ECG; its content tells which of ``RECORD_TITLES`` it is.

    Args:
        source: Path, bytes or binary file. A WFDB record, which has several files, is given by the path of its header,
            with or without ``.hea``, or as a ZIP of its files.

    Returns:
        Signals in mV. Ages, sexes and recorders are in the comments where they are stated, names and dates are not.

    Raises:
        DatasetError: The format is unknown, the file cannot be read, or it states no unit of voltage.
        MissingExtraError: What the format needs is not installed.
        ArgumentError: The source is none of these.
    """
    if isinstance(source, str | Path):
        path = _check_path(source)
        name = detect_format(path)
        if name is None and lacks_names(path):
            raise DatasetError(
                f"Expected names of the columns in the first line of {path.name}, such as time_s,I_mV,II_mV, got "
                "numbers; add a line of names."
            )
        if name is None and _begins_as_zip(path):
            raise DatasetError(
                f"Expected a digital ECG or a ZIP of one WFDB record at {path.name}, got a ZIP of other files; unpack "
                "it, or read the ECGs in it with ecglens batch."
            )
        if name is None:
            raise DatasetError(
                f"Expected a digital ECG at {path.name}, got a file of another kind; give one of "
                f"{', '.join(RECORD_TITLES.values())}."
            )
        return _read_as(name, _find_header(path) or path)
    content = _load_bytes(source)
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        path = Path(folder) / _UNNAMED
        path.write_bytes(content)
        return read_record(path)


def _check_path(source: str | Path) -> Path:
    """Return a path to a file.

    Raises:
        DatasetError: It is empty, or has a character that no path has.
    """
    if not str(source) or "\0" in str(source):
        raise DatasetError(f"Expected a path to a digital ECG, got {ascii(str(source))}; give the path of a file.")
    path = Path(source)
    if path.is_dir():
        raise DatasetError(f"Expected a file of signals at {path}, got a folder; give a file in it.")
    return path


def _load_bytes(source: object) -> bytes:
    """Return the content of bytes or of a binary file.

    Raises:
        DatasetError: The file cannot be read, or was opened as text.
        ArgumentError: The source is neither.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    read = getattr(source, "read", None)
    if read is None:
        raise ArgumentError(
            f"Expected a path, bytes or a binary file of a digital ECG, got {type(source).__name__}; give one of them."
        )
    try:
        content = read()
    except (OSError, ValueError) as error:
        raise DatasetError("Expected an open file of a digital ECG, got one that cannot be read; open it.") from error
    if not isinstance(content, bytes):
        raise DatasetError("Expected a file of bytes, got one of text; open it in binary mode.")
    return content


def _read_as(name: str, path: Path) -> EcgRecord:
    """Read a file whose format is known.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        with np.errstate(all="ignore"):  # hostile numbers become NaN, of which the record warns
            return _READERS[name](path)
    except RecordError as error:
        raise DatasetError(
            f"Expected a whole file of {RECORD_TITLES[name]} at {path.name}, but its parts do not make a record; "
            "export it again."
        ) from error
    except EcgLensError:
        raise
    # Hostile numbers in a file lead its reader to whatever error they can cause.
    except Exception as error:
        raise DatasetError(
            f"Expected a whole file of {RECORD_TITLES[name]} at {path.name}, but it cannot be read "
            f"({type(error).__name__}); export it again."
        ) from error


def detect_format(path: Path) -> str | None:
    """Return the format of a digital ECG, a name in ``RECORD_TITLES``; ``None`` for other files, such as pages.

    Raises:
        DatasetError: The file cannot be read.
    """
    if path.suffix.lower() == ".hea" or _find_header(path) is not None:
        return "wfdb"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise MissingDataError(f"Expected a file of signals at {path}, got nothing there; check the path.") from error
    except OSError as error:
        raise DatasetError(f"Expected a file at {path.name}, but it cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of the character NUL
        raise DatasetError(f"Expected a path to a digital ECG, got {ascii(str(path))}; correct it.") from error
    if head.startswith(_ZIP_START):
        return "wfdb" if holds_record(path, head) else None
    marked = next((name for name, matches in _MARKS.items() if matches(head)), None)
    if marked is not None:
        return marked
    recorder = detect_recorder_format(path, head) if is_installed("ecgdatakit") else guess_recorder_format(head)
    if recorder is not None:
        return recorder
    return "csv" if _is_text(head) and looks_like_record(path) else None


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_ZIP_START)) == _ZIP_START


def _find_header(path: Path) -> Path | None:
    """Return the header of a WFDB record that is named without its ending or by its signals; ``None`` for others."""
    names = [path.with_name(f"{path.name}.hea"), *([path.with_suffix(".hea")] if path.suffix == ".dat" else [])]
    return next((name for name in names if name.is_file()), None)


def _is_text(head: bytes) -> bool:
    """Return whether a file that begins so is text of several lines."""
    try:
        return "\n" in decode_text(head, is_whole=False)
    except ValueError:
        return False

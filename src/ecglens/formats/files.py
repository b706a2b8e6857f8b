"""Every format by its name, and a record in or out of any of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ecglens.errors import DatasetError
from ecglens.formats.csv import read_csv, write_csv
from ecglens.formats.dicom import read_dicom, write_dicom
from ecglens.formats.fhir import read_fhir, write_fhir
from ecglens.formats.json import read_json, write_json
from ecglens.formats.wfdb import read_wfdb, write_wfdb
from ecglens.records import EcgRecord
from ecglens.statements import Statement

__all__ = ["FORMATS", "RecordFormat", "plain_name", "read_record", "write_record"]


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """A format of records.

    Attributes:
        ending: Of the file, or of the one of several that names them.
        write: Writes a record to a path with the ending, for some formats with the time of recording.
        read: Reads one.
        dated: Whether ``write`` takes ``recorded``.
        stated: Whether ``write`` takes ``statements``.
        plain: Whether its names are of ASCII letters, digits, ``-`` and ``_`` only.
    """

    ending: str
    write: Callable[..., None]
    read: Callable[[Path], EcgRecord]
    dated: bool = False
    stated: bool = False
    plain: bool = False


FORMATS = MappingProxyType(
    {
        "wfdb": RecordFormat(".hea", write_wfdb, read_wfdb, plain=True),
        "csv": RecordFormat(".csv", write_csv, read_csv),
        "json": RecordFormat(".json", write_json, read_json),
        "dicom": RecordFormat(".dcm", write_dicom, read_dicom, dated=True),
        "fhir": RecordFormat(".fhir.json", write_fhir, read_fhir, dated=True, stated=True),
    }
)


def plain_name(name: str) -> str:
    """Replace characters other than letters, digits, ``-`` and ``_``, for formats that allow only those.

    >>> plain_name("a b")
    'a_b'
    """
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII)


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
    """
    if form not in FORMATS:
        raise DatasetError(f"Expected one of the formats {', '.join(FORMATS)}, got '{form}'.")
    chosen = FORMATS[form]
    stem = Path(stem)
    name = plain_name(stem.name) if chosen.plain else stem.name
    path = stem.with_name(f"{name}{chosen.ending}")
    options: dict[str, Any] = {"recorded": recorded} if chosen.dated else {}
    chosen.write(record, path, **options, **({"statements": statements} if chosen.stated else {}))
    return path


def read_record(path: str | Path) -> EcgRecord:
    """Read a record by the ending of its file.

    Args:
        path: Ends as one of ``FORMATS`` does.

    Raises:
        DatasetError: The ending is unknown, or the file cannot be read.
        MissingExtraError: What the format needs is not installed.
    """
    path = Path(path)
    for form in sorted(FORMATS.values(), key=lambda form: -len(form.ending)):
        if path.name.lower().endswith(form.ending):
            return form.read(path)
    endings = ", ".join(form.ending for form in FORMATS.values())
    raise DatasetError(f"Expected a file that ends in one of {endings}, got {path.name}.")

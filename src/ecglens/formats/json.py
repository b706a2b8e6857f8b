"""Records as JSON, with everything that an ``EcgRecord`` knows; ``SCHEMA`` describes the file."""

from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.documents import VERSIONS, check_version, dump_document, parse_json
from ecglens.errors import DatasetError
from ecglens.formats.checks import check_rate, check_record, check_signals
from ecglens.formats.folders import make_folder
from ecglens.records import EcgRecord

__all__ = ["SCHEMA", "parse_record", "read_json", "write_json"]

_NAME = "ecglens-record"
_NUMBERS = {"type": "array", "items": {"type": ["number", "null"]}}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_GRADES = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}

SCHEMA = MappingProxyType(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of an electrocardiogram",
        "type": "object",
        "required": ["format", "fs_hz", "leads", "start_s", "quality", "unit", "signals", "comments", "warnings"],
        "properties": {
            "format": {"const": _NAME},
            "format_version": {"const": VERSIONS[_NAME]},
            "fs_hz": {"type": "number", "exclusiveMinimum": 0},
            "leads": _TEXTS,
            "start_s": {"type": "array", "items": {"type": "number", "minimum": 0}},
            "quality": _GRADES,
            "unit": {"const": "mV"},
            "signals": {"type": "object", "additionalProperties": _NUMBERS},
            "confidence": {"type": "object", "additionalProperties": _GRADES},
            "comments": _TEXTS,
            "warnings": _TEXTS,
        },
        "additionalProperties": False,
    }
)
"""JSON Schema; ``null`` is a missing sample, and each lead begins at its own ``start_s``."""


def read_json(path: str | Path) -> EcgRecord:
    """Read a record that :func:`write_json` wrote.

    Raises:
        DatasetError: The file cannot be read, is something else or has a newer version.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"Expected a record as JSON at {path.name}, but it cannot be read.") from error
    return parse_record(content, path.name)


def parse_record(content: bytes, name: str = "the file") -> EcgRecord:
    """Return the record that a file of :func:`write_json` has.

    Args:
        content: Content of the file.
        name: Name of the file, for messages.

    Raises:
        DatasetError: The content is something else, is damaged or has a newer version.
    """
    try:
        document = parse_json(content, allow_surrogates=False)
    except ValueError as error:
        raise DatasetError(f"Expected a record as JSON at {name}, but it cannot be read.") from error
    if not isinstance(document, dict) or document.get("format") != _NAME:
        raise DatasetError(f"Expected a record with the format '{_NAME}' in {name}, got something else.")
    check_version(document, _NAME, name)
    try:
        leads = tuple(document["leads"])
        if len(set(leads)) != len(leads):
            raise ValueError("leads must differ from each other")
        signals, fs_hz = _rows(document["signals"], leads), float(document["fs_hz"])
        check_rate(fs_hz, name)
        check_signals(signals, name)
        record = EcgRecord(
            signals,
            fs_hz,
            leads,
            start_s=tuple(document["start_s"]),
            quality=tuple(document["quality"]),
            comments=tuple(document["comments"]),
            confidence=_rows(document["confidence"], leads) if "confidence" in document else None,
            warnings=tuple(document["warnings"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"Expected a whole record in {name}, but a part is missing or damaged.") from error
    return check_record(record, name)


def write_json(record: EcgRecord, path: str | Path) -> None:
    """Write a record, samples to a tenth of a microvolt.

    Args:
        record: Signals in mV.
        path: Where to write; its folder is made where it is missing.
    """
    path = Path(path)
    content = record.to_dict()
    if record.confidence is not None:
        rows = zip(content["leads"], record.confidence, strict=True)
        content["confidence"] = {lead: [round(float(value), 3) for value in row] for lead, row in rows}
    make_folder(path.parent)
    path.write_text(dump_document(_NAME, content) + "\n", encoding="utf-8")


def _rows(by_lead: dict[str, list[float | None]], leads: tuple[str, ...]) -> NDArray[np.float32]:
    return np.array([by_lead[lead] for lead in leads], dtype=np.float32)

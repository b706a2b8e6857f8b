"""Readings as files: tables, JSON, PDF reports, signals."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from ecglens.errors import EcgLensError
from ecglens.formats.files import FORMATS, write_record
from ecglens.formats.json import parse_record
from ecglens.labels import format_probability
from ecglens.tables import write_rows
from ecglens.web.readings.facts import find_statements
from ecglens.web.readings.models import Reading
from ecglens.web.readings.pdf_report import describe_stored, render_pdf

__all__ = ["EXPORTERS", "describe_failure", "export_signals", "pack_signals", "to_dict"]

_FIGURES = ("rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "axis_deg")
_COLUMNS = (
    "id",
    "file",
    "page",
    "uploaded",
    "state",
    "outcome",
    "label",
    "probability",
    "probability_percent",
    "label_by_user",
    "note",
    "model",
    *_FIGURES,
    "warnings",
)
_MAX_PROBABILITY = 0.9999
"""Four decimals would round a higher one to 1, which no model may claim."""


def to_dict(reading: Reading) -> dict[str, Any]:
    """Return everything that is stored about a reading, in plain types, as the API returns it."""
    return {
        "id": str(reading.pk),
        "name": reading.name,
        "page": reading.page_number,
        "created_at": reading.created_at,
        "state": reading.state,
        "batch": None if reading.batch_id is None else str(reading.batch_id),
        "outcome": reading.outcome or None,
        "label": reading.label or None,
        "probability": reading.probability,
        "corrected": reading.corrected or None,
        "note": reading.note,
        "failure": describe_failure(reading),
        "redacted": reading.redacted,
        "predictions": [answer.prediction for answer in reading.answers.all()],
        "facts": reading.facts,
        "explanations": reading.explanations,
    }


def describe_failure(reading: Reading) -> dict[str, str] | None:
    """Return the stage that failed and the reason, in plain types; ``None`` if nothing failed."""
    return {"stage": reading.stage, "detail": reading.failure_reason} if reading.failure_reason else None


def export_signals(reading: Reading, form: str) -> tuple[bytes, str, str] | None:
    """Write the signals of a reading in a format; formats of several files become a ZIP.

    Returns:
        Content, file name and media type; ``None`` if there are no signals or the format cannot hold them.
    """
    if not reading.signals:
        return None
    with reading.signals.open("rb") as stream:
        return pack_signals(stream.read(), reading.name, form, reading.facts or {})


def pack_signals(signals: bytes, name: str, form: str, facts: Mapping[str, Any]) -> tuple[bytes, str, str] | None:
    """Write signals in a format; formats of several files become a ZIP.

    Args:
        signals: The record, as ``ecglens.formats.json`` writes it.
        name: Name of the file that they are from.
        form: Name of the format.
        facts: Facts about the page.

    Returns:
        Content, file name and media type; ``None`` if the format cannot hold the signals.
    """
    if form not in FORMATS:
        return None
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        target = Path(folder) / "export"
        stem = _ascii_name(Path(name).stem[:60] or "page")
        try:
            statements = find_statements(facts)
            written = write_record(parse_record(signals), target / stem, form, statements=statements)
        except EcgLensError:
            return None
        files = sorted(target.iterdir())
        if len(files) == 1:
            return written.read_bytes(), written.name, _media_type(written.name)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return packed.getvalue(), f"{stem}.zip", "application/zip"


def _export_csv(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    text = io.StringIO(newline="")
    write_rows(text, [_COLUMNS, *map(_list_cells, readings)], line_end="\r\n")
    return text.getvalue().encode("utf-8-sig"), "ecglens.csv", "text/csv; charset=utf-8"


def _list_cells(reading: Reading) -> list[object]:
    facts = reading.facts or {}
    measurements = facts.get("measurements") or {}
    answer = next(iter(reading.answers.all()), None)
    return [
        reading.pk,
        reading.name,
        reading.page_number,
        reading.created_at.isoformat(),
        reading.state,
        reading.outcome,
        reading.label,
        "" if reading.probability is None else f"{min(reading.probability, _MAX_PROBABILITY):.4f}",
        format_probability(reading.probability),
        reading.corrected,
        reading.note,
        "" if answer is None else f"{answer.model} {answer.version}",
        *(measurements[name]["value"] if measurements.get(name) else "" for name in _FIGURES),
        " ".join(facts.get("warnings", [])),
    ]


def _export_json(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    content = json.dumps([to_dict(reading) for reading in readings], indent=1, cls=DjangoJSONEncoder)
    return content.encode(), "ecglens.json", "application/json"


def _export_pdf(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    return render_pdf(map(describe_stored, readings)), "ecglens.pdf", "application/pdf"


EXPORTERS: Mapping[str, Callable[[Sequence[Reading]], tuple[bytes, str, str]]] = MappingProxyType(
    {"csv": _export_csv, "json": _export_json, "pdf": _export_pdf}
)
"""Functions that export readings, by format; they return content, file name and media type."""


def _ascii_name(stem: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in stem)


def _media_type(name: str) -> str:
    types = {
        ".csv": "text/csv; charset=utf-8",
        ".json": "application/json",
        ".dcm": "application/dicom",
        ".xml": "application/xml",
    }
    return types.get(Path(name).suffix, "application/octet-stream")

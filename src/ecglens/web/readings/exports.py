"""Readings as files: tables, JSON, sheets to print, signals."""

import csv
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
from ecglens.formats.json import read_json
from ecglens.web.readings.models import Reading
from ecglens.web.readings.sheets import sheets

__all__ = ["TABLES", "plain", "signals"]

_FIGURES = ("rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "axis_deg")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def plain(reading: Reading) -> dict[str, Any]:
    """Everything that is known of a reading, in plain types; as the API tells it."""
    return {
        "id": str(reading.pk),
        "name": reading.name,
        "page": reading.page_number,
        "created_at": reading.created_at,
        "state": reading.state,
        "batch": None if reading.batch_id is None else str(reading.batch_id),
        "label": reading.label or None,
        "probability": reading.probability,
        "corrected": reading.corrected or None,
        "note": reading.note,
        "trouble": {"stage": reading.stage, "detail": reading.trouble} if reading.trouble else None,
        "redacted": reading.redacted,
        "predictions": [answer.prediction for answer in reading.answers.all()],
        "facts": reading.facts,
        "explanations": reading.explanations,
    }


def signals(reading: Reading, form: str) -> tuple[bytes, str, str] | None:
    """The signals of a reading in a format: content, file name, media type; ``None`` where there are none.

    Formats of several files come as a ZIP.
    """
    if form not in FORMATS or not reading.signals:
        return None
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        source = Path(folder) / "kept.json"
        with reading.signals.open("rb") as opened:
            source.write_bytes(opened.read())
        made = Path(folder) / "made"
        stem = Path(reading.name).stem[:60] or "page"
        try:
            written = write_record(read_json(source), made / _safe(stem), form)
        except EcgLensError:
            return None
        files = sorted(made.iterdir())
        if len(files) == 1:
            return written.read_bytes(), written.name, _media_type(written.name)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return packed.getvalue(), f"{_safe(stem)}.zip", "application/zip"


def _csv(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(
        [
            "id",
            "file",
            "page",
            "uploaded",
            "state",
            "label",
            "probability",
            "label_by_user",
            "note",
            "model",
            *_FIGURES,
            "warnings",
        ]
    )
    for reading in readings:
        found = (reading.facts or {}).get("measurements") or {}
        answer = next(iter(reading.answers.all()), None)
        rows.writerow(
            [
                reading.pk,
                _cell(reading.name),
                reading.page_number,
                reading.created_at.isoformat(),
                reading.state,
                reading.label,
                "" if reading.probability is None else f"{reading.probability:.4f}",
                _cell(reading.corrected),
                _cell(reading.note),
                "" if answer is None else f"{answer.model} {answer.version}",
                *(found[name]["value"] if found.get(name) else "" for name in _FIGURES),
                _cell(" ".join((reading.facts or {}).get("warnings", []))),
            ]
        )
    return text.getvalue().encode("utf-8-sig"), "ecglens.csv", "text/csv; charset=utf-8"


def _json(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    told = json.dumps([plain(reading) for reading in readings], indent=1, cls=DjangoJSONEncoder)
    return told.encode(), "ecglens.json", "application/json"


def _pdf(readings: Sequence[Reading]) -> tuple[bytes, str, str]:
    return sheets(readings), "ecglens.pdf", "application/pdf"


TABLES: Mapping[str, Callable[[Sequence[Reading]], tuple[bytes, str, str]]] = MappingProxyType(
    {"csv": _csv, "json": _json, "pdf": _pdf}
)
"""What a selection can be exported to: content, file name and media type."""


def _cell(text: str) -> str:
    """Text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _safe(stem: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in stem)


def _media_type(name: str) -> str:
    kinds = {".csv": "text/csv; charset=utf-8", ".json": "application/json", ".dcm": "application/dicom"}
    return kinds.get(Path(name).suffix, "application/octet-stream")

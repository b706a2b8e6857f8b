"""Results as HTML, which notebooks show in the place of a long ``repr``."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.criteria.presentation import list_statements
from ecglens.labels import TITLES, format_probability
from ecglens.measuring.presentation import list_figures, list_missing
from ecglens.notebooks.svg import draw_record
from ecglens.records import (
    EcgRecord,
    Explanation,
    Layout,
    Measurements,
    Prediction,
    Reading,
    RecordReading,
    Tracing,
    distinct_names,
)
from ecglens.statements import Statement
from ecglens.tracing.overlay import draw_overlay

__all__ = [
    "show_explanation",
    "show_measurements",
    "show_prediction",
    "show_reading",
    "show_record",
    "show_record_reading",
    "show_tracing",
]

_PICTURE_PX = 720
"""Longest side of the picture of a page."""
_JPEG_QUALITY = 80
_BOX_COLOR = (0, 90, 200)
_DISCLAIMER = "<small>For research and teaching; not a diagnosis.</small>"


def show_record(record: EcgRecord) -> str:
    """Return a record as HTML: its leads on ECG paper, their length, range and quality, its comments and warnings."""
    notes = _lines((*record.comments, *record.warnings))
    return f"<div>{escape(repr(record))}{draw_record(record)}{_list_leads(record)}{notes}</div>"


def show_measurements(measurements: Measurements) -> str:
    """Return measurements as HTML, with their errors, reference ranges and warnings."""
    return f"<div>{_measurements(measurements)}{_lines(measurements.warnings)}</div>"


def show_prediction(prediction: Prediction) -> str:
    """Return a prediction as HTML: the label or the reason why there is none, probabilities and warnings."""
    return f"<div>{_predict(prediction)}{_lines(prediction.warnings)}{_DISCLAIMER}</div>"


def show_tracing(tracing: Tracing) -> str:
    """Return a tracing as HTML: the page under its traces, the leads and the warnings."""
    leads = "" if tracing.record is None else _list_leads(tracing.record)
    picture = _picture(draw_overlay(tracing), "The page and its traces")
    return f"<div>{escape(repr(tracing))}{picture}{leads}{_lines(tracing.warnings)}</div>"


def show_reading(reading: Reading) -> str:
    """Return a reading as HTML: the page with its leads, the answer, the measurements, statements and warnings."""
    parts = [f"<b>{escape(reading.page.source)}</b>: {_predict(reading.prediction)}"]
    parts.append(_picture(_draw(reading), "The page and its leads"))
    if reading.measurements is not None:
        parts.append(_measurements(reading.measurements))
    parts += [_state(reading.statements), _lines(reading.warnings), _DISCLAIMER]
    return f"<div>{''.join(parts)}</div>"


def show_record_reading(reading: RecordReading) -> str:
    """Return a digital ECG as HTML: its leads on ECG paper, the answer, the measurements, statements and warnings."""
    parts = ["" if reading.prediction is None else _predict(reading.prediction), draw_record(reading.record)]
    parts += [_measurements(reading.measurements), _state(reading.statements)]
    return f"<div>{''.join(parts)}{_lines((*reading.record.comments, *reading.warnings))}{_DISCLAIMER}</div>"


def show_explanation(explanation: Explanation) -> str:
    """Return an explanation as HTML: the share of each lead, the checks and the warnings."""
    title = f"{TITLES.get(explanation.label, explanation.label)}, {format_probability(explanation.probability)}"
    shares = sorted(explanation.shares.items(), key=lambda item: -abs(item[1]))
    table = _table(("lead", "share"), [(lead, f"{share:+.1%}") for lead, share in shares])
    checks = _lines(f"{check.name.replace('_', ' ')}: {check.text}" for check in explanation.checks)
    return f"<div><b>{escape(title)}</b>: {escape(explanation.done)}{table}{checks}{_lines(explanation.warnings)}</div>"


def _predict(prediction: Prediction) -> str:
    """Return the label and the probabilities as HTML."""
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])
    rows = [(TITLES.get(label, label), format_probability(value)) for label, value in ranked]
    return _describe(prediction) + (_table(("label", "probability"), rows) if rows else "")


def _state(statements: Sequence[Statement]) -> str:
    """Return the statements that are met or nearly met, with what was measured, as HTML."""
    visible = list_statements(statements)
    rows = [(statement.title, statement.outcome, "; ".join(statement.figures)) for statement in visible]
    return _table(("criterion", "", "measured, limit"), rows) if rows else ""


def _list_leads(record: EcgRecord) -> str:
    """Return the length, range and quality of each lead as HTML."""
    rows = []
    for number, (name, signal) in enumerate(zip(distinct_names(record.leads), record.signals_mv, strict=True)):
        valid = signal[~np.isnan(signal)]
        span = f"{valid.min():.2f} to {valid.max():.2f}" if valid.size else "-"
        start = record.start_s[number] if record.start_s else 0.0
        quality = f"{record.quality[number]:.2f}" if record.quality else ""
        rows.append((name, f"{start:.2f}", f"{valid.size / record.fs_hz:.2f}", span, quality))
    return _table(("lead", "from, s", "samples, s", "mV", "quality"), rows)


def _measurements(measurements: Measurements) -> str:
    rows = [
        (figure.title, figure.value, figure.error, figure.unit, figure.reference, figure.position or "")
        for figure in list_figures(measurements)
    ]
    missing = list_missing(measurements)
    notes = [f"Not measured: {', '.join(missing)}"] if missing else []
    return _table(("measurement", "value", "error", "unit", "reference", ""), rows) + _lines(notes)


def _describe(prediction: Prediction) -> str:
    if prediction.label is not None:
        return f"<b>{escape(TITLES.get(prediction.label, prediction.label))}</b>"
    reason = prediction.abstention.reason if prediction.abstention else "no reason was given."
    return f"no label: {escape(reason)}"


def _draw(reading: Reading) -> NDArray[np.uint8]:
    """Draw the traces over the page, where it was digitized, else the boxes of its leads."""
    if reading.tracing is not None:
        return draw_overlay(reading.tracing)
    picture = reading.page.pixels.copy()
    if isinstance(reading.layout, Layout) and not reading.layout.rotation_deg:
        for lead in reading.layout.leads:
            corners = [(round(lead.box.left), round(lead.box.top)), (round(lead.box.right), round(lead.box.bottom))]
            cv2.rectangle(picture, corners[0], corners[1], _BOX_COLOR, 2)
    return picture


def _picture(pixels: NDArray[np.uint8], words: str) -> str:
    scale = min(1.0, _PICTURE_PX / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    text = base64.b64encode(content.tobytes()).decode()
    return f'<p><img alt="{words}" src="data:image/jpeg;base64,{text}"></p>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"<div>{escape(text)}</div>" for text in texts)

"""Results as HTML, which notebooks show in the place of a long ``repr``."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.labels import TITLES, format_probability
from ecglens.measuring.presentation import list_figures, list_missing
from ecglens.records import EcgRecord, Layout, Measurements, Prediction, Reading, distinct_names
from ecglens.tracing.overlay import draw_overlay

__all__ = ["show_measurements", "show_reading", "show_record"]

_PICTURE_PX = 720
"""Longest side of the picture of a page."""
_JPEG_QUALITY = 80
_BOX_COLOR = (0, 90, 200)


def show_record(record: EcgRecord) -> str:
    """Return a record as HTML: its leads with their length, range and quality, and its comments and warnings."""
    rows = []
    names = distinct_names(record.leads)
    for number, (name, signal) in enumerate(zip(names, record.signals_mv, strict=True)):
        valid = signal[~np.isnan(signal)]
        span = f"{valid.min():.2f} to {valid.max():.2f}" if valid.size else "-"
        start = record.start_s[number] if record.start_s else 0.0
        quality = f"{record.quality[number]:.2f}" if record.quality else ""
        rows.append((name, f"{start:.2f}", f"{valid.size / record.fs_hz:.2f}", span, quality))
    table = _table(("lead", "from, s", "samples, s", "mV", "quality"), rows)
    return f"<div>{escape(repr(record))}{table}{_lines((*record.comments, *record.warnings))}</div>"


def show_measurements(measurements: Measurements) -> str:
    """Return measurements as HTML, with their errors, reference ranges and warnings."""
    return f"<div>{_measurements(measurements)}{_lines(measurements.warnings)}</div>"


def show_reading(reading: Reading) -> str:
    """Return a reading as HTML: the page with its leads, the prediction, the measurements and the warnings."""
    parts = [f"<b>{escape(reading.page.source)}</b>: {_describe(reading.prediction)}"]
    ranked = sorted((reading.prediction.probabilities or {}).items(), key=lambda item: -item[1])
    if ranked:
        rows = [(TITLES.get(label, label), format_probability(value)) for label, value in ranked]
        parts.append(_table(("label", "probability"), rows))
    parts.append(_picture(_draw(reading)))
    if reading.measurements is not None:
        parts.append(_measurements(reading.measurements))
    parts.append(_lines(reading.warnings))
    return f"<div>{''.join(parts)}<small>For research and teaching; not a diagnosis.</small></div>"


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


def _picture(pixels: NDArray[np.uint8]) -> str:
    scale = min(1.0, _PICTURE_PX / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    text = base64.b64encode(content.tobytes()).decode()
    return f'<p><img alt="The page and its leads" src="data:image/jpeg;base64,{text}"></p>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"<div>{escape(text)}</div>" for text in texts)

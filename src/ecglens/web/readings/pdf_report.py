"""Readings as a PDF to print."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Image, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from ecglens.criteria.presentation import list_statements
from ecglens.labels import format_probability
from ecglens.measuring.presentation import list_figures
from ecglens.web.readings.facts import find_statements, read_measurements
from ecglens.web.readings.models import Reading
from ecglens.web.readings.titles import describe_result, translate_label

__all__ = ["render_pdf"]

_MARGIN = 16 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_PICTURE_HEIGHT = 115 * mm
_INK, _SOFT, _ACCENT = colors.HexColor("#17252b"), colors.HexColor("#54666e"), colors.HexColor("#0b6b74")
_BASE = getSampleStyleSheet()["Normal"]
_TEXT = ParagraphStyle("text", _BASE, fontName="Helvetica", fontSize=9, leading=12, textColor=_INK)
_HEAD = ParagraphStyle("head", _TEXT, fontName="Helvetica-Bold", fontSize=16, leading=20)
_SMALL = ParagraphStyle("small", _TEXT, fontSize=8, leading=10, textColor=_SOFT)
_TITLE = ParagraphStyle("title", _TEXT, fontName="Helvetica-Bold", textColor=_ACCENT, spaceBefore=8, spaceAfter=3)


def render_pdf(readings: Sequence[Reading]) -> bytes:
    """Return a PDF in which each reading begins on a page of its own."""
    content: list[Any] = []
    for number, reading in enumerate(readings):
        content += [*([PageBreak()] if number else []), *_lay_out(reading)]
    file = io.BytesIO()
    SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title="ecglens",
        author="ecglens",
    ).build(content, onFirstPage=_draw_footer, onLaterPages=_draw_footer)
    return file.getvalue()


def _lay_out(reading: Reading) -> list[Any]:
    uploaded = timezone.localtime(reading.created_at).strftime("%Y-%m-%d %H:%M %Z")
    page = _("page %(number)s") % {"number": reading.page_number}
    heading = describe_result(reading)
    parts: list[Any] = [
        _line(f"{reading.name} · {page} · {uploaded}", _SMALL),
        _line(_("Failed") if reading.state == Reading.State.FAILED else heading, _HEAD),
    ]
    if reading.corrected:
        parts.append(_line(_("Label by the owner: %(label)s") % {"label": translate_label(reading.corrected)}))
    if reading.failure_reason:
        parts.append(_line(reading.failure_reason))
    parts += [
        _line(answer.prediction["abstention"]["reason"])
        for answer in reading.answers.all()[:1]
        if answer.prediction["abstention"]
    ]
    parts += [Spacer(1, 3 * mm), *_page_image(reading), *_probability_tables(reading), *_measurement_table(reading)]
    parts += _statement_table(reading)
    warnings = (reading.facts or {}).get("warnings", [])
    if warnings:
        parts += [_line(_("Note"), _TITLE), *(_line(f"• {warning}") for warning in warnings)]
    if reading.note:
        parts += [_line(_("Your note"), _TITLE), _line(reading.note)]
    return parts


def _page_image(reading: Reading) -> list[Any]:
    if not reading.page:
        return []
    try:
        with reading.page.open("rb") as stream:
            content = stream.read()
    except FileNotFoundError:
        return []
    size = reading.facts["page"]
    scale = min(_WIDTH / size["width_px"], _PICTURE_HEIGHT / size["height_px"])
    return [Image(io.BytesIO(content), size["width_px"] * scale, size["height_px"] * scale)]


def _probability_tables(reading: Reading) -> list[Any]:
    parts: list[Any] = []
    for answer in reading.answers.all():
        probabilities = answer.prediction["probabilities"] or {}
        if not probabilities:
            continue
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])
        rows = [[_line(translate_label(label)), _line(format_probability(value))] for label, value in ranked]
        parts += [
            _line(_("Calibrated probabilities, %(model)s") % {"model": f"{answer.model} {answer.version}"}, _TITLE),
            _table(rows, [0.75 * _WIDTH, 0.25 * _WIDTH]),
        ]
    return parts


def _measurement_table(reading: Reading) -> list[Any]:
    measurements = read_measurements(reading.facts or {})
    figures = () if measurements is None else list_figures(measurements, translate=_)
    if not figures:
        return []
    rows = [
        [
            _line(figure.title),
            _line(f"{figure.value} {figure.error} {figure.unit}"),
            _line(figure.reference or "–"),
            _line(_(figure.position) if figure.position else "–"),
        ]
        for figure in figures
    ]
    head = [_line(each) for each in (_("Measurement"), _("Value"), _("Reference"), _("Position"))]
    return [
        _line(_("Measurements"), _TITLE),
        _table([head, *rows], [0.4 * _WIDTH, 0.25 * _WIDTH, 0.2 * _WIDTH, 0.15 * _WIDTH]),
    ]


def _statement_table(reading: Reading) -> list[Any]:
    statements = list_statements(find_statements(reading.facts or {}), translate=_)
    if not statements:
        return []
    rows = [
        [_line(each.title), _line(each.outcome), _line("; ".join(each.figures)), _line(each.source, _SMALL)]
        for each in statements
    ]
    head = [_line(each) for each in (_("Criterion"), _("Outcome"), _("Measured and limit"), _("Source"))]
    return [
        _line(_("Published criteria"), _TITLE),
        _table([head, *rows], [0.25 * _WIDTH, 0.12 * _WIDTH, 0.35 * _WIDTH, 0.28 * _WIDTH]),
    ]


def _table(rows: list[list[Any]], widths: list[float]) -> Table:
    style = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, colors.HexColor("#d5dee2")),
            ("TOPPADDING", (0, 0), (-1, -1), 1.2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.2),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    return Table(rows, colWidths=widths, style=style)


def _line(text: str, style: ParagraphStyle = _TEXT) -> Paragraph:
    """Return a paragraph whose text is never read as markup; Helvetica has no minus sign."""
    return Paragraph(escape(text).replace("−", "-"), style)


def _draw_footer(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont("Helvetica", 7.5)
    canvas.setFillColor(_SOFT)
    canvas.drawString(
        _MARGIN, 9 * mm, _("For research and teaching; not a diagnosis and not a medical device.") + " ecglens"
    )
    canvas.drawRightString(A4[0] - _MARGIN, 9 * mm, str(document.page))
    canvas.restoreState()

"""Readings as a PDF to print."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    Image,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from ecglens import __version__
from ecglens.corrections import Corrections
from ecglens.criteria.presentation import list_statements
from ecglens.criteria.table import load_criteria
from ecglens.errors import EcgLensError
from ecglens.formats.json import parse_record
from ecglens.labels import format_probability
from ecglens.measurements import Measurements
from ecglens.measuring.presentation import Figure, list_figures, list_missing, list_st_leads, show_figure
from ecglens.web.readings.facts import find_statements, read_measurements
from ecglens.web.readings.models import Reading
from ecglens.web.readings.notes import rank_notes
from ecglens.web.readings.numbers import localize
from ecglens.web.readings.pdf_trace import TraceDrawing
from ecglens.web.readings.presentation import STRIP_FIGURES
from ecglens.web.readings.stored import load_signals
from ecglens.web.readings.titles import describe_result, translate_label

__all__ = ["Sheet", "describe_stored", "render_pdf"]

_MARGIN = 16 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_PICTURE_HEIGHT = 115 * mm
_INK, _SOFT, _ACCENT = colors.HexColor("#17252b"), colors.HexColor("#54666e"), colors.HexColor("#0b6b74")
_BASE = getSampleStyleSheet()["Normal"]
_TEXT = ParagraphStyle("text", _BASE, fontName="Helvetica", fontSize=9, leading=12, textColor=_INK)
_HEAD = ParagraphStyle("head", _TEXT, fontName="Helvetica-Bold", fontSize=16, leading=20)
_SMALL = ParagraphStyle("small", _TEXT, fontSize=8, leading=10, textColor=_SOFT)
_BOLD_SMALL = ParagraphStyle("bold-small", _SMALL, fontName="Helvetica-Bold", textColor=_INK)
_TEXT_PAGE, _TRACE_PAGE = "text", "traces"
_TRACE_HEIGHT_MM = 132.0
"""Height of the paper of the redrawn leads: four rows of 33 mm."""
_TITLE = ParagraphStyle("title", _TEXT, fontName="Helvetica-Bold", textColor=_ACCENT, spaceBefore=8, spaceAfter=3)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Content of the PDF for one reading.

    Attributes:
        name: Name of the file.
        page_number: Number of the page in it.
        at: When it was uploaded.
        heading: The result, in words.
        predictions: ``Prediction.to_dict`` of each model.
        facts: Facts about the page.
        page: The page as a file, or ``None``.
        corrected: Label of the owner, or empty.
        failure_reason: Why it failed, or empty.
        note: Note of the owner, or empty.
        signals: Signals as ``ecglens.formats.json`` writes them, or ``None``.
        recorded_on: Day of the recording, or ``None``.
        review: What reviewers say, a line for each.
        sha256: Hash of the file, or empty.
        corrections: What was corrected by hand, in words.
    """

    name: str
    page_number: int
    at: datetime
    heading: str
    predictions: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
    page: bytes | None
    corrected: str = ""
    failure_reason: str = ""
    note: str = ""
    signals: bytes | None = None
    recorded_on: date | None = None
    review: Sequence[str] = ()
    sha256: str = ""
    corrections: Sequence[str] = ()


def describe_stored(reading: Reading) -> Sheet:
    """Return what the PDF shows of a stored reading."""
    return Sheet(
        name=reading.name,
        page_number=reading.page_number,
        at=reading.created_at,
        heading=_("Failed") if reading.state == Reading.State.FAILED else describe_result(reading),
        predictions=[answer.prediction for answer in reading.answers.all()],
        facts=reading.facts or {},
        page=_load_page(reading),
        corrected=reading.corrected,
        failure_reason=reading.failure_reason,
        note=reading.note,
        signals=load_signals(reading),
        recorded_on=getattr(getattr(reading, "membership", None), "recorded_on", None),
        review=_list_reviews(reading),
        sha256=reading.sha256,
        corrections=Corrections.from_dict(reading.corrections[-1]["content"]).describe() if reading.corrections else (),
    )


def _list_reviews(reading: Reading) -> list[str]:
    """Return the reviews of a reading, whose table is of an app above this one."""
    criteria = load_criteria().criteria
    lines = []
    for review in reading.reviews.all():  # of the app of cases
        titles = [_(criteria[name].title) for name in review.statements if name in criteria]
        parts = [translate_label(review.label), *titles, review.text]
        lines.append("; ".join(part for part in parts if part))
    return [line for line in lines if line]


def render_pdf(sheets: Iterable[Sheet]) -> bytes:
    """Return a PDF in which each reading begins on a page of its own."""
    content: list[Any] = []
    first_template = _TEXT_PAGE
    for number, sheet in enumerate(sheets):
        traces = _lay_out_traces(sheet)
        template = _TRACE_PAGE if traces else _TEXT_PAGE
        if number:
            content += [NextPageTemplate(template), PageBreak()]
        else:
            first_template = template
        content += [*traces, *([NextPageTemplate(_TEXT_PAGE), PageBreak()] if traces else []), *_lay_out(sheet)]
    file = io.BytesIO()
    document = BaseDocTemplate(file, title="ecglens", author="ecglens")
    templates = {
        name: PageTemplate(name, [_make_frame(*size)], onPage=_draw_footer, pagesize=size)
        for name, size in ((_TEXT_PAGE, A4), (_TRACE_PAGE, landscape(A4)))
    }
    document.addPageTemplates(sorted(templates.values(), key=lambda each: each.id != first_template))
    document.build(content)
    return file.getvalue()


def _make_frame(width: float, height: float) -> Frame:
    sides = {f"{side}Padding": 0 for side in ("left", "right", "top", "bottom")}
    return Frame(_MARGIN, _MARGIN, width - 2 * _MARGIN, height - 2 * _MARGIN, **sides)


def _lay_out_traces(sheet: Sheet) -> list[Any]:
    """Lay out the page of the redrawn leads, with the figures that come first; nothing where there are no signals."""
    if sheet.signals is None:
        return []
    try:
        record = parse_record(sheet.signals)
    except EcgLensError:
        return []
    measurements = read_measurements(sheet.facts) or Measurements()
    heads, values = [], []
    for name, title in STRIP_FIGURES:
        figure = show_figure(measurements, name, translate=_)
        heads.append(_line(_(title), _SMALL))
        values.append(_line("–" if figure is None else _show_figure(figure)))
    st = [lead.lead for lead in list_st_leads(measurements) if lead.is_outside]
    heads.append(_line("ST", _SMALL))
    values.append(_line(", ".join(st) or (_("within limits") if measurements.st_j_mv else "–")))
    wide = landscape(A4)[0] - 2 * _MARGIN
    scale = _("25 mm/s, 10 mm/mV; redrawn from the digitized signals, true to scale when printed at full size.")
    return [
        _line(_describe_origin(sheet), _SMALL),
        _line(sheet.heading, _HEAD),
        _table([heads, values], [wide / (len(heads) + 1)] * (len(heads) - 1) + [2 * wide / (len(heads) + 1)]),
        Spacer(1, 2 * mm),
        TraceDrawing(record, wide / mm, _TRACE_HEIGHT_MM, _("poor")),
        _line(scale, _SMALL),
    ]


def _describe_origin(sheet: Sheet) -> str:
    uploaded = timezone.localtime(sheet.at).strftime("%Y-%m-%d %H:%M %Z")
    recorded = [_("recorded %(day)s") % {"day": sheet.recorded_on}] if sheet.recorded_on else []
    page = _("page %(number)s") % {"number": sheet.page_number}
    return " · ".join([sheet.name, page, *recorded, uploaded])


def _lay_out(sheet: Sheet) -> list[Any]:
    parts: list[Any] = [_line(_describe_origin(sheet), _SMALL), _line(sheet.heading, _HEAD)]
    if sheet.corrected:
        parts.append(_line(_("Label by the owner: %(label)s") % {"label": translate_label(sheet.corrected)}))
    if sheet.failure_reason:
        parts.append(_line(sheet.failure_reason))
    parts += [_line(each["abstention"]["reason"]) for each in sheet.predictions[:1] if each["abstention"]]
    parts += [Spacer(1, 3 * mm), *_page_image(sheet), *_probability_tables(sheet), *_measurement_table(sheet)]
    parts += [*_st_table(sheet), *_statement_table(sheet)]
    notes = rank_notes(sheet.facts.get("warnings", []))
    if notes:
        parts += [_line(_("Notes"), _TITLE), *(_line(f"{note.title}: {note.text}") for note in notes)]
    if sheet.note:
        parts += [_line(_("Your note"), _TITLE), _line(sheet.note)]
    if sheet.review:
        parts += [_line(_("Review"), _TITLE), *map(_line, sheet.review)]
    return [*parts, *_close(sheet)]


def _close(sheet: Sheet) -> list[Any]:
    """Lay out the line for a signature, and how the report came about."""
    models = ", ".join(f"{each['model']['name']} {each['model']['version']}" for each in sheet.predictions)
    origin = [
        f"ecglens {__version__}",
        *([models] if models else []),
        *([f"SHA-256 {sheet.sha256}"] if sheet.sha256 else []),
    ]
    if sheet.corrections:
        origin.append(_("corrected by hand: %(corrections)s") % {"corrections": "; ".join(sheet.corrections)})
    blank = [[_line(_("Read by"), _SMALL), "", _line(_("Date"), _SMALL), ""]]
    style = TableStyle([("LINEBELOW", (1, 0), (1, 0), 0.5, _SOFT), ("LINEBELOW", (3, 0), (3, 0), 0.5, _SOFT)])
    widths = [0.12 * _WIDTH, 0.48 * _WIDTH, 0.1 * _WIDTH, 0.3 * _WIDTH]
    signature = Table(blank, colWidths=widths, rowHeights=[10 * mm], style=style)
    return [KeepTogether([Spacer(1, 4 * mm), signature, Spacer(1, 2 * mm), _line(" · ".join(origin), _SMALL)])]


def _st_table(sheet: Sheet) -> list[Any]:
    measurements = read_measurements(sheet.facts)
    levels = () if measurements is None else list_st_leads(measurements, translate=_)
    if not levels or measurements is None:
        return []
    rows: list[list[Any]] = [
        [_line(each, _SMALL) for each in ("", *(level.lead for level in levels))],
        [_line(_("J point, mV"), _SMALL), *(_show_level(level.at_j) for level in levels)],
        [_line(_("60 ms later, mV"), _SMALL), *(_show_level(level.after_j) for level in levels)],
    ]
    first = 0.14 * _WIDTH
    missing = ", ".join(list_missing(measurements, translate=_))
    parts = [
        _line(_("ST level"), _TITLE),
        _table(rows, [first] + [(_WIDTH - first) / len(levels)] * len(levels)),
        *([_line(_("Not measured: %(figures)s") % {"figures": missing}, _SMALL)] if missing else []),
    ]
    return [KeepTogether(parts)]


def _show_figure(figure: Figure) -> str:
    unit = "/min" if figure.unit == "1/min" else figure.unit
    return localize(f"{figure.value} {figure.error} {unit}")


def _show_level(figure: Figure | None) -> Paragraph:
    if figure is None:
        return _line("–", _SMALL)
    return _line(localize(figure.value), _BOLD_SMALL if figure.position in ("below", "above") else _SMALL)


def _load_page(reading: Reading) -> bytes | None:
    if not reading.page:
        return None
    try:
        with reading.page.open("rb") as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        return None
    return content


def _page_image(sheet: Sheet) -> list[Any]:
    if sheet.page is None:
        return []
    size = sheet.facts["page"]
    scale = min(_WIDTH / size["width_px"], _PICTURE_HEIGHT / size["height_px"])
    return [Image(io.BytesIO(sheet.page), size["width_px"] * scale, size["height_px"] * scale)]


def _probability_tables(sheet: Sheet) -> list[Any]:
    parts: list[Any] = []
    for prediction in sheet.predictions:
        probabilities = prediction["probabilities"] or {}
        if not probabilities:
            continue
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])
        rows = [[_line(translate_label(label)), _line(localize(format_probability(value)))] for label, value in ranked]
        model = prediction["model"]
        parts += [
            _line(_("Calibrated probabilities, %(model)s") % {"model": f"{model['name']} {model['version']}"}, _TITLE),
            _table(rows, [0.75 * _WIDTH, 0.25 * _WIDTH]),
        ]
    return parts


def _measurement_table(sheet: Sheet) -> list[Any]:
    measurements = read_measurements(sheet.facts)
    figures = () if measurements is None else list_figures(measurements, translate=_)
    if not figures:
        return []
    rows = [
        [
            _line(figure.title),
            _line(_show_figure(figure)),
            _line(localize(figure.reference or "–")),
            _line(_(figure.position) if figure.position else "–"),
        ]
        for figure in figures
    ]
    head = [_line(each) for each in (_("Measurement"), _("Value"), _("Reference"), _("Position"))]
    return [
        _line(_("Measurements"), _TITLE),
        _table([head, *rows], [0.4 * _WIDTH, 0.25 * _WIDTH, 0.2 * _WIDTH, 0.15 * _WIDTH]),
    ]


def _statement_table(sheet: Sheet) -> list[Any]:
    statements = list_statements(find_statements(sheet.facts), translate=_)
    if not statements:
        return []
    rows = [
        [_line(each.title), _line(each.outcome), _line(localize("; ".join(each.figures))), _line(each.source, _SMALL)]
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
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
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
    canvas.drawRightString(canvas._pagesize[0] - _MARGIN, 9 * mm, str(document.page))
    canvas.restoreState()

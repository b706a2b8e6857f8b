"""Digital ECGs as pages, which carry their signals, so that whatever reads pages reads them too.

A page shows the first ten seconds of each lead. What is measured, and what a model of signals reads, are the signals of
the file themselves.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecglens.errors import DatasetError, EcgReadError, MissingExtraError, RenderError
from ecglens.formats.files import detect_format, read_record
from ecglens.formats.reading_state import restore_record, store_record
from ecglens.layouts import LAYOUTS, STANDARD_LEADS, canonical_lead
from ecglens.pages.decoding import run_apart
from ecglens.pages.preprocessing import extract_ink
from ecglens.pages.source import SourceFile
from ecglens.record_checks import check_leads
from ecglens.records import Box, Drawing, EcgRecord, InkMap, Layout, LeadBox, Page, PageText
from ecglens.render import RenderedPage, render_page
from ecglens.render.sheet import has_leads

__all__ = ["convert_record", "draw_record", "looks_like_record", "read_record_page"]

_LAYOUTS = ("12x1", "6x1-limb", "6x1-precordial")
"""Layouts with ten seconds of every lead, in the order in which they are tried; others show one lead alone."""
_UNNAMED = "I"
"""Lead as which one of another name is shown, as for a page that names none; most recorders of one lead record it."""
_MOST_LISTED = 12
_SECONDS = 10.0
_MEASURED_S = 60.0
"""Longest beginning of a recording that is read, as an account may keep thousands of them."""
_MAX_LATE_S = 0.5
"""Latest begin of a lead that is drawn where it is."""
_DPI = 200.0
_PRINT = "25 mm/s 10 mm/mV"


def looks_like_record(data: bytes) -> bool:
    """Return whether a file begins as one of the formats of digital ECGs."""
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        path = Path(folder) / "record"
        path.write_bytes(data)
        return detect_format(path) is not None


def read_record_page(data: bytes, name: str = "bytes") -> Page:
    """Read a digital ECG in another process, which is ended when that takes too long, as a page.

    Args:
        data: The whole file, in one of the formats of one file.
        name: Name of the file, for errors.

    Raises:
        EcgReadError: The file is no digital ECG that can be read.
    """
    packed = run_apart(SourceFile(data, name, 1, 0.0), "ecglens.record_pages:convert_record")
    try:
        return draw_record(restore_record(packed), name)
    except RenderError as error:
        raise EcgReadError(code="unsupported", source=name, detail=error.detail) from error


def convert_record(file: SourceFile) -> bytes:
    """Read a digital ECG, and pack the beginning that is measured.

    Args:
        file: The file.

    Raises:
        EcgReadError: The file is no digital ECG that can be read.
    """
    try:
        return store_record(_limit_length(read_record(file.data)))
    except (DatasetError, MissingExtraError) as error:
        raise EcgReadError(code="unsupported", source=file.name, detail=error.detail) from error


def _limit_length(record: EcgRecord) -> EcgRecord:
    """The beginning of a long record, with a warning."""
    if record.duration_s <= _MEASURED_S:
        return record
    samples = round(_MEASURED_S * record.fs_hz)
    warning = f"The first {_MEASURED_S:g} s of {record.duration_s:,.0f} s of the recording are read."
    return replace(
        record, signals_mv=record.signals_mv[:, :samples], confidence=None, warnings=(*record.warnings, warning)
    )


def draw_record(record: EcgRecord, name: str) -> Page:
    """Draw a record as a page, which carries the positions of its leads and the record.

    Args:
        record: Signals in mV.
        name: Name of the page.

    Raises:
        RenderError: The record cannot be drawn.
    """
    record = check_leads(record)
    part, layout = _choose_layout(record)
    placed = part.on_one_clock()
    aligned = _begin_together(placed)
    rendered = _draw(aligned, layout)
    warnings = part.warnings
    if aligned is not placed:
        warnings += ("Leads that begin later in the recording are shown from the beginning of their row.",)
    if part.duration_s > _SECONDS + 0.5:
        warnings += (f"The page shows the first {_SECONDS:g} s of {part.duration_s:,.0f} s of the recording.",)
    drawing = Drawing(record, _describe_layout(rendered), _find_visible(rendered, record))
    text = PageText(_PRINT, Box(0.0, 0.0, 10.0, 100.0))
    return Page(rendered.page.pixels, name, 1, 1, warnings, texts=(text,), drawing=drawing)


def _describe_layout(rendered: RenderedPage) -> Layout:
    """Return the positions of the leads on a page that was drawn."""
    truth = rendered.truth
    return Layout(
        name=truth.layout,
        leads=tuple(LeadBox(each.lead, each.box, float(each.baseline_px), each.rhythm) for each in truth.leads),
        trace_area=truth.trace_area,
        rotation_deg=0.0,
        px_per_mm=(truth.px_per_mm, truth.px_per_mm),
        px_per_mm_source="grid",
        pulse_mm=truth.gain_mm_mv if truth.pulses else None,
        to_upright=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ink=InkMap(extract_ink(rendered.page.pixels), scale=(1.0, 1.0), origin=(0.0, 0.0)),
        names=tuple(text.box for text in truth.texts if text.role == "lead"),
    )


def _find_visible(rendered: RenderedPage, record: EcgRecord) -> EcgRecord:
    """Return the signals on a page that was drawn, with the quality of the leads; a computed one is as good as all."""
    visible = rendered.truth.record()
    quality = dict(zip(map(canonical_lead, record.leads), record.quality, strict=True))
    return replace(visible, quality=tuple(quality.get(lead, min(record.quality)) for lead in visible.leads))


def _choose_layout(record: EcgRecord) -> tuple[EcgRecord, str]:
    """The layout of the page and the record as it shows it; one lead alone where the record has no layout's leads."""
    for name in _LAYOUTS:
        if has_leads(record, LAYOUTS[name].leads):
            return record, name
    names = [canonical_lead(lead) for lead in record.leads]
    lead = next((name for name in ("II", *STANDARD_LEADS) if name in names), names[0])
    row = names.index(lead)
    warnings = record.warnings
    if lead not in STANDARD_LEADS:
        warnings += (f"The lead {lead} is none of the twelve; it is shown as lead {_UNNAMED}.",)
        lead = _UNNAMED
    if len(names) > 1:
        warnings += (f"The page shows one of {len(names)} leads: {', '.join(record.leads[:_MOST_LISTED])}.",)
    return EcgRecord(record.signals_mv[row : row + 1], record.fs_hz, (lead,), warnings=warnings), "1x1"


def _begin_together(placed: EcgRecord) -> EcgRecord:
    """Move each lead to the beginning, as a page with a row for each lead names the leads there.

    Columns of leads, as of a page of 3x4, would leave most names without a trace beside them.
    """
    firsts = [int(np.argmax(np.isfinite(row))) for row in placed.signals_mv]
    if max(firsts) <= _MAX_LATE_S * placed.fs_hz:
        return placed
    signals = np.full_like(placed.signals_mv, np.nan)
    for row, first in enumerate(firsts):
        signals[row, : signals.shape[1] - first] = placed.signals_mv[row, first:]
    return replace(placed, signals_mv=signals)


def _draw(placed: EcgRecord, layout: str) -> RenderedPage:
    samples = round(_SECONDS * placed.fs_hz)
    beginning = EcgRecord(placed.signals_mv[:, :samples], placed.fs_hz, placed.leads)
    return render_page(_center(beginning), layout=layout, dpi=_DPI)


def _center(record: EcgRecord) -> EcgRecord:
    """Subtract the median of each lead, so that an offset of the electrodes does not move its trace off its line."""
    valid = np.where(np.isfinite(record.signals_mv), record.signals_mv, np.nan)
    medians = np.array([[np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0] for row in valid])
    return replace(record, signals_mv=(valid - medians).astype(np.float32))

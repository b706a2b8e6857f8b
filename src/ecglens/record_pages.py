"""Digital ECGs as pages: rendered on paper, with their traces as vectors, so that whatever reads pages reads them too.

A page has the first ten seconds of each lead. Its signals are those of the file to a few hundredths of a millivolt, as
their clock is that of the paper.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError, EcgReadError, MissingExtraError, RenderError
from ecglens.formats.files import detect_format, read_record
from ecglens.layouts import LAYOUTS, STANDARD_LEADS, canonical_lead
from ecglens.pages.decoding import run_apart
from ecglens.pages.source import Decoded, SourceFile
from ecglens.records import Box, EcgRecord, Page, PageText
from ecglens.render import RenderedPage, render_page
from ecglens.render.sheet import has_leads

__all__ = ["decode_record", "draw_record", "looks_like_record", "read_record_page"]

_LAYOUTS = ("12x1", "6x1-limb", "6x1-precordial")
"""Layouts with ten seconds of every lead, in the order in which they are tried; others show one lead alone."""
_UNNAMED = "I"
"""Lead as which one of another name is shown, as for a page that names none; most recorders of one lead record it."""
_MOST_LISTED = 12
_SECONDS = 10.0
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
    decoded = run_apart(SourceFile(data, name, 1, 0.0), "ecglens.record_pages:decode_record")
    return Page(decoded.pixels, name, 1, 1, decoded.warnings, decoded.curves, texts=decoded.texts)


def decode_record(file: SourceFile) -> Decoded:
    """Read a digital ECG and draw it as a page.

    Args:
        file: The file.

    Raises:
        EcgReadError: The file is no digital ECG that can be read.
    """
    try:
        page = draw_record(read_record(file.data), file.name)
    except (DatasetError, MissingExtraError, RenderError) as error:
        raise EcgReadError(code="unsupported", source=file.name, detail=error.detail) from error
    return Decoded(page.pixels, 1, page.warnings, page.curves, page.texts)


def draw_record(record: EcgRecord, name: str) -> Page:
    """Draw a record as a page.

    Args:
        record: Signals in mV.
        name: Name of the page.

    Raises:
        RenderError: The record cannot be drawn.
    """
    part, layout = _choose_layout(record)
    placed = part.on_one_clock()
    aligned = _begin_together(placed)
    rendered = _draw(aligned, layout)
    warnings = part.warnings
    if aligned is not placed:
        warnings += ("Leads that begin later in the recording are shown from the beginning of their row.",)
    if part.duration_s > _SECONDS + 0.5:
        warnings += (f"The page shows the first {_SECONDS:g} s of {part.duration_s:,.0f} s of the recording.",)
    text = PageText(_PRINT, Box(0.0, 0.0, 10.0, 100.0))
    curves = tuple(_list_curves(rendered))
    return Page(rendered.page.pixels, name, 1, 1, warnings, curves, texts=(text,))


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


def _list_curves(rendered: RenderedPage) -> list[NDArray[np.float32]]:
    """Return the traces as vectors; those with gaps are read from the pixels, where the pen is lifted."""
    traces = [rendered.truth.trace(segment) for segment in rendered.truth.leads]
    return [trace.astype(np.float32) for trace in traces if len(trace) > 1 and not np.isnan(trace).any()]

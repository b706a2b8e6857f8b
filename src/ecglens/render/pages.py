"""Render signals as a page: traces in a layout on paper, with pulses, lead names and print, and the exact truth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LayoutPlan
from ecglens.records import Box, EcgRecord, Page
from ecglens.render.furniture import Print, find_template, invent_visit
from ecglens.render.ink import draw_curve, draw_text, fill_box, measure_text
from ecglens.render.paper import draw_paper
from ecglens.render.sheet import PULSE_FOOT_MM, Sheet, find_lead_signal, lay_out_segments, select_layout
from ecglens.render.style import PageStyle, choose_style
from ecglens.render.truth import LeadTruth, PageTruth, RenderedPage, TextTruth

__all__ = ["render_page"]


def render_page(
    record: EcgRecord,
    *,
    layout: str = "3x4+1",
    style: str | PageStyle = "plain",
    rng: np.random.Generator | None = None,
    **changes: Any,
) -> RenderedPage:
    """Render a record as a page.

    Limb leads that the record lacks are computed from I and II. Paper beyond the end of the record stays empty.

    Args:
        record: Signals in mV; the pen is lifted at NaN.
        layout: One of ``ecglens.layouts.LAYOUTS``; ``1x1`` shows the first lead of a record without lead II.
        style: One of ``STYLES`` or a style of your own.
        rng: Generator for the invented print; with ``None``, the print is the same each time.
        **changes: Attributes of ``PageStyle`` to change in the style.

    Returns:
        The page with its truth.

    Raises:
        RenderError: The layout, style or an attribute is unknown or out of range, or a lead is missing.

    >>> from ecglens.layouts import STANDARD_LEADS
    >>> beat = EcgRecord(np.zeros((12, 5000), np.float32), 500.0, STANDARD_LEADS)
    >>> render_page(beat, dpi=100, header="line").page.pixels.shape
    (724, 1126, 3)
    """
    chosen = choose_style(style, changes)
    plan = select_layout(layout, chosen, record)
    signals = {lead: find_lead_signal(record, lead) for lead in plan.leads}
    sheet = Sheet.from_style(plan, chosen)
    pixels = draw_paper(
        sheet.height, sheet.width, sheet.px, chosen.grid, sheet.grid_area if chosen.frame else None
    ).copy()
    texts = _draw_print_around_traces(pixels, sheet, chosen, plan, rng or np.random.default_rng(0))
    leads = lay_out_segments(plan, sheet, chosen, signals, record.fs_hz)
    _draw_separators(pixels, sheet, chosen, leads, len(plan.rows))
    pulses = _draw_pulses(pixels, sheet, chosen, plan.lines)
    for segment in leads:
        texts += _draw_segment(pixels, segment, sheet, chosen, record.fs_hz)
    truth = PageTruth(
        layout=plan.name,
        fs_hz=record.fs_hz,
        speed_mm_s=chosen.speed_mm_s,
        gain_mm_mv=chosen.gain_mm_mv,
        dpi=chosen.dpi,
        grid=chosen.grid if isinstance(chosen.grid, str) else "custom",
        leads=tuple(leads),
        pulses=tuple(pulses),
        texts=tuple(texts),
        trace_area=Box(*sheet.grid_area),
        clean_size_px=(sheet.height, sheet.width),
    )
    return RenderedPage(Page(pixels, "rendered"), truth)


def _draw_segment(
    pixels: NDArray[np.uint8], segment: LeadTruth, sheet: Sheet, style: PageStyle, fs_hz: float
) -> list[TextTruth]:
    columns = segment.x0_px + np.arange(len(segment.signal_mv)) / fs_hz * style.speed_mm_s * sheet.px
    rows = segment.baseline_px - segment.signal_mv.astype(np.float64) * style.gain_mm_mv * sheet.px
    draw_curve(pixels, columns, rows, pen_px=style.pen_mm * sheet.px, color=style.ink)
    if style.names is None:
        return []
    across_mm, up_mm = {"above": (1.5, 7.0), "on-trace": (0.2, 1.2), "below": (1.0, -7.0)}[style.names]
    if sheet.row_px / sheet.px < 20 and style.names != "on-trace":
        up_mm *= 0.55
    box = draw_text(
        pixels,
        segment.lead,
        left=segment.box.left + across_mm * sheet.px,
        baseline=segment.baseline_px - up_mm * sheet.px,
        size_px=style.name_mm * sheet.px,
        font=style.font,
        color=style.print_ink,
    )
    return [TextTruth(segment.lead, "lead", box)]


def _draw_pulses(pixels: NDArray[np.uint8], sheet: Sheet, style: PageStyle, lines: int) -> list[Box]:
    if style.pulse is None:
        return []
    foot, wide = PULSE_FOOT_MM * sheet.px, style.pulse_mm * sheet.px
    steps = np.array([0.0, foot, foot, foot + wide, foot + wide, 2 * foot + wide]) + sheet.pulse_x
    shape = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0]) * style.gain_mm_mv * sheet.px
    for line in range(lines):
        draw_curve(pixels, steps, sheet.baseline(line) - shape, pen_px=style.pen_mm * sheet.px, color=style.ink)
    return [
        Box(sheet.baseline(line) - shape.max(), float(steps[0]), sheet.baseline(line), float(steps[-1]))
        for line in range(lines)
    ]


def _draw_separators(
    pixels: NDArray[np.uint8], sheet: Sheet, style: PageStyle, leads: list[LeadTruth], rows: int
) -> None:
    if style.separators is None:
        return
    half, px = style.pen_mm * sheet.px / 2, sheet.px
    borders = sorted({segment.box.left for segment in leads if not segment.rhythm})[1:]
    for x in borders:
        if style.separators == "tick":
            spans = [
                (sheet.baseline(row) + up * px, sheet.baseline(row) + (up + 3) * px)
                for row in range(rows)
                for up in (-6, 3)
            ]
        else:
            spans = [(sheet.baseline(0) - 5.6 * px, sheet.baseline(rows - 1) + 5.6 * px)]
        if style.separators == "dotted":
            spans = [(y, y + 0.5 * px) for y in np.arange(spans[0][0], spans[0][1], px)]
        for top, bottom in spans:
            fill_box(pixels, Box(float(top), x - half, float(bottom), x + half), style.ink)


def _draw_print_around_traces(
    pixels: NDArray[np.uint8], sheet: Sheet, style: PageStyle, plan: LayoutPlan, rng: np.random.Generator
) -> list[TextTruth]:
    top, left, bottom, right = sheet.grid_area
    if style.frame is not None:
        wide = 0.42 * sheet.px
        for box in (
            Box(top - wide, left - wide, top, right + wide),
            Box(bottom, left - wide, bottom + wide, right + wide),
            Box(top, left - wide, bottom, left),
            Box(top, right, bottom, right + wide),
        ):
            fill_box(pixels, box, style.frame)
    if style.header == "report":
        for y_mm in (17.6, 18.5):
            y = y_mm * sheet.px
            fill_box(
                pixels, Box(y - 0.25 * sheet.px, left, y + 0.25 * sheet.px, right - 2.5 * sheet.px), style.print_ink
            )
    form = f"{plan.columns}*{sheet.seconds / plan.columns:.3g}s" + (f"+{len(plan.rhythm)}r" if plan.rhythm else "")
    visit = invent_visit(
        rng, rate_bpm=style.rate_bpm, speed_mm_s=style.speed_mm_s, gain_mm_mv=style.gain_mm_mv, form=form
    )
    texts = []
    for kind, name, origin in (("header", style.header, 0.0), ("footer", style.footer, bottom)):
        template = find_template(kind, name, style.margin_mm)[0]
        for line in template(visit) if template else ():
            texts.append(_draw_print(pixels, line, kind, origin, sheet, style))
    return texts


def _draw_print(
    pixels: NDArray[np.uint8], line: Print, role: str, origin: float, sheet: Sheet, style: PageStyle
) -> TextTruth:
    _, left, _, right = sheet.grid_area
    size = line.size_mm * sheet.px
    start = (left if line.x_mm >= 0 else right) + line.x_mm * sheet.px
    start = max(0.0, min(start, pixels.shape[1] - measure_text(line.text, size, style.font) - 1))
    box = draw_text(
        pixels,
        line.text,
        left=start,
        baseline=origin + line.y_mm * sheet.px,
        size_px=size,
        font=style.font,
        color=style.print_ink,
    )
    return TextTruth(line.text, role, box)

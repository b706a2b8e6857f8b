"""Signals to a page: traces in a layout on paper, with pulses, names and print around them, and its exact truth."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import RenderError
from ecglens.layouts import LAYOUTS, LayoutPlan, canonical_lead
from ecglens.records import Box, EcgRecord, Page
from ecglens.render.furniture import FOOTERS, HEADERS, Print, furniture, invent_visit
from ecglens.render.ink import FONTS, draw_curve, draw_text, fill_box, text_size
from ecglens.render.paper import GRIDS, paper
from ecglens.render.truth import LeadTruth, PageTruth, RenderedPage, TextTruth

__all__ = ["STYLES", "PageStyle", "random_style", "render_page"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PageStyle:
    """How a recorder prints a page.

    Attributes:
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        grid: One of ``ecglens.render.paper.GRIDS``.
        dpi: Dots per inch, 100 to 600.
        pulse: Calibration pulses ``"left"`` or ``"right"`` of the traces, or ``None``.
        pulse_mm: Width of a pulse.
        separators: Between the segments of a row: ``"line"`` over all rows, ``"dotted"``, a ``"tick"`` at each segment,
            or ``None``.
        names: Lead names ``"above"`` the beginning of a segment, ``"on-trace"``, ``"below"``, or ``None``.
        name_mm: Height of a capital letter of the names.
        rhythm: Leads of the rhythm strips in place of the layout's.
        header: One of ``ecglens.render.furniture.HEADERS`` or ``None``.
        footer: One of ``ecglens.render.furniture.FOOTERS`` or ``None``.
        rate_bpm: Heart rate to print, or ``None`` for an invented one.
        pen_mm: Width of the traces.
        ink: RGB of traces and pulses.
        print_ink: RGB of print.
        font: One of ``ecglens.render.ink.FONTS`` or the path of a TrueType file.
        frame: RGB of a frame around the grid, or ``None``.
        margin_mm: Left and right of the grid, and above and below it where there is no header or footer.
        row_mm: Distance of the traces, or ``None`` for what suits their number.
        seconds: Seconds of paper in a full row, or ``None`` for what 250 mm hold.
        simultaneous: Every segment of a row shows the same time instead of the next one.
    """

    speed_mm_s: float = 25.0
    gain_mm_mv: float = 10.0
    grid: str = "pink-lines"
    dpi: float = 200.0
    pulse: str | None = "left"
    pulse_mm: float = 5.0
    separators: str | None = "tick"
    names: str | None = "above"
    name_mm: float = 2.4
    rhythm: tuple[str, ...] | None = None
    header: str | None = None
    footer: str | None = "scale"
    rate_bpm: int | None = None
    pen_mm: float = 0.3
    ink: Colour = (20, 20, 24)
    print_ink: Colour = (10, 10, 10)
    font: str = "sans"
    frame: Colour | None = None
    margin_mm: float = 8.0
    row_mm: float | None = None
    seconds: float | None = None
    simultaneous: bool = False


STYLES: Mapping[str, PageStyle] = MappingProxyType(
    {
        "plain": PageStyle(),
        "dotted-report": PageStyle(
            grid="pink-dotted",
            pulse_mm=2.2,
            separators="line",
            names="on-trace",
            name_mm=2.3,
            header="report",
            footer="report",
            pen_mm=0.38,
            ink=(0, 0, 0),
            print_ink=(0, 0, 0),
            font="serif",
            frame=(246, 164, 172),
            margin_mm=8.8,
            row_mm=38.1,
        ),
        "red-cart": PageStyle(grid="red-lines", header="cart", font="mono", pen_mm=0.25, name_mm=2.6),
        "green-clinic": PageStyle(grid="green-lines", header="line", separators=None, pulse="right", pen_mm=0.28),
        "blue-export": PageStyle(grid="blue-lines", header="line", names="below", pen_mm=0.22, ink=(16, 24, 70)),
        "orange-strip": PageStyle(grid="orange-lines", separators="dotted", font="serif", pen_mm=0.35),
        "gray-copy": PageStyle(grid="gray-lines", header="cart", font="mono", pen_mm=0.3, ink=(40, 40, 40)),
        "bare": PageStyle(grid="none", separators=None, header=None, footer=None),
    }
)
"""Looks of common recorders; ``dotted-report`` is a look-alike of the pages of DOI 10.17632/gwbz3fsgp8.2."""

_SEPARATORS = ("line", "dotted", "tick")
_NAMES = ("above", "on-trace", "below")
_PAPER_MM = 250.0
_PULSE_FOOT_MM = 1.1
_PULSE_ROOM_MM = 3.0
_EDGE_MM = 3.3

_LIMB = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "-aVR": (0.5, 0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
"""Each limb lead as a sum of I and II (Einthoven 1913, Goldberger 1942)."""


def render_page(
    record: EcgRecord,
    *,
    layout: str = "3x4+1",
    style: str | PageStyle = "plain",
    rng: np.random.Generator | None = None,
    **changes: Any,
) -> RenderedPage:
    """Draw a record as a page.

    Limb leads that the record lacks are computed from I and II. A record shorter than the paper leaves the rest empty.

    Args:
        record: Signals in mV; NaN lifts the pen.
        layout: One of ``ecglens.layouts.LAYOUTS``; ``1x1`` shows the first lead of the record where it has no II.
        style: One of ``STYLES`` or a style of your own.
        rng: Draws invented print; the same print each time where it is ``None``.
        **changes: Attributes of ``PageStyle`` in place of the style's.

    Returns:
        The page with its truth.

    Raises:
        RenderError: The layout, style or an attribute is unknown or out of range, or a lead is missing.

    >>> beat = EcgRecord(np.zeros((12, 5000), np.float32), 500.0, tuple(LAYOUTS["12x1"].leads))
    >>> render_page(beat, dpi=100, header="line").page.pixels.shape
    (724, 1126, 3)
    """
    chosen = _style(style, changes)
    plan = _plan(layout, chosen, record)
    signals = {lead: _signal(record, lead) for lead in plan.leads}
    sheet = _Sheet.measure(plan, chosen)
    pixels = paper(sheet.height, sheet.width, sheet.px, chosen.grid, sheet.grid_area if chosen.frame else None).copy()
    texts = _draw_furniture(pixels, sheet, chosen, plan, rng or np.random.default_rng(0))
    leads = _segments(plan, sheet, chosen, signals, record.fs_hz)
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
        grid=chosen.grid,
        leads=tuple(leads),
        pulses=tuple(pulses),
        texts=tuple(texts),
        trace_area=Box(*sheet.grid_area),
        clean_size_px=(sheet.height, sheet.width),
    )
    return RenderedPage(Page(pixels, "rendered"), truth)


def random_style(rng: np.random.Generator, *, dpi: float = 200.0) -> PageStyle:
    """Draw a style: a look of a common recorder with another grid, pen, font and print, for training and tests.

    Args:
        rng: Draws it.
        dpi: Dots per inch.
    """

    def one_of(values: Any) -> Any:
        values = list(values)
        return values[int(rng.integers(len(values)))]

    base = STYLES[one_of(STYLES)]
    return replace(
        base,
        dpi=dpi,
        grid=one_of(GRIDS),
        pulse=one_of(("left", "left", "right", None)),
        separators=one_of((*_SEPARATORS, None)),
        names=one_of(_NAMES),
        header=one_of((*HEADERS, None)),
        footer=one_of((*FOOTERS, None)),
        font=one_of(FONTS),
        pen_mm=float(rng.uniform(0.2, 0.45)),
        margin_mm=float(rng.uniform(4, 14)),
        row_mm=None,
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Measures of the sheet in px, from the style's millimetres."""

    px: float
    height: int
    width: int
    grid_area: tuple[float, float, float, float]
    pulse_x: float
    trace_x: float
    row_px: float
    first_baseline: float
    header_px: float
    seconds: float

    @classmethod
    def measure(cls, plan: LayoutPlan, style: PageStyle) -> "_Sheet":
        px = style.dpi / 25.4
        seconds = style.seconds or _PAPER_MM / style.speed_mm_s
        trace_mm = seconds * style.speed_mm_s
        pulse_mm = 0.0 if style.pulse is None else style.pulse_mm + 2 * _PULSE_FOOT_MM + _PULSE_ROOM_MM
        # A whole number of large squares, so that the grid ends on a line as on real paper.
        grid_w = 5 * np.ceil((trace_mm + pulse_mm + 2 * _EDGE_MM) / 5)
        row_mm = style.row_mm or _row_mm(plan.lines)
        grid_h = 5 * np.ceil((row_mm * plan.lines + 2) / 5)
        header_mm = furniture("header", style.header, style.margin_mm)[1]
        footer_mm = furniture("footer", style.footer, style.margin_mm)[1]
        left = style.margin_mm * px
        grid = (header_mm * px, left, (header_mm + grid_h) * px, left + grid_w * px)
        start = left + _EDGE_MM * px
        return cls(
            px=px,
            height=round((header_mm + grid_h + footer_mm) * px),
            width=round((grid_w + 2 * style.margin_mm) * px),
            grid_area=grid,
            pulse_x=start if style.pulse == "left" else start + (trace_mm + _PULSE_ROOM_MM) * px,
            trace_x=start + (pulse_mm * px if style.pulse == "left" else 0.0),
            row_px=row_mm * px,
            first_baseline=grid[0] + ((grid_h - row_mm * plan.lines) / 2 + row_mm * 0.58) * px,
            header_px=header_mm * px,
            seconds=seconds,
        )

    def baseline(self, line: int) -> float:
        return self.first_baseline + line * self.row_px


def _style(style: str | PageStyle, changes: Mapping[str, Any]) -> PageStyle:
    if isinstance(style, str):
        if style not in STYLES:
            raise RenderError(f"Expected a style out of {', '.join(STYLES)}, but got '{style}'.")
        style = STYLES[style]
    known = [field.name for field in fields(PageStyle)]
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise RenderError(f"Expected attributes out of {', '.join(known)}, but got '{unknown[0]}'.")
    chosen = replace(style, **changes)
    ranges = (("dpi", 100, 600), ("speed_mm_s", 5, 200), ("gain_mm_mv", 1, 80), ("pen_mm", 0.05, 2))
    for name, low, high in ranges:
        value = getattr(chosen, name)
        if not low <= value <= high:
            raise RenderError(f"Expected {name} between {low} and {high}, but got {value}.")
    for name, allowed in (("pulse", ("left", "right")), ("separators", _SEPARATORS), ("names", _NAMES)):
        value = getattr(chosen, name)
        if value is not None and value not in allowed:
            raise RenderError(f"Expected {name} out of {', '.join(allowed)} or none, but got '{value}'.")
    return chosen


def _plan(layout: str, style: PageStyle, record: EcgRecord) -> LayoutPlan:
    if layout not in LAYOUTS:
        raise RenderError(f"Expected a layout out of {', '.join(LAYOUTS)}, but got '{layout}'.")
    if not record.leads or record.signals_mv.shape[1] < 2:
        raise RenderError("Expected a record with at least one lead of two samples, but this one is empty.")
    plan = LAYOUTS[layout]
    if layout == "1x1" and "II" not in map(canonical_lead, record.leads):
        plan = replace(plan, rows=((record.leads[0],),))
    if style.rhythm is None or not plan.rhythm:
        return plan
    if len(style.rhythm) != len(plan.rhythm):
        raise RenderError(f"Expected {len(plan.rhythm)} rhythm leads for {layout}, but got {len(style.rhythm)}.")
    return replace(plan, rhythm=style.rhythm)


def _signal(record: EcgRecord, lead: str) -> NDArray[np.float32]:
    found: dict[str, NDArray[np.float32]] = {
        canonical_lead(name): np.asarray(row) for name, row in zip(record.leads, record.signals_mv, strict=True)
    }
    if canonical_lead(lead) in found:
        return found[canonical_lead(lead)]
    if lead == "-aVR" and "aVR" in found:
        return np.asarray(-found["aVR"], dtype=np.float32)
    if lead in _LIMB and "I" in found and "II" in found:
        first, second = _LIMB[lead]
        return np.asarray(first * found["I"] + second * found["II"], dtype=np.float32)
    raise RenderError(f"Expected lead {lead} in the record, but it has only {', '.join(record.leads)}.")


def _segments(
    plan: LayoutPlan, sheet: _Sheet, style: PageStyle, signals: Mapping[str, NDArray[np.float32]], fs_hz: float
) -> list[LeadTruth]:
    lines = [*((row, False) for row in plan.rows), *(((lead,), True) for lead in plan.rhythm)]
    segments = []
    for number, (names, rhythm) in enumerate(lines):
        length = sheet.seconds / len(names)
        for column, lead in enumerate(names):
            start = 0.0 if style.simultaneous else column * length
            # The first sample at or after the border; its column follows, so that time on the page is exact.
            first, last = int(np.ceil(start * fs_hz - 1e-6)), int(np.ceil((start + length) * fs_hz - 1e-6))
            left = sheet.trace_x + column * length * style.speed_mm_s * sheet.px
            right = left + length * style.speed_mm_s * sheet.px
            baseline = sheet.baseline(number)
            top, bottom = baseline - 0.58 * sheet.row_px, baseline + 0.42 * sheet.row_px
            segments.append(
                LeadTruth(
                    lead=lead,
                    rhythm=rhythm,
                    start_s=first / fs_hz,
                    signal_mv=np.array(signals[lead][first:last], dtype=np.float32),
                    x0_px=left + (first / fs_hz - start) * style.speed_mm_s * sheet.px,
                    baseline_px=baseline,
                    box=Box(top, left, bottom, right),
                )
            )
    if not any(len(segment.signal_mv) for segment in segments):
        raise RenderError("Expected signals that reach the page, but the record ends before it begins.")
    return segments


def _draw_segment(
    pixels: NDArray[np.uint8], segment: LeadTruth, sheet: _Sheet, style: PageStyle, fs_hz: float
) -> list[TextTruth]:
    columns = segment.x0_px + np.arange(len(segment.signal_mv)) / fs_hz * style.speed_mm_s * sheet.px
    rows = segment.baseline_px - segment.signal_mv.astype(np.float64) * style.gain_mm_mv * sheet.px
    draw_curve(pixels, columns, rows, pen_px=style.pen_mm * sheet.px, colour=style.ink)
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
        colour=style.print_ink,
    )
    return [TextTruth(segment.lead, "lead", box)]


def _draw_pulses(pixels: NDArray[np.uint8], sheet: _Sheet, style: PageStyle, lines: int) -> list[Box]:
    if style.pulse is None:
        return []
    foot, wide = _PULSE_FOOT_MM * sheet.px, style.pulse_mm * sheet.px
    steps = np.array([0.0, foot, foot, foot + wide, foot + wide, 2 * foot + wide]) + sheet.pulse_x
    shape = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0]) * style.gain_mm_mv * sheet.px
    for line in range(lines):
        draw_curve(pixels, steps, sheet.baseline(line) - shape, pen_px=style.pen_mm * sheet.px, colour=style.ink)
    return [
        Box(sheet.baseline(line) - shape.max(), float(steps[0]), sheet.baseline(line), float(steps[-1]))
        for line in range(lines)
    ]


def _draw_separators(
    pixels: NDArray[np.uint8], sheet: _Sheet, style: PageStyle, leads: list[LeadTruth], rows: int
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


def _draw_furniture(
    pixels: NDArray[np.uint8], sheet: _Sheet, style: PageStyle, plan: LayoutPlan, rng: np.random.Generator
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
        template = furniture(kind, name, style.margin_mm)[0]
        for line in template(visit) if template else ():
            texts.append(_draw_print(pixels, line, kind, origin, sheet, style))
    return texts


def _draw_print(
    pixels: NDArray[np.uint8], line: Print, role: str, origin: float, sheet: _Sheet, style: PageStyle
) -> TextTruth:
    _, left, _, right = sheet.grid_area
    size = line.size_mm * sheet.px
    start = (left if line.x_mm >= 0 else right) + line.x_mm * sheet.px
    start = max(0.0, min(start, pixels.shape[1] - text_size(line.text, size, style.font) - 1))
    box = draw_text(
        pixels,
        line.text,
        left=start,
        baseline=origin + line.y_mm * sheet.px,
        size_px=size,
        font=style.font,
        colour=style.print_ink,
    )
    return TextTruth(line.text, role, box)


def _row_mm(lines: int) -> float:
    """Distance of the traces that keeps a page of this many lines near 150 to 190 mm high."""
    return float(np.clip(168 / lines, 14, 40))

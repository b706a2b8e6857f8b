"""Positions on a sheet in px, the leads of a layout, and the samples that each segment shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import check_type, describe_value
from ecglens.errors import RenderError
from ecglens.layouts import LAYOUTS, LayoutPlan, canonical_lead
from ecglens.records import Box, EcgRecord
from ecglens.render.furniture import find_template
from ecglens.render.style import PageStyle
from ecglens.render.truth import LeadTruth

__all__ = ["PULSE_FOOT_MM", "Sheet", "find_lead_signal", "has_leads", "lay_out_segments", "select_layout"]

PULSE_FOOT_MM = 1.1
"""Length of the baseline before and after a calibration pulse."""

_PAPER_MM = 250.0
_PULSE_GAP_MM = 3.0
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
"""Coefficients of I and II for each limb lead (Einthoven 1913, Goldberger 1942)."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Positions on a sheet in px, computed from a style in mm.

    Attributes:
        px: Pixels per mm.
        height: Height of the page in px.
        width: Width of the page in px.
        grid_area: Top, left, bottom and right of the grid in px.
        pulse_x: Column of the start of the calibration pulses.
        trace_x: Column of the start of the traces.
        row_px: Distance between the traces in px.
        first_baseline: Row of 0 mV of the first trace.
        seconds: Duration of a full row in s.
    """

    px: float
    height: int
    width: int
    grid_area: tuple[float, float, float, float]
    pulse_x: float
    trace_x: float
    row_px: float
    first_baseline: float
    seconds: float

    @classmethod
    def from_style(cls, plan: LayoutPlan, style: PageStyle) -> "Sheet":
        """Compute the sheet for a layout in a style."""
        px = style.dpi / 25.4
        seconds = style.seconds or _PAPER_MM / style.speed_mm_s
        trace_mm = seconds * style.speed_mm_s
        pulse_mm = 0.0 if style.pulse is None else style.pulse_mm + 2 * PULSE_FOOT_MM + _PULSE_GAP_MM
        # The grid has a whole number of large squares, so that it ends on a line as on real paper.
        grid_w = 5 * np.ceil((trace_mm + pulse_mm + 2 * _EDGE_MM) / 5)
        row_mm = style.row_mm or _row_mm(plan.lines)
        grid_h = 5 * np.ceil((row_mm * plan.lines + 2) / 5)
        header_mm = find_template("header", style.header, style.margin_mm)[1]
        footer_mm = find_template("footer", style.footer, style.margin_mm)[1]
        left = style.margin_mm * px
        grid = (header_mm * px, left, (header_mm + grid_h) * px, left + grid_w * px)
        start = left + _EDGE_MM * px
        return cls(
            px=px,
            height=round((header_mm + grid_h + footer_mm) * px),
            width=round((grid_w + 2 * style.margin_mm) * px),
            grid_area=grid,
            pulse_x=start if style.pulse == "left" else start + (trace_mm + _PULSE_GAP_MM) * px,
            trace_x=start + (pulse_mm * px if style.pulse == "left" else 0.0),
            row_px=row_mm * px,
            first_baseline=grid[0] + ((grid_h - row_mm * plan.lines) / 2 + row_mm * 0.58) * px,
            seconds=seconds,
        )

    def baseline(self, line: int) -> float:
        """Return the row of 0 mV of a trace; traces are counted from 0 at the top."""
        return self.first_baseline + line * self.row_px


def select_layout(layout: str, style: PageStyle, record: EcgRecord) -> LayoutPlan:
    """Select a layout by name, with the rhythm leads of the style.

    Raises:
        RenderError: The layout does not exist or does not fit the style, or the record is empty or lacks a lead.
        ArgumentError: The record is none.
    """
    check_type(record, EcgRecord, "a record, such as one from ecglens.read_record")
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise RenderError(f"Expected a layout out of {', '.join(LAYOUTS)}, got {describe_value(layout)}.")
    if not record.leads or record.signals_mv.shape[1] < 2:
        raise RenderError("Expected a record with at least one lead of two samples, but this one is empty.")
    plan = LAYOUTS[layout]
    if layout == "1x1" and "II" not in map(canonical_lead, record.leads):
        plan = replace(plan, rows=((record.leads[0],),))
    if style.rhythm is not None and plan.rhythm:
        if len(style.rhythm) != len(plan.rhythm):
            raise RenderError(f"Expected {len(plan.rhythm)} rhythm leads for {layout}, got {len(style.rhythm)}.")
        plan = replace(plan, rhythm=style.rhythm)
    missing = [lead for lead in plan.leads if not has_leads(record, [lead])]
    if missing:
        fitting = [name for name, other in LAYOUTS.items() if has_leads(record, other.leads)]
        choices = " or ".join(dict.fromkeys([*fitting, "1x1"]))  # 1x1 shows lead II, or the first lead there is
        raise RenderError(
            f"Expected the leads of the layout {layout} in the record, got no {', '.join(missing)}; choose the layout "
            f"{choices}."
        )
    return plan


def find_lead_signal(record: EcgRecord, lead: str) -> NDArray[np.float32]:
    """Find the signal of a lead, ``(samples,)`` in mV, or compute a missing limb lead from I and II.

    Raises:
        RenderError: The record has no such lead.
    """
    signals: dict[str, NDArray[np.float32]] = {
        canonical_lead(name): np.asarray(row) for name, row in zip(record.leads, record.signals_mv, strict=True)
    }
    if canonical_lead(lead) in signals:
        return signals[canonical_lead(lead)]
    if lead == "-aVR" and "aVR" in signals:
        return np.asarray(-signals["aVR"], dtype=np.float32)
    if lead in _LIMB and "I" in signals and "II" in signals:
        first, second = _LIMB[lead]
        return np.asarray(first * signals["I"] + second * signals["II"], dtype=np.float32)
    raise RenderError(f"Expected lead {lead} in the record, but it has only {', '.join(record.leads)}.")


def has_leads(record: EcgRecord, leads: Iterable[str]) -> bool:
    """Return whether a record has all of some leads, or I and II to compute them."""
    try:
        for lead in leads:
            find_lead_signal(record, lead)
    except RenderError:
        return False
    return True


def lay_out_segments(
    plan: LayoutPlan, sheet: Sheet, style: PageStyle, signals: Mapping[str, NDArray[np.float32]], fs_hz: float
) -> list[LeadTruth]:
    """Lay out the segments of a page: the samples and the position of each.

    Args:
        plan: The layout.
        sheet: Positions on the page.
        style: Style, of which the speed and ``simultaneous`` are used.
        signals: Signals by lead, ``(samples,)`` in mV.
        fs_hz: Sampling rate of the signals.

    Raises:
        RenderError: No signal reaches the page.
    """
    lines = [*((row, False) for row in plan.rows), *(((lead,), True) for lead in plan.rhythm)]
    segments = []
    for number, (names, rhythm) in enumerate(lines):
        length = sheet.seconds / len(names)
        for column, lead in enumerate(names):
            start = 0.0 if style.simultaneous else column * length
            # The first sample is at or after the border, and its column follows from its time, which makes times exact.
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


def _row_mm(lines: int) -> float:
    """Return the distance between traces that makes a page of this many lines about 150 to 190 mm high."""
    return float(np.clip(168 / lines, 14, 40))

"""Tracing: the leads of a page as signals in mV.

The ink of the upright page is followed line by line (``lines``, ``follow``), the outline of each trace becomes the
center line of the pen (``pen``), and grid, calibration pulse and paper speed turn pixels into seconds and millivolts
(``scale``). Where the file holds its traces as vectors, these are used instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecglens.corrections import HandTrace
from ecglens.errors import EcgReadError
from ecglens.layouts import ONE_LEAD_LINES, RHYTHM, STANDARD_SPEED_MM_S
from ecglens.records import (
    GOOD_QUALITY,
    Agreement,
    EcgRecord,
    Layout,
    LeadBox,
    LeadTrace,
    Page,
    Tracing,
    distinct_names,
)
from ecglens.tracing.agreement import compare_with_strokes
from ecglens.tracing.clock import find_clock
from ecglens.tracing.ink import TraceInk
from ecglens.tracing.lead_relations import einthoven_rmse, fill_gaps_by_relations, goldberger_rmse
from ecglens.tracing.lines import Line, group_by_lines, trace_lines
from ecglens.tracing.pen import OVERSAMPLE
from ecglens.tracing.quality import LIMITS, LeadFacts, PageFacts, find_effective_bend, lead_quality, lead_warnings
from ecglens.tracing.scale import find_gain, find_px_per_s

__all__ = ["trace_page"]

_CURVE_SLACK_MM = 3.0
"""Distance by which a vector curve may be shorter than the box of its lead, or longer without being cut."""

_WHOLE = 0.95
"""Share of a lead from which it was traced by hand as a whole, so that a person vouches for it."""


def trace_page(
    page: Page,
    layout: Layout,
    *,
    fs_hz: float = 500.0,
    speed_mm_s: float = STANDARD_SPEED_MM_S,
    gain_mm_mv: float | None = None,
    printed_mm_mv: float | None = None,
    find_strokes: Callable[[], NDArray[np.uint8]] | None = None,
    hand_traces: Sequence[HandTrace] = (),
    by_hand: Sequence[str] = (),
) -> Tracing:
    """Digitize the leads of a page.

    Args:
        page: View on which the layout was located.
        layout: Positions of its leads, located or given by hand.
        fs_hz: Sampling rate of the record.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain; where it is ``None``, that of the calibration pulse, the printed gain or else 10 mm/mV.
        printed_mm_mv: Gain that the page prints, where it was read.
        find_strokes: Returns the share of each pixel of the page that traces cover, as a network sees it, 0 to 255; it
            is called for a second opinion where a lead is doubtful, or the ink is noisy.
        hand_traces: Parts of traces that were traced or removed by hand, in place of those of the ink.
        by_hand: What was corrected by hand, a few words each, for the comments of the record.

    Returns:
        Signals, traces on the page, checks and warnings.

    Raises:
        EcgReadError: A part was traced for a lead that the layout does not have.
    """
    gain, source, warnings = find_gain(layout, gain_mm_mv, printed_mm_mv)
    lines = group_by_lines(layout)
    px_per_s = find_px_per_s(lines, layout, speed_mm_s)
    traced = trace_lines(page, layout, lines)
    pen_mm = traced.pen_radius_px * traced.ink.shrink / float(np.mean(layout.px_per_mm))
    curves = [_turn_upright(curve, layout) for curve in page.curves]
    clock = None
    if page.residual_mm is not None or traced.was_blurred:
        across = layout.px_per_mm[1]
        clock = find_clock(traced, lines, px_per_mm=across, px_per_s=speed_mm_s * across, fs_hz=fs_hz)
    px_per_s = px_per_s if clock is None else clock.px_per_s
    parts_by_row = _group_by_rows(hand_traces, lines)
    traces: list[LeadTrace] = []
    facts: list[LeadFacts] = []
    for line, boxes in zip(traced.lines, lines, strict=True):
        for box in boxes:
            parts = parts_by_row[len(traces)]
            count = round(_duration_s(box, px_per_s) * fs_hz)
            curve = _find_curve(curves, box, layout)
            if curve is None:
                start = box.box.left + traced.shift_px
                start = start if clock is None else clock.start_of(start)
                columns = start + np.arange(count) / fs_hz * px_per_s
                rows, fact = _sample_line(line, traced.ink, columns, fs_hz, parts)
            else:
                columns = curve[0, 0] + np.arange(count) / fs_hz * px_per_s
                rows = np.interp(columns, curve[:, 0], curve[:, 1], right=np.nan)
                rows = _replace_by_hand(rows, columns, parts)
                fact = LeadFacts.from_vectors(rows)
            fact = replace(fact, unsettled=_find_unsettled(page, columns, rows))
            name = f"{box.lead}{RHYTHM}" if box.rhythm else box.lead
            traces.append(LeadTrace(name, columns, rows, box.baseline_px))
            facts.append(fact)
    record, agreements = None, tuple[Agreement, ...]()
    if gain is not None:
        if layout.name == ONE_LEAD_LINES:
            facts = [LeadFacts.join(facts)]
        in_record = [_join_traces(traces)] if layout.name == ONE_LEAD_LINES else traces
        record = _build_record(in_record, facts, lines, gain * layout.px_per_mm[0], fs_hz, px_per_s)
        record = fill_gaps_by_relations(record)
        px_per_mm = float(np.mean(layout.px_per_mm)) / traced.ink.shrink
        page_facts = PageFacts(
            pen_mm,
            traced.ink.edge_share,
            find_effective_bend(page),
            px_per_mm,
            is_classified=page.classes is not None,
            has_grid=layout.px_per_mm_source in ("grid", "given"),
        )
        quality = lead_quality(record, facts, page_facts)
        strokes = None if page.classes is None else page.classes.trace
        is_doubtful = min(quality) < GOOD_QUALITY or page_facts.edge > LIMITS.max_edge
        if strokes is None and find_strokes is not None and is_doubtful:
            strokes = find_strokes()
        if strokes is not None:
            agreements = compare_with_strokes(traces, layout, strokes)
            quality = lead_quality(record, facts, page_facts, _join_agreements(agreements, len(facts)))
        hand_shares = [_hand_share(trace, parts) for trace, parts in zip(traces, parts_by_row, strict=True)]
        record = replace(record, quality=_confirm_by_hand(quality, hand_shares))
        record = replace(record, warnings=(*lead_warnings(record, facts), *_describe_by_hand(traces, hand_shares)))
        record = replace(record, comments=_comments(layout, gain, source, speed_mm_s, by_hand))
    return Tracing(
        page=page,
        layout=layout,
        record=record,
        traces=tuple(traces),
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain,
        gain_source=source,
        einthoven_mv=None if record is None else einthoven_rmse(record),
        goldberger_mv=None if record is None else goldberger_rmse(record),
        warnings=(
            *page.warnings,
            *layout.warnings,
            *(() if layout.doubt is None else (layout.doubt,)),
            *warnings,
            *(() if record is None else record.warnings),
        ),
        agreements=agreements,
    )


def _join_traces(traces: list[LeadTrace]) -> LeadTrace:
    """The lines of one lead as one trace, in px below their zero lines."""
    columns = np.concatenate([trace.columns_px for trace in traces])
    return LeadTrace(
        traces[0].lead, columns, np.concatenate([trace.rows_px - trace.baseline_px for trace in traces]), 0.0
    )


def _join_agreements(agreements: tuple[Agreement, ...], leads: int) -> tuple[Agreement, ...]:
    """The agreement of each lead; that of one lead over several lines is the mean."""
    if len(agreements) == leads:
        return agreements
    return (
        Agreement(
            float(np.mean([agreement.on_stroke for agreement in agreements])),
            float(np.mean([agreement.stray for agreement in agreements])),
        ),
    )


def _group_by_rows(hand_traces: Sequence[HandTrace], lines: list[tuple[LeadBox, ...]]) -> list[list[HandTrace]]:
    """The parts that were traced by hand of each lead, line by line."""
    boxes = [box for line in lines for box in line]
    names = distinct_names(f"{box.lead}{RHYTHM}" if box.rhythm else box.lead for box in boxes)
    unknown = {part.lead for part in hand_traces} - set(names)
    if unknown:
        raise EcgReadError(
            code="invalid_argument",
            detail=f"Expected traces of leads of the page, {', '.join(names)}, got one of {min(unknown)}.",
        )
    return [[part for part in hand_traces if part.lead == name] for name in names]


def _replace_by_hand(
    values: NDArray[np.float64], columns: NDArray[np.float64], parts: list[HandTrace], value: float | None = None
) -> NDArray[np.float64]:
    """Rows with those of the parts by hand in their places, or other values with ``value`` there, 0 where removed."""
    for part in parts:
        is_covered, rows = part.apply(columns)
        if value is not None:
            rows = np.full_like(rows, 0.0 if part.is_removed else value)
        values = np.where(is_covered, rows, values)
    return values


def _hand_share(trace: LeadTrace, parts: list[HandTrace]) -> float:
    """Share of a lead's samples that were traced by hand."""
    covered = _replace_by_hand(np.zeros(len(trace.columns_px)), trace.columns_px, parts, 1.0)
    return float(covered.mean()) if covered.size else 0.0


def _confirm_by_hand(quality: tuple[float, ...], hand_shares: list[float]) -> tuple[float, ...]:
    """The quality of each lead; one that was traced by hand as a whole is as sure as one that the network confirms."""
    if len(quality) != len(hand_shares):  # one lead over several lines
        return quality
    return tuple(
        max(value, LIMITS.confirmed_quality) if share >= _WHOLE else value
        for value, share in zip(quality, hand_shares, strict=True)
    )


def _describe_by_hand(traces: list[LeadTrace], hand_shares: list[float]) -> tuple[str, ...]:
    return tuple(
        f"Lead {trace.lead} was traced by hand over {share:.0%} of its length."
        for trace, share in zip(traces, hand_shares, strict=True)
        if share > 0
    )


def _comments(
    layout: Layout, gain: float, source: str | None, speed_mm_s: float, by_hand: Sequence[str]
) -> tuple[str, ...]:
    corrected = (f"Corrected by hand: {'; '.join(by_hand)}.",) if by_hand else ()
    return (
        f"Digitized from a page of layout {layout.name} by ecglens; not for diagnosis.",
        f"Paper {speed_mm_s:g} mm/s, {gain:g} mm/mV ({source}), "
        f"{layout.px_per_mm[1]:.3f} x {layout.px_per_mm[0]:.3f} px/mm ({layout.px_per_mm_source}).",
        *corrected,
    )


def _sample_line(
    line: Line, ink: TraceInk, columns: NDArray[np.float64], fs_hz: float, parts: list[HandTrace]
) -> tuple[NDArray[np.float64], LeadFacts]:
    """Rows of the page at these columns of it, NaN where the trace is hidden, and the facts of the lead."""
    place = (ink.column(columns) + 0.5) * OVERSAMPLE - 0.5
    places = np.arange(len(line.center))
    is_hidden = np.interp(place, places, line.is_hidden, left=1, right=1) > 0.5
    rows = np.where(is_hidden, np.nan, ink.page_row(np.interp(place, places, line.center)))
    confidence = np.where(is_hidden, 0.0, np.interp(place, places, line.confidence, left=0, right=0))
    shared = np.interp(place, places, line.is_shared)
    if parts:
        rows, confidence, shared = (
            _replace_by_hand(values, columns, parts, value)
            for values, value in ((rows, None), (confidence, 1.0), (shared, 0.0))
        )
    return rows, LeadFacts.from_ink(rows, confidence, shared, fs_hz, faint=_find_faint(rows, ink, columns))


def _find_faint(rows: NDArray[np.float64], ink: TraceInk, columns: NDArray[np.float64]) -> float:
    """Share of the ink that is missing along the center line of a trace, over all of its visible samples."""
    height, width = ink.pixels.shape
    across = np.rint(ink.column(columns)).astype(np.intp)
    is_visible = ~np.isnan(rows) & (across >= 0) & (across < width)
    if not is_visible.any():
        return 1.0
    down = np.clip(np.rint(ink.row(rows[is_visible])).astype(np.intp), 0, height - 1)
    return 1.0 - float(ink.pixels[down, across[is_visible]].mean()) / 255


def _find_unsettled(page: Page, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> float:
    """Share of a trace on paper that was not flattened well."""
    if page.is_settled is None:
        return 0.0
    is_visible = ~np.isnan(rows)
    height, width = page.is_settled.shape
    down = np.clip(rows[is_visible] / page.height * height, 0, height - 1).astype(np.intp)
    across = np.clip(columns[is_visible] / page.width * width, 0, width - 1).astype(np.intp)
    return 1.0 - float(page.is_settled[down, across].mean()) if down.size else 1.0


def _turn_upright(curve: NDArray[np.float32], layout: Layout) -> NDArray[np.float64]:
    matrix = np.array(layout.to_upright, dtype=np.float64)
    return np.asarray(curve @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def _find_curve(curves: list[NDArray[np.float64]], box: LeadBox, layout: Layout) -> NDArray[np.float64] | None:
    """The part in a lead's box of the one vector curve that runs through it near its zero line, or ``None``."""
    slack = _CURVE_SLACK_MM * layout.px_per_mm[1]
    nearest, distance = None, box.box.height / 2
    for curve in curves:
        if curve[0, 0] > box.box.left + slack or curve[-1, 0] < box.box.right - slack:
            continue
        first = box.box.left if curve[0, 0] < box.box.left - slack else curve[0, 0]
        part = curve[(curve[:, 0] >= first) & (curve[:, 0] <= box.box.right + slack)]
        away = abs(float(np.median(part[:, 1])) - box.baseline_px) if len(part) > 2 else np.inf
        if away < distance:
            nearest, distance = part, away
    return nearest


def _duration_s(box: LeadBox, px_per_s: float) -> float:
    """Seconds that a box holds, to a hundredth, because recorders cut at round times."""
    return round(box.box.width / px_per_s, 2)


def _build_record(
    traces: list[LeadTrace],
    facts: list[LeadFacts],
    lines: list[tuple[LeadBox, ...]],
    px_per_mv: float,
    fs_hz: float,
    px_per_s: float,
) -> EcgRecord:
    """Rows in mV line by line, padded with NaN to one length."""
    length = max(len(trace.rows_px) for trace in traces)
    signals, confidence = (np.full((len(traces), length), fill, dtype=np.float32) for fill in (np.nan, 0.0))
    boxes = [box for line in lines for box in line]
    begin = min(box.box.left for box in boxes)
    for number, (trace, fact) in enumerate(zip(traces, facts, strict=True)):
        samples = len(trace.rows_px)
        signals[number, :samples] = (trace.baseline_px - trace.rows_px) / px_per_mv
        confidence[number, :samples] = fact.confidence
    return EcgRecord(
        signals,
        fs_hz,
        tuple(trace.lead for trace in traces),
        start_s=tuple(round((box.box.left - begin) / px_per_s, 2) for box in boxes[: len(traces)]),
        confidence=confidence,
    )

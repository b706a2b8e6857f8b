"""Leads of a page to signals in mV.

The upright page's ink is followed line by line (``strokes``), the outline of each trace becomes the line of the pen's
middle (``pen``), and grid, pulse and paper speed turn pixels into seconds and millivolts. Where the page holds its
traces as vectors, these are taken instead.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ecglens.layouts import RHYTHM
from ecglens.records import Box, EcgRecord, Layout, LeadBox, LeadTrace, Page, Tracing
from ecglens.tracing.follow import HIDDEN, Runs, follow, runs_of
from ecglens.tracing.ink import TraceInk, trace_ink
from ecglens.tracing.lead_relations import einthoven_rmse, goldberger_rmse, mended
from ecglens.tracing.pen import OVERSAMPLE, Outline, centre_line, outline, pen_radius
from ecglens.tracing.quality import LeadFacts, PageFacts, lead_quality, lead_warnings

__all__ = ["trace_page"]

_REACH_PITCHES = 1.4
_REACH_MM = 25.0
_ALONE_MM = 45.0
_USUAL_GAIN_MM_MV = 10.0
_GAINS_MM_MV = (2.5, 5.0, 10.0, 20.0, 40.0)
_GAIN_TOLERANCE = 0.12
_CURVE_SLACK_MM = 3.0
_ROUND_S = (2.5, 5.0, 10.0)
_ROUND_TOLERANCE, _ROUND_TOLERANCE_PULSE = 0.01, 0.02
"""How far the lines may be from a round time by a grid, and by pulses, which tell the scale less exactly."""
_START_MM = 1.2
_PALE = 0.75
"""From which share of the edge's level the ink of pale pages is followed: thin strokes are nowhere quite black."""
_PALE_HIDDEN = 0.05
_ROOF_MM = (3.0, 1.0)
"""Where the level top of a pulse is looked for, before the head of a line that it runs into."""
_NAME_SLACK_MM = 0.4
_ROOMY_MM = 20.0
"""Distance of lines from which a trace that keeps clear of its lead's name does not run into its neighbour instead."""
_BAR_MM = (2.0, 1.2)
"""Least height of a bar between leads, and how far from their border it reaches."""
_FLANK_MM = 1.0
_FLANK_SHARE = 0.4
"""Part of the height of a pulse that its flank blackens; one more column is half-covered."""
_HALF_COVERED_PX = 0.34
"""By how much less than the pen's radius a trace's round end stands out, as half-covered pixels show it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One line of traces as it was followed, ``(places,)`` each, ``OVERSAMPLE`` places to a column of the ink."""

    centre: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    sure: NDArray[np.float64]
    shared: NDArray[np.bool_]


def trace_page(
    page: Page,
    layout: Layout,
    *,
    fs_hz: float = 500.0,
    speed_mm_s: float = 25.0,
    gain_mm_mv: float | None = None,
    printed_mm_mv: float | None = None,
) -> Tracing:
    """Digitize the leads of a page.

    Args:
        page: As it was read.
        layout: Where its leads stand, found or given by hand.
        fs_hz: Sampling rate of the record.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain; from the calibration pulse where it is ``None``, as printed without one, and else the usual
            10 mm/mV.
        printed_mm_mv: Gain that the page prints, where it was read.

    Returns:
        Signals, the lines on the page and what speaks for or against them.
    """
    gain, source, warnings = _gain(layout, gain_mm_mv, printed_mm_mv)
    dark = trace_ink(page, layout)
    boxes = _by_lines(layout)
    followed, shift, radius = _followed(dark, layout, boxes)
    if _hidden_share(followed) > _PALE_HIDDEN:
        paler = trace_ink(page, layout, followed=_PALE)
        again = _followed(paler, layout, boxes)
        if _hidden_share(again[0]) < _hidden_share(followed):
            dark, (followed, shift, radius) = paler, again
    seen = PageFacts(radius * dark.shrink / float(np.mean(layout.px_per_mm)), dark.edge_share, page.bend_mm)
    curves = [_upright_curve(curve, layout) for curve in page.curves]
    tolerance = _ROUND_TOLERANCE if layout.px_per_mm_source == "grid" else _ROUND_TOLERANCE_PULSE
    px_per_s = _px_per_s(boxes, speed_mm_s * layout.px_per_mm[1], tolerance)
    traces: list[LeadTrace] = []
    facts: list[LeadFacts] = []
    for line, leads in zip(followed, boxes, strict=True):
        for box in leads:
            count = round(_length(box, px_per_s) * fs_hz)
            curve = _curve_in(curves, box, layout)
            if curve is None:
                columns = box.box.left + shift + np.arange(count) / fs_hz * px_per_s
                rows, fact = _sampled(line, dark, columns, fs_hz)
            else:
                columns = curve[0, 0] + np.arange(count) / fs_hz * px_per_s
                rows = np.interp(columns, curve[:, 0], curve[:, 1], right=np.nan)
                fact = LeadFacts.exact(rows)
            name = f"{box.lead}{RHYTHM}" if box.rhythm else box.lead
            traces.append(LeadTrace(name, columns, rows, box.baseline_px))
            facts.append(fact)
    record = None
    if gain is not None:
        record = _record(traces, facts, boxes, gain * layout.px_per_mm[0], fs_hz, px_per_s)
        record = mended(record)
        record = replace(record, quality=lead_quality(record, facts, seen))
        record = replace(record, warnings=lead_warnings(record, facts))
        record = replace(record, comments=_comments(layout, gain, source, speed_mm_s))
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
    )


def _gain(
    layout: Layout, given: float | None, printed: float | None
) -> tuple[float | None, str | None, tuple[str, ...]]:
    """Gain in mm/mV, where it is from, and what does not fit."""
    pulse = layout.pulse_mm
    if layout.px_per_mm_source == "none":
        return None, None, ()
    if given is not None:
        off = pulse is not None and abs(pulse / given - 1) > _GAIN_TOLERANCE
        said = f"The calibration pulse is {pulse:.1f} mm high, but {given:g} mm/mV was given." if off else None
        return given, "given", (said,) if said else ()
    if pulse is None and printed is not None:
        return printed, "printed", ()
    if pulse is None:
        return (
            _USUAL_GAIN_MM_MV,
            "default",
            ("No calibration pulse was seen: 10 mm/mV was taken for granted, and every mV hangs on it.",),
        )
    nearest = min(_GAINS_MM_MV, key=lambda gain: abs(float(np.log(gain / pulse))))
    return nearest, "pulse", ()


def _px_per_s(boxes: list[tuple[LeadBox, ...]], by_scale: float, tolerance: float) -> float:
    """Pixels of a second: by the scale, or by the lines' length where that is nearly a round time.

    Recorders cut leads at round times; some print the grid up to a hundredth too wide for them.
    """
    width = max(line[-1].box.right - line[0].box.left for line in boxes)
    nearest = min(_ROUND_S, key=lambda seconds: abs(width / by_scale - seconds))
    return width / nearest if abs(width / by_scale / nearest - 1) < tolerance else by_scale


def _comments(layout: Layout, gain: float, source: str | None, speed_mm_s: float) -> tuple[str, ...]:
    return (
        f"Read from a page of layout {layout.name} by ecglens; not for diagnosis.",
        f"Paper {speed_mm_s:g} mm/s, {gain:g} mm/mV ({source}), "
        f"{layout.px_per_mm[1]:.3f} x {layout.px_per_mm[0]:.3f} px/mm ({layout.px_per_mm_source}).",
    )


def _by_lines(layout: Layout) -> list[tuple[LeadBox, ...]]:
    """Lead boxes line by line, top to bottom and left to right."""
    lines: dict[tuple[float, bool], list[LeadBox]] = {}
    for box in layout.leads:
        lines.setdefault((round(box.baseline_px, 1), box.rhythm), []).append(box)
    return [tuple(sorted(boxes, key=lambda box: box.box.left)) for _, boxes in sorted(lines.items())]


def _followed(dark: TraceInk, layout: Layout, boxes: list[tuple[LeadBox, ...]]) -> tuple[list[_Line], float, float]:
    """Every line as the pen went, how far right of its boxes it begins in px of the page, and the pen's radius."""
    down, across = (value / dark.shrink for value in layout.px_per_mm)
    zeros = np.array([float(dark.row(line[0].baseline_px)) for line in boxes])
    pitch = float(np.diff(zeros).min()) if len(zeros) > 1 else _ALONE_MM * down
    runs = runs_of(dark.black)
    roomy = pitch > _ROOMY_MM * down
    names = [_name_in(dark, name, _NAME_SLACK_MM * down) for name in layout.names] if roomy else []
    reach = max(_REACH_PITCHES * pitch, _REACH_MM * down)
    path = follow(runs, zeros, px_per_mm=down, reach_px=reach, names=names)
    top, bottom, shared = _own_parts(runs, path, zeros)
    outlines = [outline(dark.pixels, a, b, level=dark.level) for a, b in zip(top, bottom, strict=True)]
    radius = float(np.median([pen_radius(edges) for edges in outlines if not np.isnan(edges[0]).all()] or [1.0]))
    flanks = [_flank_end(dark, line[0], (layout.pulse_mm or 0.0) * down, across) for line in boxes]
    shift = _shift(outlines, boxes, flanks, dark, across, radius * dark.sharpness)
    lines = []
    for number, (edges, line, flank, common) in enumerate(zip(outlines, boxes, flanks, shared, strict=True)):
        centre, apart = centre_line((_filled(edges[0]), _filled(edges[1])), radius)
        hidden = binary_dilation(np.isnan(edges[0]), iterations=OVERSAMPLE)
        borders = (dark.column(np.array([box.box.left + shift for box in line[1:]])) + 0.5) * OVERSAMPLE - 0.5
        hidden = np.asarray(hidden | _at_jumps(centre, borders, radius), dtype=np.bool_)
        hidden |= np.repeat(_at_bars(top[number], bottom[number], borders / OVERSAMPLE, down, radius), OVERSAMPLE)
        hidden[: (flank or 0) * OVERSAMPLE] = True
        both = np.repeat(common, OVERSAMPLE)
        sure = np.where(hidden, 0.0, 1 - np.clip(apart / (4 * radius), 0, 0.5) - 0.5 * both)
        lines.append(_Line(centre, hidden, sure, both))
    return lines, shift, radius


def _name_in(dark: TraceInk, name: Box, slack: float) -> tuple[float, float, float, float]:
    """Top, left, bottom and right of a lead name in the ink, ``slack`` px wider."""
    top, bottom = (float(dark.row(row)) for row in (name.top, name.bottom))
    left, right = (float(dark.column(column)) for column in (name.left, name.right))
    return top - slack, left - slack, bottom + slack, right + slack


def _flank_end(dark: TraceInk, first: LeadBox, pulse_px: float, across: float) -> int | None:
    """Column of the ink behind the flank of a calibration pulse that hides where a line begins, or ``None``.

    Args:
        dark: Ink of the traces.
        first: The line's first lead.
        pulse_px: Height of a pulse, 0 where none was seen.
        across: Pixels of the ink per millimetre.
    """
    head = round(float(dark.column(first.box.left)))
    zero = float(dark.row(first.baseline_px))
    roof = slice(max(0, round(zero - 1.15 * pulse_px)), max(0, round(zero - 0.85 * pulse_px)))
    before = slice(max(0, head - round(_ROOF_MM[0] * across)), max(0, head - round(_ROOF_MM[1] * across)))
    if not pulse_px or before.stop <= before.start or not dark.black[roof, before].any(axis=0).all():
        return None
    beside = slice(max(0, head - round(_FLANK_MM * across)), head + round(_FLANK_MM * across))
    tall = np.flatnonzero(dark.black[roof.stop : round(zero), beside].mean(axis=0) > _FLANK_SHARE)
    return min(beside.start + int(tall[-1]) + 2, dark.pixels.shape[1] - 1) if tall.size else None


def _hidden_share(lines: list[_Line]) -> float:
    """Share of the places between the first and the last seen one of each line at which it is hidden."""
    shares = []
    for line in lines:
        seen = np.flatnonzero(~line.hidden)
        shares.append(float(line.hidden[seen[0] : seen[-1]].mean()) if seen.size > 1 else 1.0)
    return float(np.mean(shares))


def _sampled(
    line: _Line, dark: TraceInk, columns: NDArray[np.float64], fs_hz: float
) -> tuple[NDArray[np.float64], LeadFacts]:
    """Rows on the page at these columns of it, NaN where the trace is hidden, and what is to be known of them."""
    place = (dark.column(columns) + 0.5) * OVERSAMPLE - 0.5
    places = np.arange(len(line.centre))
    hidden = np.interp(place, places, line.hidden, left=1, right=1) > 0.5
    rows = np.where(hidden, np.nan, dark.page_row(np.interp(place, places, line.centre)))
    sure = np.where(hidden, 0.0, np.interp(place, places, line.sure, left=0, right=0))
    return rows, LeadFacts.followed(rows, sure, np.interp(place, places, line.shared), fs_hz)


def _own_parts(
    runs: Runs, path: NDArray[np.intp], zeros: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """First and last row of each line's ink in each column, NaN where hidden, and where it is shared with a neighbour.

    A run that two lines share is cut halfway between their zero lines.
    """
    columns = np.arange(path.shape[1])
    seen = path != HIDDEN
    place = np.where(seen, path, 0)
    top = np.where(seen, runs.top[columns, place], np.nan).astype(np.float64)
    bottom = np.where(seen, runs.bottom[columns, place], np.nan).astype(np.float64)
    shared = np.zeros(path.shape, dtype=np.bool_)
    for upper in range(len(zeros) - 1):
        lower = upper + 1
        both = seen[upper] & seen[lower] & (path[upper] == path[lower])
        if not both.any():
            continue
        cut = np.clip((zeros[upper] + zeros[lower]) / 2, top[upper], bottom[upper])
        bottom[upper] = np.where(both, np.minimum(bottom[upper], cut), bottom[upper])
        top[lower] = np.where(both, np.maximum(top[lower], cut), top[lower])
        shared[upper] |= both
        shared[lower] |= both
    return top, bottom, shared


def _shift(
    outlines: list[Outline],
    lines: list[tuple[LeadBox, ...]],
    flanks: list[int | None],
    dark: TraceInk,
    across: float,
    radius: float,
) -> float:
    """How far right of the boxes' left edges the traces begin, px of the page; 0 where that cannot be seen.

    Where they begin under a frame or at the page's edge, that is their beginning. ``radius`` is that of the sharp pen:
    blur widens a stroke, but its end stays where half of its ink is. A line that begins at a pulse's flank is looked at
    along its first row, where it may stand out below the flank.
    """
    shifts = []
    reach = int(_START_MM * across * OVERSAMPLE)
    border = dark.page_column(_first_rule(dark.rules))
    for edges, line, flank in zip(outlines, lines, flanks, strict=True):
        there = ~np.isnan(edges[0])
        left = line[0].box.left
        if flank is not None:
            first = min(flank * OVERSAMPLE, len(there) - 1)
            if there[first]:
                middle = round(float(edges[0][first] + edges[1][first]) / 2)
                row = dark.pixels[min(middle, len(dark.pixels) - 1)]
                before = flank - 1 - int(np.argmax(row[flank - 1 :: -1] < dark.level))
                part = (dark.level - row[before]) / max(1.0, float(row[before + 1]) - row[before])
                shifts.append(dark.page_column(before + part + radius) - left)
            continue
        place = int((float(dark.column(left)) + 0.5) * OVERSAMPLE)
        window = np.arange(place + reach, max(-1, place - reach), -1)
        if not window.size or window[0] >= len(there) or not there[window[0]]:
            continue
        gaps = np.flatnonzero(~there[window])
        if not gaps.size and window[-1] > 0:
            continue
        start = int(window[gaps[0]]) + 1 if gaps.size else 0
        if start <= OVERSAMPLE or dark.rules[max(0, start // OVERSAMPLE - 2) : start // OVERSAMPLE + 1].any():
            if abs(border - left) < _START_MM * across * dark.shrink:
                shifts.append(border - left)
        else:
            shifts.append(dark.page_column(start / OVERSAMPLE - 0.5 + radius - _HALF_COVERED_PX) - left)
    return float(np.median(shifts)) if shifts else 0.0


def _first_rule(rules: NDArray[np.bool_]) -> float:
    """Left edge of the leftmost upright line, which was widened by 1 px, or of the picture."""
    columns = np.flatnonzero(rules)
    return max(0.0, float(columns[0]) + (columns[0] > 0)) - 0.5 if columns.size else -0.5


def _upright_curve(curve: NDArray[np.float32], layout: Layout) -> NDArray[np.float64]:
    matrix = np.array(layout.to_upright, dtype=np.float64)
    return np.asarray(curve @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def _curve_in(curves: list[NDArray[np.float64]], box: LeadBox, layout: Layout) -> NDArray[np.float64] | None:
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


def _at_jumps(centre: NDArray[np.float64], borders: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Places so near to a border of leads that the pen covers both where the trace jumps from one to the other."""
    near = np.zeros(len(centre), dtype=np.bool_)
    reach = round((radius + 0.5) * OVERSAMPLE)
    for border in np.rint(borders).astype(int):
        before, after = border - 2 * reach, border + 2 * reach
        if before >= 0 and after < len(centre) and abs(centre[before] - centre[after]) > 2 * radius:
            near[border - reach : border + reach + 1] = True
    return near


def _at_bars(
    top: NDArray[np.float64], bottom: NDArray[np.float64], borders: NDArray[np.float64], down: float, radius: float
) -> NDArray[np.bool_]:
    """Columns under a short thick bar between two leads, which is as high in all its columns and wider than the pen."""
    found = np.zeros(len(top), dtype=np.bool_)
    reach = round(_BAR_MM[1] * down)
    for border in np.rint(borders).astype(int):
        part = slice(max(0, border - reach), border + reach + 1)
        first, last = top[part], bottom[part]
        tall = last - first > _BAR_MM[0] * down
        if tall.sum() < max(3.0, 3 * radius):
            continue
        alike = tall & (np.abs(first - np.median(first[tall])) < 2) & (np.abs(last - np.median(last[tall])) < 2)
        if alike.sum() >= max(3.0, 3 * radius):
            there = np.flatnonzero(alike)
            found[max(0, part.start + there[0] - 1) : part.start + there[-1] + 2] = True
    return found


def _length(box: LeadBox, px_per_s: float) -> float:
    """Seconds that a box holds, to a hundredth: recorders cut at round times."""
    return round(box.box.width / px_per_s, 2)


def _filled(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(~np.isnan(edge))
    return np.interp(np.arange(len(edge)), known, edge[known]) if known.size else np.zeros(len(edge))


def _record(
    traces: list[LeadTrace],
    facts: list[LeadFacts],
    boxes: list[tuple[LeadBox, ...]],
    px_per_mv: float,
    fs_hz: float,
    px_per_s: float,
) -> EcgRecord:
    """Rows in mV line by line, filled with NaN to one length."""
    length = max(len(trace.rows_px) for trace in traces)
    signals, confidence = (np.full((len(traces), length), fill, dtype=np.float32) for fill in (np.nan, 0.0))
    flat = [box for line in boxes for box in line]
    begin = min(box.box.left for box in flat)
    for number, (trace, fact) in enumerate(zip(traces, facts, strict=True)):
        samples = len(trace.rows_px)
        signals[number, :samples] = (trace.baseline_px - trace.rows_px) / px_per_mv
        confidence[number, :samples] = fact.sure
    return EcgRecord(
        signals,
        fs_hz,
        tuple(trace.lead for trace in traces),
        start_s=tuple(round((box.box.left - begin) / px_per_s, 2) for box in flat),
        confidence=confidence,
    )

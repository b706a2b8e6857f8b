"""Leads of a page to signals in mV.

The upright page's ink is followed line by line (``strokes``), the outline of each trace becomes the line of the pen's
middle (``pen``), and grid, pulse and paper speed turn pixels into seconds and millivolts.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ecglens.leads.crop import upright
from ecglens.leads.pen import OVERSAMPLE, Outline, centre_line, outline, pen_radius
from ecglens.leads.relations import goldberger_rmse, einthoven_rmse
from ecglens.leads.strokes import HIDDEN, Runs, follow, runs_of
from ecglens.pages.preprocessing import edge_level, ink
from ecglens.records import EcgRecord, Layout, LeadBox, LeadTrace, Page, Tracing

__all__ = ["RHYTHM", "trace_page"]

RHYTHM = "-rhythm"
"""Ending of a rhythm strip's name in a record, where the lead itself may stand in the rows too."""

_FINEST_PX_PER_MM = 9.0
_WORK_PX_PER_MM = 8.0
_REACH_PITCHES = 1.4
_ALONE_MM = 45.0
_USUAL_GAIN_MM_MV = 10.0
_GAINS_MM_MV = (2.5, 5.0, 10.0, 20.0, 40.0)
_PULSE_TOLERANCE = 0.12
_START_MM = 1.2
_CURVE_SLACK_MM = 3.0
_RULE_MM = 30.0
_DASH_GAP_MM = 1.2
_SPECK_MM = 0.6
_CAP = 0.7
"""Radii of the pen from the edge of a trace's round end to its first sample, as far as half-covered pixels show it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ink:
    """Ink of the traces' part of the upright page, and what its pixels are there.

    Attributes:
        pixels: ``(height, width)`` uint8.
        black: ``(height, width)``, ink that may be a trace.
        rules: ``(width,)``, columns in which a separator was taken out.
        level: Ink at the edge of a stroke.
        shrink: Pixels of the page in one of these.
        top: Row of the page at which they begin.
        left: Column of the page.
    """

    pixels: NDArray[np.uint8]
    black: NDArray[np.bool_]
    rules: NDArray[np.bool_]
    level: float
    shrink: float
    top: float
    left: float

    def row(self, page_row: float | NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((page_row - self.top + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def column(self, page_column: float | NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((page_column - self.left + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def page_row(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((row + 0.5) * self.shrink - 0.5 + self.top, dtype=np.float64)

    def page_column(self, column: float) -> float:
        return (column + 0.5) * self.shrink - 0.5 + self.left


def trace_page(
    page: Page, layout: Layout, *, fs_hz: float = 500.0, speed_mm_s: float = 25.0, gain_mm_mv: float | None = None
) -> Tracing:
    """Digitize the leads of a page.

    Args:
        page: As it was read.
        layout: Where its leads stand, found or given by hand.
        fs_hz: Sampling rate of the record.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain; from the calibration pulse where it is ``None``, and the usual 10 mm/mV without one.

    Returns:
        Signals, the lines on the page and what speaks for or against them.
    """
    gain, source, warnings = _gain(layout, gain_mm_mv)
    dark = _ink(page, layout)
    lines = _lines(layout)
    down, across = (value / dark.shrink for value in layout.px_per_mm)
    zeros = np.array([float(dark.row(line[0].baseline_px)) for line in lines])
    pitch = float(np.diff(zeros).min()) if len(zeros) > 1 else _ALONE_MM * down
    runs = runs_of(dark.black)
    path = follow(runs, zeros, px_per_mm=down, reach_px=max(_REACH_PITCHES * pitch, 25 * down))
    top, bottom, shared = _own_parts(runs, path, zeros)
    outlines = [outline(dark.pixels, a, b, level=dark.level) for a, b in zip(top, bottom, strict=True)]
    radius = float(np.median([pen_radius(edges) for edges in outlines if not np.isnan(edges[0]).all()] or [1.0]))
    shift = _shift(outlines, lines, dark, across, radius)
    curves = [_upright_curve(curve, layout) for curve in page.curves]
    traces: list[LeadTrace] = []
    sure: list[NDArray[np.float64]] = []
    for number, line in enumerate(lines):
        hidden = binary_dilation(np.isnan(outlines[number][0]), iterations=OVERSAMPLE)
        filled = _filled(outlines[number][0]), _filled(outlines[number][1])
        centre, apart = centre_line(filled, radius)
        borders = (dark.column(np.array([box.box.left + shift for box in line[1:]])) + 0.5) * OVERSAMPLE - 0.5
        hidden |= _at_jumps(centre, borders, radius)
        doubt = np.clip(apart / (4 * radius), 0, 0.5) + 0.5 * np.repeat(shared[number], OVERSAMPLE)
        for box in line:
            seconds = _length(box, layout, speed_mm_s)
            count = round(seconds * fs_hz)
            columns = box.box.left + shift + np.arange(count) / fs_hz * speed_mm_s * layout.px_per_mm[1]
            place = (dark.column(columns) + 0.5) * OVERSAMPLE - 0.5
            lost = np.interp(place, np.arange(len(hidden)), hidden, left=1, right=1) > 0.5
            row = np.where(lost, np.nan, dark.page_row(np.interp(place, np.arange(len(centre)), centre)))
            name = f"{box.lead}{RHYTHM}" if box.rhythm else box.lead
            exact = _curve_in(curves, box, layout)
            if exact is not None:
                columns = exact[0, 0] + np.arange(count) / fs_hz * speed_mm_s * layout.px_per_mm[1]
                row = np.interp(columns, exact[:, 0], exact[:, 1], right=np.nan)
                lost = np.isnan(row)
            traces.append(LeadTrace(name, columns, row, box.baseline_px))
            unsure = 0.0 if exact is not None else np.interp(place, np.arange(len(doubt)), doubt)
            sure.append(np.where(lost, 0.0, 1 - unsure))
    record = None if gain is None else _record(traces, sure, layout, lines, gain, fs_hz, speed_mm_s)
    return Tracing(
        layout=layout,
        record=record,
        traces=tuple(traces),
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain,
        gain_source=source,
        einthoven_mv=None if record is None else einthoven_rmse(record),
        goldberger_mv=None if record is None else goldberger_rmse(record),
        warnings=warnings,
    )


def _gain(layout: Layout, given: float | None) -> tuple[float | None, str | None, tuple[str, ...]]:
    if given is not None:
        return given, "given", ()
    if layout.pulse_mm is None:
        return _USUAL_GAIN_MM_MV, "usual", ("No calibration pulse was seen: 10 mm/mV was taken for granted.",)
    nearest = min(_GAINS_MM_MV, key=lambda gain: abs(np.log(gain / layout.pulse_mm)))
    return nearest, "pulse", ()


def _ink(page: Page, layout: Layout) -> _Ink:
    """The traces' part of the upright page's ink, at ``_WORK_PX_PER_MM`` or what the page has."""
    pixels = upright(page, layout)
    box = layout.trace_area
    top, left = max(0, int(box.top)), max(0, int(box.left))
    part = pixels[top : int(np.ceil(box.bottom)), left : int(np.ceil(box.right))]
    mean = float(np.sqrt(layout.px_per_mm[0] * layout.px_per_mm[1]))
    shrink = 1.0 if mean <= _FINEST_PX_PER_MM else mean / _WORK_PX_PER_MM
    dark = ink(np.ascontiguousarray(part))
    if shrink > 1:
        size = round(dark.shape[1] / shrink), round(dark.shape[0] / shrink)
        dark = np.asarray(cv2.resize(dark, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    level = edge_level(dark)
    black, rules = _traces_alone(dark >= level, mean / shrink)
    return _Ink(dark, black, rules, level, shrink, top, left)


def _traces_alone(black: NDArray[np.bool_], px_per_mm: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Ink without specks, such as the dots of a grid, and without upright lines of 30 mm or more, such as separators.

    Returns:
        The ink, and the columns in which there were such lines.
    """
    drawn = np.asarray(black, dtype=np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    large = np.asarray(extent > max(2.0, _SPECK_MM * px_per_mm), dtype=np.uint8)
    large[0] = 0
    drawn = np.take(large, labels)
    length = round(_RULE_MM * px_per_mm)
    rules = np.zeros_like(drawn)
    suspects = np.flatnonzero(drawn.sum(axis=0, dtype=np.int32) >= 0.5 * length)
    if suspects.size:
        part = np.ascontiguousarray(drawn[:, suspects])
        joined = cv2.morphologyEx(part, cv2.MORPH_CLOSE, np.ones((round(_DASH_GAP_MM * px_per_mm) | 1, 1), np.uint8))
        rules[:, suspects] = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
        rules = np.asarray(cv2.dilate(rules, np.ones((1, 3), np.uint8)), dtype=np.uint8)
        drawn[rules > 0] = 0
    return drawn > 0, rules.any(axis=0)


def _lines(layout: Layout) -> list[tuple[LeadBox, ...]]:
    """Lead boxes line by line, top to bottom and left to right."""
    lines: dict[tuple[float, bool], list[LeadBox]] = {}
    for box in layout.leads:
        lines.setdefault((round(box.baseline_px, 1), box.rhythm), []).append(box)
    return [tuple(sorted(boxes, key=lambda box: box.box.left)) for _, boxes in sorted(lines.items())]


def _own_parts(
    runs: Runs, path: NDArray[np.intp], zeros: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """First and last row of each line's ink in each column, NaN where hidden, and where it is shared with a neighbour.

    A run that two lines share is cut between them where least ink stands.
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
    outlines: list[Outline], lines: list[tuple[LeadBox, ...]], dark: _Ink, across: float, radius: float
) -> float:
    """How far right of the boxes' left edges the traces begin, px of the page; 0 where that cannot be seen.

    Where they begin under a frame or at the page's edge, that is their beginning.
    """
    shifts = []
    reach = int(_START_MM * across * OVERSAMPLE)
    border = dark.page_column(_first_rule(dark.rules))
    for edges, line in zip(outlines, lines, strict=True):
        there = ~np.isnan(edges[0])
        left = line[0].box.left
        place = int((float(dark.column(left)) + 0.5) * OVERSAMPLE)
        window = np.arange(place + reach, max(-1, place - reach), -1)
        if window[0] >= len(there) or not there[window[0]]:
            continue
        gaps = np.flatnonzero(~there[window])
        if not gaps.size and window[-1] > 0:
            continue
        start = int(window[gaps[0]]) + 1 if gaps.size else 0
        if start <= OVERSAMPLE or dark.rules[max(0, start // OVERSAMPLE - 2) : start // OVERSAMPLE + 1].any():
            if abs(border - left) < _START_MM * across * dark.shrink:
                shifts.append(border - left)
        else:
            shifts.append(dark.page_column(start / OVERSAMPLE - 0.5 + _CAP * radius) - left)
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


def _length(box: LeadBox, layout: Layout, speed_mm_s: float) -> float:
    """Seconds that a box holds, to a hundredth: recorders cut at round times."""
    return round(box.box.width / layout.px_per_mm[1] / speed_mm_s, 2)


def _filled(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(~np.isnan(edge))
    return np.interp(np.arange(len(edge)), known, edge[known]) if known.size else np.zeros(len(edge))


def _record(traces, sure, layout: Layout, lines, gain: float, fs_hz: float, speed_mm_s: float) -> EcgRecord:
    """Rows in mV in the layout's order, filled with NaN to one length."""
    length = max(len(trace.rows_px) for trace in traces)
    signals, confidence = (np.full((len(traces), length), fill, dtype=np.float32) for fill in (np.nan, 0.0))
    px_per_mv = gain * layout.px_per_mm[0]
    starts = []
    boxes = [box for line in lines for box in line]
    begin = min(box.box.left for box in boxes)
    for number, (trace, box) in enumerate(zip(traces, boxes, strict=True)):
        samples = len(trace.rows_px)
        signals[number, :samples] = (trace.baseline_px - trace.rows_px) / px_per_mv
        confidence[number, :samples] = sure[number]
        starts.append(round((box.box.left - begin) / layout.px_per_mm[1] / speed_mm_s, 2))
    return EcgRecord(
        signals,
        fs_hz,
        tuple(trace.lead for trace in traces),
        start_s=tuple(starts),
        confidence=confidence,
        quality=tuple(1.0 for _ in traces),
    )

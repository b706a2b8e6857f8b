"""The layout of a page: the position of each lead, from what is printed: grid, pulses, traces, lead names.

The page is normalized to 4 px/mm; pulses, or else the traces, give the rows and their zero lines, the traces their
start and end, and the lead names say whether the layout fits. A page that does not fit is refused with the reason.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LayoutPlan, plan
from ecglens.leads.layout_from_lattice import find_lattice_layout
from ecglens.leads.layout_from_names import find_named_layout
from ecglens.leads.name_templates import match_names, name_edges
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage, normalize_at_scale, normalize_page
from ecglens.leads.plausibility import check_leads, similarity
from ecglens.leads.pulses import Pulse, find_pulses
from ecglens.leads.search_time import is_overdue
from ecglens.leads.trace_lines import LIMITS as LINES
from ecglens.leads.trace_lines import (
    Rows,
    build_layout,
    columns_between_pulses,
    describe_cut,
    find_longest_run,
    remove_rules,
    trace_centers,
)
from ecglens.limits import threshold
from ecglens.records import Layout, NotFound, Page

__all__ = ["LIMITS", "KnownPrintLimits", "find_layout"]


@dataclass(frozen=True)
class KnownPrintLimits:
    """Thresholds of the print of the public set's recorder, and of traces outside a layout."""

    width_tolerance: float = threshold(
        0.06,
        "1",
        "Largest deviation of the length of the traces from 10 s.",
        low="Pages that are printed slightly too wide are refused.",
        high="Pages of other durations are read as this print.",
    )
    whole_mm: float = threshold(
        248.0,
        "mm",
        "Length of 10 s by the recorder's grid, which is printed too wide.",
        low="Columns of cut pages are placed too far left.",
        high="Columns of cut pages are placed too far right.",
    )
    pitch_range_mm: tuple[float, float] = threshold(
        (18.0, 60.0),
        "mm",
        "Distances of the lines that are searched.",
        low="Dense pages are searched in vain; wide ones are not read.",
        high="Two lines look like one; dense pages are not read.",
    )
    min_name_margin: float = threshold(
        0.1,
        "1",
        "Correlation of a column's right names above that of wrong ones; 0 by chance, at least 0.13 on public pages.",
        low="Pages without these names are read as this print.",
        high="Faint names are not recognized.",
    )
    min_covered: float = threshold(
        0.95,
        "1",
        "Least share of the columns in which a line has ink.",
        low="Lines of print look like traces.",
        high="Traces with gaps are refused.",
    )
    max_gap_mm: int = threshold(
        2,
        "mm",
        "Longest break in a trace; the foot of a pulse ends 2.5 mm before it.",
        low="Traces with gaps are torn.",
        high="The pulse belongs to the trace.",
    )
    min_along: float = threshold(
        0.15,
        "1",
        "Least share of the width along which a trace runs within 0.5 mm of its zero line.",
        low="Print looks like traces.",
        high="Traces with wandering baselines are refused.",
    )
    name_reach_px: int = threshold(
        3,
        "px of the normalized page",
        "Distance of a name from its position in this print; twice that without pulses or where lines are cut.",
        low="Names of shifted pages are not recognized.",
        high="Other print looks like names.",
    )
    min_heads: int = threshold(
        3,
        "columns",
        "Least number of columns whose names are recognized.",
        low="Pages of other prints are read as this one.",
        high="Pages with a stained column are refused.",
    )
    min_room_mm: int = threshold(
        25,
        "mm",
        "Least room outside the traces in which further traces are searched.",
        low="Headers look like further traces.",
        high="Second pages are overlooked.",
    )
    min_trace_mm: int = threshold(
        40,
        "mm",
        "Least length of a line of ink that is a further trace: longer than any word.",
        low="Words look like traces.",
        high="Short strips are overlooked.",
    )
    min_rule_mm: int = threshold(
        25,
        "mm",
        "Length of a ruled line, which is no trace.",
        low="Level parts of traces look like rules.",
        high="Rules look like traces.",
    )
    min_further_traces: int = threshold(
        2,
        "traces",
        "Least number of further traces that bring a warning.",
        low="Single lines in the header bring a warning.",
        high="Second pages with one strip are overlooked.",
    )
    other_grid_mm: float = threshold(
        60.0,
        "mm",
        "Room beside the grid from which another grid may be there; headers are up to 45 mm high.",
        low="Pages with wide margins are searched again, which takes time.",
        high="Second pages are overlooked.",
    )

    further_mm: float = threshold(
        3.0,
        "mm",
        "Distance of a further line from its place at equal distances.",
        low="Strips that are set less evenly are lost.",
        high="Print beside the traces counts as a line.",
    )
    min_further: float = threshold(
        0.8,
        "1",
        "Ink along a further line, as a part of the least along the others, from which the page has one more trace.",
        low="Print and rules count as a line.",
        high="Rhythm strips are lost without a word.",
    )


LIMITS = KnownPrintLimits()


_PLAN = "3x4+1"
_WIDTH_MM = 250.0
"""Four segments of 2.5 s at 25 mm/s."""
_MORE_TRACES = (
    "There are further traces beside those that were read, as if the picture showed two pages: crop it to one page."
)
_RHYTHM_LEADS = frozenset({"II", "III", "V1", "V5"})
"""Leads that recorders offer for the strip; two leads can be too alike to tell by their traces."""


def find_layout(page: Page, *, name: str | None = None, doubtful: bool = False) -> Layout | NotFound:
    """Find the leads of a page.

    Args:
        page: Page as it was decoded; turned by at most 10 degrees, any size.
        name: Layout that the page has, where it is known; found by the lead names where it is ``None``.
        doubtful: Also return a layout whose leads may not be one heart's, with its ``doubt``, and one whose scale is a
            guess.

    Returns:
        The layout, or a falsy reason: nothing is ever cut out of a page that was not understood.
    """
    normalized = normalize_page(page)
    if page.classes is not None:
        at_scale = None if isinstance(normalized, NotFound) else normalized
        result = find_lattice_layout(page, at_scale, name=name)
        if at_scale is None or not isinstance(result, Layout):
            return result
        return _with_warning(result) if _has_more_traces(page, at_scale, result) else result
    if isinstance(normalized, NotFound):
        result = find_named_layout(page, None, name=name, guess=doubtful)
        if not isinstance(result, Layout):
            return normalized
        normalized = normalize_at_scale(page, float(np.mean(result.px_per_mm)))
        return _with_warning(result) if _has_more_traces(page, normalized, result) else result
    result = _known_print(normalized, page.width) if name in (None, _PLAN) else NotFound("")
    if isinstance(result, NotFound) and is_overdue():
        return result
    if isinstance(result, NotFound):
        other = find_named_layout(page, normalized, name=name)
        result = NotFound(f"{result.reason} {other.reason}".strip()) if isinstance(other, NotFound) else other
    elif result.doubt is not None and doubtful:
        other = find_named_layout(page, normalized, name=name)
        result = other if isinstance(other, Layout) else result
    if isinstance(result, Layout) and result.doubt is not None and not doubtful:
        return NotFound(result.doubt)
    return (
        _with_warning(result) if isinstance(result, Layout) and _has_more_traces(page, normalized, result) else result
    )


def _with_warning(layout: Layout) -> Layout:
    return replace(layout, warnings=(*layout.warnings, _MORE_TRACES))


def _has_more_traces(page: Page, normalized: NormalizedPage, layout: Layout) -> bool:
    """Return whether there are traces outside a layout: ink without a break, longer than any word, and no rule."""
    down, across = (scale * PX_PER_MM for scale in normalized.scale)
    beyond = (
        page.height / down - normalized.ink.shape[0] / PX_PER_MM,
        page.width / across - normalized.ink.shape[1] / PX_PER_MM,
    )
    if max(beyond) > LIMITS.other_grid_mm:
        normalized = normalize_at_scale(page, (down + across) / 2)
    area = layout.trace_area
    top, bottom = (round((row - normalized.origin[0]) / normalized.scale[0]) for row in (area.top, area.bottom))
    left, right = (round((column - normalized.origin[1]) / normalized.scale[1]) for column in (area.left, area.right))
    height, width = normalized.ink.shape
    if max(top, height - bottom, left, width - right) < LIMITS.min_room_mm * PX_PER_MM:
        return False
    black = np.asarray(remove_rules(normalized.ink) > LINES.black, dtype=np.uint8)
    black[max(0, top) : bottom, max(0, left) : right] = 0
    ruled = cv2.morphologyEx(black, cv2.MORPH_OPEN, np.ones((1, LIMITS.min_rule_mm * PX_PER_MM), np.uint8))
    joined = cv2.morphologyEx(cv2.subtract(black, ruled), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    return bool((stats[1:, cv2.CC_STAT_WIDTH] >= LIMITS.min_trace_mm * PX_PER_MM).sum() >= LIMITS.min_further_traces)


def _known_print(normalized: NormalizedPage, width: int) -> Layout | NotFound:
    """The layout of a page in the print of the public set's recorder: three rows of four leads and a rhythm strip.

    Args:
        normalized: The page dewarped.
        width: Its width in px.
    """
    layout = plan(_PLAN)
    ink = remove_rules(normalized.ink)
    pulses = find_pulses(normalized.ink)
    if len(pulses) > layout.lines:
        return NotFound(
            f"{len(pulses)} calibration pulses were seen, the layout {_PLAN} has {layout.lines}: one page at a time."
        )
    rows = _rows_by_pulses(pulses, lines=layout.lines) or _rows_by_traces(ink, lines=layout.lines)
    if isinstance(rows, NotFound):
        return rows
    span = _find_span(ink, rows)
    if isinstance(span, NotFound):
        return span
    cut = (span[0] < PX_PER_MM, ink.shape[1] - span[1] < PX_PER_MM)
    reach = 2 * LIMITS.name_reach_px if any(cut) or not rows.pulses else LIMITS.name_reach_px
    columns, (fits, down, right) = max(
        ((heads, _match_columns(ink, rows, heads, layout, reach)) for heads in _candidate_columns(span, cut, layout)),
        key=lambda result: float(result[1][0].mean()),
    )
    if (fits > LIMITS.min_name_margin).sum() < LIMITS.min_heads:
        return NotFound(
            f"Four traces were seen, but the lead names of the layout {_PLAN} could not be read beside them."
        )
    if not rows.pulses:
        rows = Rows(zeros=rows.zeros + down, pulses=())
    if any(cut):
        columns = _place_columns_by_names(columns, right, (np.abs(right) < reach) & (fits > LIMITS.min_name_margin))
    elif not rows.pulses and (more := _find_further_line(ink, rows, columns)):
        return NotFound(f"A trace more than the {layout.lines} of the layout {_PLAN} was seen {more} them.")
    curves, covered = trace_centers(ink, rows)
    doubt = check_leads(curves, covered, columns, layout)
    rhythm, warnings = _identify_rhythm_lead(ink, curves, rows, columns, layout)
    lost = describe_cut(normalized, columns, width)
    warnings += (f"The page may be cut: {lost}.",) if lost else ()
    names = [name_edges(float(zero), float(head)) for zero in rows.zeros[:-1] for head in columns[:-1]]
    names.append(name_edges(float(rows.zeros[-1]), float(columns[0])))
    result = build_layout(normalized, rows, columns, replace(layout, rhythm=(rhythm,)), pulses, warnings, printed=names)
    return replace(result, known_print=True, doubt=None if doubt is None else doubt.reason)


def _rows_by_pulses(pulses: tuple[Pulse, ...], *, lines: int) -> Rows | None:
    """The zero lines as the feet of pulses below each other at equal distances, one of each line."""
    if len(pulses) < lines:
        return None
    lefts = np.array([pulse.left for pulse in pulses])
    column = max(lefts, key=lambda left: int(np.sum(np.abs(lefts - left) < 1.5 * PX_PER_MM)))
    aligned = tuple(pulse for pulse in pulses if abs(pulse.left - column) < 1.5 * PX_PER_MM)
    zeros = np.array([pulse.bottom for pulse in aligned])
    if len(aligned) != lines or np.diff(zeros).max() > 1.15 * np.diff(zeros).min():
        return None
    return Rows(zeros=zeros, pulses=aligned)


def _rows_by_traces(ink: NDArray[np.uint8], *, lines: int) -> Rows | NotFound:
    """The zero lines as the rows, at equal distances, along which most ink runs."""
    along = (cv2.dilate(ink, np.ones((PX_PER_MM, 1), np.uint8)) > LINES.black).mean(axis=1)
    height = len(along)
    best, zeros = 0.0, np.zeros(0)
    for pitch in np.arange(LIMITS.pitch_range_mm[0], LIMITS.pitch_range_mm[1], 0.5) * PX_PER_MM:
        offsets = np.rint(np.arange(lines) * pitch).astype(np.intp)
        room = height - int(offsets[-1])
        if room <= 0:
            break
        score = along[np.arange(room)[:, None] + offsets].min(axis=1)
        if score.max() > best:
            best, zeros = float(score.max()), float(score.argmax()) + np.arange(lines) * pitch
    if best < LIMITS.min_along:
        return NotFound(f"A grid was seen, but not the {lines} traces of the layout {_PLAN} at equal distances.")
    return Rows(zeros=zeros, pulses=())


def _find_span(ink: NDArray[np.uint8], rows: Rows) -> tuple[float, float] | NotFound:
    """Columns of the normalized page at which the traces begin and end."""
    runs = []
    for index in range(len(rows.zeros)):
        top, bottom = rows.band(index, ink.shape[0])
        covered = np.asarray((ink[top:bottom] > LINES.black).any(axis=0), dtype=np.bool_)
        first, last = columns_between_pulses(rows.pulses, len(covered))
        covered[:first] = False
        covered[last:] = False
        runs.append(find_longest_run(covered, gap=LIMITS.max_gap_mm * PX_PER_MM))
    starts, ends, shares = (np.array(column) for column in zip(*runs, strict=True))
    start, end = float(np.median(starts)), float(np.median(ends))
    if (end - start) / PX_PER_MM > _WIDTH_MM * (1 + LIMITS.width_tolerance):
        start = end - _WIDTH_MM * PX_PER_MM
    width_mm = (end - start) / PX_PER_MM
    if abs(width_mm / _WIDTH_MM - 1) > LIMITS.width_tolerance:
        return NotFound(
            f"The traces are {width_mm:.0f} mm long; the layout {_PLAN} at 25 mm/s has {_WIDTH_MM:.0f} mm (10 s)."
        )
    whole = (shares >= LIMITS.min_covered) & (np.abs(starts - start) <= 8 * PX_PER_MM)
    if whole.sum() < len(rows.zeros) - 1:
        return NotFound(f"Only {whole.sum()} of the {len(rows.zeros)} traces run unbroken from one end to the other.")
    return start, end


def _find_further_line(ink: NDArray[np.uint8], rows: Rows, columns: NDArray[np.float64]) -> str:
    """Say where a line as far away as the others runs as these do, ``above`` or ``below`` them; empty where none."""
    part = ink[:, round(columns[0]) : round(columns[-1])] > LINES.black
    along = cv2.dilate(np.asarray(part, dtype=np.uint8), np.ones((PX_PER_MM, 1), np.uint8)).mean(axis=1)
    reach = round(LIMITS.further_mm * PX_PER_MM)

    def most(zero: float) -> float:
        return float(along[max(0, round(zero) - reach) : max(0, round(zero) + reach + 1)].max(initial=0.0))

    typical = min(most(float(zero)) for zero in rows.zeros)
    places = {"above": float(rows.zeros[0]) - rows.pitch, "below": float(rows.zeros[-1]) + rows.pitch}
    return next((side for side, zero in places.items() if most(zero) >= LIMITS.min_further * typical), "")


def _candidate_columns(
    span: tuple[float, float], cut: tuple[bool, bool], layout: LayoutPlan
) -> list[NDArray[np.float64]]:
    """Heads of the columns: equal parts of the traces, or, where the page's edge cut these, by their whole width."""
    parts = np.linspace(0, 1, layout.columns + 1)
    whole = LIMITS.whole_mm * PX_PER_MM
    result = [span[0] + parts * (span[1] - span[0])]
    if cut[1]:
        result.append(span[0] + parts * whole)
    if cut[0]:
        result.append(span[1] - (1 - parts) * whole)
    return result


def _match_columns(
    ink: NDArray[np.uint8], rows: Rows, columns: NDArray[np.float64], layout: LayoutPlan, reach: int
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Match the names of each column: how much better than all others the right ones match, and their offsets.

    The first and the last are one number a column.
    """
    margins, downs, rights = [], [], []
    for row, names in enumerate(layout.rows):
        for column, name in enumerate(names):
            at = {"row": float(rows.zeros[row]), "column": float(columns[column])}
            matches = match_names(ink, **at, reach=reach)
            right = matches.pop(name)
            margins.append(right.score - float(np.mean([match.score for match in matches.values()])))
            downs.append(right.down)
            rights.append(right.right)
    by_column = np.reshape(margins, (len(layout.rows), -1)).mean(axis=0)
    return by_column, float(np.median(downs)), np.median(np.reshape(rights, (len(layout.rows), -1)), axis=0)


def _place_columns_by_names(
    columns: NDArray[np.float64], right: NDArray[np.float64], is_read: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Heads of the columns on a straight line through the names that were read: traces may be cut at the page's edge.

    Args:
        columns: Heads of the columns as they were looked for, and the end of the last.
        right: How far right of each the names stand, px of the normalized page.
        is_read: Whether the names of each column were read.
    """
    if is_read.sum() < LIMITS.min_heads:
        return columns
    width, start = np.polyfit(np.flatnonzero(is_read), (columns[:-1] + right)[is_read], 1)
    return np.asarray(start + width * np.arange(len(columns)), dtype=np.float64)


def _identify_rhythm_lead(
    ink: NDArray[np.uint8], curves: NDArray[np.float64], rows: Rows, columns: NDArray[np.float64], layout: LayoutPlan
) -> tuple[str, tuple[str, ...]]:
    """The rhythm strip's lead, by its printed name and by the lead that it runs along with."""
    matches = match_names(ink, row=float(rows.zeros[-1]), column=float(columns[0]), reach=LIMITS.name_reach_px)
    printed = {name: match.score for name, match in matches.items()}
    similarities = {}
    for row, names in enumerate(layout.rows):
        for column, name in enumerate(names):
            part = slice(round(columns[column]) + 4 * PX_PER_MM, round(columns[column + 1]) - PX_PER_MM)
            similarities[name] = similarity(curves[-1, part], curves[row, part])
    by_name = max(printed, key=lambda name: printed[name])
    by_trace = max(similarities, key=lambda name: similarities[name])
    together = max(
        layout.leads, key=lambda name: similarities[name] + 0.25 * printed[name] + 0.1 * (name in _RHYTHM_LEADS)
    )
    if by_name == by_trace == together or (together in (by_name, by_trace) and similarities[together] > 0.8):
        return together, ()
    return together, (
        f"The rhythm strip is read as lead {together}, but its printed name looks like {by_name} "
        f"and its trace like {by_trace}.",
    )

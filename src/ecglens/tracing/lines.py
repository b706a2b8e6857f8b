"""Lines of traces: each followed through the ink, from the edges of its strokes to the center line of the pen."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.sliding import dilate_mask
from ecglens.records import Box, Layout, LeadBox, Page
from ecglens.tracing.follow import HIDDEN, Runs, find_runs, follow_lines
from ecglens.tracing.ink import TraceInk, add_pale_strokes, extract_trace_ink
from ecglens.tracing.pen import OVERSAMPLE, Outline, find_center_line, find_outline, find_pen_radius

__all__ = ["LIMITS", "Line", "LineLimits", "TracedLines", "group_by_lines", "is_blurred", "trace_lines"]


_REAL_PAGES = (
    "`python benchmarks/real_pages.py`: page_013 of benchmarks/real_pages.md; no figure of `make accuracy` falls"
)


@dataclass(frozen=True)
class LineLimits:
    """Thresholds of lines of traces."""

    reach_of_pitch: float = threshold(
        1.4,
        "1",
        "Largest distance of a trace from its zero line, as a multiple of the distance of the lines.",
        low="Tall complexes are cut.",
        high="Traces change to lines two rows away.",
    )
    min_reach_mm: float = threshold(
        25.0,
        "mm",
        "The same where lines are close together.",
        low="Tall complexes of 12x1 pages are cut.",
        high="Traces change to distant lines.",
    )
    single_line_mm: float = threshold(
        45.0,
        "mm",
        "Distance of lines that is assumed for a single line.",
        low="Tall complexes of strips are cut.",
        high="Print above a strip is followed.",
    )
    pale_level: float = threshold(
        0.75,
        "1",
        "Share of the edge's level from which the ink of pale pages is followed: thin strokes are nowhere quite black.",
        low="Grid and paper of pale pages are followed.",
        high="Thin strokes of pale pages stay hidden.",
    )
    max_hidden: float = threshold(
        0.05,
        "1",
        "Share of hidden places from which a page is tried as a pale one.",
        low="Clean pages are followed twice, which takes time.",
        high="Pale pages lose their thin strokes.",
    )
    max_sharpness: float = threshold(
        0.9,
        "1",
        "Sharpness of the ink below which its strokes may be blurred: 1.0 on sharp pages.",
        low="Blurred tips stay low.",
        high="Sharp pages are sharpened, which adds noise.",
    )
    min_blurred_px: float = threshold(
        1.3,
        "px",
        "Radius of the pen from which pale strokes are blurred and not just thin.",
        low="Pages of a low resolution are sharpened, which adds noise.",
        high="Blurred tips stay low.",
    )
    blur_of_radius: float = threshold(
        0.75,
        "1",
        "Standard deviation of the unsharp mask, as a part of the radius of blurred strokes.",
        low="Blurred tips stay low.",
        high="Strokes get pale borders.",
    )
    gap_slack_mm: float = threshold(
        0.6,
        "mm",
        "Margin around hidden parts of a line within which pale strokes are added.",
        low="A pale flank is added without its foot, and stays hidden.",
        high="Ink beside gaps, such as grid lines, is followed too.",
        evidence=_REAL_PAGES,
    )
    max_filled: float = threshold(
        0.7,
        "1",
        "Share of the hidden places, as a part of that without pale strokes, up to which these are followed.",
        low="Pale flanks stay hidden on pages that also have other gaps.",
        high="Pages change whose gaps are no pale strokes.",
        evidence=_REAL_PAGES,
    )
    max_shared_mm: float = threshold(
        8.0,
        "mm",
        "Length over which complexes of two lines may share their ink.",
        low="Lines are hidden where wide complexes overlap.",
        high="A line that has ended runs along its neighbor's trace.",
        evidence="`python benchmarks/real_pages.py`: page_008 of benchmarks/real_pages.md",
    )
    start_reach_mm: float = threshold(
        1.2,
        "mm",
        "Distance from the left edge of a box within which a trace begins.",
        low="Shifted traces are read with a wrong time.",
        high="Print beside the box counts as the start.",
    )
    roof_mm: tuple[float, float] = threshold(
        (3.0, 1.0),
        "mm",
        "Distances before the head of a line between which the level top of a calibration pulse is searched.",
        low="Pulses that touch their line are overlooked.",
        high="QRS complexes before the line count as pulses.",
    )
    name_slack_mm: float = threshold(
        0.4,
        "mm",
        "Margin around a printed lead name.",
        low="Letters are followed as traces.",
        high="Traces beside names are hidden.",
    )
    roomy_mm: float = threshold(
        20.0,
        "mm",
        "Distance of lines from which a trace that avoids its lead's name does not run into its neighbor instead.",
        low="On dense pages traces change lines beside names.",
        high="Letters are followed as traces.",
    )
    bar_mm: tuple[float, float] = threshold(
        (2.0, 1.2),
        "mm",
        "Least height of a bar between leads, and its reach on both sides of their border.",
        low="QRS complexes at a border are hidden as bars.",
        high="Bars are read as waves.",
    )
    flank_mm: float = threshold(
        1.0,
        "mm",
        "Distance from the head of a line within which the flank of a calibration pulse may hide its start.",
        low="The flank is read as a wave.",
        high="A QRS complex at the start is hidden as a flank.",
    )
    flank_share: float = threshold(
        0.4,
        "1",
        "Share of the height of a pulse that its flank blackens.",
        low="The trace beside the flank is hidden.",
        high="Pale flanks are read as waves.",
    )
    half_covered_px: float = threshold(
        0.34,
        "px",
        "Difference between the pen's radius and how far a trace's round end stands out, from half-covered pixels.",
        low="Traces begin late by a fraction of a pixel.",
        high="Traces begin early by a fraction of a pixel.",
    )


LIMITS = LineLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of traces, ``(places,)`` each, ``OVERSAMPLE`` places to a column of the ink.

    Attributes:
        center: Rows of the pen's center line.
        is_hidden: Where the trace is hidden.
        confidence: In [0, 1].
        is_shared: Where a neighboring line claims the same ink.
    """

    center: NDArray[np.float64]
    is_hidden: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    is_shared: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class TracedLines:
    """All lines of a page.

    Attributes:
        ink: Ink that was followed.
        lines: One for each line of boxes.
        shift_px: How far right of the left edges of their boxes the traces begin, px of the page.
        pen_radius_px: Radius of the pen, px of the ink.
        was_blurred: Whether the strokes were blurred, and sharpened before they were followed.
    """

    ink: TraceInk
    lines: list[Line]
    shift_px: float
    pen_radius_px: float
    was_blurred: bool = False


def is_blurred(traced: TracedLines) -> bool:
    """Return whether strokes are wide and pale at once: thin strokes are pale without blur, thick ones are black."""
    return traced.ink.sharpness < LIMITS.max_sharpness and traced.pen_radius_px > LIMITS.min_blurred_px


def group_by_lines(layout: Layout) -> list[tuple[LeadBox, ...]]:
    """Group lead boxes by the lines that they are printed on, top to bottom and left to right."""
    lines: dict[tuple[float, bool], list[LeadBox]] = {}
    for box in layout.leads:
        lines.setdefault((round(box.baseline_px, 1), box.rhythm), []).append(box)
    return [tuple(sorted(boxes, key=lambda box: box.box.left)) for _, boxes in sorted(lines.items())]


def trace_lines(page: Page, layout: Layout, boxes: list[tuple[LeadBox, ...]]) -> TracedLines:
    """Follow every line of a page; one whose ink is pale is followed at a lower level, gaps with pale strokes in them.

    Args:
        page: View on which the layout was located.
        layout: Positions of the leads.
        boxes: From :func:`group_by_lines`.
    """
    traced = _trace_lines_of_ink(extract_trace_ink(page, layout), layout, boxes)
    was_blurred = is_blurred(traced)
    if was_blurred:
        blur_px = LIMITS.blur_of_radius * traced.pen_radius_px
        traced = _trace_lines_of_ink(extract_trace_ink(page, layout, blur_px=blur_px), layout, boxes)
    candidates = [traced]
    if not traced.ink.is_classified:
        candidates.append(_fill_gaps(traced, layout, boxes))
    if _hidden_share(traced.lines) > LIMITS.max_hidden:
        pale_ink = extract_trace_ink(page, layout, level_share=LIMITS.pale_level)
        candidates.append(_trace_lines_of_ink(pale_ink, layout, boxes))
    return replace(min(candidates, key=lambda each: _hidden_share(each.lines)), was_blurred=was_blurred)


def _fill_gaps(traced: TracedLines, layout: Layout, boxes: list[tuple[LeadBox, ...]]) -> TracedLines:
    """Follow the lines again with pale upright strokes where they were hidden, if that shows more of them."""
    ink = traced.ink
    down, across = (value / ink.shrink for value in layout.px_per_mm)
    gaps = np.zeros(ink.pixels.shape[1], dtype=np.bool_)
    for line in traced.lines:
        visible = np.flatnonzero(~line.is_hidden)
        if visible.size > 1:
            is_inner = line.is_hidden.copy()
            is_inner[: visible[0]] = is_inner[visible[-1] :] = False
            gaps |= is_inner.reshape(-1, OVERSAMPLE).any(axis=1)
    borders = ink.column(np.array([side for line in boxes for box in line for side in (box.box.left, box.box.right)]))
    places = np.arange(len(gaps))
    gaps &= np.abs(places[:, None] - borders).min(axis=1) > LIMITS.bar_mm[1] * across
    if not gaps.any():
        return traced
    gaps = dilate_mask(gaps, round(LIMITS.gap_slack_mm * across))
    with_pale = add_pale_strokes(ink, gaps, down)
    if not (with_pale.black & ~ink.black).any():
        return traced
    filled = _trace_lines_of_ink(with_pale, layout, boxes)
    return filled if _hidden_share(filled.lines) < LIMITS.max_filled * _hidden_share(traced.lines) else traced


def _trace_lines_of_ink(ink: TraceInk, layout: Layout, boxes: list[tuple[LeadBox, ...]]) -> TracedLines:
    down, across = (value / ink.shrink for value in layout.px_per_mm)
    zeros = np.array([float(ink.row(line[0].baseline_px)) for line in boxes])
    pitch = float(np.diff(zeros).min()) if len(zeros) > 1 else LIMITS.single_line_mm * down
    runs = find_runs(ink.black)
    is_roomy = pitch > LIMITS.roomy_mm * down
    names = [_name_edges(ink, name, LIMITS.name_slack_mm * down) for name in layout.names] if is_roomy else []
    reach = max(LIMITS.reach_of_pitch * pitch, LIMITS.min_reach_mm * down)
    path = follow_lines(runs, zeros, px_per_mm=down, reach_px=reach, names=names)
    path = _leave_to_nearest(runs, path, zeros, max(1, round(LIMITS.max_shared_mm * across)))
    top, bottom, shared = _split_shared_runs(runs, path, zeros)
    outlines = [find_outline(ink.pixels, a, b, level=ink.level) for a, b in zip(top, bottom, strict=True)]
    radius = float(np.median([find_pen_radius(edges) for edges in outlines if not np.isnan(edges[0]).all()] or [1.0]))
    flanks = [_find_flank_end(ink, line[0], (layout.pulse_mm or 0.0) * down, across) for line in boxes]
    shift = _find_shift(outlines, boxes, flanks, ink, across, radius * ink.sharpness)
    lines = []
    for number, (edges, line, flank, is_shared) in enumerate(zip(outlines, boxes, flanks, shared, strict=True)):
        center, apart = find_center_line((_fill(edges[0]), _fill(edges[1])), radius)
        is_hidden = dilate_mask(np.isnan(edges[0]), OVERSAMPLE)
        borders = (ink.column(np.array([box.box.left + shift for box in line[1:]])) + 0.5) * OVERSAMPLE - 0.5
        is_hidden = np.asarray(is_hidden | _are_at_jumps(center, borders, radius), dtype=np.bool_)
        bars = _are_at_bars(top[number], bottom[number], borders / OVERSAMPLE, down, radius)
        is_hidden |= np.repeat(bars, OVERSAMPLE)
        is_hidden[: (flank or 0) * OVERSAMPLE] = True
        shared_places = np.repeat(is_shared, OVERSAMPLE)
        confidence = np.where(is_hidden, 0.0, 1 - np.clip(apart / (4 * radius), 0, 0.5) - 0.5 * shared_places)
        lines.append(Line(center, is_hidden, confidence, shared_places))
    return TracedLines(ink, lines, shift, radius)


def _name_edges(ink: TraceInk, name: Box, slack: float) -> tuple[float, float, float, float]:
    """Top, left, bottom and right of a lead name in the ink, ``slack`` px wider."""
    top, bottom = (float(ink.row(row)) for row in (name.top, name.bottom))
    left, right = (float(ink.column(column)) for column in (name.left, name.right))
    return top - slack, left - slack, bottom + slack, right + slack


def _find_flank_end(ink: TraceInk, first: LeadBox, pulse_px: float, across: float) -> int | None:
    """Column of the ink behind the flank of a calibration pulse that hides where a line begins, or ``None``.

    Args:
        ink: Ink of the traces.
        first: The line's first lead.
        pulse_px: Height of a pulse, 0 where none was found.
        across: Pixels of the ink per millimeter.
    """
    head = round(float(ink.column(first.box.left)))
    zero = float(ink.row(first.baseline_px))
    roof = slice(max(0, round(zero - 1.15 * pulse_px)), max(0, round(zero - 0.85 * pulse_px)))
    before = slice(*(max(0, head - round(distance * across)) for distance in LIMITS.roof_mm))
    if not pulse_px or before.stop <= before.start or not ink.black[roof, before].any(axis=0).all():
        return None
    beside = slice(max(0, head - round(LIMITS.flank_mm * across)), head + round(LIMITS.flank_mm * across))
    tall = np.flatnonzero(ink.black[roof.stop : round(zero), beside].mean(axis=0) > LIMITS.flank_share)
    return min(beside.start + int(tall[-1]) + 2, ink.pixels.shape[1] - 1) if tall.size else None


def _hidden_share(lines: list[Line]) -> float:
    """Share of hidden places between the first and the last shown one of each line."""
    shares = []
    for line in lines:
        visible = np.flatnonzero(~line.is_hidden)
        shares.append(float(line.is_hidden[visible[0] : visible[-1]].mean()) if visible.size > 1 else 1.0)
    return float(np.mean(shares))


def _leave_to_nearest(
    runs: Runs, path: NDArray[np.intp], zeros: NDArray[np.float64], max_columns: int
) -> NDArray[np.intp]:
    """Hide a line where it runs along a neighbor's trace for long, as one that ended or is lost does.

    Args:
        runs: Runs of the page's ink.
        path: ``(lines, columns)``, the run of each line in each column.
        zeros: Rows of 0 mV.
        max_columns: Number of columns over which complexes of two lines may share their ink.
    """
    path = path.copy()
    columns = np.arange(path.shape[1])
    for upper in range(len(zeros) - 1):
        lower = upper + 1
        both = (path[upper] == path[lower]) & (path[upper] != HIDDEN)
        bounds = np.flatnonzero(np.diff(np.concatenate([[False], both, [False]]).astype(np.int8)))
        for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
            if stop - start <= max_columns:
                continue
            place = path[upper, start:stop]
            middle = (runs.top[columns[start:stop], place] + runs.bottom[columns[start:stop], place]) / 2
            away = [abs(float(np.median(middle)) - zeros[line]) for line in (upper, lower)]
            path[upper if away[0] > away[1] else lower, start:stop] = HIDDEN
    return path


def _split_shared_runs(
    runs: Runs, path: NDArray[np.intp], zeros: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """First and last row of each line's ink in each column, NaN where hidden, and where a neighbor shares it.

    A run that two lines share is cut halfway between their zero lines.
    """
    columns = np.arange(path.shape[1])
    is_visible = path != HIDDEN
    place = np.where(is_visible, path, 0)
    top = np.where(is_visible, runs.top[columns, place], np.nan).astype(np.float64)
    bottom = np.where(is_visible, runs.bottom[columns, place], np.nan).astype(np.float64)
    is_shared = np.zeros(path.shape, dtype=np.bool_)
    for upper in range(len(zeros) - 1):
        lower = upper + 1
        both = is_visible[upper] & is_visible[lower] & (path[upper] == path[lower])
        if not both.any():
            continue
        cut = np.clip((zeros[upper] + zeros[lower]) / 2, top[upper], bottom[upper])
        bottom[upper] = np.where(both, np.minimum(bottom[upper], cut), bottom[upper])
        top[lower] = np.where(both, np.maximum(top[lower], cut), top[lower])
        is_shared[upper] |= both
        is_shared[lower] |= both
    return top, bottom, is_shared


def _find_shift(
    outlines: list[Outline],
    lines: list[tuple[LeadBox, ...]],
    flanks: list[int | None],
    ink: TraceInk,
    across: float,
    radius: float,
) -> float:
    """Distance from the boxes' left edges to where the traces begin, px of the page; 0 where it is not visible.

    A trace that begins under a frame or at the page's edge begins there. ``radius`` is that of the sharp pen: blur
    widens a stroke, but its end stays where half of its ink is. A line that begins at a pulse's flank is searched along
    its first row, where it may stand out below the flank.
    """
    shifts = []
    reach = int(LIMITS.start_reach_mm * across * OVERSAMPLE)
    border = ink.page_column(_first_separator(ink.separators))
    for edges, line, flank in zip(outlines, lines, flanks, strict=True):
        is_visible = ~np.isnan(edges[0])
        left = line[0].box.left
        if flank is not None:
            first = min(flank * OVERSAMPLE, len(is_visible) - 1)
            if is_visible[first]:
                middle = round(float(edges[0][first] + edges[1][first]) / 2)
                row = ink.pixels[min(middle, len(ink.pixels) - 1)]
                before = flank - 1 - int(np.argmax(row[flank - 1 :: -1] < ink.level))
                fraction = (ink.level - row[before]) / max(1.0, float(row[before + 1]) - row[before])
                shifts.append(ink.page_column(before + fraction + radius) - left)
            continue
        place = int((float(ink.column(left)) + 0.5) * OVERSAMPLE)
        window = np.arange(place + reach, max(-1, place - reach), -1)
        if not window.size or window[0] >= len(is_visible) or not is_visible[window[0]]:
            continue
        gaps = np.flatnonzero(~is_visible[window])
        if not gaps.size and window[-1] > 0:
            continue
        start = int(window[gaps[0]]) + 1 if gaps.size else 0
        column = start // OVERSAMPLE
        if start <= OVERSAMPLE or ink.separators[max(0, column - 2) : column + 1].any():
            if abs(border - left) < LIMITS.start_reach_mm * across * ink.shrink:
                shifts.append(border - left)
        else:
            shifts.append(ink.page_column(start / OVERSAMPLE - 0.5 + radius - LIMITS.half_covered_px) - left)
    return float(np.median(shifts)) if shifts else 0.0


def _first_separator(separators: NDArray[np.bool_]) -> float:
    """Left edge of the leftmost separator, which was widened by 1 px, or of the picture."""
    columns = np.flatnonzero(separators)
    return max(0.0, float(columns[0]) + (columns[0] > 0)) - 0.5 if columns.size else -0.5


def _are_at_jumps(center: NDArray[np.float64], borders: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Places so near to a border of leads that the pen covers both where the trace jumps from one to the other."""
    is_near = np.zeros(len(center), dtype=np.bool_)
    reach = round((radius + 0.5) * OVERSAMPLE)
    for border in np.rint(borders).astype(int):
        before, after = border - 2 * reach, border + 2 * reach
        if before >= 0 and after < len(center) and abs(center[before] - center[after]) > 2 * radius:
            is_near[border - reach : border + reach + 1] = True
    return is_near


def _are_at_bars(
    top: NDArray[np.float64], bottom: NDArray[np.float64], borders: NDArray[np.float64], down: float, radius: float
) -> NDArray[np.bool_]:
    """Columns under a short thick bar between two leads: equally high in all its columns and wider than the pen."""
    is_bar = np.zeros(len(top), dtype=np.bool_)
    min_height, reach_mm = LIMITS.bar_mm
    reach = round(reach_mm * down)
    min_width = max(3.0, 3 * radius)
    for border in np.rint(borders).astype(int):
        part = slice(max(0, border - reach), border + reach + 1)
        first, last = top[part], bottom[part]
        is_tall = last - first > min_height * down
        if is_tall.sum() < min_width:
            continue
        starts_level = np.abs(first - np.median(first[is_tall])) < 2
        ends_level = np.abs(last - np.median(last[is_tall])) < 2
        columns = np.flatnonzero(is_tall & starts_level & ends_level)
        if columns.size >= min_width:
            is_bar[max(0, part.start + columns[0] - 1) : part.start + columns[-1] + 2] = True
    return is_bar


def _fill(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    valid = np.flatnonzero(~np.isnan(edge))
    return np.interp(np.arange(len(edge)), valid, edge[valid]) if valid.size else np.zeros(len(edge))

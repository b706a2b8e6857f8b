"""Layouts of pages whose pixels were classified, identified by the lattice of their lead names.

The names determine the layout and its lines; the ink beside them determines the zero lines, the pulses and the ends of
the traces. A name may be printed above, below, on or left of its trace, or left of a pulse.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.classified_pulses import find_pulses_of_lines
from ecglens.leads.fit import Fit
from ecglens.leads.half_pages import complete_half, describe_half
from ecglens.leads.layout_from_names import LIMITS as NAMED
from ecglens.leads.layout_from_names import (
    describe_odd_columns,
    ends_at_edge,
    find_words,
    name_strips,
    normalize_by_lines,
    normalize_by_pulses,
    place_names,
)
from ecglens.leads.name_lattice import Lattice, find_lattice, find_lines_of_lattice
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage
from ecglens.leads.page_description import describe_page
from ecglens.leads.pulses import Pulse
from ecglens.leads.single_lead_lines import find_single_lead_lines
from ecglens.leads.trace_lines import LIMITS as LINES
from ecglens.leads.trace_lines import (
    TEN_SECONDS_MM,
    Rows,
    build_layout,
    describe_cut,
    find_longest_run,
    remove_rules,
    trace_centers,
)
from ecglens.limits import threshold
from ecglens.records import Layout, NotFound, Page

__all__ = ["LIMITS", "LatticeLayoutLimits", "find_lattice_layout"]


@dataclass(frozen=True)
class LatticeLayoutLimits:
    """Thresholds of layouts by the lattice of their names."""

    min_covered: float = threshold(
        0.6,
        "1",
        "Least share of the columns in which the lines of a layout have ink, over all lines.",
        low="Names beside tables make a page.",
        high="Pages with faint traces are refused.",
    )
    max_gap_mm: float = threshold(
        4.0,
        "mm",
        "Longest gap in a line.",
        low="Lines with faint complexes end early.",
        high="Print beside the lines belongs to them.",
    )
    pulse_place_mm: float = threshold(
        14.0,
        "mm",
        "Largest distance of the middle of a pulse from the names of its column.",
        low="Columns with names far from their pulses have none.",
        high="Pulses at the right end look like pulses of the last column.",
    )
    max_missing: float = threshold(
        0.4,
        "1",
        "Largest share of names that may be unread where the traces are not as long as they should be.",
        low="Pages with odd lengths and few readable names are refused.",
        high="Half a page is read as a whole one.",
    )
    width_tolerance: float = threshold(
        0.18,
        "1",
        "Largest relative difference of the columns' width from the distance of their names; some programs print the "
        "names up to a sixth farther apart.",
        low="Names that are printed too far apart place the columns.",
        high="Half a page is read as a whole one.",
    )
    snap_mm: float = threshold(
        1.6,
        "mm",
        "Deviation from 250 mm within which the traces are exactly 10 s long.",
        low="Faint ends make the time scale wrong.",
        high="Traces of other durations are read as 10 s.",
    )
    nominal_tolerance: float = threshold(
        0.02,
        "1",
        "Difference of the distance of the names from columns of 10 s in all, below which the columns are those.",
        low="Columns of cut pages are placed by the letters.",
        high="Columns of other durations are read as 2.5 s.",
    )
    names_mm: float = threshold(
        1.3,
        "mm",
        "Deviation of a name's left edge from its place up to which traces that are not as long as the names tell are "
        "right: an I begins elsewhere than a V.",
        low="Columns are placed by names that begin unevenly.",
        high="Columns are placed by a grid that was measured badly.",
    )
    max_foot_mm: float = threshold(
        8.0,
        "mm",
        "Distance from the head of the lines within which the foot of a pulse, or print, may lie before their traces.",
        low="Long feet are followed as traces.",
        high="The beginning of faint traces is lost.",
    )
    min_foot_gap_mm: float = threshold(
        1.0,
        "mm",
        "Gap between such a foot and the traces.",
        low="Faint places in the traces look like such a gap.",
        high="Feet near their traces are followed as traces.",
    )
    max_share_in_gap: float = threshold(
        0.2,
        "1",
        "Share of the lines that have ink in such a gap.",
        low="Specks hide the gap.",
        high="Faint places in some traces look like such a gap.",
    )


LIMITS = LatticeLayoutLimits()


def find_lattice_layout(page: Page, normalized: NormalizedPage | None, *, name: str | None = None) -> Layout | NotFound:
    """Find the leads of a page whose pixels were classified.

    Args:
        page: View with the classes of its pixels.
        normalized: The page at a common scale, or ``None`` without a grid: pulses or the lines then give the scale.
        name: Layout that it must be.

    Returns:
        The layout, or a falsy reason.
    """
    source = "grid"
    if normalized is None:
        source, normalized = "pulse", normalize_by_pulses(page)
    if normalized is None:
        source, normalized = "none", normalize_by_lines(page, name)
    if normalized is None:
        return NotFound("No grid, no calibration pulses and no lines of traces were found.")
    bare = remove_rules(normalized.ink)
    words = find_words(page, normalized)
    lattice = find_lattice(words, only=name)
    if lattice is None:
        single = find_single_lead_lines(normalized, bare, words, source) if name is None else NotFound("")
        if isinstance(single, Layout):
            return single
        return NotFound(describe_page(page, normalized, words), names=len({word.name for word in words}))
    zeros = find_lines_of_lattice(bare, lattice, LINES.black)
    if zeros is None:
        return NotFound(f"The names of {len(lattice.words)} leads were read, but no traces were found beside them.")
    pulses = [] if normalized.pulse is None else find_pulses_of_lines(normalized.pulse, zeros, lattice.lefts)
    rows = Rows(zeros=zeros, pulses=pulses[0] if pulses else ())
    heads, ends = _find_ends(bare, rows, pulses, lattice)
    span = (float(heads[0]), float(ends[-1]))
    covered = _covered_share(bare, rows, heads, ends)
    if covered < LIMITS.min_covered:
        return NotFound(
            f"The names of {len(lattice.words)} leads were read, but the traces beside them run over only "
            f"{covered:.0%} of the page."
        )
    fit = _make_fit(lattice, zeros, heads)
    tolerance = NAMED.pitch_tolerance_grid if source == "grid" else NAMED.pitch_tolerance_pulse
    is_pulsed = len(heads) > 1
    if is_pulsed:
        columns = np.append(heads, span[1])
    else:
        columns = _place_columns(lattice, span, tolerance, at_edge=ends_at_edge(page, normalized, span))
    curves, _ = trace_centers(bare, rows)
    names_left = float(lattice.lefts[0])
    if name is None and (half := describe_half(curves, columns, fit.plan, names_left)):
        whole = complete_half(fit, columns, names_left)
        if whole is None:
            return NotFound(half)
        fit, columns = whole
    plan, warnings = name_strips(fit, words, rows, columns, curves)
    missing = len(fit.plan.leads) - len({word.name for word in fit.words})
    unread = missing + len(warnings)
    lost = describe_cut(normalized, columns, page.width)
    odd = "" if lost or source == "none" or is_pulsed else describe_odd_columns(plan, columns)
    if reason := lost or odd:
        unnamed = len(set(fit.columns)) < fit.plan.columns
        if name is None and (unnamed or missing > LIMITS.max_missing * len(fit.plan.leads)):
            return NotFound(
                f"Only {len(fit.plan.leads) - missing} lead names could be read, and {reason}: half a page?"
            )
        warnings += (f"The page may be cut, or not at 25 mm/s: {reason}.",)
    if missing:
        warnings += (
            f"{missing} of {len(fit.plan.leads)} lead names could not be read; the layout {plan.name} supplies them.",
        )
    all_pulses = tuple(pulse for column in pulses for pulse in column)
    layout = build_layout(
        normalized,
        rows,
        columns,
        plan,
        all_pulses,
        warnings,
        source,
        place_names(fit, rows, columns),
        ends if is_pulsed else None,
    )
    return replace(layout, unread=unread)


def _find_ends(
    bare: NDArray[np.uint8], rows: Rows, pulses: list[tuple[Pulse, ...]], lattice: Lattice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the heads and ends of the traces: one of each, or one for each column that begins with pulses."""
    starts, stops = _search_between(pulses, lattice, float(bare.shape[1]))
    heads, ends = [], []
    for start, stop in zip(starts, stops, strict=True):
        runs, lines = [], []
        for line in range(len(rows.zeros)):
            top, bottom = rows.band(line, bare.shape[0])
            part = slice(max(0, round(start) + 2), round(stop))
            covered = np.asarray((bare[top:bottom, part] > LINES.black).any(axis=0), dtype=np.bool_)
            first, last, _ = find_longest_run(covered, gap=round(LIMITS.max_gap_mm * PX_PER_MM))
            lines.append(covered)
            runs.append((first, last))
        begins, finishes = np.array(runs, dtype=np.float64).T
        head = float(np.median(begins))
        heads.append(part.start + head + _foot_width(np.array(lines)[:, round(head) :]))
        ends.append(part.start + float(np.median(finishes)))
    return np.array(heads), np.array(ends)


def _foot_width(covered: NDArray[np.bool_]) -> int:
    """Return the columns up to a gap near the head of nearly all lines: before it is the foot of a pulse, or a name."""
    near = covered[:, : round(LIMITS.max_foot_mm * PX_PER_MM)]
    is_gap = near.mean(axis=0) <= LIMITS.max_share_in_gap
    edges = np.diff(np.concatenate([[0], is_gap.astype(np.int8), [0]]))
    gaps = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    return max((int(last) for first, last in gaps if last - first >= LIMITS.min_foot_gap_mm * PX_PER_MM), default=0)


def _search_between(pulses: list[tuple[Pulse, ...]], lattice: Lattice, width: float) -> tuple[list[float], list[float]]:
    """Return the page columns between which the traces lie: right of pulses at the heads, left of pulses at the end.

    Where pulses are near the names of a later column, every column begins with pulses, even where none were detected.
    """
    edges = [
        tuple(float(np.median([getattr(one, side) for one in column])) for side in ("left", "right"))
        for column in pulses
    ]
    reach = LIMITS.pulse_place_mm * PX_PER_MM
    at_head: dict[int, tuple[float, ...]] = {}
    for edge in edges:
        away = np.abs(lattice.lefts - sum(edge) / 2)
        if away.min() <= reach:
            at_head.setdefault(int(away.argmin()), edge)
    if any(column > 0 for column in at_head):
        offsets = np.array([np.array(edge) - lattice.lefts[column] for column, edge in at_head.items()])
        typical = np.median(offsets, axis=0)
        placed = [np.array(at_head.get(column, left + typical)) for column, left in enumerate(lattice.lefts)]
        return [float(edge[1]) for edge in placed], [*(float(edge[0]) for edge in placed[1:]), width]
    middle = (float(lattice.lefts[0]) + width) / 2
    start = max((right for _, right in edges if right < middle), default=-1.0)
    return [start], [min((left for left, _ in edges if left > middle), default=width)]


def _place_columns(
    lattice: Lattice, span: tuple[float, float], tolerance: float, *, at_edge: tuple[bool, bool]
) -> NDArray[np.float64]:
    """Heads of the columns and the end of the last: equal parts of the traces, unless the page's edge cut these."""
    count = lattice.plan.columns
    start, stop = span
    nominal = TEN_SECONDS_MM * PX_PER_MM / count
    apart = float(np.diff(lattice.lefts).mean()) if count > 1 else stop - start
    if abs((stop - start) / PX_PER_MM - TEN_SECONDS_MM) < LIMITS.snap_mm:
        stop = start + count * nominal  # ends fade, heads do not
    in_ten_s = abs(apart / nominal - 1) < LIMITS.nominal_tolerance
    uneven = LIMITS.names_mm * PX_PER_MM * count / max(1, count - 1)
    if in_ten_s and not any(at_edge) and abs(stop - start - count * apart) > uneven:
        stop = start + count * apart  # what follows the traces is the foot of a pulse, or a frame
    equal = np.linspace(start, stop, count + 1)
    fits_names = abs((stop - start) / (count * apart) - 1) < LIMITS.width_tolerance
    if count == 1 or (fits_names and not any(at_edge)):
        return equal
    if in_ten_s:
        apart = nominal
    if abs((stop - start) / (count * apart) - 1) < tolerance:
        return equal
    if at_edge == (True, False):
        start = stop - count * apart
    elif at_edge == (True, True):
        start = min(start, float(lattice.lefts[0]) - NAMED.name_right_mm * PX_PER_MM)
    return np.asarray(start + apart * np.arange(count + 1), dtype=np.float64)


def _covered_share(bare: NDArray[np.uint8], rows: Rows, heads: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    """Return the share of the columns between heads and ends in which the lines have ink."""
    shares = []
    for line in range(len(rows.zeros)):
        top, bottom = rows.band(line, bare.shape[0])
        covered = np.asarray((bare[top:bottom] > LINES.black).any(axis=0), dtype=np.bool_)
        shares += [covered[int(a) : max(int(a) + 1, int(b))] for a, b in zip(heads, ends, strict=True)]
    return float(np.concatenate(shares).mean())


def _make_fit(lattice: Lattice, zeros: NDArray[np.float64], heads: NDArray[np.float64]) -> Fit:
    """Return the lattice as a layout that is fitted to the lines."""
    count = len(zeros) - len(lattice.plan.rows)
    plan = next(
        (plan for plan in LAYOUTS.values() if plan.rows == lattice.plan.rows and len(plan.rhythm) == count), None
    )
    if plan is None:
        plan = LayoutPlan(f"{lattice.plan.name}+{count}", lattice.plan.rows, ("II", "V1", "V5")[:count])
    column_of = {name: column for names in plan.rows for column, name in enumerate(names)}
    row_of = {name: row for row, names in enumerate(plan.rows) for name in names}
    down = [(word.bottom - zeros[row_of[word.name]]) / PX_PER_MM for word in lattice.words]
    right = (float(lattice.lefts[0]) - float(heads[0])) / PX_PER_MM
    return Fit(
        plan=plan,
        named=lattice.named,
        words=lattice.words,
        columns=tuple(column_of[word.name] for word in lattice.words),
        right_mm=right,
        down_mm=float(np.median(down)),
    )

"""Lines of traces on a normalized page, and the layout that they form on the upright page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LayoutPlan
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage
from ecglens.leads.pulses import Pulse
from ecglens.limits import threshold
from ecglens.pages.sliding import sliding_maximum
from ecglens.records import InkMap, Layout, LeadBox

__all__ = [
    "LIMITS",
    "TEN_SECONDS_MM",
    "Rows",
    "TraceLineLimits",
    "build_layout",
    "columns_between_pulses",
    "describe_cut",
    "find_longest_run",
    "find_span",
    "find_zero_lines",
    "remove_level_rules",
    "remove_rules",
    "trace_centers",
]


@dataclass(frozen=True)
class TraceLineLimits:
    """Thresholds of lines of traces on a normalized page."""

    black: int = threshold(
        90,
        "ink of 255",
        "Ink that counts.",
        low="Grid lines count as traces.",
        high="Pale traces are lost.",
    )
    pitch_range_mm: tuple[float, float] = threshold(
        (9.0, 62.0),
        "mm",
        "Distances of lines that are searched.",
        low="12x1 pages are searched at too small distances; wide pages are not read.",
        high="Dense pages are not read.",
    )
    min_along: float = threshold(
        0.08,
        "1",
        "Least share of the width along which the emptiest line runs near its zero.",
        low="Print looks like lines.",
        high="Lines with wandering baselines are not found.",
    )
    min_along_of_best: float = threshold(
        0.2,
        "1",
        "The same as a part of the best number of lines.",
        low="Wrong numbers of lines are tried, which takes time.",
        high="The right number of lines is not tried.",
    )
    max_offset: float = threshold(
        0.06,
        "1",
        "Largest offset of a line from equal distances, as a part of the distance.",
        low="Unevenly set lines are not found.",
        high="Print between lines looks like a line.",
    )
    min_covered: float = threshold(
        0.9,
        "1",
        "Least share of its columns in which a line has ink.",
        low="Text looks like a line.",
        high="Torn lines are refused.",
    )
    snap_mm: float = threshold(
        0.8,
        "mm",
        "Deviation from 250 mm within which traces are exactly 10 s long.",
        low="Rates are wrong by the pen.",
        high="Traces of other durations are read as 10 s.",
    )
    max_end_mm: float = threshold(
        8.0,
        "mm",
        "Largest deviation of the ends of a line from those of the others.",
        low="Lines with tall last complexes are refused.",
        high="Print at the ends belongs to the lines.",
    )
    max_gap_mm: float = threshold(
        1.2,
        "mm",
        "Longest gap in a line.",
        low="Lines with thin strokes are torn.",
        high="Pulses belong to the line.",
    )
    max_complex_mm: float = threshold(
        4.0,
        "mm",
        "Widest complex that may leave the band of its line.",
        low="Tall complexes tear the line.",
        high="Gaps are filled with neighbors.",
    )
    max_stretch: float = threshold(
        0.03,
        "1",
        "Difference of the two scales of the grid that brings a warning.",
        low="Slightly stretched scans bring a warning.",
        high="Stretched pages bring none.",
    )
    min_level_rule_mm: int = threshold(
        50,
        "mm",
        "Straight length from which level ink is a rule: at 30/min complexes are as far apart.",
        low="Lines between complexes count as rules.",
        high="Rules that a scan tore count as traces.",
    )
    single_line_mm: float = threshold(
        40.0,
        "mm",
        "Height that is assumed for a single line.",
        low="Tall complexes of strips are cut.",
        high="Print beside the strip belongs to it.",
    )


LIMITS = TraceLineLimits()


TEN_SECONDS_MM = 250.0


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Zero lines on a normalized page and the band above and below each."""

    zeros: NDArray[np.float64]
    pulses: tuple[Pulse, ...]

    @property
    def pitch(self) -> float:
        """Distance of the lines; what one takes up where it is alone."""
        return float(np.diff(self.zeros).mean()) if len(self.zeros) > 1 else LIMITS.single_line_mm * PX_PER_MM

    def band(self, index: int, height: int) -> tuple[int, int]:
        """Return the rows of the normalized page that belong to trace ``index``."""
        top = max(0, round(float(self.zeros[index]) - 0.52 * self.pitch))
        return top, min(height, round(float(self.zeros[index]) + 0.52 * self.pitch))


def remove_rules(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Remove upright lines of 25 mm or more from ink: separators, table borders."""
    length = 25 * PX_PER_MM
    black = np.asarray(ink > LIMITS.black, dtype=np.uint8)
    columns = np.flatnonzero(black.sum(axis=0, dtype=np.int32) >= length)
    rules = np.zeros_like(black)
    if columns.size:
        rules[:, columns] = cv2.morphologyEx(black[:, columns], cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
        rules = np.asarray(cv2.dilate(rules, np.ones((1, 3), np.uint8)), dtype=np.uint8)
    return np.where(rules > 0, np.uint8(0), ink)


def remove_level_rules(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Remove level lines that are straight for longer than any trace from ink: frames, rules below a header."""
    black = cv2.dilate(np.asarray(ink > LIMITS.black, dtype=np.uint8), np.ones((3, 1), np.uint8))  # slightly turned
    straight = np.ones((1, LIMITS.min_level_rule_mm * PX_PER_MM), np.uint8)
    return np.where(cv2.morphologyEx(black, cv2.MORPH_OPEN, straight) > 0, np.uint8(0), ink)


def trace_centers(ink: NDArray[np.uint8], rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compute each trace as the center of its band's ink, px below its zero line, and where there is ink."""
    curves = np.zeros((len(rows.zeros), ink.shape[1]))
    covered = np.zeros(curves.shape, dtype=np.bool_)
    for index, zero in enumerate(rows.zeros):
        top, bottom = rows.band(index, ink.shape[0])
        band = np.asarray(cv2.threshold(ink[top:bottom], LIMITS.black, 255, cv2.THRESH_TOZERO)[1], dtype=np.float32)
        weight = band.sum(axis=0)
        covered[index] = weight > 0
        center = np.arange(top, bottom, dtype=np.float32) @ band / np.maximum(weight, 1)
        curves[index] = np.where(covered[index], center - zero, 0.0)
    return curves, covered


def build_layout(
    normalized: NormalizedPage,
    rows: Rows,
    columns: NDArray[np.float64],
    layout: LayoutPlan,
    pulses: tuple[Pulse, ...],
    warnings: tuple[str, ...] = (),
    source: str = "grid",
    printed: Iterable[tuple[float, float, float, float]] = (),
    ends: NDArray[np.float64] | None = None,
    row_spans: Sequence[tuple[float, float]] = (),
) -> Layout:
    """Build the layout in px of the upright page from what was found on the normalized page.

    Args:
        normalized: Normalized page.
        rows: Zero lines.
        columns: Heads of the columns and the end of the last.
        layout: Layout with the position of each lead.
        pulses: Calibration pulses.
        warnings: What did not fit so far.
        source: What tells the scale.
        printed: Top, left, bottom and right of the lead names.
        ends: Ends of the columns, where pulses or names are printed between them.
        row_spans: Heads and ends of the lines, where these differ in length.
    """
    stops = columns[1:] if ends is None else ends
    half = rows.pitch / 2
    leads = []
    for row, names in enumerate(layout.rows):
        zero = float(rows.zeros[row])
        for column, name in enumerate(names):
            start, stop = row_spans[row] if row_spans else (float(columns[column]), float(stops[column]))
            box = normalized.box(zero - half, start, zero + half, stop)
            leads.append(LeadBox(lead=name, box=box, baseline_px=normalized.row(zero)))
    for strip, name in enumerate(layout.rhythm, start=len(layout.rows)):
        zero = float(rows.zeros[strip])
        box = normalized.box(zero - half, float(columns[0]), zero + half, float(columns[-1]))
        leads.append(LeadBox(lead=name, box=box, baseline_px=normalized.row(zero), rhythm=True))
    left = min([float(columns[0]), *(pulse.left for pulse in rows.pulses)]) - 2 * PX_PER_MM
    right = max([float(columns[-1]), *(pulse.right for pulse in rows.pulses)]) + 2 * PX_PER_MM
    top = max(0.0, float(rows.zeros[0]) - max(half, 20 * PX_PER_MM))
    bottom = min(float(normalized.ink.shape[0]), float(rows.zeros[-1]) + half)
    return Layout(
        name=layout.name,
        leads=tuple(leads),
        trace_area=normalized.box(top, max(0.0, left), bottom, min(float(normalized.ink.shape[1]), right)),
        rotation_deg=normalized.rotation_deg,
        px_per_mm=normalized.grid.px_per_mm,
        px_per_mm_source=source,
        pulse_mm=float(np.median([pulse.height_mm for pulse in pulses])) if pulses else None,
        to_upright=normalized.to_upright,
        ink=InkMap(pixels=normalized.ink, scale=normalized.scale, origin=normalized.origin),
        warnings=warnings + _scale_warnings(pulses, normalized.grid.px_per_mm, source),
        names=tuple(normalized.box(*name) for name in printed),
    )


def _scale_warnings(pulses: tuple[Pulse, ...], px_per_mm: tuple[float, float], source: str) -> tuple[str, ...]:
    if source == "pulse":
        return ("No grid was found; the scale assumes that the calibration pulse is 10 mm high and the speed 25 mm/s.",)
    if source == "none":
        return (
            "Neither grid nor calibration pulse was found, so the scale is unknown: the traces are in pixels, there "
            "are no millivolts, and millimeters are a guess from the length of the lines.",
        )
    warnings = []
    if abs(px_per_mm[0] / px_per_mm[1] - 1) > LIMITS.max_stretch:
        warnings.append(
            f"The grid has {px_per_mm[0]:.2f} px/mm down and {px_per_mm[1]:.2f} across: the page may be stretched."
        )
    if not pulses:
        return (*warnings, "No calibration pulse was found; the scale is that of the grid alone.")
    height = float(np.median([pulse.height_mm for pulse in pulses]))
    if abs(height / 10 - 1) > 0.05:
        warnings.append(f"The calibration pulse is {height:.1f} mm high by the grid, not the standard 10 mm.")
    return tuple(warnings)


def describe_cut(normalized: NormalizedPage, columns: NDArray[np.float64], width: int) -> str:
    """Describe which part of the columns lies outside a page ``width`` px wide; empty where they lie on it."""
    across = normalized.grid.px_per_mm[1]
    left = -normalized.column(float(columns[0])) / across
    right = (normalized.column(float(columns[-1])) - width) / across
    lost = [
        f"{off:.0f} mm of them beyond its {side} edge" for off, side in ((left, "left"), (right, "right")) if off > 1
    ]
    return f"by the distance of the lead names the traces continue, {' and '.join(lost)}" if lost else ""


def columns_between_pulses(pulses: tuple[Pulse, ...], width: int) -> tuple[int, int]:
    """Return the columns between which traces may run: right of pulses at the left, left of pulses at the right."""
    if not pulses:
        return 0, width
    left, right = min(pulse.left for pulse in pulses), max(pulse.right for pulse in pulses)
    return (round(right) + 2, width) if left < width / 2 else (0, max(0, round(left) - 2))


def find_longest_run(covered: NDArray[np.bool_], *, gap: int) -> tuple[int, int, float]:
    """Find the longest stretch of True with gaps up to ``gap``: its ends, and the share of True in it."""
    places = np.flatnonzero(covered)
    if not places.size:
        return 0, 0, 0.0
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    firsts = np.concatenate([places[:1], places[breaks + 1]])
    lasts = np.concatenate([places[breaks], places[-1:]])
    longest = int((lasts - firsts).argmax())
    first, last = int(firsts[longest]), int(lasts[longest]) + 1
    return first, last, float(covered[first:last].mean())


def find_zero_lines(bare: NDArray[np.uint8], *, counts: Iterable[int]) -> list[NDArray[np.float64]]:
    """Find the zero lines for each number of lines that the ink allows, most lines first.

    Args:
        bare: ``(height, width)`` uint8, ink of a normalized page without rules.
        counts: Numbers of lines to try.

    Returns:
        Rows of the zero lines, top to bottom, one array for each number of lines that fits.
    """
    widened = cv2.dilate(bare, np.ones((PX_PER_MM, 1), np.uint8)) > LIMITS.black
    along = widened.mean(axis=1)
    candidates = []
    for lines in sorted(set(counts), reverse=True):
        if lines == 1:
            candidates.append((float(along.max()), np.array([float(along.argmax())])))
            continue
        best, zeros = 0.0, np.zeros(0)
        for pitch in np.arange(LIMITS.pitch_range_mm[0], LIMITS.pitch_range_mm[1], 0.25) * PX_PER_MM:
            loose = sliding_maximum(along, 2 * round(LIMITS.max_offset * pitch) + 1)
            offsets = np.rint(np.arange(lines) * pitch).astype(np.intp)
            room = len(along) - int(offsets[-1])
            if room <= 0:
                break
            rows = np.stack([loose[offset : offset + room] for offset in offsets])
            score = rows.min(axis=0) + 0.02 * rows.mean(axis=0)
            if score.max() > best:
                best = float(score.max())
                zeros = _move_to_ink(
                    along, float(score.argmax()) + offsets.astype(np.float64), LIMITS.max_offset * pitch
                )
        candidates.append((best, zeros))
    most = max(score for score, _ in candidates)
    return [zeros for score, zeros in candidates if score >= max(LIMITS.min_along, LIMITS.min_along_of_best * most)]


def _move_to_ink(along: NDArray[np.float64], rows: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Each row moved to the fullest one near it."""
    out = []
    for row in rows:
        first, last = max(0, int(row - reach)), min(len(along), int(row + reach) + 1)
        near = along[first:last]
        out.append(first + float(np.flatnonzero(near == near.max()).mean()))
    return np.array(out)


def find_span(
    bare: NDArray[np.uint8], rows: Rows, *, ends: tuple[int, int]
) -> tuple[tuple[float, float], NDArray[np.bool_]]:
    """Find the columns at which the traces begin and end, and which of the lines run from one to the other.

    Where some of them are 10 s long, the others left their bands at the end, or print follows them.

    Args:
        bare: As for :func:`find_zero_lines`.
        rows: Zero lines.
        ends: Columns between which traces may run, beside the pulses.
    """
    runs = []
    for line in range(len(rows.zeros)):
        top, bottom = rows.band(line, bare.shape[0])
        covered = np.asarray((bare[top:bottom] > LIMITS.black).any(axis=0), dtype=np.bool_)
        covered |= _complexes_outside(bare, (top, bottom), covered, round(rows.pitch))
        covered[: ends[0]] = covered[ends[1] :] = False
        runs.append(find_longest_run(covered, gap=round(LIMITS.max_gap_mm * PX_PER_MM)))
    starts, stops, shares = (np.array(column) for column in zip(*runs, strict=True))
    start, stop = float(np.median(starts)), float(np.median(stops))
    round_stops = stops[np.abs(stops - start - TEN_SECONDS_MM * PX_PER_MM) < LIMITS.snap_mm * PX_PER_MM]
    stop = float(np.median(round_stops)) if round_stops.size else stop
    near = (np.abs(starts - start) <= LIMITS.max_end_mm * PX_PER_MM) & (
        np.abs(stops - stop) <= LIMITS.max_end_mm * PX_PER_MM
    )
    return (start, stop), (shares >= LIMITS.min_covered) & near


def _complexes_outside(
    bare: NDArray[np.uint8], band: tuple[int, int], covered: NDArray[np.bool_], reach: int
) -> NDArray[np.bool_]:
    """Columns in which a tall complex lies outside its line's band: out over an edge of it, and back over the same.

    Args:
        bare: As for :func:`find_zero_lines`.
        band: First row of the band, and the row below it.
        covered: ``(width,)``, where there is ink in it.
        reach: Number of rows outside it that a complex may reach.
    """
    (top, bottom), is_outside = band, np.zeros(len(covered), dtype=np.bool_)
    steps = np.diff(covered.astype(np.int8))
    firsts, lasts = np.flatnonzero(steps == -1) + 1, np.flatnonzero(steps == 1) + 1
    for first in firsts:
        last = lasts[lasts > first][:1]
        if not last.size or last[0] - first > LIMITS.max_complex_mm * PX_PER_MM:
            continue
        gap = slice(first, int(last[0]))
        for edge, beyond in (
            (slice(top, top + 2), slice(max(0, top - reach), top)),
            (slice(bottom - 2, bottom), slice(bottom, bottom + reach)),
        ):
            sides = (bare[edge, max(0, first - 2) : first], bare[edge, gap.stop : gap.stop + 2])
            if (
                all((side > LIMITS.black).any() for side in sides)
                and (bare[beyond, gap] > LIMITS.black).any(axis=0).all()
            ):
                is_outside[gap] = True
    return is_outside

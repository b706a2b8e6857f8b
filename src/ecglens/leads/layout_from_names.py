"""Layouts of any recorder, identified by the printed lead names.

The traces give the lines and their ends; the names say which of the known layouts it is: in the right one they are all
at the same position beside the heads of their leads.
"""

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan, canonical_lead
from ecglens.leads.classified_pulses import find_classified_pulses
from ecglens.leads.fit import LIMITS as FIT
from ecglens.leads.fit import Fit, fit_layout, name_weight
from ecglens.leads.half_pages import LIMITS as HALF
from ecglens.leads.half_pages import complete_half, describe_half
from ecglens.leads.name_recognition import recognize_lead_names
from ecglens.leads.name_shapes import NAMES, Word, read_lead_names
from ecglens.leads.normalized import LIMITS as NORMALIZATION
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage, normalize_at_scale
from ecglens.leads.plausibility import similarity
from ecglens.leads.pulses import Pulse, find_pulses
from ecglens.leads.search_time import is_overdue
from ecglens.leads.trace_lines import LIMITS as LINES
from ecglens.leads.trace_lines import (
    TEN_SECONDS_MM,
    Rows,
    build_layout,
    columns_between_pulses,
    describe_cut,
    find_span,
    find_zero_lines,
    remove_level_rules,
    remove_rules,
    trace_centers,
)
from ecglens.limits import threshold
from ecglens.pages.preprocessing import estimate_edge_level, extract_ink, gray
from ecglens.records import Layout, NotFound, Page

__all__ = [
    "LIMITS",
    "NamedLayoutLimits",
    "describe_odd_columns",
    "ends_at_edge",
    "find_named_layout",
    "find_words",
    "leave_grid_out",
    "name_strips",
    "normalize_by_lines",
    "normalize_by_pulses",
    "place_names",
]


@dataclass(frozen=True)
class NamedLayoutLimits:
    """Thresholds of layouts that are identified by their lead names."""

    min_through: float = threshold(
        0.6,
        "1",
        "Least share of the lines that run from one end to the other.",
        low="Tables and text look like lines.",
        high="Torn pages are refused.",
    )
    min_single_mm: float = threshold(
        45.0,
        "mm",
        "Least length of a single line of one lead, whose name alone identifies it.",
        low="A stroke beside a letter is read as a lead.",
        high="Crops of one lead of a page, which are 62 mm long, are refused.",
        evidence="on a close-up of V4 and V5 in `shared/data/foreign_pages`, 10 mm of a trace were read as lead I",
    )
    pulses_score: float = threshold(
        0.1,
        "1",
        "Score of lines that have calibration pulses.",
        low="Lines by traces win over lines by pulses.",
        high="Lines with one false pulse win.",
    )
    line_score: float = threshold(
        0.02,
        "1",
        "Score of each line.",
        low="Layouts that leave lines out win.",
        high="Layouts that count print as lines win.",
    )
    min_named_without_lines: float = threshold(
        0.6,
        "1",
        "Least share of named leads where too few lines run through, because grid or complexes tear them.",
        low="Tables become pages.",
        high="Torn pages are refused.",
    )
    min_sum_without_lines: float = threshold(
        0.8,
        "1",
        "Least agreement of I + III with II in that case.",
        low="Tables become pages.",
        high="Torn pages are refused.",
    )
    head_mm: int = threshold(
        8,
        "mm",
        "Part of each lead that is left out of that agreement, because its name is there.",
        low="Names disturb the agreement.",
        high="Too little of short leads is compared.",
    )
    min_ink_share: float = threshold(
        0.6,
        "1",
        "Least share of the ink between the traces' ends that the lines of a layout hold.",
        low="Half a page is read as a whole one.",
        high="Pages with print between the lines are refused.",
    )
    min_text_names: int = threshold(
        3,
        "names",
        "Number of lead names in a file's text from which no names are read from its pixels.",
        low="A single word in the header keeps names from being read.",
        high="Names of pages with few leads are read from pixels, which is less sure.",
    )
    word_px_per_mm: int = threshold(
        8,
        "px/mm",
        "Resolution at which names are read.",
        low="V5 and V6 are confused.",
        high="Reading takes longer.",
    )
    page_width_mm: float = threshold(
        280.0,
        "mm",
        "Width that is assumed for a page without any scale.",
        low="Names are searched at too large a size.",
        high="Names are searched at too small a size.",
    )
    column_step_mm: float = threshold(
        12.5,
        "mm",
        "Half a second at 25 mm/s: durations of columns are multiples of it.",
        low="Odd columns bring no warning.",
        high="Ordinary columns bring a warning.",
    )
    column_tolerance: float = threshold(
        0.03,
        "1",
        "Relative deviation of a column from such a multiple that brings a warning.",
        low="Slightly stretched pages bring a warning.",
        high="Cut pages bring no warning.",
    )
    pen_mm: float = threshold(
        0.12,
        "mm",
        "Radius of the pen, by which the round ends of traces are longer.",
        low="Leads begin early.",
        high="Leads begin late.",
    )
    pitch_tolerance_grid: float = threshold(
        0.01,
        "1",
        "Relative deviation of the columns from those of 10 s, where a grid gives the scale.",
        low="Cut pages lose their first column.",
        high="Columns of other durations are read as 2.5 s.",
    )
    pitch_tolerance_pulse: float = threshold(
        0.02,
        "1",
        "The same where calibration pulses give the scale, which are less exact.",
        low="Cut pages lose their first column.",
        high="Columns of other durations are read as 2.5 s.",
    )
    exact_pitch: float = threshold(
        0.005,
        "1",
        "Deviation below which names are exactly as far apart as columns of 10 s: letters differ where they begin.",
        low="Columns of cut pages are placed by the letters.",
        high="Stretched columns are placed as if they were exact.",
    )
    min_without_rules: float = threshold(
        0.5,
        "1",
        "Least share of its columns in which a line has ink that is no ruled line.",
        low="A rule below a header counts as a line, and all leads get the names of their neighbors.",
        high="Torn lines are refused.",
    )
    min_grid_mm: float = threshold(
        0.5,
        "mm",
        "Length of what is left of a grid before or behind the traces from which it is left out.",
        low="The edges of thick strokes are left out.",
        high="Leads begin early by a foot of a pulse that the grid joins to them.",
    )
    edge_mm: float = threshold(
        1.5,
        "mm",
        "Distance of a trace's end from the page's edge below which it may be cut.",
        low="Cut pages are not recognized.",
        high="Whole pages without margins look cut.",
    )
    name_right_mm: float = threshold(
        0.5,
        "mm",
        "Position of a name right of its lead's head.",
        low="Leads of cut pages begin late.",
        high="Leads of cut pages begin early.",
    )
    name_tolerance_mm: float = threshold(
        3.0,
        "mm",
        "Largest deviation from that position.",
        low="Heads are placed by the names although the traces show them.",
        high="Heads are placed by print.",
    )
    min_strip_similarity: float = threshold(
        0.65,
        "1",
        "Least similarity of a rhythm strip with unreadable name and a lead of the rows.",
        low="Strips get the name of any lead.",
        high="Strips of noisy pages get the default name.",
    )
    min_certain_similarity: float = threshold(
        0.85,
        "1",
        "Similarity of a strip with the lead that its layout has there from which this lead outweighs another name.",
        low="Strips are named after similar leads.",
        high="Names that are misread, such as V6 for V5, are believed.",
    )


LIMITS = NamedLayoutLimits()


_COMMON_STRIPS = ("II", "V1", "V5")
"""Leads that recorders print as rhythm strips."""

_SCALES_PX_PER_MM = np.geomspace(2.4, 26.0, 14)


def find_named_layout(
    page: Page, normalized: NormalizedPage | None, *, name: str | None = None, guess: bool = False
) -> Layout | NotFound:
    """Find the leads of a page of any recorder.

    Args:
        page: Page as it was decoded.
        normalized: The page at a common scale, or ``None`` without a grid: calibration pulses then give the scale.
        name: Layout that it must be.
        guess: Also look at a page without grid and pulses, at a scale guessed by its lines' length.

    Returns:
        The layout, or a falsy reason.
    """
    source = "grid"
    if normalized is None:
        source, normalized = "pulse", normalize_by_pulses(page)
    if normalized is None and guess:
        source, normalized = "none", normalize_by_lines(page, name)
    if normalized is None:
        return NotFound("No regular grid, no calibration pulses and no lines of traces were found.")
    bare = remove_rules(normalized.ink)
    pulses = find_pulses(normalized.ink)
    words = find_words(page, normalized)
    best: tuple[Fit, Rows, tuple[float, float]] | None = None
    unread: tuple[Fit, Rows, tuple[float, float]] | None = None
    most = 0.0
    for rows in _candidate_rows(bare, pulses, name):
        if is_overdue():
            break
        span, through = _find_span(bare, rows, pulses)
        pulsed = len(rows.pulses) == len(rows.zeros)
        adds_up = partial(_limb_similarity, bare, rows, span)
        fit = fit_layout(words, rows.zeros, span, only=name, adds_up=adds_up, pulsed=pulsed)
        if through.sum() < max(1, LIMITS.min_through * len(through)):
            if fit is None or not pulsed:
                continue
            if fit.named < LIMITS.min_named_without_lines and adds_up(fit.plan) < LIMITS.min_sum_without_lines:
                continue
        elif name is not None and unread is None and through.all():
            unread = Fit(LAYOUTS[name], 0.0, (), (), 0.0, 0.0), rows, span
        share = _ink_share(bare, rows, span)
        if share < LIMITS.min_ink_share:
            continue
        if fit is None or not through[len(fit.plan.rows) :].all() or _is_line_empty(bare, rows, span):
            continue
        worth = fit.named + LIMITS.pulses_score * bool(rows.pulses) + LIMITS.line_score * len(rows.zeros) + share
        if worth > most:
            most, best = worth, (fit, rows, span)
    best = best or unread
    if best is None:
        return NotFound("The lead names beside the traces could not be read, so that the leads cannot be identified.")
    fit, rows, span = best
    span = leave_grid_out(bare, rows, pulses, span)
    if name is None and fit.plan.lines == 1 and span[1] - span[0] < LIMITS.min_single_mm * PX_PER_MM:
        return NotFound("A single line of traces was seen, which is too short for a recording.")
    at_edge = ends_at_edge(page, normalized, span)
    columns = _place_columns(
        fit,
        span,
        LIMITS.pitch_tolerance_grid if source == "grid" else LIMITS.pitch_tolerance_pulse,
        at_edge=at_edge,
    )
    curves, _ = trace_centers(bare, rows)
    names_left = columns[0] + fit.right_mm * PX_PER_MM
    is_cut = any(at_edge) and columns[-1] - columns[0] < HALF.min_six_mm * PX_PER_MM  # brings a warning below
    if name is None and not is_cut and (half := describe_half(curves, columns, fit.plan, names_left)):
        whole = complete_half(fit, columns, names_left)
        if whole is None:
            return NotFound(half)
        fit, columns = whole
    plan, warnings = name_strips(fit, words, rows, columns, curves)
    missing = len(fit.plan.leads) - len({word.name for word in fit.words})
    not_read = missing + len(warnings)
    lost = describe_cut(normalized, columns, page.width)
    odd = "" if lost or source == "none" else describe_odd_columns(plan, columns)
    if reason := lost or odd:
        unnamed = odd and len(set(fit.columns)) < fit.plan.columns
        if name is None and (unnamed or missing > len(fit.plan.leads) / 2):
            return NotFound(
                f"Only {len(fit.plan.leads) - missing} lead names could be read, and {reason}: half a page?"
            )
        warnings += (f"The page may be cut, or not at 25 mm/s: {reason}.",)
    if missing:
        warnings += (
            f"{missing} of {len(fit.plan.leads)} lead names could not be read; the layout {plan.name} supplies them.",
        )
    names = place_names(fit, rows, columns)
    return replace(build_layout(normalized, rows, columns, plan, pulses, warnings, source, names), unread=not_read)


def describe_odd_columns(plan: LayoutPlan, columns: NDArray[np.float64]) -> str:
    """Describe columns of an unusual width: less than 10 s in all, or neither 10 s nor multiples of half a second."""
    wide = float(columns[1] - columns[0]) / PX_PER_MM
    steps, whole = wide / LIMITS.column_step_mm, plan.columns * wide / TEN_SECONDS_MM
    short = plan.columns > 1 and whole < 1 - LIMITS.column_tolerance
    if not short and (
        abs(whole - 1) <= LIMITS.column_tolerance or abs(steps - round(steps)) <= LIMITS.column_tolerance * steps
    ):
        return ""
    return f"each column of the layout {plan.name} would be {wide:.0f} mm wide, {wide / 25:.2f} s at 25 mm/s"


def normalize_by_pulses(page: Page) -> NormalizedPage | None:
    """Normalize the page so that most calibration pulses are 10 mm high; ``None`` where fewer than two are found."""
    if page.classes is not None:
        return _normalize_by_classified_pulses(page, page.classes.pulse)
    best, scale = 1, 0.0
    for px_per_mm in _SCALES_PX_PER_MM:
        if max(page.height, page.width) / px_per_mm > NORMALIZATION.max_paper_mm:
            continue
        pulses = [
            pulse for pulse in find_pulses(normalize_at_scale(page, float(px_per_mm)).ink) if 8 < pulse.height_mm < 12
        ]
        if len(pulses) > best:
            best = len(pulses)
            scale = float(px_per_mm * np.median([pulse.height_mm for pulse in pulses]) / 10)
    return normalize_at_scale(page, scale) if scale else None


def _normalize_by_classified_pulses(page: Page, pulse: NDArray[np.uint8]) -> NormalizedPage | None:
    """Normalize the page so that its classified pulses are 10 mm high; ``None`` where fewer than two are found."""
    heights = [one.bottom - one.top for one in find_classified_pulses(pulse, page.width / LIMITS.page_width_mm)]
    if len(heights) < 2:
        return None
    scale = float(np.median(heights)) / 10
    if max(page.height, page.width) / scale > NORMALIZATION.max_paper_mm:
        return None
    return normalize_at_scale(page, scale)


def normalize_by_lines(page: Page, name: str | None) -> NormalizedPage | None:
    """Normalize the page so that its lines are as long as 10 s typically are; ``None`` where no line runs through.

    That is a guess, good enough to look for lead names at about their size.
    """
    scale = page.width / LIMITS.page_width_mm
    for _ in range(2):
        normalized = normalize_at_scale(page, scale)
        bare = remove_rules(normalized.ink)
        spans = []
        for rows in _candidate_rows(bare, (), name):
            span, through = find_span(bare, rows, ends=(0, bare.shape[1]))
            if through.all():
                spans.append((_ink_share(bare, rows, span), span))
        if not spans:
            return None
        start, stop = max(spans)[1]
        scale *= (stop - start) / PX_PER_MM / TEN_SECONDS_MM
        if max(page.height, page.width) / scale > NORMALIZATION.max_paper_mm:
            return None
    return normalize_at_scale(page, scale)


def find_words(page: Page, normalized: NormalizedPage) -> list[Word]:
    """Find the lead names in px of the normalized page: in the text of a PDF where it has some, else in the pixels."""
    text_words = _find_words_of_text(page, normalized)
    if len(text_words) >= LIMITS.min_text_names:
        return text_words
    finer = LIMITS.word_px_per_mm / PX_PER_MM
    zoom = finer / np.array([normalized.scale[1], normalized.scale[0]])
    matrix = (np.array(normalized.to_upright) - [[0, 0, normalized.origin[1]], [0, 0, normalized.origin[0]]]) * zoom[
        :, None
    ]
    matrix[:, 2] += 0.5 * zoom - 0.5
    size = (round(normalized.ink.shape[1] * finer), round(normalized.ink.shape[0] * finer))
    shrink = max(1, int(1 / zoom.max()))

    def warp(image: NDArray[np.uint8], border: int) -> NDArray[np.uint8]:
        blurred = cv2.blur(image, (shrink, shrink)) if shrink > 1 else image
        return np.asarray(
            cv2.warpAffine(blurred, matrix, size, flags=cv2.INTER_LINEAR, borderValue=border), dtype=np.uint8
        )

    if page.classes is None:
        dark = warp(extract_ink(page.pixels), 0)
        words = read_lead_names(dark >= estimate_edge_level(dark), px_per_mm=LIMITS.word_px_per_mm)
    else:
        words = recognize_lead_names(
            warp(gray(page.pixels), 255), warp(page.classes.print, 0), px_per_mm=LIMITS.word_px_per_mm
        )
    return [
        replace(
            word,
            top=round(word.top / finer),
            left=round(word.left / finer),
            bottom=round(word.bottom / finer),
            right=round(word.right / finer),
        )
        for word in words
    ]


def _find_words_of_text(page: Page, normalized: NormalizedPage) -> list[Word]:
    """Lead names among the texts that the file holds."""
    matrix, words = np.array(normalized.to_upright, dtype=np.float64), []
    for text in page.texts:
        name = canonical_lead(text.text)
        if name not in NAMES or text.turns:
            continue
        corners = np.array([(text.box.left, text.box.top), (text.box.right, text.box.bottom)])
        upright = corners @ matrix[:, :2].T + matrix[:, 2]
        (left, top), (right, bottom) = (upright - normalized.origin[::-1]) / np.array(normalized.scale[::-1])
        words.append(Word(name, 1.0, round(top), round(left), round(bottom), round(right)))
    return words


def _candidate_rows(bare: NDArray[np.uint8], pulses: tuple[Pulse, ...], name: str | None) -> list[Rows]:
    """Lines by the feet of pulses below each other at equal distances, and by the traces."""
    counts = {plan.lines for plan in LAYOUTS.values() if name in (None, plan.name)}
    candidates, least = [], 1
    if pulses:
        lefts = np.array([pulse.left for pulse in pulses])
        column = max(lefts, key=lambda left: int(np.sum(np.abs(lefts - left) < 1.5 * PX_PER_MM)))
        aligned = tuple(pulse for pulse in pulses if abs(pulse.left - column) < 1.5 * PX_PER_MM)
        zeros = np.array([pulse.bottom for pulse in aligned])
        even = len(zeros) < 2 or np.diff(zeros).max() <= 1.25 * np.diff(zeros).min()
        least = len(zeros) if even else 1
        if len(zeros) in counts and even:
            candidates.append(Rows(zeros=zeros, pulses=aligned))
        if len(zeros) > 2 and len(zeros) + 1 in counts and even:  # one pulse was not seen, above or below the others
            pitch = float(np.diff(zeros).mean())
            for more in (np.append(zeros[0] - pitch, zeros), np.append(zeros, zeros[-1] + pitch)):
                if more[0] > 0 and more[-1] < bare.shape[0]:
                    candidates.append(Rows(zeros=more, pulses=aligned))
    lines = find_zero_lines(bare, counts={count for count in counts if count >= least})
    return candidates + [Rows(zeros=zeros, pulses=()) for zeros in lines]


def _find_span(
    bare: NDArray[np.uint8], rows: Rows, pulses: tuple[Pulse, ...]
) -> tuple[tuple[float, float], NDArray[np.bool_]]:
    """Columns at which the traces begin and end, beside the pulses, and which of the lines run through."""
    span, through = find_span(bare, rows, ends=columns_between_pulses(rows.pulses or pulses, bare.shape[1]))
    beside = columns_between_pulses(rows.pulses, bare.shape[1])[0]
    if rows.pulses and 0 < beside >= span[0] - 1:
        span = (float(beside - 2), span[1])  # the trace begins at the pulse's flank
    return span, through


def _is_line_empty(bare: NDArray[np.uint8], rows: Rows, span: tuple[float, float]) -> bool:
    """Return whether one of the lines has no trace but a ruled line, as below a header, or some print."""
    traces = remove_level_rules(bare[:, max(0, round(span[0])) : round(span[1])]) > LINES.black
    bands = (rows.band(line, bare.shape[0]) for line in range(len(rows.zeros)))
    return any(traces[top:bottom].any(axis=0).mean() < LIMITS.min_without_rules for top, bottom in bands)


def leave_grid_out(
    bare: NDArray[np.uint8], rows: Rows, pulses: tuple[Pulse, ...], span: tuple[float, float]
) -> tuple[float, float]:
    """Return the ends of the traces in ink so black that no grid is.

    They stay as they are where pale traces are torn in such ink, and where they last 10 s already. What is left of a
    grid in the ink joins the foot of a pulse, or a frame, to the traces.
    """
    if _lasts_ten_seconds(*_without_pen(span)):
        return span
    black = bare[bare > LINES.black]
    level = cv2.threshold(black.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    clear, through = _find_span(np.where(bare > level, bare, np.uint8(0)), rows, pulses)
    if through.sum() < max(1, LIMITS.min_through * len(through)):
        return span
    reach = LIMITS.min_grid_mm * PX_PER_MM
    start, stop = (near if abs(near - far) > reach else far for near, far in zip(clear, span, strict=True))
    return max(start, span[0]), min(stop, span[1])


def _ink_share(bare: NDArray[np.uint8], rows: Rows, span: tuple[float, float]) -> float:
    """Share of the ink between the traces' ends that lies on the lines: six lines of twelve are half a layout."""
    black = bare[:, max(0, round(span[0])) : round(span[1])] > LINES.black
    top = max(0, round(float(rows.zeros[0]) - 0.6 * rows.pitch))
    bottom = round(float(rows.zeros[-1]) + 0.6 * rows.pitch)
    return float(black[top:bottom].sum() / max(1, int(black.sum())))


def _snap(span: tuple[float, float]) -> tuple[float, float]:
    """Ends of the traces without the pen's round ends, and 250 mm apart where they nearly are."""
    start, stop = _without_pen(span)
    if _lasts_ten_seconds(start, stop):
        middle, half = (start + stop) / 2, TEN_SECONDS_MM * PX_PER_MM / 2
        return middle - half, middle + half
    return start, stop


def _without_pen(span: tuple[float, float]) -> tuple[float, float]:
    """Ends of the traces without the pen's round ends."""
    return span[0] + LIMITS.pen_mm * PX_PER_MM - 0.5, span[1] - LIMITS.pen_mm * PX_PER_MM - 0.5


def _lasts_ten_seconds(start: float, stop: float) -> bool:
    return abs((stop - start) / PX_PER_MM - TEN_SECONDS_MM) < LINES.snap_mm


def ends_at_edge(page: Page, normalized: NormalizedPage, span: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether the traces begin at the page's left edge, and whether they end at its right one."""
    slack = LIMITS.edge_mm * normalized.grid.px_per_mm[1]
    return normalized.column(span[0]) < slack, normalized.column(span[1]) > page.width - slack


def _place_columns(
    fit: Fit, span: tuple[float, float], tolerance: float, *, at_edge: tuple[bool, bool] = (False, False)
) -> NDArray[np.float64]:
    """Heads of the columns and the end of the last: equal parts of the traces, or by the positions of the names.

    Where the names are as far apart as the columns of a 10 s page and the traces' ends are not, or are those of the
    page, the traces were cut there or print before them was read as traces: recorders print a name where its
    lead begins. A head or an end that does not lie at the page's edge is kept if the names agree with it.
    """
    count = fit.plan.columns
    equal = np.linspace(*_snap(span), count + 1)
    nominal = TEN_SECONDS_MM * PX_PER_MM / count
    cut = at_edge[0] != at_edge[1]  # traces from edge to edge that are 10 s long fill their page
    if (abs((equal[1] - equal[0]) / nominal - 1) < tolerance and not cut) or len(set(fit.columns)) < max(
        2, min(3, count)
    ):
        return equal
    pitch, first = np.polyfit(fit.columns, [word.left for word in fit.words], 1)
    if abs(pitch / nominal - 1) > tolerance:
        return equal
    first -= LIMITS.name_right_mm * PX_PER_MM
    reach = LIMITS.name_tolerance_mm * PX_PER_MM
    starts_there, ends_there = abs(equal[0] - first) < reach, abs(equal[-1] - first - count * pitch) < reach
    if (any(at_edge) or starts_there or ends_there) and abs(pitch / nominal - 1) < LIMITS.exact_pitch:
        pitch = nominal
    if at_edge == (True, False) or (not any(at_edge) and ends_there and not starts_there):
        first = equal[-1] - count * pitch
    elif starts_there:
        first = equal[0]
    return np.asarray(first + pitch * np.arange(count + 1), dtype=np.float64)


def place_names(fit: Fit, rows: Rows, columns: NDArray[np.float64]) -> list[tuple[float, float, float, float]]:
    """Return top, left, bottom and right of each name on the normalized page; unread names are placed by the others."""
    if not fit.words:
        return []
    tall = float(np.median([word.bottom - word.top for word in fit.words]))
    wide = float(np.median([(word.right - word.left) / len(word.name) for word in fit.words]))
    boxes = []
    for row, names in enumerate([*fit.plan.rows, *((name,) for name in fit.plan.rhythm)]):
        for column, name in enumerate(names):
            bottom = float(rows.zeros[row]) + fit.down_mm * PX_PER_MM
            left = float(columns[column]) + fit.right_mm * PX_PER_MM
            near = [word for word in fit.words if word.name == name and abs(word.bottom - bottom) < rows.pitch / 2]
            there = (bottom - tall, left, bottom, left + wide * len(name))
            boxes.append((near[0].top, near[0].left, near[0].bottom, near[0].right) if near else there)
    return boxes


def name_strips(
    fit: Fit, words: list[Word], rows: Rows, columns: NDArray[np.float64], curves: NDArray[np.float64]
) -> tuple[LayoutPlan, tuple[str, ...]]:
    """Name the rhythm strips of a layout as printed, or after the lead that each of them is most similar to."""
    plan = fit.plan
    strips, warnings = list(plan.rhythm), []
    for strip, default in enumerate(plan.rhythm):
        row = len(plan.rows) + strip
        zero = float(rows.zeros[row])
        printed = [
            word
            for word in words
            if abs((word.left - columns[0]) / PX_PER_MM - fit.right_mm) < FIT.same_place_mm
            and abs((word.bottom - zero) / PX_PER_MM - fit.down_mm) < FIT.same_place_mm
        ]
        sure = [
            word
            for word in printed
            if word.name == default
            or name_weight(word.name) == 1
            or (word.name == "II" and word.score > FIT.min_certain_score)
        ]
        printed_name = max(sure, key=lambda word: word.score).name if sure else None
        if printed_name == default:
            continue
        similarities = _compare_with_leads(row, plan, columns, curves)
        others = {*strips[:strip]}
        common = [name for name in (default, *_COMMON_STRIPS) if name not in others]
        if printed_name is not None:
            strips[strip] = printed_name
            by_trace = max(common, key=lambda name: similarities.get(name, 0.0), default=printed_name)
            is_certain = similarities.get(by_trace, 0.0) > LIMITS.min_certain_similarity
            if (
                (by_trace == default or printed_name not in _COMMON_STRIPS)
                and is_certain
                and similarities[by_trace] > similarities.get(printed_name, 1.0)
            ):
                strips[strip] = by_trace
                warnings.append(
                    f"The name of rhythm strip {strip + 1} looks like {printed_name}, but its trace is that of "
                    f"{by_trace}; it is read as lead {by_trace}."
                )
            continue
        left = [name for name in similarities if name not in others]
        best = max(left, key=lambda name: similarities[name] + 0.15 * (name == default))
        strips[strip] = best if similarities[best] > LIMITS.min_strip_similarity else (*common, default)[0]
        warnings.append(f"The name of rhythm strip {strip + 1} could not be read; it is read as lead {strips[strip]}.")
    return replace(plan, rhythm=tuple(strips)), tuple(warnings)


def _compare_with_leads(
    row: int, plan: LayoutPlan, columns: NDArray[np.float64], curves: NDArray[np.float64]
) -> dict[str, float]:
    """Similarity of a strip with each lead of the rows, over the same columns of the page."""
    similarities = {}
    for line, names in enumerate(plan.rows):
        for column, name in enumerate(names):
            part = slice(round(columns[column]) + 4 * PX_PER_MM, round(columns[column + 1]) - PX_PER_MM)
            similarities[name] = similarity(curves[row, part], curves[line, part])
    return similarities


def _limb_similarity(bare: NDArray[np.uint8], rows: Rows, span: tuple[float, float], plan: LayoutPlan) -> float:
    """Similarity of I + III and II where a layout has them side by side; 0 where it does not."""
    columns = np.linspace(*span, plan.columns + 1)
    at = {name: (row, column) for row, names in enumerate(plan.rows) for column, name in enumerate(names)}
    places = [at.get(name) for name in ("I", "II", "III")]
    if None in places or len({place[1] for place in places if place}) > 1:
        return 0.0
    first, second, third = (place[0] for place in places if place)
    column = at["I"][1]
    part = slice(round(columns[column]) + LIMITS.head_mm * PX_PER_MM, round(columns[column + 1]) - PX_PER_MM)
    curves = trace_centers(bare, rows)[0][:, part]
    return similarity(curves[first] + curves[third], curves[second])

"""One lead over several lines, as wearables print 30 s of it: similar lines without names that do not beat together.

Lines of different leads show the same heartbeats at the same places; successive lines of one lead do not.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import ONE_LEAD_LINES, LayoutPlan
from ecglens.leads.classified_pulses import find_pulses_of_lines
from ecglens.leads.name_shapes import Word
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage
from ecglens.leads.trace_lines import LIMITS as LINES
from ecglens.leads.trace_lines import Rows, build_layout, find_longest_run, find_zero_lines, trace_centers
from ecglens.limits import threshold
from ecglens.records import Layout, NotFound

__all__ = ["LIMITS", "SingleLeadLimits", "find_single_lead_lines"]


@dataclass(frozen=True)
class SingleLeadLimits:
    """Thresholds of one lead over several lines."""

    max_lines: int = threshold(
        8,
        "lines",
        "Largest number of lines.",
        low="Long recordings are refused.",
        high="Tables are searched for traces.",
    )
    min_line_mm: float = threshold(
        100.0,
        "mm",
        "Least length of all lines but the last.",
        low="Words are lines.",
        high="Narrow pages are refused.",
    )
    min_last_mm: float = threshold(
        25.0,
        "mm",
        "Least length of the last line.",
        low="Footers are lines.",
        high="Recordings that end early in a line are refused.",
    )
    min_covered: float = threshold(
        0.85,
        "1",
        "Least share of the columns of a line that have ink.",
        low="Print is a trace.",
        high="Faint traces are refused.",
    )
    max_start_mm: float = threshold(
        12.0,
        "mm",
        "Largest difference of where the lines begin; the first may begin right of a calibration pulse.",
        low="Lines behind a pulse are refused.",
        high="Lines of different leads are read as one.",
    )
    max_gap_mm: float = threshold(
        4.0,
        "mm",
        "Longest gap in a line.",
        low="Faint complexes tear a line.",
        high="Print beside a line belongs to it.",
    )
    max_together: float = threshold(
        0.35,
        "1",
        "Largest mean correlation of where the lines are steep; simultaneous leads have more than 0.5.",
        low="Regular rhythms whose beats happen to align are refused.",
        high="Leads without readable names are read as one lead.",
    )
    pulse_foot_mm: float = threshold(
        1.0,
        "mm",
        "Distance from the flank of a pulse at which the first line begins.",
        low="The flank is followed as a trace.",
        high="The beginning of the trace is lost.",
    )
    smooth_mm: float = threshold(
        1.0,
        "mm",
        "Width over which steepness is averaged before lines are compared.",
        low="Beats that are shifted by a pixel do not match.",
        high="All lines look alike.",
    )


LIMITS = SingleLeadLimits()

_DEFAULT_LEAD = "I"


def find_single_lead_lines(
    normalized: NormalizedPage, bare: NDArray[np.uint8], words: list[Word], source: str
) -> Layout | NotFound:
    """Find one lead over several lines.

    Args:
        normalized: Normalized page whose pixels were classified.
        bare: Its traces, without rules.
        words: Lead names that were read.
        source: What tells the scale.

    Returns:
        The layout, or a falsy reason.
    """
    for zeros in find_zero_lines(bare, counts=range(2, LIMITS.max_lines + 1)):
        rows = Rows(zeros=zeros, pulses=())
        spans = [_find_span(bare, rows, line) for line in range(len(zeros))]
        if any(span is None for span in spans):
            continue
        valid_spans = [span for span in spans if span is not None]
        lengths = np.array([stop - start for start, stop in valid_spans]) / PX_PER_MM
        if lengths[:-1].min() < LIMITS.min_line_mm or lengths[-1] < LIMITS.min_last_mm:
            continue
        if np.ptp([start for start, _ in valid_spans]) > LIMITS.max_start_mm * PX_PER_MM:
            continue
        names = _names_between(words, rows, bare.shape[0])
        if len(names) > 1:
            return NotFound("Several lead names were read.")
        if _beat_together(bare, rows, valid_spans):
            return NotFound(f"{len(zeros)} lines of traces that beat together were seen, but no names beside them.")
        return _build(normalized, rows, valid_spans, next(iter(names), None), source)
    return NotFound("No lines of one lead were seen.")


def _names_between(words: list[Word], rows: Rows, height: int) -> set[str]:
    """The names that were read from the first line to the last; header and footer may hold others."""
    top, bottom = rows.band(0, height)[0], rows.band(len(rows.zeros) - 1, height)[1]
    return {word.name for word in words if top <= word.top and word.bottom <= bottom}


def _find_span(bare: NDArray[np.uint8], rows: Rows, line: int) -> tuple[int, int] | None:
    """Ends of a line, or ``None`` where it has no trace."""
    top, bottom = rows.band(line, bare.shape[0])
    covered = np.asarray((bare[top:bottom] > LINES.black).any(axis=0), dtype=np.bool_)
    first, last, share = find_longest_run(covered, gap=round(LIMITS.max_gap_mm * PX_PER_MM))
    return (first, last) if share >= LIMITS.min_covered else None


def _beat_together(bare: NDArray[np.uint8], rows: Rows, spans: list[tuple[int, int]]) -> bool:
    """Return whether the lines are steep at the same places."""
    curves, _ = trace_centers(bare, rows)
    width = round(LIMITS.smooth_mm * PX_PER_MM)
    steep = [np.convolve(np.abs(np.diff(curve)), np.ones(width) / width, mode="same") for curve in curves]
    together = []
    for one, two in combinations(range(len(steep)), 2):
        start, stop = max(spans[one][0], spans[two][0]), min(spans[one][1], spans[two][1])
        if stop - start > LIMITS.min_last_mm * PX_PER_MM:
            together.append(float(np.corrcoef(steep[one][start:stop], steep[two][start:stop])[0, 1]))
    return not together or float(np.nanmean(together)) > LIMITS.max_together


def _build(
    normalized: NormalizedPage, rows: Rows, spans: list[tuple[int, int]], name: str | None, source: str
) -> Layout:
    """Build the layout: every line shows the same lead; the last one may be shorter."""
    lead = name or _DEFAULT_LEAD
    plan = LayoutPlan(ONE_LEAD_LINES, tuple((lead,) for _ in spans))
    columns = np.array([float(np.median([start for start, _ in spans])), float(max(stop for _, stop in spans))])
    pulse_columns = (
        [] if normalized.pulse is None else find_pulses_of_lines(normalized.pulse, rows.zeros[:1], columns[:1])
    )
    pulses = tuple(pulse for column in pulse_columns for pulse in column)
    warnings = () if name else (f"The page does not name its lead; it is taken as lead {lead}.",)
    beside = max((pulse.right for pulse in pulses), default=0.0) + LIMITS.pulse_foot_mm * PX_PER_MM
    row_spans = [(float(start), float(stop)) for start, stop in spans]
    if pulses and row_spans[0][0] < beside < columns[0] + LIMITS.max_start_mm * PX_PER_MM:
        row_spans[0] = beside, row_spans[0][1]
    return build_layout(normalized, rows, columns, plan, pulses, warnings, source, row_spans=row_spans)

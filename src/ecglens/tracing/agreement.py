"""Agreement of traces with the classes of a page's pixels: a second opinion on ink that was followed by its darkness.

Where a network sees the same strokes as the rules that followed them, a trace is right although its ink looks doubtful,
as that of a JPEG does. Where it sees strokes that no trace explains, or nothing under a trace, the trace is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import turn_map_upright
from ecglens.limits import threshold
from ecglens.records import Agreement, Layout, LeadTrace
from ecglens.tracing.lines import group_by_lines

__all__ = ["LIMITS", "AgreementLimits", "compare_with_strokes", "is_contradicted", "is_replaced"]

_BENCHMARK = "`python benchmarks/quality.py --agreement`: benchmarks/quality_agreement.md"


@dataclass(frozen=True)
class AgreementLimits:
    """Thresholds of the comparison of traces with the strokes that a network sees."""

    reach_mm: float = threshold(
        0.6,
        "mm",
        "Distance from a center line up to which pixels belong to its trace.",
        low="The edges of thick strokes count as stray.",
        high="Strokes beside a trace count as its own.",
        evidence=_BENCHMARK,
    )
    max_contradiction: float = threshold(
        0.04,
        "1",
        "Mean contradiction of a page's traces up to which they are kept.",
        low="Exact traces are replaced by coarser ones.",
        high="Traces along the grid stay.",
        evidence=_BENCHMARK,
    )
    max_ratio: float = threshold(
        0.5,
        "1",
        "Contradiction of other traces, as a part of theirs, up to which these replace them.",
        low="Traces along the grid stay where the network is unsure itself.",
        high="Exact traces are replaced by coarser ones on pages with stains.",
        evidence=_BENCHMARK,
    )


LIMITS = AgreementLimits()


def compare_with_strokes(
    traces: Sequence[LeadTrace], layout: Layout, strokes: NDArray[np.uint8]
) -> tuple[Agreement, ...]:
    """Compare traces with the strokes that a network sees.

    Args:
        traces: Traces on the upright page, line by line.
        layout: Layout of the page.
        strokes: ``(height, width)`` of the page, the share of each pixel that traces cover, 0 to 255.

    Returns:
        Agreement of each trace.
    """
    upright = turn_map_upright(strokes, layout)
    lines = [_visible_runs(trace) for trace in traces]
    width = 2 * round(LIMITS.reach_mm * float(np.mean(layout.px_per_mm))) + 1
    is_explained = np.zeros(upright.shape, dtype=np.uint8)
    for runs in lines:
        cv2.polylines(is_explained, runs, False, (1,), width)
    near = np.asarray(cv2.dilate(upright, np.ones((3, 3), np.uint8)), dtype=np.uint8)  # rows are rounded to pixels
    agreements = []
    boxes = [lead.box for leads in group_by_lines(layout) for lead in leads]
    for runs, box in zip(lines, boxes, strict=True):
        line = np.zeros(upright.shape, dtype=np.uint8)
        cv2.polylines(line, runs, False, (1,), 1)
        on_stroke = float(near[line > 0].mean()) / 255 if line.any() else 0.0
        part = (slice(max(0, int(box.top)), int(box.bottom)), slice(max(0, int(box.left)), int(box.right)))
        share = upright[part].astype(np.float64)
        agreements.append(Agreement(on_stroke, float(share[is_explained[part] == 0].sum() / max(1.0, share.sum()))))
    return tuple(agreements)


def is_contradicted(agreements: Sequence[Agreement]) -> bool:
    """Return whether the network contradicts the traces of a page; never where it was not asked."""
    return bool(agreements) and _mean_contradiction(agreements) > LIMITS.max_contradiction


def is_replaced(first: Sequence[Agreement], second: Sequence[Agreement]) -> bool:
    """Return whether the second traces of a page replace the first ones, because these are contradicted far more."""
    return is_contradicted(first) and _mean_contradiction(second) <= LIMITS.max_ratio * _mean_contradiction(first)


def _mean_contradiction(agreements: Sequence[Agreement]) -> float:
    return float(np.mean([1 - agreement.on_stroke + agreement.stray for agreement in agreements]))


def _visible_runs(trace: LeadTrace) -> list[NDArray[np.int32]]:
    """The parts of a trace that are not hidden, as lines of pixels."""
    is_visible = ~np.isnan(trace.rows_px)
    points = np.stack([trace.columns_px, trace.rows_px], axis=1)
    parts = np.split(np.arange(len(points)), np.flatnonzero(np.diff(is_visible)) + 1)
    return [
        np.rint(points[part]).astype(np.int32).reshape(-1, 1, 2)
        for part in parts
        if len(part) > 1 and is_visible[part[0]]
    ]

"""The trace canvas, before scaling."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.models.inputs.recipes import TraceCanvas
from ecglens.records import Layout, LeadBox

__all__ = ["find_canvas_strips", "make_trace_canvas"]

_PX_PER_MM = 4


def make_trace_canvas(layout: Layout, recipe: TraceCanvas) -> NDArray[np.uint8]:
    """Draw the canvas before scaling, ``(height, width)`` uint8: 0 for paper, 255 for the blackest ink."""
    strips = [
        cv2.warpAffine(layout.ink.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0)
        for matrix, size in find_canvas_strips(layout, recipe)
    ]
    canvas = np.vstack(strips)
    return np.asarray(cv2.resize(canvas, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def find_canvas_strips(layout: Layout, recipe: TraceCanvas) -> list[tuple[NDArray[np.float64], tuple[int, int]]]:
    """Find OpenCV's affine map that cuts each line out of the page's ink, and the strip's ``(width, height)`` in px."""
    size = (2 * recipe.width, round(recipe.strip_mm * _PX_PER_MM))
    return [(_strip(layout, *line, size), size) for line in _lines(layout)]


def _lines(layout: Layout) -> list[tuple[LeadBox, LeadBox]]:
    """Return the first and the last lead of each line, top to bottom."""
    lines: dict[float, list[LeadBox]] = {}
    for lead in layout.leads:
        lines.setdefault(lead.baseline_px, []).append(lead)
    return [
        (min(leads, key=lambda lead: lead.box.left), max(leads, key=lambda lead: lead.box.right))
        for _, leads in sorted(lines.items())
    ]


def _strip(layout: Layout, first: LeadBox, last: LeadBox, size: tuple[int, int]) -> NDArray[np.float64]:
    """Find the map that cuts out and scales one line in one step."""
    dark = layout.ink
    left, right = dark.column(first.box.left), dark.column(last.box.right)
    across = size[0] / (right - left)
    down = _PX_PER_MM * dark.scale[0] / layout.px_per_mm[0]
    zero = dark.row(first.baseline_px)
    return np.array([[across, 0.0, -left * across], [0.0, down, size[1] / 2 - zero * down]])

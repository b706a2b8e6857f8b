"""Redaction: the page without what is printed around its traces, such as names, numbers and dates."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import turn_upright
from ecglens.limits import threshold
from ecglens.pages.preprocessing import extract_ink
from ecglens.records import Box, Layout, Page

__all__ = ["LIMITS", "RedactionLimits", "redact"]


@dataclass(frozen=True)
class RedactionLimits:
    """Thresholds of redaction."""

    margin_mm: float = threshold(
        1.0,
        "mm",
        "Margin around the traces that stays.",
        low="Traces that leave their box are cut.",
        high="Print beside the traces stays readable.",
    )
    max_letter_mm: float = threshold(
        5.0,
        "mm",
        "Largest distance that a letter at the edge may reach into the traces; what reaches further is a trace.",
        low="Halves of large letters stay.",
        high="Tips of traces are covered.",
    )
    dark: float = threshold(
        96.0,
        "ink of 255",
        "Ink from which a mark counts as print.",
        low="Grid lines count as letters.",
        high="Pale letters stay.",
    )


LIMITS = RedactionLimits()

_AROUND_PX = 2
"""Margin of a covered letter, for its half-covered pixels."""


def redact(page: Page, layout: Layout) -> Page:
    """Cover everything outside of the traces, the calibration pulses and the lead names.

    Letters that the edge would cut are covered whole, so that no halves of names stay.

    Args:
        page: View on which the layout was located.
        layout: Positions of its leads.

    Returns:
        The page in the same position and size; what was outside has the color of the paper. Vector curves stay, because
        they are traces, and of the texts of the file only those that are whole within the traces.
    """
    blank = np.median(page.pixels.reshape(-1, 3)[::997], axis=0).astype(np.uint8).tolist()
    down, across = (LIMITS.margin_mm * scale for scale in layout.px_per_mm)
    area = layout.trace_area
    inner = Box(area.top - down, area.left - across, area.bottom + down, area.right + across)
    back = np.asarray(cv2.invertAffineTransform(np.array(layout.to_upright)), dtype=np.float64)
    pixels = page.pixels.copy()
    far = 2.0 * max(page.height, page.width)
    around = (
        Box(-far, -far, inner.top, far),
        Box(inner.bottom, -far, far, far),
        Box(-far, -far, far, inner.left),
        Box(-far, inner.right, far, far),
    )
    for box in (*around, *_cut_letters(page, layout, inner)):
        corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
        cv2.fillConvexPoly(pixels, np.rint(corners @ back[:, :2].T + back[:, 2]).astype(np.int32), blank)
    inside = tuple(text for text in page.texts if _is_within(text.box, layout, inner))
    return replace(page, pixels=pixels, texts=inside)


def _is_within(box: Box, layout: Layout, area: Box) -> bool:
    """Return whether a box of the page lies within an area of the upright page."""
    to_upright = np.array(layout.to_upright, dtype=np.float64)
    corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
    columns, rows = to_upright[:, :2] @ corners.T + to_upright[:, 2:]
    return bool(
        area.left <= columns.min()
        and columns.max() <= area.right
        and area.top <= rows.min()
        and rows.max() <= area.bottom
    )


def _cut_letters(page: Page, layout: Layout, inner: Box) -> Iterator[Box]:
    """Boxes on the upright page of marks that cross the upper or lower edge and end soon behind it."""
    pixels, reach = turn_upright(page, layout), LIMITS.max_letter_mm * layout.px_per_mm[0]
    height = pixels.shape[0]
    for flipped, edge in ((False, inner.top), (True, height - inner.bottom)):
        for top, left, bottom, right in _crossing(pixels[::-1] if flipped else pixels, edge, reach):
            if right >= inner.left and left <= inner.right:
                upper, lower = (height - bottom, height - top) if flipped else (top, bottom)
                yield Box(upper - _AROUND_PX, left - _AROUND_PX, lower + _AROUND_PX, right + _AROUND_PX)


def _crossing(pixels: NDArray[np.uint8], edge: float, reach: float) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, bottom and right of marks that begin above a row and end within reach below it."""
    first, last = max(0, round(edge - reach)), min(pixels.shape[0], round(edge + reach))
    line = round(edge) - first
    if not 0 < line < last - first:
        return
    dark = (extract_ink(np.ascontiguousarray(pixels[first:last])) > LIMITS.dark).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    for left, top, width, height, _ in stats[1:].tolist():
        if top <= line <= top + height < last - first:
            yield first + top, left, first + top + height, left + width

"""A page without what is printed around its traces: names, numbers, dates."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import upright
from ecglens.pages.preprocessing import ink
from ecglens.records import Box, Layout, Page

__all__ = ["redact"]

_MARGIN_MM = 1.0
"""Around the traces that stays, so that no trace is cut where it leaves its box."""

_PRINT_MM = 5.0
"""How far a letter that the edge cuts may reach in; what reaches further is a trace."""

_DARK = 96
"""Of 255, of ink."""

_AROUND_PX = 2


def redact(page: Page, layout: Layout) -> Page:
    """The page with everything outside of its traces, pulses and their names painted over.

    Letters that the edge would cut go whole, so that no halves of names stay.

    Args:
        page: As it came.
        layout: Of this page.

    Returns:
        The same page, in the same place and size; what was outside has the colour of the paper. Curves that a file held
        are kept, as they are traces.
    """
    blank = np.median(page.pixels.reshape(-1, 3)[::997], axis=0).astype(np.uint8).tolist()
    down, across = (_MARGIN_MM * scale for scale in layout.px_per_mm)
    area = layout.trace_area
    kept = Box(area.top - down, area.left - across, area.bottom + down, area.right + across)
    back = np.asarray(cv2.invertAffineTransform(np.array(layout.to_upright)), dtype=np.float64)
    pixels = page.pixels.copy()
    far = 2.0 * max(page.height, page.width)
    around = (
        Box(-far, -far, kept.top, far),
        Box(kept.bottom, -far, far, far),
        Box(-far, -far, far, kept.left),
        Box(-far, kept.right, far, far),
    )
    for box in (*around, *_cut_letters(page, layout, kept)):
        corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
        cv2.fillConvexPoly(pixels, np.rint(corners @ back[:, :2].T + back[:, 2]).astype(np.int32), blank)
    return replace(page, pixels=pixels)


def _cut_letters(page: Page, layout: Layout, kept: Box) -> Iterator[Box]:
    """Boxes on the upright page of marks that cross the upper or lower edge and end soon behind it."""
    pixels, reach = upright(page, layout), _PRINT_MM * layout.px_per_mm[0]
    height = pixels.shape[0]
    for flipped, edge in ((False, kept.top), (True, height - kept.bottom)):
        for top, left, bottom, right in _crossing(pixels[::-1] if flipped else pixels, edge, reach):
            if right >= kept.left and left <= kept.right:
                upper, lower = (height - bottom, height - top) if flipped else (top, bottom)
                yield Box(upper - _AROUND_PX, left - _AROUND_PX, lower + _AROUND_PX, right + _AROUND_PX)


def _crossing(pixels: NDArray[np.uint8], edge: float, reach: float) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, bottom and right of marks that begin above a row and end within reach below it."""
    first, last = max(0, round(edge - reach)), min(pixels.shape[0], round(edge + reach))
    line = round(edge) - first
    if not 0 < line < last - first:
        return
    dark = (ink(np.ascontiguousarray(pixels[first:last])) > _DARK).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    for left, top, width, height, _ in stats[1:].tolist():
        if top <= line <= top + height < last - first:
            yield first + top, left, first + top + height, left + width

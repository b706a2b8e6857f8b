"""A page without what is printed around its traces: names, numbers, dates."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import Layout, Page

__all__ = ["redact"]

_MARGIN_MM = 1.0
"""Around the traces that stays, so that no trace is cut where it leaves its box."""


def redact(page: Page, layout: Layout) -> Page:
    """The page with everything outside of its traces, pulses and their names painted over.

    Args:
        page: As it came.
        layout: Of this page.

    Returns:
        The same page, in the same place and size; what was outside has the colour of the paper. Curves that a file held
        are kept, as they are traces.
    """
    blank = np.median(page.pixels.reshape(-1, 3)[::97], axis=0).astype(np.uint8)
    pixels = np.empty_like(page.pixels)
    pixels[:] = blank
    cv2.copyTo(page.pixels, _inside(page, layout), pixels)
    return replace(page, pixels=pixels)


def _inside(page: Page, layout: Layout) -> NDArray[np.uint8]:
    """``(height, width)``, not 0 within the area of traces, in the page as it came."""
    down, across = (_MARGIN_MM * scale for scale in layout.px_per_mm)
    area = layout.trace_area
    top, left, bottom, right = area.top - down, area.left - across, area.bottom + down, area.right + across
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)
    back = cv2.invertAffineTransform(np.array(layout.to_upright, dtype=np.float64))
    corners = upright @ back[:, :2].T + back[:, 2]
    inside = np.zeros((page.height, page.width), dtype=np.uint8)
    cv2.fillConvexPoly(inside, np.rint(corners).astype(np.int32), 255)
    return inside

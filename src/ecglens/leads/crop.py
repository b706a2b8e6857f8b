"""Cutting leads out of a page by its layout."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import Box, Layout, LeadBox, Page

__all__ = ["lead_crops", "trace_area", "upright"]


def upright(page: Page, layout: Layout) -> NDArray[np.uint8]:
    """The page turned upright: ``(height, width, 3)`` uint8 RGB, in whose pixels the layout's boxes are."""
    if layout.rotation_deg == 0:
        return page.pixels
    matrix = np.array(layout.to_upright, dtype=np.float64)
    border = tuple(int(value) for value in np.median(page.pixels.reshape(-1, 3)[::97], axis=0))
    size = (page.width, page.height)
    return np.asarray(cv2.warpAffine(page.pixels, matrix, size, borderValue=border), dtype=np.uint8)


def lead_crops(page: Page, layout: Layout) -> list[tuple[LeadBox, NDArray[np.uint8]]]:
    """Each lead's part of the upright page, uint8 RGB, in the layout's order."""
    flat = upright(page, layout)
    return [(lead, _cut(flat, lead.box)) for lead in layout.leads]


def trace_area(page: Page, layout: Layout) -> NDArray[np.uint8]:
    """The part of the upright page that holds all traces and pulses, without header and footer."""
    return _cut(upright(page, layout), layout.trace_area)


def _cut(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    top, left = max(0, round(box.top)), max(0, round(box.left))
    return pixels[top : max(top + 1, round(box.bottom)), left : max(left + 1, round(box.right))].copy()

"""Crops of leads, by the layout of their page."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import Box, Layout, LeadBox, Page

__all__ = ["crop_leads", "crop_trace_area", "turn_map_upright", "turn_upright"]


def turn_upright(page: Page, layout: Layout) -> NDArray[np.uint8]:
    """Turn the page upright: ``(height, width, 3)`` uint8 RGB, in whose pixels the layout's boxes are."""
    border = tuple(int(value) for value in np.median(page.pixels.reshape(-1, 3)[::97], axis=0))
    return turn_map_upright(page.pixels, layout, border)


def turn_map_upright(pixels: NDArray[np.uint8], layout: Layout, border: tuple[int, ...] = (0,)) -> NDArray[np.uint8]:
    """Turn a map of the page's pixels upright, filled with ``border`` beyond the page."""
    if layout.rotation_deg == 0:
        return pixels
    matrix = np.array(layout.to_upright, dtype=np.float64)
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.warpAffine(pixels, matrix, size, borderValue=border), dtype=np.uint8)


def crop_leads(page: Page, layout: Layout) -> list[tuple[LeadBox, NDArray[np.uint8]]]:
    """Crop each lead from the upright page, uint8 RGB, in the layout's order."""
    flat = turn_upright(page, layout)
    return [(lead, _cut(flat, lead.box)) for lead in layout.leads]


def crop_trace_area(page: Page, layout: Layout) -> NDArray[np.uint8]:
    """Crop the part of the upright page that holds all traces and pulses, without header and footer."""
    return _cut(turn_upright(page, layout), layout.trace_area)


def _cut(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    top, left = max(0, round(box.top)), max(0, round(box.left))
    return pixels[top : max(top + 1, round(box.bottom)), left : max(left + 1, round(box.right))].copy()

"""Map a model's arrays back to the page, the inverse of the other modules of ``models.inputs``.

Points are counted from the edges of pixels here, ``(column, row)``: the first pixel reaches from 0 to 1, as in
:class:`ecglens.records.Box`. OpenCV's affine maps count from the centers of pixels, half a pixel less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_SPEED_MM_S
from ecglens.models.inputs.canvas import find_canvas_strips
from ecglens.models.inputs.images import find_image_box, map_lead_boxes
from ecglens.models.inputs.recipes import (
    InputRecipe,
    LeadBeats,
    LeadCrops,
    LeadSignals,
    PageAndSignal,
    PageImage,
    TraceCanvas,
)
from ecglens.records import Box, Layout, Page

__all__ = ["View", "make_views"]

Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Rectangle of a model's array, and its position on the page.

    Attributes:
        row: Index in the array's first axis.
        top: First row of the rectangle in the array.
        left: First column.
        height: Height in pixels of the array.
        width: Width in pixels of the array; samples of a signal.
        to_page: ``(2, 3)``, from a point ``(column, row, 1)`` of the array to the upright page, counted from edges.
    """

    row: int
    top: int
    left: int
    height: int
    width: int
    to_page: Affine

    def regions(self, boxes: Sequence[Box]) -> NDArray[np.intp]:
        """Find the box of the upright page that each pixel's center lies in.

        Returns:
            ``(height, width)``, the number of the first such box, or -1.
        """
        rows, columns = np.arange(self.height) + self.top + 0.5, np.arange(self.width) + self.left + 0.5
        numbers = np.full((self.height, self.width), -1, np.intp)
        for number, part in reversed(self._around(boxes)):
            box, down, across = boxes[number], rows[part[0]][:, None], columns[part[1]]
            x, y = (
                (one[0] * across if one[0] else 0.0) + (one[1] * down if one[1] else 0.0) + one[2]
                for one in self.to_page.tolist()
            )
            inside = ((y >= box.top) & (y < box.bottom)) & ((x >= box.left) & (x < box.right))
            numbers[part][inside] = number
        return numbers

    def _around(self, boxes: Sequence[Box]) -> list[tuple[int, tuple[slice, slice]]]:
        """Return the numbers of the boxes that the rectangle may show, each with the pixels that may lie in it."""
        edges = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes]).reshape(-1, 4)
        back = np.linalg.inv(np.vstack([self.to_page, [0.0, 0.0, 1.0]]))[:2]
        corners = np.stack([edges[:, [0, 0, 2, 2]], edges[:, [1, 3, 1, 3]], np.ones((len(edges), 4))])
        places = np.einsum("ij,jbc->ibc", back, corners) - np.array([self.left, self.top])[:, None, None]
        first = np.floor(places.min(axis=2)).astype(int).clip(0)
        last = np.ceil(places.max(axis=2)).astype(int).clip(max=np.array([[self.width], [self.height]]))
        return [
            (number, (slice(first[1, number], last[1, number]), slice(first[0, number], last[0, number])))
            for number in np.flatnonzero((first < last).all(axis=0)).tolist()
        ]


def make_views(
    page: Page, layout: Layout, recipe: InputRecipe, *, speed_mm_s: float = STANDARD_SPEED_MM_S
) -> dict[str, tuple[View, ...]]:
    """Map each part of a model's arrays to the page.

    Args:
        page: Original page.
        layout: Positions of its leads.
        recipe: Input recipe of the model.
        speed_mm_s: Paper speed, for recipes that read signals.

    Returns:
        Views by input of the graph. Signals are rectangles of one row, as high on the page as their lead; a typical
        beat, which has no place of its own, is as wide too.
    """
    if isinstance(recipe, TraceCanvas):
        return {"page": _canvas(layout, recipe)}
    if isinstance(recipe, PageImage):
        return {"page": (_page_image(page, layout, recipe),)}
    if isinstance(recipe, LeadCrops):
        return {"page": _lead_crops(page, layout, recipe)}
    if isinstance(recipe, PageAndSignal):
        of_signal = make_views(page, layout, recipe.signal, speed_mm_s=speed_mm_s)
        return {**make_views(page, layout, recipe.page), **of_signal}
    if isinstance(recipe, LeadBeats):
        return {"signal": _beats(layout, recipe)}
    return {"signal": _signals(layout, recipe, speed_mm_s)}


def _canvas(layout: Layout, recipe: TraceCanvas) -> tuple[View, ...]:
    strips = find_canvas_strips(layout, recipe)
    dark, lines = layout.ink, len(strips)
    views = []
    edges = [round(line * recipe.height / lines) for line in range(lines + 1)]
    for line, (matrix, size) in enumerate(strips):
        shrink = _scale(size[0] / recipe.width, lines * size[1] / recipe.height)
        shrink[1, 2] = -line * size[1]
        to_ink = _inverse(_from_edges(matrix))
        to_page = np.array([[dark.scale[1], 0, dark.origin[1]], [0, dark.scale[0], dark.origin[0]]])
        whole = _then(shrink, to_ink, to_page)
        views.append(View(0, edges[line], 0, edges[line + 1] - edges[line], recipe.width, whole))
    return tuple(views)


def _page_image(page: Page, layout: Layout, recipe: PageImage) -> View:
    box = find_image_box(page, layout, recipe)
    if box is None:
        stretch = _scale(page.width / recipe.width, page.height / recipe.height)
        whole = _then(stretch, _from_edges(np.array(layout.to_upright)))
        return View(0, 0, 0, recipe.height, recipe.width, whole)
    return _of_box(0, _cut(page, layout, box), recipe)


def _lead_crops(page: Page, layout: Layout, recipe: LeadCrops) -> tuple[View, ...]:
    boxes = map_lead_boxes(layout)
    return tuple(_of_box(row, _cut(page, layout, boxes[name].box), recipe) for row, name in enumerate(recipe.leads))


def _signals(layout: Layout, recipe: LeadSignals, speed_mm_s: float) -> tuple[View, ...]:
    boxes, leads = map_lead_boxes(layout), len(recipe.leads)
    views = []
    for index, name in enumerate(recipe.leads):
        lead = boxes.get(name) or boxes[f"-{name}"]
        across = speed_mm_s * layout.px_per_mm[1] / recipe.fs_hz
        for row in (index, leads + index):
            down = lead.box.height
            whole = np.array([[across, 0.0, lead.box.left], [0.0, down, lead.box.top - row * down]])
            views.append(View(0, row, 0, 1, recipe.samples, whole))
    return tuple(views)


def _beats(layout: Layout, recipe: LeadBeats) -> tuple[View, ...]:
    boxes, leads = map_lead_boxes(layout), len(recipe.leads)
    views = []
    for index, name in enumerate(recipe.leads):
        lead = boxes.get(name) or boxes.get(f"-{name}")
        if lead is None:
            continue
        across, down = lead.box.width / recipe.samples, lead.box.height
        for row in (index, leads + index):
            whole = np.array([[across, 0.0, lead.box.left], [0.0, down, lead.box.top - row * down]])
            views.append(View(0, row, 0, 1, recipe.samples, whole))
    return tuple(views)


def _cut(page: Page, layout: Layout, box: Box) -> Box:
    """Return a box as ``images`` cuts it: in whole pixels, and within the page where the page is not turned."""
    top, left = max(0, math.floor(box.top)), max(0, math.floor(box.left))
    bottom, right = math.ceil(box.bottom), math.ceil(box.right)
    if np.allclose(np.array(layout.to_upright), np.eye(3)[:2]):
        bottom, right = min(bottom, page.height), min(right, page.width)
    return Box(top, left, bottom, right)


def _of_box(row: int, box: Box, recipe: PageImage | LeadCrops) -> View:
    whole = _scale(box.width / recipe.width, box.height / recipe.height)
    whole[:, 2] = box.left, box.top
    return View(row, 0, 0, recipe.height, recipe.width, whole)


def _scale(across: float, down: float) -> Affine:
    return np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])


def _then(*maps: Affine) -> Affine:
    """Chain maps into one."""
    whole = np.eye(3)
    for one in maps:
        whole = np.vstack([one, [0.0, 0.0, 1.0]]) @ whole
    return whole[:2]


def _inverse(one: Affine) -> Affine:
    return np.asarray(np.linalg.inv(np.vstack([one, [0.0, 0.0, 1.0]]))[:2])


def _from_edges(of_centers: Affine) -> Affine:
    """Convert a map between centers of pixels to one between their edges."""
    half = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5]])
    return _then(half, of_centers, _inverse(half))

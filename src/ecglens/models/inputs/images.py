"""Pages and leads as images of a model's size, before scaling."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.layouts import RHYTHM
from ecglens.models.inputs.recipes import RHYTHM_STRIP, LeadCrops, PageImage
from ecglens.pages import preprocessing
from ecglens.records import Box, Layout, LeadBox, Page

__all__ = ["find_image_box", "make_lead_crops", "make_page_image", "map_lead_boxes"]

Image = NDArray[np.uint8]

_MIN_HEIGHT_PX = 8.0
_BLUR_MM = 25.0  # at 25 mm/s a rate of 60/min is a pattern of 25 mm, of which this leaves less than a millionth
_BLUR_PX = 8.0  # the same distance on the small image that is blurred

_AT_OWN_SIZE: dict[str, Callable[[Image], Image]] = {
    "gray": preprocessing.gray,
    "remove_grid": preprocessing.remove_grid,
}
_AT_MODEL_SIZE: dict[str, Callable[[Image], Image]] = {
    "clahe": preprocessing.clahe,
    "median": preprocessing.median,
    "gaussian": preprocessing.gaussian,
    "otsu": preprocessing.otsu,
    "canny": preprocessing.canny,
}


def make_page_image(page: Page, layout: Layout, recipe: PageImage) -> Image:
    """Make the image of a page, ``(channels, height, width)`` uint8.

    Raises:
        ModelError: The recipe reads a part of the page that this page does not have.
    """
    box = find_image_box(page, layout, recipe)
    if box is not None and box.bottom - box.top < _MIN_HEIGHT_PX:
        raise ModelError(f"{page.source}: the model reads the page's {recipe.area}, and this page has none.")
    pixels = page.pixels if box is None else _upright(page, layout, box)
    if recipe.area == "blurred":
        pixels = _without_traces(page.pixels, layout)
    return _finish(_first_step(pixels, recipe), recipe)


def find_image_box(page: Page, layout: Layout, recipe: PageImage) -> Box | None:
    """Find the part of a page that a recipe reads, in px of the upright page; ``None`` for the whole original page."""
    traces = layout.trace_area
    boxes = {
        "traces": traces,
        "header": Box(0.0, 0.0, max(0.0, traces.top), float(page.width)),
        "footer": Box(min(traces.bottom, float(page.height)), 0.0, float(page.height), float(page.width)),
    }
    return boxes.get(recipe.area)


def make_lead_crops(page: Page, layout: Layout, recipe: LeadCrops) -> Image:
    """Make images of a page's leads, ``(leads, channels, height, width)`` uint8, in the recipe's order."""
    boxes = map_lead_boxes(layout)
    crops = [boxes[name].box for name in recipe.leads]
    around = Box(
        max(0.0, min(box.top for box in crops)),
        max(0.0, min(box.left for box in crops)),
        max(box.bottom for box in crops),
        max(box.right for box in crops),
    )
    area = _first_step(_upright(page, layout, around), recipe)
    corner = math.floor(around.top), math.floor(around.left)
    return np.stack([_finish(_crop(area, box, corner), recipe) for box in crops])


def map_lead_boxes(layout: Layout) -> dict[str, LeadBox]:
    """Map names to boxes; a rhythm strip is ``II-rhythm`` beside lead ``II``, and the upper one also ``rhythm``."""
    boxes = {lead.lead + RHYTHM if lead.rhythm else lead.lead: lead for lead in layout.leads}
    strips = [lead for lead in layout.leads if lead.rhythm]
    return {**boxes, RHYTHM_STRIP: min(strips, key=lambda lead: lead.baseline_px)} if strips else boxes


def _upright(page: Page, layout: Layout, box: Box) -> Image:
    """Cut out a part of the page at its own scale, and turn it upright."""
    matrix = np.array(layout.to_upright)
    if np.allclose(matrix, np.eye(3)[:2]):
        return _crop(page.pixels, box, (0, 0))
    top, left = math.floor(box.top), math.floor(box.left)
    matrix[:, 2] -= (left, top)
    size = (math.ceil(box.right) - left, math.ceil(box.bottom) - top)
    turned = cv2.warpAffine(page.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def _without_traces(pixels: Image, layout: Layout) -> Image:
    """Blur everything between header and footer until neither beats nor their rate are left."""
    area, sigma = layout.trace_area, _BLUR_MM * float(np.mean(layout.px_per_mm))
    rows = slice(max(0, math.floor(area.top)), math.ceil(area.bottom))
    columns = slice(max(0, math.floor(area.left)), math.ceil(area.right))
    blurred = pixels.copy()
    strip = pixels[rows, columns].astype(np.float32)  # bytes would be blurred with weights of 8 bits
    height, width = strip.shape[:2]
    coarse = (max(1, round(width * _BLUR_PX / sigma)), max(1, round(height * _BLUR_PX / sigma)))
    soft = cv2.GaussianBlur(
        cv2.resize(strip, coarse, interpolation=cv2.INTER_AREA), (0, 0), _BLUR_PX, borderType=cv2.BORDER_REPLICATE
    )
    blurred[rows, columns] = np.rint(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))
    return blurred


def _crop(image: Image, box: Box, corner: tuple[int, int]) -> Image:
    rows = slice(max(0, math.floor(box.top) - corner[0]), math.ceil(box.bottom) - corner[0])
    columns = slice(max(0, math.floor(box.left) - corner[1]), math.ceil(box.right) - corner[1])
    return image[rows, columns]


def _first_step(pixels: Image, recipe: PageImage | LeadCrops) -> Image:
    return _AT_OWN_SIZE[recipe.steps[0]](np.ascontiguousarray(pixels)) if recipe.steps else pixels


def _finish(image: Image, recipe: PageImage | LeadCrops) -> Image:
    small = cv2.resize(np.ascontiguousarray(image), (recipe.width, recipe.height), interpolation=cv2.INTER_AREA)
    result = np.asarray(small, dtype=np.uint8)
    for step in recipe.steps[1:]:
        if step == "edge_channel":
            return np.stack([result, result, preprocessing.canny(result)])
        result = _AT_MODEL_SIZE[step](result)
    if result.ndim == 2:
        return np.broadcast_to(result, (recipe.channels, *result.shape))
    return np.ascontiguousarray(result.transpose(2, 0, 1))

"""Pictures of a page and of what was made of it, as files small enough for a browser."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import crop_leads
from ecglens.pages.preprocessing import gaussian, gray, otsu, reduce_picture, remove_grid
from ecglens.records import Explanation, Layout, Page, Reading, distinct_names

__all__ = [
    "STEPS",
    "THUMB_PX",
    "PictureFile",
    "encode_jpeg",
    "name_lead_crops",
    "render_heat_map",
    "render_lead_crops",
    "render_steps",
]

_WIDTH_PX = 1400
_STEPS_WIDTH_PX = 2 * _WIDTH_PX
_JPEG_QUALITY = 82
THUMB_PX = 320
"""Width of the small picture of a page in lists."""

STEPS = ("gray", "without-grid", "smoothed", "black-and-white")
"""The steps of preprocessing that are displayed, in their order."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture as a file.

    Attributes:
        content: JPEG or PNG.
        media_type: ``"image/jpeg"`` or ``"image/png"``.
        width: Width in px.
        height: Height in px.
    """

    content: bytes = field(repr=False)
    media_type: str
    width: int
    height: int


def encode_jpeg(pixels: NDArray[np.uint8], *, most_px: int = _WIDTH_PX) -> PictureFile:
    """Encode gray or RGB pixels as a JPEG of a limited width.

    Args:
        pixels: The picture.
        most_px: Largest width in px.
    """
    height, width = pixels.shape[:2]
    if width > most_px:
        pixels = reduce_picture(pixels, most_px, max(1, round(height * most_px / width)))
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return PictureFile(encoded.tobytes(), "image/jpeg", int(pixels.shape[1]), int(pixels.shape[0]))


def render_steps(page: Page) -> Iterator[tuple[str, PictureFile]]:
    """Yield each of ``STEPS``, from gray to ink on white, on a page that is reduced where it is very large."""
    pixels = page.pixels
    if page.width > _STEPS_WIDTH_PX:
        pixels = reduce_picture(pixels, _STEPS_WIDTH_PX, max(1, round(page.height * _STEPS_WIDTH_PX / page.width)))
    yield "gray", encode_jpeg(gray(pixels))
    clean = remove_grid(pixels)
    yield "without-grid", encode_jpeg(clean)
    smooth = gaussian(clean)
    yield "smoothed", encode_jpeg(smooth)
    yield "black-and-white", encode_jpeg(otsu(smooth))


def render_lead_crops(reading: Reading) -> Iterator[tuple[str, PictureFile]]:
    """Yield each lead's part of the page by its name of :func:`name_lead_crops`."""
    page, layout = reading.page, reading.layout
    if not isinstance(layout, Layout):
        if reading.tracing is None:
            return
        page, layout = reading.tracing.page, reading.tracing.layout
    names = name_lead_crops((box.lead, box.rhythm) for box in layout.leads)
    for name, (_, pixels) in zip(names, crop_leads(page, layout), strict=True):
        yield name, encode_jpeg(pixels)


def name_lead_crops(leads: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
    """Return a name for the crop of each lead: ``lead:NAME``, or ``strip:NAME`` for a rhythm strip.

    Args:
        leads: Name of each lead, and whether it is a rhythm strip, in the layout's order.
    """
    return distinct_names(f"{'strip' if is_strip else 'lead'}:{lead}" for lead, is_strip in leads)


def render_heat_map(explanation: Explanation) -> PictureFile:
    """Render the heat map of an explanation as a transparent layer over the page."""
    layer = explanation.layer()
    _, encoded = cv2.imencode(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
    return PictureFile(encoded.tobytes(), "image/png", int(layer.shape[1]), int(layer.shape[0]))

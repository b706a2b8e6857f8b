"""Pictures of a page and of what was made of it, as files small enough for a browser."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import crop_leads
from ecglens.pages.preprocessing import gaussian, gray, otsu, remove_grid
from ecglens.records import Explanation, Layout, Reading
from ecglens.records import Page as Pages

__all__ = ["STEPS", "Drawn", "drawn", "heat_png", "lead_pictures", "step_pictures"]

_WIDTH_PX = 1400
_JPEG_QUALITY = 82

STEPS = ("gray", "without-grid", "smoothed", "black-and-white")
"""The steps that are shown, in their order."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as a file.

    Attributes:
        content: JPEG or PNG.
        kind: ``"image/jpeg"`` or ``"image/png"``.
        width: In px.
        height: In px.
    """

    content: bytes = field(repr=False)
    kind: str
    width: int
    height: int


def drawn(pixels: NDArray[np.uint8]) -> Drawn:
    """A JPEG of at most 1400 px across, of gray or RGB pixels."""
    height, width = pixels.shape[:2]
    if width > _WIDTH_PX:
        size = (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, encoded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return Drawn(encoded.tobytes(), "image/jpeg", int(pixels.shape[1]), int(pixels.shape[0]))


def step_pictures(page: Pages) -> Iterator[tuple[str, Drawn]]:
    """Each of ``STEPS``, from gray to ink on white."""
    yield "gray", drawn(gray(page.pixels))
    clean = remove_grid(page.pixels)
    yield "without-grid", drawn(clean)
    smooth = gaussian(clean)
    yield "smoothed", drawn(smooth)
    yield "black-and-white", drawn(otsu(smooth))


def lead_pictures(reading: Reading) -> Iterator[tuple[str, Drawn]]:
    """Each lead cut out of the page as ``lead:NAME``, rhythm strips as ``strip:NAME``."""
    page, layout = reading.page, reading.layout
    if not isinstance(layout, Layout):
        if reading.tracing is None:
            return
        page, layout = reading.tracing.page, reading.tracing.layout
    for box, pixels in crop_leads(page, layout):
        yield f"{'strip' if box.rhythm else 'lead'}:{box.lead}", drawn(pixels)


def heat_png(found: Explanation) -> Drawn:
    """The heat of an explanation as a clear layer over the page."""
    layer = found.layer()
    _, encoded = cv2.imencode(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
    return Drawn(encoded.tobytes(), "image/png", int(layer.shape[1]), int(layer.shape[0]))

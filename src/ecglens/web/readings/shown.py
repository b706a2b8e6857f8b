"""A reading as what a page shows: pictures that travel inside the answer, and facts in words."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.labels import TITLES
from ecglens.leads.crop import lead_crops
from ecglens.pages.preprocessing import gray
from ecglens.records import Layout, Reading

__all__ = ["Bar", "Picture", "Shown", "show"]

_PAGE_WIDTH_PX = 1400
_JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a ``data:`` address."""

    title: str
    address: str
    width: int
    height: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One label with its calibrated probability."""

    title: str
    percent: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that the template draws."""

    name: str
    answer: str | None
    reason: str
    bars: tuple[Bar, ...]
    page: Picture
    gray: Picture
    leads: tuple[Picture, ...]
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    model: str
    version: str


def show(reading: Reading, name: str) -> Shown:
    """Prepare a reading for the template.

    Args:
        reading: What was read.
        name: File name as it was uploaded.
    """
    prediction = reading.prediction
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])
    return Shown(
        name=name,
        answer=None if prediction.label is None else TITLES.get(prediction.label, prediction.label),
        reason=prediction.abstention.reason if prediction.abstention else "",
        bars=tuple(Bar(TITLES.get(label, label), 100 * share, label == prediction.label) for label, share in ranked),
        page=_picture("The page as it came", reading.page.pixels),
        gray=_picture("The page in gray", gray(reading.page.pixels)),
        leads=_leads(reading),
        facts=_facts(reading),
        warnings=tuple(dict.fromkeys((*reading.page.warnings, *prediction.warnings))),
        model=prediction.model,
        version=prediction.model_version,
    )


def _leads(reading: Reading) -> tuple[Picture, ...]:
    if not isinstance(reading.layout, Layout):
        return ()
    return tuple(
        _picture(f"{box.lead} (rhythm strip)" if box.rhythm else box.lead, pixels, wide=box.rhythm)
        for box, pixels in lead_crops(reading.page, reading.layout)
    )


def _facts(reading: Reading) -> tuple[tuple[str, str], ...]:
    page, layout = reading.page, reading.layout
    facts = [("Page", f"{page.number} of {page.count}, {page.width} × {page.height} px")]
    if not isinstance(layout, Layout):
        return (*facts, ("Layout", "Not recognized"))
    vertical, horizontal = layout.px_per_mm
    pulse = "not found" if layout.pulse_mm is None else f"{layout.pulse_mm:.1f} mm"
    return (
        *facts,
        ("Layout", layout.name),
        ("Rhythm lead", ", ".join(layout.rhythm_leads) or "none"),
        ("Scale", f"{horizontal:.2f} × {vertical:.2f} px/mm, from the {layout.px_per_mm_source}"),
        ("Calibration pulse", pulse),
        ("Rotation", f"{layout.rotation_deg:.1f}°"),
    )


def _picture(title: str, pixels: NDArray[np.uint8], *, wide: bool = False) -> Picture:
    height, width = pixels.shape[:2]
    if width > _PAGE_WIDTH_PX:
        size = (_PAGE_WIDTH_PX, max(1, round(height * _PAGE_WIDTH_PX / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    drawn = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, encoded = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    address = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return Picture(title, address, int(pixels.shape[1]), int(pixels.shape[0]), wide)

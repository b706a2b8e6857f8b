"""A reading as what a page shows: pictures that travel inside the answer, and facts in words."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.labels import TITLES
from ecglens.layouts import RHYTHM, STANDARD_LEADS
from ecglens.leads.crop import lead_crops
from ecglens.leads.figures import Figure, StLead, missing, said, st_leads, told
from ecglens.leads.overlay import overlay
from ecglens.pages.preprocessing import gray
from ecglens.records import Layout, Prediction, Reading, Tracing

__all__ = ["Bar", "Picture", "Quality", "Shown", "show"]

_PAGE_WIDTH_PX = 1400
_JPEG_QUALITY = 82
_GOOD_QUALITY = 0.5
"""As ``EcgRecord.quality`` says: a lead below it failed its own checks."""


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
class Quality:
    """How well the signal of one lead was read."""

    lead: str
    percent: int
    good: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that the template draws."""

    name: str
    answer: str | None
    heading: str
    reason: str
    bars: tuple[Bar, ...]
    page: Picture
    gray: Picture
    leads: tuple[Picture, ...]
    traced: Picture | None
    quality: tuple[Quality, ...]
    measured: bool
    figures: tuple[Figure, ...]
    st: tuple[StLead, ...]
    missing: str
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
    prediction, found, tracing = reading.prediction, reading.measurements, reading.tracing
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])
    return Shown(
        name=name,
        answer=None if prediction.label is None else TITLES.get(prediction.label, prediction.label),
        heading=_heading(prediction),
        reason=prediction.abstention.reason if prediction.abstention else "",
        bars=tuple(Bar(TITLES.get(label, label), 100 * share, label == prediction.label) for label, share in ranked),
        page=_picture("The page as it came", reading.page.pixels),
        gray=_picture("The page in gray", gray(reading.page.pixels)),
        leads=_leads(reading),
        traced=None if tracing is None else _picture("What was read, drawn on the page", overlay(tracing)),
        quality=_quality(tracing),
        measured=found is not None,
        figures=() if found is None else told(found),
        st=() if found is None else st_leads(found),
        missing="" if found is None else ", ".join(missing(found)),
        facts=_facts(reading),
        warnings=reading.warnings,
        model=prediction.model,
        version=prediction.model_version,
    )


def _heading(prediction: Prediction) -> str:
    if prediction.label is not None:
        return TITLES.get(prediction.label, prediction.label)
    unfamiliar = prediction.abstention is not None and prediction.abstention.kind == "unfamiliar"
    return "No label" if unfamiliar else "Cannot tell"


def _leads(reading: Reading) -> tuple[Picture, ...]:
    page, layout = reading.page, reading.layout
    if not isinstance(layout, Layout):
        if reading.tracing is None:
            return ()
        page, layout = reading.tracing.page, reading.tracing.layout
    return tuple(
        _picture(f"{box.lead} (rhythm strip)" if box.rhythm else box.lead, pixels, wide=box.rhythm)
        for box, pixels in lead_crops(page, layout)
    )


def _quality(tracing: Tracing | None) -> tuple[Quality, ...]:
    if tracing is None or tracing.record is None:
        return ()
    record = tracing.record
    read = dict(zip(record.leads, record.quality, strict=True))
    ranked = [lead for lead in STANDARD_LEADS if lead in read]
    ranked += [lead for lead in record.leads if lead not in ranked]
    return tuple(
        Quality(lead.replace(RHYTHM, " rhythm"), round(100 * read[lead]), read[lead] >= _GOOD_QUALITY)
        for lead in ranked
    )


def _facts(reading: Reading) -> tuple[tuple[str, str], ...]:
    page, layout = reading.page, reading.layout
    facts = [("Page", f"{page.number} of {page.count}, {page.width} × {page.height} px")]
    if not isinstance(layout, Layout):
        return (*facts, ("Layout", "Not recognized"), *_printed(reading.tracing))
    vertical, horizontal = layout.px_per_mm
    pulse = "not found" if layout.pulse_mm is None else f"{layout.pulse_mm:.1f} mm"
    return (
        *facts,
        ("Layout", layout.name),
        ("Rhythm lead", ", ".join(layout.rhythm_leads) or "none"),
        ("Scale", f"{horizontal:.2f} × {vertical:.2f} px/mm, from the {layout.px_per_mm_source}"),
        ("Calibration pulse", pulse),
        *_gain(reading.tracing),
        *_printed(reading.tracing),
        ("Rotation", f"{layout.rotation_deg:.1f}°"),
    )


def _gain(tracing: Tracing | None) -> tuple[tuple[str, str], ...]:
    if tracing is None or tracing.gain_mm_mv is None:
        return ()
    source = {"pulse": "from the pulse", "printed": "as printed", "usual": "the usual one"}.get(
        tracing.gain_source or "", "as given"
    )
    return (("Gain", f"{tracing.gain_mm_mv:g} mm/mV, {source}"),)


def _printed(tracing: Tracing | None) -> tuple[tuple[str, str], ...]:
    if tracing is None or tracing.printed is None:
        return ()
    return (("Printed", said(tracing.printed)),)


def _picture(title: str, pixels: NDArray[np.uint8], *, wide: bool = False) -> Picture:
    height, width = pixels.shape[:2]
    if width > _PAGE_WIDTH_PX:
        size = (_PAGE_WIDTH_PX, max(1, round(height * _PAGE_WIDTH_PX / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    drawn = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, encoded = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    address = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return Picture(title, address, int(pixels.shape[1]), int(pixels.shape[0]), wide)

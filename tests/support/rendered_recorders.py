"""Pages rendered for tests with the difficulties of real pages of many recorders."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import EcgRecord, Page
from ecglens.render import PageTruth, render_page
from ecglens.render.ink import draw_text

BARE = {"names": None, "header": None, "footer": None, "separators": None}


def as_jpeg(page: Page, quality: int) -> Page:
    """Return a page as a JPEG of this quality shows it."""
    data = cv2.imencode(".jpg", page.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return _with_pixels(page, np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])


def with_names(record: EcgRecord, *, across_mm: float, up_mm: float, bar: bool = False, **style: object) -> Page:
    """Render a page with its lead names anywhere beside the heads of their leads, optionally with a bar before them."""
    rendered = render_page(record, **{**BARE, **style})  # type: ignore[arg-type]
    pixels, truth = rendered.page.pixels.copy(), rendered.truth
    for segment in truth.leads:
        place = (segment.box.left + across_mm * truth.px_per_mm, segment.baseline_px - up_mm * truth.px_per_mm)
        _draw_name(pixels, segment.lead, *place, truth)
        if bar and segment.box.left > truth.leads[0].box.left:
            x, y = round(segment.box.left), round(segment.baseline_px)
            reach = round(3.5 * truth.px_per_mm)
            cv2.line(pixels, (x, y - reach), (x, y + reach), (0, 0, 0), max(2, round(0.5 * truth.px_per_mm)))
    return _with_pixels(rendered.page, pixels)


def with_pulse_in_each_column(record: EcgRecord, **style: object) -> Page:
    """Render a page of six rows and two columns with a pulse before each, and the names left of the pulses."""
    halves = []
    for layout in ("6x1-limb", "6x1-precordial"):
        page = with_names(record, across_mm=-18.0, up_mm=9.0, layout=layout, seconds=4.0, margin_mm=10.0, **style)
        halves.append(page.pixels)
    return Page(np.hstack(halves), "rendered")


def over_several_lines(record: EcgRecord, *, lines: int, seconds: float, **style: object) -> Page:
    """Render one lead over several successive lines; only the first has a pulse, and none has a name."""
    parts = []
    for line in range(lines):
        first = round(line * seconds * record.fs_hz)
        last = round((line + 1) * seconds * record.fs_hz)
        part = replace(record, signals_mv=record.signals_mv[:, first:last])
        pulse = "left" if line == 0 else None
        margin_mm = 15.0 if line == 0 else 20.0
        changes = {**BARE, **style, "margin_mm": margin_mm, "row_mm": 30.0, "pulse": pulse}
        page = render_page(part, layout="1x1", seconds=seconds, **changes)  # type: ignore[arg-type]
        cut = round((margin_mm - 2) * page.truth.px_per_mm)
        parts.append(page.page.pixels[cut:-cut])
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255) for part in parts]
    return Page(np.vstack(padded), "rendered")


def _draw_name(pixels: NDArray[np.uint8], name: str, left: float, baseline: float, truth: PageTruth) -> None:
    size = 2.4 * truth.px_per_mm
    draw_text(pixels, name, left=left, baseline=baseline, size_px=size, font="sans", color=(0, 0, 0))


def _with_pixels(page: Page, pixels: NDArray[np.uint8]) -> Page:
    return replace(page, pixels=np.ascontiguousarray(pixels), curves=())

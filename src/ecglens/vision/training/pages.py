"""Pages for training the network of pixel classes: rendered with damage, together with the class of each pixel.

A page is rendered several times: as it is, and once for each class with everything else white, so that the masks have
the same anti-aliased edges as the ink. The masks are then warped by the page's mesh.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ecglens.layouts import LAYOUTS
from ecglens.records import Box, EcgRecord
from ecglens.render import damage, random_style, render_page
from ecglens.render.paper import GridStyle, draw_paper
from ecglens.render.sheet import Sheet, select_layout
from ecglens.render.style import PageStyle
from ecglens.render.truth import Mesh, PageTruth, RenderedPage

__all__ = ["CLASSES", "TrainingPage", "draw_training_page"]

CLASSES = ("trace", "print", "grid", "pulse")
"""Channels of the masks and of the network's output."""

_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_SCALE_PX_PER_MM = (2.3, 6.5)
"""Resolutions of web crops (600 px across a page) up to scans of 160 dpi."""
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-()%     "
_GEOMETRIC = {"perspective": 0.2, "curl": 0.2, "fold": 0.12, "crease": 0.12, "rotation": 0.3, "crop": 0.25}
_OPTICAL = {
    "shadow": 0.25,
    "uneven-light": 0.3,
    "stains": 0.08,
    "handwriting": 0.25,
    "fading": 0.25,
    "blur": 0.3,
    "noise": 0.3,
    "screen": 0.12,
    "fax": 0.05,
}
"""Share of the pages with each damage."""
_STRONGEST = {"rotation": 0.6, "blur": 0.55, "fading": 0.75, "fold": 0.8, "crease": 0.8}
"""Strength up to which a damage leaves the trace visible; 0.9 for the others."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPage:
    """A page and its masks.

    Attributes:
        pixels: ``(height, width, 3)`` uint8 RGB.
        masks: ``(height, width, classes)`` uint8, share of each pixel that a class covers.
    """

    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]


def draw_training_page(records: Sequence[EcgRecord], rng: np.random.Generator) -> TrainingPage:
    """Draw a random page with its masks.

    Args:
        records: Signals to choose from.
        rng: Generator of everything random.
    """
    record = records[int(rng.integers(len(records)))]
    layout = str(rng.choice(list(LAYOUTS)))
    style = _random_style(rng)
    low, high = np.log(_SCALE_PX_PER_MM)
    px_per_mm = float(np.exp(rng.uniform(low, high)))
    seed = int(rng.integers(1 << 31))
    page = render_page(record, layout=layout, style=style, rng=np.random.default_rng(seed))
    pen_mm = max(style.pen_mm, 1 / px_per_mm)  # a trace thinner than a pixel is still a trace
    masks = _draw_masks(record, layout, replace(style, pen_mm=pen_mm), seed, page.truth.pulses)
    page, masks = _add_clutter(_tone(page, rng), masks, rng)
    page, masks = _damage(page, masks, rng)
    return _resize(page, masks, px_per_mm, rng)


def _random_style(rng: np.random.Generator) -> PageStyle:
    """A style with a pen, an ink and a grid of any strength; half of the grids are gray or black."""
    ink = int(rng.integers(0, 120))
    tint = rng.integers(0, 60, 3) if rng.random() < 0.25 else np.zeros(3, dtype=np.int64)
    if rng.random() < 0.1:
        tint = rng.integers(0, 130, 3)
    speed = 50.0 if rng.random() < 0.15 else 25.0
    return replace(
        random_style(rng, dpi=float(rng.uniform(105, 190))),
        pen_mm=float(rng.uniform(0.12, 0.5)),
        ink=_as_color(ink + tint),
        print_ink=(int(rng.integers(0, 110)),) * 3,
        grid=_random_grid(rng),
        name_mm=float(rng.uniform(1.7, 3.6)),
        pulse_mm=float(rng.uniform(1.8, 6.0)),
        speed_mm_s=speed,
        gain_mm_mv=float(rng.choice([5.0, 10.0, 10.0, 10.0, 10.0, 20.0])),
        row_mm=None if rng.random() < 0.6 else float(rng.uniform(13, 32)),
    )


def _random_grid(rng: np.random.Generator) -> str | GridStyle:
    if rng.random() < 0.06:
        return "none"
    tone = rng.uniform(0.15, 0.97)
    hue = rng.uniform(0, 1, 3) if rng.random() < 0.5 else np.full(3, 0.5)
    color = np.clip(255 * tone + 255 * (hue - 0.5) * rng.uniform(0.3, 1.2), 0, 250)
    ground = 255 - rng.uniform(0, 30, 3) * (rng.random() < 0.5)
    pale = color + (ground - color) * rng.uniform(0, 0.8)
    dotted = rng.random() < 0.25
    return GridStyle(
        minor=None if rng.random() < 0.15 and not dotted else _as_color(pale),
        major=_as_color(color),
        minor_mm=float(rng.uniform(0.08, 0.2)),
        major_mm=float(rng.uniform(0.12, 0.4)),
        dotted=dotted,
        ground=_as_color(ground),
    )


def _as_color(values: NDArray[Any]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(values, 0, 255))
    return red, green, blue


def _draw_masks(
    record: EcgRecord, layout: str, style: PageStyle, seed: int, pulses: Sequence[Box]
) -> NDArray[np.uint8]:
    """Masks of the clean page, ``(height, width, classes)`` uint8: the share of each pixel that each class covers."""

    def draw(**changes: Any) -> NDArray[np.uint8]:
        bare = replace(style, grid="none", frame=None, separators=None, **changes)
        rng = np.random.default_rng(seed)
        return np.asarray(255 - render_page(record, layout=layout, style=bare, rng=rng).page.pixels[..., 0])

    trace = draw(ink=_BLACK, print_ink=_WHITE, names=None).copy()
    text = draw(ink=_WHITE, print_ink=_BLACK)
    pulse, pen = np.zeros_like(trace), style.pen_mm * style.dpi / 25.4
    for box in pulses:
        part = (
            slice(max(0, int(box.top - pen)), int(box.bottom + pen) + 2),
            slice(max(0, int(box.left)), int(box.right) + 1),
        )
        pulse[part] = trace[part]
        trace[part] = 0
    return np.stack([trace, text, _draw_grid(record, layout, style), pulse], axis=-1)


def _draw_grid(record: EcgRecord, layout: str, style: PageStyle) -> NDArray[np.uint8]:
    sheet = Sheet.from_style(select_layout(layout, style, record), style)
    area = sheet.grid_area if style.frame else None
    paper = draw_paper(sheet.height, sheet.width, sheet.px, style.grid, area).astype(np.int16)
    ground = np.array(style.grid.ground if isinstance(style.grid, GridStyle) else _WHITE)
    away = np.abs(paper - ground).max(axis=2)
    away[np.all(paper == 255, axis=2)] = 0
    return np.asarray(np.clip(away * (255.0 / max(int(away.max()), 1)), 0, 255), dtype=np.uint8)


def _tone(page: RenderedPage, rng: np.random.Generator) -> RenderedPage:
    """The page with a darker grid, or on tinted paper."""
    pixels = page.page.pixels.astype(np.float32) / 255
    if rng.random() < 0.4:
        pixels = pixels ** float(rng.uniform(1.0, 2.6))
    if rng.random() < 0.3:
        pixels = pixels * rng.uniform(0.72, 1, 3)
    return _with_pixels(page, np.asarray(np.clip(pixels * 255, 0, 255), dtype=np.uint8))


def _add_clutter(
    page: RenderedPage, masks: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[RenderedPage, NDArray[np.uint8]]:
    """Words, rules, bars and tables on the page; words are print, lines are neither trace nor print."""
    pixels, masks = page.page.pixels.copy(), masks.copy()
    height, width = pixels.shape[:2]
    for _ in range(int(rng.integers(0, 16)) if rng.random() < 0.7 else 0):
        color = tuple(int(value) for value in rng.integers(0, 130, 3))
        x, y = int(rng.integers(width)), int(rng.choice([rng.integers(height // 5), rng.integers(height)]))
        kind, thick = rng.random(), int(rng.integers(1, 4))
        if kind < 0.65:
            text = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 24))))
            font, size = int(rng.integers(0, 8)), float(rng.uniform(0.35, 1.4))
            cv2.putText(pixels, text, (x, y), font, size, color, min(thick, 2), cv2.LINE_AA)
            letters = np.ascontiguousarray(masks[..., CLASSES.index("print")])
            cv2.putText(letters, text, (x, y), font, size, (255,), min(thick, 2), cv2.LINE_AA)
            masks[..., CLASSES.index("print")] = letters
        elif kind < 0.9:
            end = (x + int(rng.integers(50, 900)), y) if rng.random() < 0.6 else (x, y + int(rng.integers(15, 500)))
            cv2.line(pixels, (x, y), end, color, thick)
        else:
            end = (x + int(rng.integers(30, 400)), y + int(rng.integers(20, 200)))
            cv2.rectangle(pixels, (x, y), end, color, thick if rng.random() < 0.8 else -1)
            if thick < 0:
                masks[y : end[1], x : end[0]] = 0
    return _with_pixels(page, pixels), masks


def _damage(
    page: RenderedPage, masks: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[RenderedPage, NDArray[np.uint8]]:
    """The page with several kinds of damage, half of the time none that moves pixels."""
    geometric = [] if rng.random() < 0.5 else [kind for kind, share in _GEOMETRIC.items() if rng.random() < share]
    optical = [] if rng.random() < 0.3 else [kind for kind, share in _OPTICAL.items() if rng.random() < share]
    for kind in geometric + optical:
        page = damage(page, kind, float(rng.uniform(0.05, _STRONGEST.get(kind, 0.9))), int(rng.integers(1 << 30)))
    if page.truth.mesh is not None:
        masks = _move_masks(masks, page.truth, page.page.pixels.shape[:2])
    return page, masks


def _move_masks(masks: NDArray[np.uint8], truth: PageTruth, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Masks of the clean page moved to the damaged page of ``size``."""
    mesh = truth.mesh or Mesh.identity(*truth.clean_size_px)
    backward = _invert(mesh, truth.clean_size_px, size)
    full = cv2.resize(backward, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.remap(
            masks,
            np.ascontiguousarray(full[..., 0]),
            np.ascontiguousarray(full[..., 1]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        ),
        dtype=np.uint8,
    )


def _invert(mesh: Mesh, clean: tuple[int, int], size: tuple[int, ...], step: int = 4) -> NDArray[np.float32]:
    """Points of the clean page for every ``step``-th pixel of the damaged one, by Newton's method."""
    height, width = max(2, size[0] // step), max(2, size[1] // step)
    columns = (np.arange(width) + 0.5) * size[1] / width - 0.5
    rows = (np.arange(height) + 0.5) * size[0] / height - 0.5
    goal = np.stack(np.meshgrid(columns, rows), axis=-1)
    nodes = Mesh.identity(*clean, mesh.step_px).nodes.reshape(-1, 2)
    ones = np.ones((len(nodes), 1))
    affine, *_ = np.linalg.lstsq(np.hstack([mesh.nodes.reshape(-1, 2), ones]), nodes, rcond=None)
    place = goal @ affine[:2] + affine[2]
    for _ in range(12):
        place = place + (goal - mesh.points(place)) @ affine[:2]
    return np.asarray(place, dtype=np.float32)


def _resize(page: RenderedPage, masks: NDArray[np.uint8], px_per_mm: float, rng: np.random.Generator) -> TrainingPage:
    """The page at another resolution, most of them as JPEG of any quality."""
    zoom = px_per_mm / page.truth.px_per_mm
    height, width = page.page.pixels.shape[:2]
    size = (round(width * zoom), round(height * zoom))
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    if rng.random() < 0.2:
        interpolation = cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(page.page.pixels, size, interpolation=interpolation), dtype=np.uint8)
    masks = np.asarray(cv2.resize(masks, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if rng.random() < 0.12:  # sharpened by a scanner
        blurred = cv2.GaussianBlur(pixels, (0, 0), 1.2)
        pixels = np.asarray(cv2.addWeighted(pixels, 1.8, blurred, -0.8, 0), dtype=np.uint8)
    levels = rng.random()
    if levels < 0.1:
        level = int(rng.integers(110, 200))
        pixels = np.repeat(np.where(pixels.min(axis=2, keepdims=True) < level, 0, 255).astype(np.uint8), 3, axis=2)
    elif levels < 0.15:  # dithered, as an archive scanner does it
        dithered = np.asarray(Image.fromarray(pixels).convert("1"), dtype=np.uint8) * np.uint8(255)
        pixels = np.repeat(dithered[..., None], 3, axis=2)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 99))]
        pixels = np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR), dtype=np.uint8)
    return TrainingPage(pixels, masks)


def _with_pixels(page: RenderedPage, pixels: NDArray[np.uint8]) -> RenderedPage:
    return replace(page, page=replace(page.page, pixels=pixels))

"""Damage rendered pages, with a strength from 0 to 1 and a seed, and adapt the geometry of the truth.

Each kind of damage is a function ``(rendered, strength, rng) -> rendered``. If it moves pixels, it defines the map in
closed form in both directions: backward to resample the page once, and forward to move the mesh of the truth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import describe_value, is_number_in
from ecglens.errors import RenderError
from ecglens.records import Box, Page
from ecglens.render.truth import LeadTruth, Mesh, PageTruth, RenderedPage

__all__ = ["DAMAGES", "GEOMETRIC", "damage", "damage_page"]

Points = NDArray[np.float64]

MAX_ROTATION_DEG = 10.0
"""Angle of the rotation at strength 1."""

MAX_PERSPECTIVE = 0.10
"""Distance that a corner moves at strength 1, as a share of the page's width."""

_TABLE = (188, 178, 164)


@dataclass(frozen=True, slots=True)
class _Motion:
    """A map to a page of ``size``, ``(height, width)`` in px: ``forward`` and its inverse ``backward``."""

    forward: Callable[[Points], Points]
    backward: Callable[[Points], Points]
    size: tuple[int, int]


def damage(rendered: RenderedPage, kind: str, strength: float, seed: int) -> RenderedPage:
    """Damage a page.

    Args:
        rendered: Page to damage; it is not changed.
        kind: One of ``DAMAGES``.
        strength: From 0, which changes nothing, to 1.
        seed: Random seed.

    Returns:
        The damaged page with its truth. Samples that are no longer on the page are NaN.

    Raises:
        RenderError: The kind does not exist, or the strength is out of range.

    >>> from ecglens.records import EcgRecord
    >>> from ecglens.render import render_page
    >>> page = render_page(EcgRecord(np.zeros((1, 5000), np.float32), 500.0, ("II",)), layout="1x1", dpi=100)
    >>> damage(page, "rotation", 0.5, seed=1).truth.damage
    (('rotation', 0.5, 1),)
    """
    if kind not in DAMAGES:
        raise RenderError(f"Expected a damage out of {', '.join(DAMAGES)}, got '{kind}'.")
    if not is_number_in(strength, 0, 1):
        raise RenderError(f"Expected a strength from 0 to 1, got {describe_value(strength)}.")
    done = (*rendered.truth.damage, (kind, strength, seed))
    if strength > 0:
        rendered = DAMAGES[kind](rendered, strength, np.random.default_rng(seed))
    return RenderedPage(rendered.page, replace(rendered.truth, damage=done))


def damage_page(page: Page, kind: str, strength: float, seed: int, *, dpi: float) -> Page:
    """Damage a page of which only the scale is known.

    Args:
        page: Page to damage; it is not changed.
        kind: One of ``DAMAGES``.
        strength: From 0, which changes nothing, to 1.
        seed: Random seed.
        dpi: Dots per inch of the page's grid.

    Raises:
        RenderError: The kind does not exist, or the strength is out of range.
    """
    empty = Box(0.0, 0.0, 0.0, 0.0)
    truth = PageTruth("", 500.0, 25.0, 10.0, dpi, "", (), (), (), empty, (page.height, page.width))
    return damage(RenderedPage(page, truth), kind, strength, seed).page


def _rotation(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Rotate the page by up to 10 degrees, and enlarge it so that nothing is cut off."""
    height, width = rendered.page.height, rendered.page.width
    angle = np.deg2rad(strength * MAX_ROTATION_DEG) * rng.choice((-1, 1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]) @ turn.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = (int(np.ceil(high[1] - low[1])) + 1, int(np.ceil(high[0] - low[0])) + 1)
    return _move(rendered, _Motion(lambda p: p @ turn.T - low, lambda p: (p + low) @ turn, size), (255, 255, 255))


def _perspective(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """View the page at an angle, on a table."""
    height, width = rendered.page.height, rendered.page.width
    reach = strength * MAX_PERSPECTIVE * width
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], dtype=np.float64)
    inward = rng.uniform(0.1, 1.0, (4, 2)) * reach
    moved = corners + inward * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    homography = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    matrix = np.asarray(homography, dtype=np.float64)
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    motion = _Motion(lambda p: _project(matrix, p), lambda p: _project(inverse, p), (height, width))
    return _move(rendered, motion, _TABLE)


def _curl(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Bend the page around a vertical axis, which narrows columns and curves rows."""
    height, width = rendered.page.height, rendered.page.width
    bow = strength * 0.035 * height * rng.choice((-1, 1))
    phase = rng.uniform(0.25, 0.75)
    x = np.arange(width, dtype=np.float64)
    u = x / width
    slope = 1 - 0.12 * strength * np.cos(np.pi * (u - phase)) ** 4
    target = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2)])
    target *= (width - 1) / target[-1]
    rise = bow * (np.sin(np.pi * u / max(phase, 1 - phase)) - 0.4 * u)
    pad = int(np.ceil(np.abs(rise).max())) + 2
    motion = _along_columns(x, target, rise + pad, (height + 2 * pad, width))
    shaded = _shade(rendered, 1 - 0.25 * strength * (1 - slope) / 0.12)
    return _move(shaded, motion, _TABLE)


def _fold(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Fold the page once from top to bottom, with a crease and one side tilted and darker."""
    height, width = rendered.page.height, rendered.page.width
    crease = rng.uniform(0.3, 0.7) * width
    x = np.arange(width, dtype=np.float64)
    beyond = np.maximum(x - crease, 0)
    target = x - 0.06 * strength * beyond
    rise = rng.choice((-1, 1)) * 0.04 * strength * beyond
    pad = int(np.ceil(np.abs(rise).max())) + 2
    light = np.where(x > crease, 1 - 0.18 * strength, 1.0) - 0.45 * strength * np.exp(-(((x - crease) / 2.5) ** 2))
    motion = _along_columns(x, target, rise + pad, (height + 2 * pad, width))
    return _move(_shade(rendered, light), motion, _TABLE)


def _crease(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Add sharp vertical creases, each with a bright and a dark side, and waves between them."""
    height, width = rendered.page.height, rendered.page.width
    x = np.arange(width, dtype=np.float64)
    light, rise = np.ones(width), np.zeros(width)
    for position in rng.uniform(0.05, 0.95, 2 + round(4 * strength)) * width:
        side = x - position
        light += 0.3 * strength * np.sign(side) * np.exp(-np.abs(side) / 12)
        rise += strength * rng.uniform(-1, 1) * 0.006 * height * np.exp(-np.abs(side) / (0.08 * width))
    pad = int(np.ceil(np.abs(rise).max())) + 2
    motion = _along_columns(x, x, rise + pad, (height + 2 * pad, width))
    return _move(_shade(rendered, light), motion, _TABLE)


def _crop(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Crop up to 15 % at each edge."""
    height, width = rendered.page.height, rendered.page.width
    share = strength * 0.15 * rng.uniform(0.2, 1.0, 4)
    top, bottom = round(share[0] * height), height - round(share[1] * height)
    left, right = round(share[2] * width), width - round(share[3] * width)
    pixels = np.ascontiguousarray(rendered.page.pixels[top:bottom, left:right])
    offset = np.array([left, top], dtype=np.float64)
    return _replace_pixels(rendered, pixels, lambda p: p - offset)


def _shadow(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Cast the soft shadow of a hand or phone over a part of the page."""
    height, width = rendered.page.height, rendered.page.width
    mask = np.zeros((height // 8 + 1, width // 8 + 1), dtype=np.float32)
    edge = rng.uniform(0.2, 0.8) * mask.shape[1]
    lean = rng.uniform(-0.3, 0.3) * mask.shape[1]
    polygon = [(edge - lean, -9), (mask.shape[1] + 9, -9), (mask.shape[1] + 9, mask.shape[0] + 9), (edge + lean, 999)]
    cv2.fillPoly(mask, [np.array(polygon, dtype=np.int32)], (1.0,))
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.02 * mask.shape[1]))
    return _shade(rendered, 1 - 0.6 * strength * cv2.resize(soft, (width, height)))


def _uneven_light(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Light the page by a lamp on one side; the far side is darker and warmer."""
    height, width = rendered.page.height, rendered.page.width
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.linspace(-0.5, 0.5, height)[:, None], np.linspace(-0.5, 0.5, width)[None]
    along = np.cos(angle) * x + np.sin(angle) * y
    light = 1 - strength * (0.3 + 0.5 * along + 0.3 * (x**2 + y**2))
    return _shade(rendered, light[..., None] * np.array([1.0, 1 - 0.03 * strength, 1 - 0.12 * strength]))


def _blur(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Blur the page by defocus and camera shake: a Gaussian of up to 0.35 mm and a streak of up to 0.5 mm."""
    px = rendered.truth.px_per_mm
    pixels = cv2.GaussianBlur(rendered.page.pixels, (0, 0), max(0.3, 0.35 * strength * px))
    length = max(1, round(0.5 * strength * px))
    streak = np.zeros((2 * length + 1, 2 * length + 1), dtype=np.float32)
    angle = rng.uniform(0, np.pi)
    end = length * np.array([np.cos(angle), np.sin(angle)]) / 2
    start, stop = np.rint(length - end).astype(int), np.rint(length + end).astype(int)
    cv2.line(streak, tuple(start.tolist()), tuple(stop.tolist()), (1.0,))
    return _repaint(rendered, cv2.filter2D(pixels, -1, streak / streak.sum()))


def _noise(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Add sensor noise: shot noise that grows with the light, and read noise, with a deviation of up to 40 levels."""
    pixels = rendered.page.pixels.astype(np.float32)
    spread = strength * (10 + 30 * np.sqrt(pixels / 255))
    return _repaint(rendered, pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * spread)


def _jpeg(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Compress the page as JPEG with a quality of 95 down to 8."""
    quality = round(95 - 87 * strength)
    _, data = cv2.imencode(".jpg", rendered.page.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _repaint(rendered, np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])


def _stains(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Add coffee stains: brown rings and blots."""
    height, width = rendered.page.height, rendered.page.width
    amount = np.zeros((height, width), dtype=np.float32)
    for _ in range(1 + round(4 * strength)):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        radius = int(rng.uniform(0.03, 0.12) * width)
        blot = np.zeros_like(amount)
        axes = (radius, int(radius * rng.uniform(0.8, 1.0)))
        cv2.ellipse(blot, center, axes, float(rng.uniform(0, 180)), 0, 360, (0.45,), -1)
        cv2.ellipse(blot, center, axes, float(rng.uniform(0, 180)), 0, 360, (1.0,), max(1, radius // 14))
        amount = np.maximum(amount, cv2.GaussianBlur(blot, (0, 0), 1.5))
    color = np.array([0.25, 0.45, 0.75])
    return _shade(rendered, 1 - strength * 0.7 * amount[..., None] * color)


def _handwriting(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Write loops and lines with a ballpoint pen, some across the traces."""
    pixels = rendered.page.pixels.copy()
    height, width = pixels.shape[:2]
    px = rendered.truth.px_per_mm
    ink = ((24, 44, 150), (40, 40, 60), (150, 30, 40))[int(rng.integers(3))]
    for _ in range(1 + round(7 * strength)):
        t = np.linspace(0, 1, 160)
        letters = rng.integers(3, 12)
        size = rng.uniform(1.5, 4) * px
        x = rng.uniform(0, 0.8) * width + t * letters * 1.3 * size
        wobble = sum(rng.uniform(0.2, 1) * np.sin(2 * np.pi * (f * letters * t + rng.random())) for f in (0.5, 1, 1.6))
        x = x + 0.4 * size * np.sin(2 * np.pi * letters * t)
        y = rng.uniform(0.03, 0.97) * height + 0.6 * size * wobble + t * rng.uniform(-4, 4) * px
        points = np.rint(np.stack([x, y], axis=1) * 16).astype(np.int32)
        cv2.polylines(pixels, [points[:, None]], False, ink, max(1, round(0.4 * px)), cv2.LINE_AA, 4)
    return _repaint(rendered, pixels)


def _screen(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Simulate a photo of a screen, with moire between its pixels and those of the camera, glow and a blue cast."""
    height, width = rendered.page.height, rendered.page.width
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    light = np.ones((height, width, 3), dtype=np.float32)
    for channel in range(3):
        period, angle = rng.uniform(2.6, 9.0), rng.uniform(-0.25, 0.25)
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
        beat = np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / rng.uniform(30, 90))
        light[..., channel] += 0.16 * strength * wave + 0.07 * strength * beat
    glow = cv2.GaussianBlur(rendered.page.pixels, (0, 0), 2.0 * rendered.truth.px_per_mm)
    mixed = cv2.addWeighted(rendered.page.pixels, 1 - 0.3 * strength, glow, 0.3 * strength, 0)
    cast = np.array([1 - 0.14 * strength, 1 - 0.05 * strength, 1.0], dtype=np.float32)
    return _repaint(rendered, mixed.astype(np.float32) * light * cast)


def _fax(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Send the page by fax: black and white, at down to 100 lines per inch, with specks."""
    height, width = rendered.page.height, rendered.page.width
    gray = cv2.cvtColor(rendered.page.pixels, cv2.COLOR_RGB2GRAY)
    lines = rendered.truth.dpi * (1 - strength) + min(100.0, rendered.truth.dpi) * strength
    share = lines / rendered.truth.dpi
    small = cv2.resize(gray, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    black = np.where(small < 150, 0, 255).astype(np.uint8)
    black[rng.random(small.shape) < 0.002 * strength] = 0
    large = cv2.resize(black, (width, height), interpolation=cv2.INTER_LINEAR)
    return _repaint(rendered, np.repeat(np.where(large < 128, 0, 255)[..., None], 3, axis=2))


def _fading(rendered: RenderedPage, strength: float, rng: np.random.Generator) -> RenderedPage:
    """Fade the page like old thermal paper: traces and grid fade in patches, and the paper yellows."""
    height, width = rendered.page.height, rendered.page.width
    patches = cv2.resize(rng.random((4, 6)), (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    contrast = 1 - strength * np.clip(0.55 + 0.4 * patches, 0, 0.92)[..., None]
    paper = np.array([252, 246 - 8 * strength, 236 - 30 * strength], dtype=np.float32)
    return _repaint(rendered, paper - (255 - rendered.page.pixels.astype(np.float32)) * contrast)


def _project(matrix: NDArray[np.float64], points: Points) -> Points:
    lifted = points @ matrix[:, :2].T + matrix[:, 2]
    projected: Points = lifted[..., :2] / lifted[..., 2:]
    return projected


def _along_columns(x: Points, target: Points, rise: Points, size: tuple[int, int]) -> _Motion:
    """Return the motion that moves the columns ``x`` to ``target`` and their points down by ``rise``, in px."""

    def forward(points: Points) -> Points:
        column = points[..., 0]
        return np.stack([_extend(column, x, target), points[..., 1] + np.interp(column, x, rise)], axis=-1)

    def backward(points: Points) -> Points:
        column = _extend(points[..., 0], target, x)
        return np.stack([column, points[..., 1] - np.interp(column, x, rise)], axis=-1)

    return _Motion(forward, backward, size)


def _extend(values: Points, nodes: Points, results: Points) -> Points:
    """Interpolate linearly, and extrapolate with slope 1 beyond both ends."""
    inside: Points = np.interp(values, nodes, results)
    beyond: Points = np.minimum(values - nodes[0], 0) + np.maximum(values - nodes[-1], 0)
    return inside + beyond


def _move(rendered: RenderedPage, motion: _Motion, ground: tuple[int, int, int]) -> RenderedPage:
    height, width = motion.size
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    source = motion.backward(np.stack([columns, rows], axis=-1)).astype(np.float32)
    pixels = cv2.remap(
        rendered.page.pixels,
        np.ascontiguousarray(source[..., 0]),
        np.ascontiguousarray(source[..., 1]),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=ground,
    )
    return _replace_pixels(rendered, np.asarray(pixels, dtype=np.uint8), motion.forward)


def _replace_pixels(
    rendered: RenderedPage, pixels: NDArray[np.uint8], forward: Callable[[Points], Points]
) -> RenderedPage:
    """Return a page with new pixels, and with a truth that is moved by ``forward``."""
    truth = rendered.truth
    mesh = truth.mesh or Mesh.identity(*truth.clean_size_px)
    moved = replace(truth, mesh=Mesh(forward(mesh.nodes), mesh.step_px))
    height, width = pixels.shape[:2]
    leads = tuple(_hide_samples_off_page(moved, segment, height, width) for segment in moved.leads)
    return RenderedPage(_page(rendered.page, pixels), replace(moved, leads=leads))


def _hide_samples_off_page(truth: PageTruth, segment: LeadTruth, height: int, width: int) -> LeadTruth:
    x, y = truth.trace(segment).T
    off = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    if not off.any():
        return segment
    signal = segment.signal_mv.copy()
    signal[off] = np.nan
    return replace(segment, signal_mv=signal)


def _shade(rendered: RenderedPage, light: NDArray[np.floating]) -> RenderedPage:
    """Multiply the page by ``light``, given for each column ``(width,)``, each pixel, or each pixel and channel."""
    light = np.asarray(light, dtype=np.float32)
    if light.ndim < 3:
        light = np.broadcast_to(light, rendered.page.pixels.shape[:2])[..., None]
    return _repaint(rendered, rendered.page.pixels * light)


def _repaint(rendered: RenderedPage, pixels: NDArray[np.generic]) -> RenderedPage:
    rounded = np.clip(np.rint(np.asarray(pixels, dtype=np.float32)), 0, 255).astype(np.uint8)
    return RenderedPage(_page(rendered.page, rounded), rendered.truth)


def _page(page: Page, pixels: NDArray[np.uint8]) -> Page:
    return replace(page, pixels=pixels)


DAMAGES: Mapping[str, Callable[[RenderedPage, float, np.random.Generator], RenderedPage]] = MappingProxyType(
    {
        "rotation": _rotation,
        "perspective": _perspective,
        "curl": _curl,
        "fold": _fold,
        "crease": _crease,
        "shadow": _shadow,
        "uneven-light": _uneven_light,
        "blur": _blur,
        "noise": _noise,
        "jpeg": _jpeg,
        "stains": _stains,
        "handwriting": _handwriting,
        "screen": _screen,
        "fax": _fax,
        "fading": _fading,
        "crop": _crop,
    }
)
"""Functions of all kinds of damage, by name."""

GEOMETRIC = frozenset({"rotation", "perspective", "curl", "fold", "crease", "crop"})
"""Kinds of damage that move points of the page."""

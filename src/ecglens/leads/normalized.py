"""Normalized pages: turned upright and brought to one scale, so that everything after it can count in mm."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.grid import LIMITS as GRID
from ecglens.pages.grid import Grid, find_grid_lines
from ecglens.pages.preprocessing import color_extremes, estimate_skew_from, extract_ink_from, extract_tint_from
from ecglens.records import Box, NotFound, Page

__all__ = [
    "LIMITS",
    "PX_PER_MM",
    "Affine",
    "NormalizationLimits",
    "NormalizedPage",
    "normalize_at_scale",
    "normalize_page",
]


_PAGES = (
    "46 real and 160 rendered pages: grids have a strength of 4 or more, cover 0.19 of the page or more, or are even; "
    "pages without a grid show patterns of up to 6 that cover at most 0.144"
)


@dataclass(frozen=True)
class NormalizationLimits:
    """Thresholds of bringing a page to a common scale."""

    max_paper_mm: float = threshold(
        850.0,
        "mm",
        "Longest side of the paper: that of A1.",
        low="Long strips are refused.",
        high="Grids that are found twice too fine make pages of many meters.",
    )
    work_width_px: int = threshold(
        1100,
        "px",
        "Width to which pages are reduced for finding the grid.",
        low="Fine grids are lost.",
        high="Finding takes longer.",
    )
    min_skew_deg: float = threshold(
        0.06,
        "deg",
        "Skew below which a page is not turned: its edge moves by less than a pixel.",
        low="Straight pages are resampled.",
        high="Slightly turned pages lose sharpness along their lines.",
    )
    weak_strength: float = threshold(
        4.0,
        "1",
        "Strength below which a pattern is a grid only if something else speaks for it.",
        low="Noise and blocks of JPEGs become grids, and all lengths are wrong.",
        high="Faint grids of photographs are not used.",
        evidence=_PAGES,
    )
    max_weak_anisotropy: float = threshold(
        0.035,
        "1",
        "Largest relative difference of the two pitches of a weak grid.",
        low="Faint grids of photographs are not used.",
        high="Noise becomes a grid.",
        evidence=_PAGES,
    )
    ample_share: float = threshold(
        0.15,
        "1",
        "Share of the page that the class of the grid covers from which a weak pattern is a grid.",
        low="Blocks of JPEGs become grids.",
        high="Faint grids of photographs are not used.",
        evidence=_PAGES,
    )
    min_share: float = threshold(
        0.125,
        "1",
        "Share below which only a plain pattern is a grid.",
        low="Noise of pages without a grid becomes one.",
        high="Dotted grids are not used.",
        evidence=_PAGES,
    )
    plain_strength: float = threshold(
        9.0,
        "1",
        "Strength of a plain pattern.",
        low="Noise of pages without a grid becomes one.",
        high="Small grids on large pages are not used.",
        evidence=_PAGES,
    )


LIMITS = NormalizationLimits()


Affine = tuple[tuple[float, float, float], tuple[float, float, float]]

PX_PER_MM = 4
"""Scale of a normalized page. Lead names are 12 px high at it, a thin trace 1 px wide."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedPage:
    """The part of a page that carries the grid, upright, at ``PX_PER_MM``.

    Attributes:
        ink: ``(height, width)`` uint8, 0 for paper and 255 for the blackest ink.
        scale: Pixels of the upright page in one of the normalized page, ``(vertical, horizontal)``.
        origin: Row and column of the normalized page's corner on the upright page.
        rotation_deg: By how much the page was turned clockwise.
        to_upright: Affine map from the page as it came to the upright page.
        grid: The grid in px of the upright page.
        pulse: Share of each pixel that calibration pulses cover, 0 to 255, where the pixels of the page were
            classified; ``ink`` is that of the traces alone then.
    """

    ink: NDArray[np.uint8]
    scale: tuple[float, float]
    origin: tuple[float, float]
    rotation_deg: float
    to_upright: Affine
    grid: Grid
    pulse: NDArray[np.uint8] | None = None

    def row(self, row: float) -> float:
        """Return the row of the upright page for a row of the normalized page."""
        return self.origin[0] + row * self.scale[0]

    def column(self, column: float) -> float:
        """Return the column of the upright page for a column of the normalized page."""
        return self.origin[1] + column * self.scale[1]

    def box(self, top: float, left: float, bottom: float, right: float) -> Box:
        """Return a box of the normalized page in px of the upright page."""
        return Box(top=self.row(top), left=self.column(left), bottom=self.row(bottom), right=self.column(right))


def normalize_page(page: Page) -> NormalizedPage | NotFound:
    """Find the grid, turn the page upright and bring its ink to ``PX_PER_MM``.

    Args:
        page: Page as it was decoded, turned by at most 10 degrees.

    Returns:
        The normalized, or a falsy reason.
    """
    work = _extract_work_ink(page)
    angle = _estimate_skew(work)
    lines = work.find_lines()
    if angle:
        lines = np.asarray(
            _warp(lines, _rotation_back(lines.shape, angle), (lines.shape[1], lines.shape[0])), dtype=np.uint8
        )
    is_classified = work.grid is not None
    grid = find_grid_lines(lines, min_strength=GRID.min_classified_strength if is_classified else GRID.min_strength)
    if isinstance(grid, NotFound):
        return grid
    if not _is_credible(grid, None if work.grid is None else float(work.grid.mean()) / 255):
        return NotFound(f"No regular grid was found (strength {grid.strength:.2f}, but no lines of paper).")
    if is_classified:  # faint parts of the grid are paper, and traces beyond it are no dirt
        grid = replace(grid, box=Box(0.0, 0.0, float(lines.shape[0]), float(lines.shape[1])))
    longest_mm = max(
        (grid.box.right - grid.box.left) / grid.px_per_mm[1], (grid.box.bottom - grid.box.top) / grid.px_per_mm[0]
    )
    if longest_mm > LIMITS.max_paper_mm:
        return NotFound(f"By its grid the paper would be {longest_mm / 1000:.1f} m long; crop the picture to one page.")
    return _build(page, work, grid, angle)


def _estimate_skew(work: "_WorkInk") -> float:
    """Return the angle by which a page has to be turned clockwise, 0 where that moves its edge by less than a pixel."""
    angle = estimate_skew_from(work.lowest)
    return 0.0 if abs(angle) < LIMITS.min_skew_deg else angle


def _is_credible(grid: Grid, share: float | None) -> bool:
    """Return whether a weak pattern is a grid and no noise, print or blocks of a JPEG.

    Args:
        grid: The pattern.
        share: Share of the page that the class of the grid covers, where the pixels were classified.
    """
    vertical, horizontal = grid.px_per_mm
    is_even = abs(vertical / horizontal - 1) <= LIMITS.max_weak_anisotropy
    if share is None:
        return grid.strength >= LIMITS.weak_strength or is_even
    if share >= LIMITS.ample_share:
        return True
    return grid.strength >= (LIMITS.weak_strength if share >= LIMITS.min_share else LIMITS.plain_strength)


def normalize_at_scale(page: Page, px_per_mm: float) -> NormalizedPage:
    """Normalize a page without a grid, of a known scale; its skew is that of its lines of print and of its traces.

    Args:
        page: Page as it was decoded.
        px_per_mm: Pixels of the page per millimeter of paper, both ways.
    """
    work = _extract_work_ink(page)
    scale = px_per_mm / work.shrink
    whole = Box(0.0, 0.0, float(work.ink.shape[0]), float(work.ink.shape[1]))
    return _build(page, work, Grid((scale, scale), whole, 0.0), _estimate_skew(work))


@dataclass(frozen=True, slots=True, eq=False)
class _WorkInk:
    """Ink of a page at the resolution at which the grid is found.

    Attributes:
        ink: ``(height, width)`` uint8, of the traces alone where the pixels of the page were classified.
        lowest: Darkest of each pixel's colors.
        grid: Share of each pixel that the grid covers, where the pixels were classified.
        pulse: Share of each pixel that calibration pulses cover, where the pixels were classified.
        shrink: Pixels of the page in one of these.
    """

    ink: NDArray[np.uint8]
    lowest: NDArray[np.uint8]
    grid: NDArray[np.uint8] | None
    pulse: NDArray[np.uint8] | None
    shrink: int

    def find_lines(self) -> NDArray[np.uint8]:
        """Return the grid lines."""
        return extract_tint_from(self.lowest, self.ink) if self.grid is None else self.grid


def _extract_work_ink(page: Page) -> _WorkInk:
    step = _step(page.width)
    if page.classes is not None:
        trace, grid, pulse = (_reduce(one) for one in (page.classes.trace, page.classes.grid, page.classes.pulse))
        return _WorkInk(trace, np.asarray(255 - np.maximum(grid, trace), dtype=np.uint8), grid, pulse, step)
    brightest, lowest = color_extremes(_reduce(page.pixels))
    return _WorkInk(extract_ink_from(brightest), lowest, None, None, step)


def _build(page: Page, work: _WorkInk, grid: Grid, angle: float) -> NormalizedPage:
    """The grid's part of a page whose reduced ink and grid are known."""
    shrink = work.shrink
    to_upright = _rotation_back(work.ink.shape, angle)
    normalized, origin = _resample_to_scale(work.ink, grid, to_upright)
    pulse = None if work.pulse is None else _resample_to_scale(work.pulse, grid, to_upright)[0]
    px_per_mm = (grid.px_per_mm[0] * shrink, grid.px_per_mm[1] * shrink)
    box = grid.box
    return NormalizedPage(
        ink=normalized,
        scale=(px_per_mm[0] / PX_PER_MM, px_per_mm[1] / PX_PER_MM),
        origin=(origin[0] * shrink, origin[1] * shrink),
        rotation_deg=angle,
        to_upright=_rotation_back(page.pixels.shape, angle),
        grid=Grid(
            px_per_mm=px_per_mm,
            box=Box(box.top * shrink, box.left * shrink, box.bottom * shrink, box.right * shrink),
            strength=grid.strength,
        ),
        pulse=pulse,
    )


def _reduce(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels averaged over squares so that the width comes near ``_WORK_WIDTH_PX``."""
    step = _step(pixels.shape[1])
    if step == 1:
        return pixels
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    part = pixels[: height * step, : width * step]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _step(width: int) -> int:
    return max(1, round(width / LIMITS.work_width_px))


def _resample_to_scale(
    dark: NDArray[np.uint8], grid: Grid, to_upright: Affine
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The grid's part of the ink at ``PX_PER_MM``, turned and scaled in one step, and that part's corner."""
    top, left = int(grid.box.top), int(grid.box.left)
    zoom = np.array([PX_PER_MM / grid.px_per_mm[1], PX_PER_MM / grid.px_per_mm[0]])
    turned = np.array(to_upright) - [[0, 0, left], [0, 0, top]]
    matrix = turned * zoom[:, None]
    matrix[:, 2] += 0.5 * zoom - 0.5
    size = (round((grid.box.right - left) * zoom[0]), round((grid.box.bottom - top) * zoom[1]))
    flat = _warp(dark, matrix, size)
    counts = np.cumsum(np.bincount(flat[::2, ::2].ravel(), minlength=256))
    blackest = max(32, int(np.searchsorted(counts, 0.998 * counts[-1])))
    return np.asarray(cv2.convertScaleAbs(flat, alpha=255.0 / blackest), dtype=np.uint8), (top, left)


def _warp(image: NDArray[np.uint8], matrix: Affine | NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(image, np.array(matrix, dtype=np.float64), size, flags=cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(warped, dtype=np.uint8)


def _rotation_back(shape: tuple[int, ...], angle_deg: float) -> Affine:
    """Affine map that turns a page of this shape back by ``angle_deg`` around its center."""
    matrix = cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), angle_deg, 1.0)
    first, second = ([float(value) for value in row] for row in matrix)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])

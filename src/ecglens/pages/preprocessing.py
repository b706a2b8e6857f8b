"""Image steps: pure functions, array in and array out. OpenCV does the pixel work.

``pixels`` is always ``(height, width, 3)`` uint8 RGB, ``image`` always ``(height, width)`` uint8; no step changes its
input.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = [
    "LIMITS",
    "MEAN_PX",
    "PreprocessingLimits",
    "canny",
    "clahe",
    "color_extremes",
    "estimate_edge_level",
    "estimate_paper",
    "estimate_skew",
    "estimate_skew_from",
    "extract_ink",
    "extract_ink_from",
    "extract_tint",
    "extract_tint_from",
    "gaussian",
    "gray",
    "local_mean",
    "median",
    "otsu",
    "reduce_picture",
    "remove_grid",
    "rotate",
]


@dataclass(frozen=True)
class PreprocessingLimits:
    """Thresholds of separating ink, grid and paper."""

    stroke: int = threshold(
        60,
        "ink of 255",
        "Ink of a stroke of a dark grid.",
        low="Noise looks like a dark grid.",
        high="Dark grids are not recognized.",
    )
    dark_grid_share: float = threshold(
        0.16,
        "1",
        "Share of thin strokes from which they are a grid; traces and print cover a twentieth of a page.",
        low="Traces count as a grid.",
        high="Dark grids count as ink.",
    )
    thick_px: int = threshold(
        9,
        "px",
        "Width from which a stroke is no grid line.",
        low="Thick grid lines stay.",
        high="Pictures and frames count as a grid.",
    )
    paper_cell_px: int = threshold(
        16,
        "px",
        "Cell in which the brightest place is the paper.",
        low="Traces darken their paper.",
        high="Shadows have hard edges.",
    )


LIMITS = PreprocessingLimits()
MEAN_PX = 61
"""Windows of :func:`local_mean`."""
_MIN_SQUARE_PX = 4
"""Side of the squares from which averaging over them first is worth its time: a page of 99 megapixels took 0.37 s
without them, and 0.13 s with squares of 8 px."""


Image = NDArray[np.uint8]


def gray(pixels: Image) -> Image:
    """Compute the luma of each pixel (ITU-R BT.601), ``(height, width)``."""
    return _as_uint8(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def clahe(image: Image, *, clip_limit: float = 2.0, tiles: int = 8) -> Image:
    """Apply contrast-limited adaptive histogram equalization.

    Args:
        image: ``(height, width)``.
        clip_limit: Contrast limit of each tile.
        tiles: Number of tiles each way.

    Source: Zuiderveld, Graphics Gems IV (1994), 474-485.
    """
    return _as_uint8(cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(image))


def median(image: Image, *, size_px: int = 3) -> Image:
    """Replace each pixel by the median over a square of ``size_px`` (odd) a side."""
    return _as_uint8(cv2.medianBlur(image, size_px))


def gaussian(image: Image, *, sigma_px: float = 1.0) -> Image:
    """Blur by a Gaussian; ``sigma_px`` of 0 leaves the image unchanged."""
    return _as_uint8(cv2.GaussianBlur(image, (0, 0), sigma_px)) if sigma_px > 0 else image.copy()


def otsu(image: Image) -> Image:
    """Apply Otsu's threshold: 0 and 255 (IEEE Trans. SMC 9 (1979), 62-66)."""
    return _as_uint8(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def canny(image: Image, *, low: float = 50.0, high: float = 150.0) -> Image:
    """Find edges, 0 and 255 (Canny, IEEE Trans. PAMI 8 (1986), 679-698); ``low`` and ``high`` bound the hysteresis."""
    return _as_uint8(cv2.Canny(image, low, high))


def estimate_paper(image: Image) -> Image:
    """Estimate the brightness of the empty paper around each pixel, ``(height, width)``.

    The brightest value in cells of 16 px, smoothed: thin dark lines leave no mark in it, shadows do.
    """
    height, width = image.shape
    bright = cv2.dilate(image, np.ones((5, 5), np.uint8))
    whole = cv2.copyMakeBorder(
        bright, 0, -height % LIMITS.paper_cell_px, 0, -width % LIMITS.paper_cell_px, cv2.BORDER_REPLICATE
    )
    size = (whole.shape[1] // LIMITS.paper_cell_px, whole.shape[0] // LIMITS.paper_cell_px)
    cells = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    cells = cv2.GaussianBlur(cv2.dilate(cells, np.ones((3, 3), np.uint8)), (0, 0), 2.0)
    full = cv2.resize(cells, (whole.shape[1], whole.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(_as_uint8(full)[:height, :width])


def color_extremes(pixels: Image) -> tuple[Image, Image]:
    """Return the brightest and the darkest of each pixel's three colors, ``(height, width)`` each."""
    red, green, blue = cv2.split(pixels)
    return _as_uint8(cv2.max(cv2.max(red, green), blue)), _as_uint8(cv2.min(cv2.min(red, green), blue))


def extract_ink(pixels: Image) -> Image:
    """Compute how much darker than the paper each pixel is in *every* color, 0 (paper) to 255 (black on white).

    A colored grid keeps one bright channel, so it nearly vanishes; black traces and print stay.
    """
    return extract_ink_from(color_extremes(pixels)[0])


def extract_ink_from(brightest: Image) -> Image:
    """Compute :func:`extract_ink` of a page from its :func:`color_extremes`."""
    return _remove_dark_grid(
        _as_uint8(255 - cv2.divide(brightest, np.maximum(estimate_paper(brightest), 1), scale=255.0))
    )


def _remove_dark_grid(dark: Image) -> Image:
    """Ink above that of a grid whose lines are dark in every color; the same ink where there is no such grid.

    Traces and print cover a twentieth of a page; thin strokes on more than a sixth of it are a grid's.
    """
    strokes = cv2.threshold(dark, LIMITS.stroke, 1, cv2.THRESH_BINARY)[1]
    if cv2.mean(strokes)[0] < LIMITS.dark_grid_share:
        return dark
    thick = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, np.ones((LIMITS.thick_px, LIMITS.thick_px), np.uint8))
    thin = dark[(strokes > 0) & (thick == 0)]
    if thin.size < LIMITS.dark_grid_share * dark.size:
        return dark
    between = float(cv2.threshold(thin.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])
    paler = thin[thin <= between]
    if not paler.size:  # one level of ink, as in a 1-bit scan: darkness cannot tell grid and traces
        return dark
    grid = float(np.percentile(paler, 99))
    ramp = np.clip((np.arange(256) - grid) / max(1.0, 255.0 - grid) * 255.0, 0, 255)
    return _as_uint8(cv2.LUT(dark, ramp.astype(np.uint8)))


def estimate_edge_level(dark: Image) -> float:
    """Estimate the ink at the edge of a stroke: halfway between the traces and the rest of the grid."""
    some = dark[dark > 8]
    if some.size < 100:
        return 128.0
    between = _otsu_level(some)
    full = float(np.percentile(dark[dark > between], 70))
    near = cv2.dilate(np.asarray(dark > 0.6 * between, dtype=np.uint8), np.ones((5, 5), np.uint8))
    far = dark[near == 0]
    grid = min(0.5 * full, float(np.percentile(far, 99)) if far.size else 0.0)
    return max(1.0, grid + 0.5 * (full - grid))


def _otsu_level(values: NDArray[np.uint8]) -> float:
    return float(cv2.threshold(values.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])


def extract_tint(pixels: Image) -> Image:
    """Compute how much darker than the paper each pixel is in *any* color, without the ink: the grid lines."""
    brightest, lowest = color_extremes(pixels)
    return extract_tint_from(lowest, extract_ink_from(brightest))


def extract_tint_from(lowest: Image, dark: Image) -> Image:
    """Compute :func:`extract_tint` of a page from its :func:`color_extremes` and its ink."""
    faint = cv2.subtract(estimate_paper(lowest), lowest)
    limit = max(60.0, 0.4 * float(cv2.minMaxLoc(dark)[1]))
    black = cv2.dilate(cv2.threshold(dark, limit, 255, cv2.THRESH_BINARY)[1], np.ones((5, 5), np.uint8))
    return _as_uint8(cv2.bitwise_and(faint, cv2.bitwise_not(black)))


def local_mean(values: NDArray[Any], valid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the mean around each place, over windows of ``MEAN_PX``, of the valid values.

    Args:
        values: ``(height, width)``.
        valid: The same shape, 1 where a value counts and 0 where it does not.
    """
    window = (MEAN_PX, MEAN_PX)
    return np.asarray(cv2.blur(values * valid, window) / (cv2.blur(valid, window) + 1e-3), dtype=np.float32)


def remove_grid(pixels: Image) -> Image:
    """Traces and print in gray on white paper, without grid lines and shadows: 255 minus :func:`extract_ink`, cleaned.

    What is left of a grid after :func:`extract_ink` lies below Otsu's threshold between the two; it is faded out.
    """
    dark = extract_ink(pixels)
    level, _ = cv2.threshold(dark[dark > 8].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    floor = 0.5 * float(level)
    ramp = np.clip((np.arange(256) - floor) / max(1.0, 255.0 - floor) * 255.0, 0, 255)
    return _as_uint8(cv2.LUT(dark, (255 - ramp).astype(np.uint8)))


def reduce_picture(picture: Image, width_px: int, height_px: int) -> Image:
    """Reduce a picture to a smaller size by averages over areas.

    A very large one is first averaged over whole squares, which takes a third of the time.

    Args:
        picture: Gray or RGB pixels.
        width_px: New width, at most that of the picture.
        height_px: New height, likewise.
    """
    height, width = picture.shape[:2]
    side = min(height // height_px, width // width_px) // 2
    if side >= _MIN_SQUARE_PX:
        part = picture[: height // side * side, : width // side * side]
        picture = _as_uint8(cv2.resize(part, (width // side, height // side), interpolation=cv2.INTER_AREA))
    return _as_uint8(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA))


def rotate(pixels: Image, degrees: float) -> Image:
    """Turn a page clockwise by ``degrees`` around its center; the size stays, new corners take the paper's color."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    border = tuple(int(value) for value in np.median(pixels.reshape(-1, pixels.shape[-1])[::97], axis=0))
    return _as_uint8(cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=border))


def estimate_skew(pixels: Image, *, limit_deg: float = 10.0) -> float:
    """Estimate by how much a page is turned clockwise, from its grid and other long lines.

    Row and column sums are sharpest across straight lines: the angle is the one at which the differences between
    neighboring sums, over strips slid against each other, are largest.

    Args:
        pixels: ``(height, width, 3)`` uint8 RGB, about 400 px or more a side.
        limit_deg: Search range to either side.

    Returns:
        Degrees, to about 0.05.
    """
    return estimate_skew_from(color_extremes(pixels)[1], limit_deg=limit_deg)


def estimate_skew_from(lowest: Image, *, limit_deg: float = 10.0) -> float:
    """Compute :func:`estimate_skew` of a page from the darkest of its colors."""
    dark = cv2.bitwise_not(lowest)
    height, width = dark.shape
    even = dark[: height // 2 * 2, : width // 2 * 2]
    half = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    coarse_strips, fine_strips = _strip_sums(_as_uint8(half), strips=24), _strip_sums(_as_uint8(dark), strips=32)
    coarse, _ = _find_sharpest(coarse_strips, np.arange(-limit_deg, limit_deg + 0.2, 0.4))
    return float(np.add(*_find_sharpest(fine_strips, coarse + np.arange(-0.5, 0.51, 0.1))))


_Strips = tuple[NDArray[np.float32], NDArray[np.float64]]
"""Sums across the lines in strips, ``(strips, places)``, and the distance of each strip from the middle."""


def _strip_sums(dark: Image, *, strips: int) -> tuple[_Strips, _Strips]:
    """Row sums in upright strips, and column sums in level strips."""
    height, width = dark.shape
    integral = cv2.integral(dark, sdepth=cv2.CV_64F)
    across = np.linspace(0, width, strips + 1).astype(np.intp)
    down = np.linspace(0, height, strips + 1).astype(np.intp)
    upright = np.diff(np.diff(integral[:, across], axis=1), axis=0).T
    level = np.diff(np.diff(integral[down], axis=0), axis=1)
    middle = (np.arange(strips) + 0.5) / strips - 0.5
    return (
        (np.ascontiguousarray(upright, dtype=np.float32), middle * width),
        (np.ascontiguousarray(level, dtype=np.float32), -middle * height),
    )


def _find_sharpest(sums: tuple[_Strips, _Strips], angles_deg: NDArray[np.float64]) -> tuple[float, float]:
    """The angle at which the lines are sharpest, and how far beside it a parabola through its neighbors peaks."""
    score = np.zeros(len(angles_deg))
    for strips in sums:
        each = _line_sharpness(*strips, np.tan(np.radians(angles_deg)))
        score += each / max(float(each.max()), 1e-9)
    best = int(score.argmax())
    if not 0 < best < len(score) - 1:
        return float(angles_deg[best]), 0.0
    before, here, after = score[best - 1 : best + 2]
    bend = before - 2 * here + after
    beside = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(angles_deg[best]), float(beside * (angles_deg[1] - angles_deg[0]))


def _line_sharpness(
    sums: NDArray[np.float32], middles: NDArray[np.float64], slopes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of squared differences of the sums, strips slid against each other along each slope."""
    strips, length = sums.shape
    reach = int(np.ceil(np.abs(middles).max() * np.abs(slopes).max())) + 1
    padded = np.pad(sums, ((0, 0), (reach, reach)), mode="edge")
    out = np.empty(len(slopes))
    for index, slope in enumerate(slopes):
        starts = np.rint(middles * slope).astype(np.intp) + reach
        slid = np.zeros(length, dtype=np.float32)
        for strip in range(strips):
            slid += padded[strip, starts[strip] : starts[strip] + length]
        out[index] = np.square(np.diff(slid)).sum()
    return out


def _as_uint8(image: object) -> Image:
    return np.asarray(image, dtype=np.uint8)

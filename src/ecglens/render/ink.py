"""Draw traces, rectangles and text on a page, anti-aliased and with sub-pixel accuracy.

A trace is drawn as with a round pen: it is the band that a disc covers when its center follows the curve. The upper and
lower edges of the band are a gray dilation and erosion of the curve by the outline of the disc, computed on columns
finer than the pixels. The share of each pixel inside the band is exact along rows. OpenCV's thick anti-aliased
polylines are off by up to half a pixel where segments are short.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ecglens.errors import RenderError
from ecglens.records import Box

__all__ = ["FONTS", "draw_curve", "draw_text", "fill_box", "measure_text"]

Color = tuple[int, int, int]

FONTS = ("sans", "serif", "mono")
"""Names of fonts. ``sans`` is part of Pillow, the others of ecglens. The path of a TrueType file works too."""

_FINE = 4
"""Number of fine columns for each column of pixels."""

_HEART = "\N{BLACK HEART SUIT}"


def draw_curve(
    pixels: NDArray[np.uint8],
    columns: NDArray[np.float64],
    rows: NDArray[np.float64],
    *,
    pen_px: float,
    color: Color,
) -> None:
    """Draw a curve, a function of the column, into ``pixels``.

    Args:
        pixels: ``(height, width, 3)`` uint8, changed in place.
        columns: ``(n,)``, in px, not decreasing; two equal columns make a vertical stroke.
        rows: ``(n,)``, in px; the pen is lifted at NaN.
        pen_px: Width of the pen in px.
        color: RGB of the ink.
    """
    valid = np.isfinite(rows)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        _draw_run(pixels, columns[start:stop], rows[start:stop], pen_px, color)


def fill_box(pixels: NDArray[np.uint8], box: Box, color: Color) -> None:
    """Fill a rectangle in ``pixels``, whose edges may be at fractions of a pixel.

    Args:
        pixels: ``(height, width, 3)`` uint8, changed in place.
        box: Edges in px, where whole numbers are pixel centers.
        color: RGB of the ink.
    """
    height, width = pixels.shape[:2]
    top, bottom = max(0, int(np.floor(box.top + 0.5))), min(height, int(np.ceil(box.bottom + 0.5)))
    left, right = max(0, int(np.floor(box.left + 0.5))), min(width, int(np.ceil(box.right + 0.5)))
    if top >= bottom or left >= right:
        return
    rows = _overlap(np.arange(top, bottom), box.top, box.bottom)
    columns = _overlap(np.arange(left, right), box.left, box.right)
    _blend(pixels, top, left, np.multiply.outer(rows, columns), color)


def draw_text(
    pixels: NDArray[np.uint8], text: str, *, left: float, baseline: float, size_px: float, font: str, color: Color
) -> Box:
    """Draw a line of text into ``pixels``.

    Args:
        pixels: ``(height, width, 3)`` uint8, changed in place.
        text: Text to draw.
        left: Column of the start of the text.
        baseline: Row of the baseline of the letters.
        size_px: Height of a capital letter in px.
        font: One of ``FONTS`` or the path of a TrueType file.
        color: RGB of the ink.

    Returns:
        The box of the ink, clipped to the page.

    Raises:
        RenderError: The font does not exist.
    """
    mask, ascent = _text_mask(text, round(size_px, 2), font)
    height, width = pixels.shape[:2]
    top, start = round(baseline) - ascent, round(left)
    upper, lower = max(0, -top), min(mask.shape[0], height - top)
    first, last = max(0, -start), min(mask.shape[1], width - start)
    if upper >= lower or first >= last:
        return Box(float(top), float(start), float(top), float(start))
    part = mask[upper:lower, first:last]
    _blend(pixels, top + upper, start + first, part, color)
    inked_rows, inked_columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(inked_rows):
        return Box(float(top), float(start), float(top), float(start))
    return Box(
        float(top + upper + inked_rows[0]),
        float(start + first + inked_columns[0]),
        float(top + upper + inked_rows[-1] + 1),
        float(start + first + inked_columns[-1] + 1),
    )


def measure_text(text: str, size_px: float, font: str) -> float:
    """Return the width of a line of text in px."""
    return float(_text_mask(text, round(size_px, 2), font)[0].shape[1])


def _draw_run(
    pixels: NDArray[np.uint8], columns: NDArray[np.float64], rows: NDArray[np.float64], pen_px: float, color: Color
) -> None:
    radius = pen_px / 2
    height, width = pixels.shape[:2]
    first = max(0, int(np.floor(columns[0] - radius + 0.5)))
    last = min(width - 1, int(np.ceil(columns[-1] + radius - 0.5)))
    if first > last:
        return
    lower, upper = _band(columns, rows, first, last, radius)
    top = max(0, int(np.floor(np.nanmin(lower))))
    bottom = min(height - 1, int(np.ceil(np.nanmax(upper))) + 1)
    if top > bottom:
        return
    _blend(pixels, top, first, _coverage(lower, upper, top, bottom, last - first + 1), color)


def _band(
    columns: NDArray[np.float64], rows: NDArray[np.float64], first: int, last: int, radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges of the band on the fine columns of pixels ``first`` to ``last``; NaN where there is no band."""
    reach = int(np.ceil(radius * _FINE))
    count = (last - first + 1) * _FINE
    borders = first - 0.5 + np.arange(-reach, count + reach + 1) / _FINE
    low, high = _range_between(columns, rows, borders)
    lower, upper = np.full(count, np.inf), np.full(count, -np.inf)
    for offset in range(-reach, reach + 1):
        rise = radius**2 - (offset / _FINE) ** 2
        if rise >= 0:
            here = slice(reach + offset, reach + offset + count)
            np.minimum(lower, low[here] - np.sqrt(rise), out=lower)
            np.maximum(upper, high[here] + np.sqrt(rise), out=upper)
    absent = ~np.isfinite(lower)
    lower[absent] = upper[absent] = np.nan
    return lower, upper


def _range_between(
    columns: NDArray[np.float64], rows: NDArray[np.float64], borders: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and greatest row of the curve in each interval of ``borders``, infinite where there is none."""
    inside = (borders >= columns[0]) & (borders <= columns[-1])
    at_border = np.interp(borders, columns, rows)
    low = np.where(inside, at_border, np.inf)
    high = np.where(inside, at_border, -np.inf)
    low, high = np.minimum(low[:-1], low[1:]), np.maximum(high[:-1], high[1:])
    cell = np.searchsorted(borders, columns, side="right") - 1
    inside = (cell >= 0) & (cell < len(low))
    np.minimum.at(low, cell[inside], rows[inside])
    np.maximum.at(high, cell[inside], rows[inside])
    return low, high


def _coverage(
    lower: NDArray[np.float64], upper: NDArray[np.float64], top: int, bottom: int, width: int
) -> NDArray[np.float32]:
    """Return the share of each pixel inside the band: the cumulative sum of its begins and ends down each column."""
    height = bottom - top + 1
    column = np.arange(len(lower)) // _FINE
    steps = np.zeros((height + 2) * width)
    for edge, sign in ((lower, 1.0), (upper, -1.0)):
        valid = np.isfinite(edge)
        position = np.clip(edge[valid] + 0.5 - top, 0, height)
        row = np.floor(position).astype(np.intp)
        part = position - row
        flat = row * width + column[valid]
        steps += sign * np.bincount(flat, 1 - part, len(steps))
        steps += sign * np.bincount(flat + width, part, len(steps))
    share = np.cumsum(steps.reshape(height + 2, width)[:height], axis=0, dtype=np.float32)
    return share / np.float32(_FINE)


def _overlap(pixels: NDArray[np.int64], start: float, stop: float) -> NDArray[np.float64]:
    covered: NDArray[np.float64] = np.clip(np.minimum(pixels + 0.5, stop) - np.maximum(pixels - 0.5, start), 0, 1)
    return covered


def _blend(pixels: NDArray[np.uint8], top: int, left: int, share: NDArray[np.floating], color: Color) -> None:
    """Blend ``color`` into the pixels of a rectangle, by ``share`` of each."""
    row, column = np.nonzero(share > 1 / 512)
    if not len(row):
        return
    part = np.minimum(share[row, column], 1.0)[:, None]
    window = pixels[top : top + share.shape[0], left : left + share.shape[1]]
    window[row, column] = np.rint(window[row, column] * (1 - part) + np.array(color) * part).astype(np.uint8)


@lru_cache(maxsize=512)
def _text_mask(text: str, size_px: float, font: str) -> tuple[NDArray[np.float32], int]:
    """Return the coverage of a line of text, and the row of its baseline."""
    if _HEART in text:
        return _mask_with_hearts(text, size_px, font)
    return _truetype_mask(text, size_px, font)


def _mask_with_hearts(text: str, size_px: float, font: str) -> tuple[NDArray[np.float32], int]:
    before, _, after = text.partition(_HEART)
    parts = [_text_mask(piece, size_px, font) for piece in (before or " ", after or " ")]
    heart = _heart_mask(size_px)
    pieces = [parts[0], (heart, heart.shape[0]), parts[1]]
    ascent = max(piece[1] for piece in pieces)
    height = max(ascent - piece[1] + piece[0].shape[0] for piece in pieces)
    padded = []
    for mask, rise in pieces:
        canvas = np.zeros((height, mask.shape[1] + 1), dtype=np.float32)
        canvas[ascent - rise : ascent - rise + mask.shape[0], : mask.shape[1]] = mask
        padded.append(canvas)
    return np.hstack(padded), ascent


def _heart_mask(size_px: float) -> NDArray[np.float32]:
    """Return the mask of a heart as high as a capital letter, by the curve x = 16 sin^3 t."""
    fine = 8
    t = np.linspace(0, 2 * np.pi, 80)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    side = max(3, round(size_px))
    points = np.stack([(x + 17) / 34, (y + 13) / 31], axis=1) * side * fine
    canvas = np.zeros((side * fine, side * fine), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 255)
    small = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def _truetype_mask(text: str, size_px: float, font: str) -> tuple[NDArray[np.float32], int]:
    face = _load_font(font, size_px)
    left, top, right, bottom = face.getbbox(text, anchor="ls")
    ascent, start = int(np.ceil(max(0, -top))) + 1, int(np.ceil(max(0, -left)))
    canvas = Image.new("L", (int(np.ceil(right)) + start + 2, ascent + int(np.ceil(max(0, bottom))) + 1))
    ImageDraw.Draw(canvas).text((start, ascent), text, fill=255, font=face, anchor="ls")
    return np.asarray(canvas, dtype=np.float32) / np.float32(255), ascent


@lru_cache(maxsize=64)
def _load_font(font: str, size_px: float) -> ImageFont.FreeTypeFont:
    """Load a font in the size at which a capital letter is ``size_px`` high."""
    path = Path(__file__).with_name("fonts") / f"{font}.ttf" if font in FONTS else Path(font)
    if font != "sans" and not path.is_file():
        raise RenderError(f"Expected a font out of {', '.join(FONTS)} or the path of a TrueType file, got '{font}'.")

    def load(size: float) -> ImageFont.FreeTypeFont:
        face = ImageFont.load_default(size) if font == "sans" else ImageFont.truetype(str(path), size)
        if not isinstance(face, ImageFont.FreeTypeFont):
            raise RenderError("Expected a Pillow with FreeType for printing text, but this one has none.")
        return face

    capital = -load(100.0).getbbox("H", anchor="ls")[1]
    return load(100.0 * size_px / capital)

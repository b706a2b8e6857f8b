"""Words for training the network that reads lead names: names and other ink in many typefaces.

Half of the windows show one of the names, some with a bar, an arrow or a calibration pulse beside it, with a grid
behind and a trace across it; the others show other words, pieces of names, and pieces of traces.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ecglens.vision.lead_names import NAMES, OTHER, cut_window

__all__ = ["draw_word"]

_SPELLINGS = {
    "aVR": ("aVR", "aVR", "aVR", "AVR", "avR", "a VR"),
    "aVL": ("aVL", "aVL", "aVL", "AVL", "avL", "a VL"),
    "aVF": ("aVF", "aVF", "aVF", "AVF", "avF", "a VF"),
    "-aVR": ("-aVR", "-aVR", "-AVR"),
    "I": ("I", "I", "I", "l"),
    "II": ("II", "II", "I I", "ll"),
    "III": ("III", "III", "I I I", "lll"),
}
_OTHERS = (
    "V",
    "a",
    "aV",
    "VR",
    "VL",
    "VF",
    "V7",
    "V8",
    "V9",
    "V3R",
    "V4R",
    "1",
    "2",
    "mV",
    "Hz",
    "mm",
    "IIII",
    "IV",
    "VI",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-()"
_HEIGHT_PX = (4.5, 26.0)
"""Heights of capital letters, from web crops to scans."""
_GLYPHS = ("|", "[", "_|", "<-", "\N{RIGHTWARDS ARROW}", "-")


def draw_word(rng: np.random.Generator, fonts: Sequence[str]) -> tuple[NDArray[np.uint8], int]:
    """Draw one window with its class.

    Args:
        rng: Generator of everything random.
        fonts: Paths of TrueType fonts.

    Returns:
        ``WINDOW`` uint8, 255 for ink, and the index of the name in ``NAMES``, or ``OTHER``.
    """
    high = float(np.exp(rng.uniform(*np.log(_HEIGHT_PX))))
    canvas_high, canvas_wide = int(6 * high), int(16 * high)
    kind = rng.random()
    number = int(rng.integers(len(NAMES))) if kind < 0.62 else OTHER
    picture = _draw_paper(canvas_high, canvas_wide, rng, high)
    ink = int(rng.integers(0, 110))
    if number == OTHER and kind > 0.88:
        box = _random_box(canvas_high, canvas_wide, high, rng)
    else:
        text = _spell(number, rng)
        mask = _draw_text(text, high, str(rng.choice(fonts)), rng)
        if mask.shape[0] >= canvas_high or mask.shape[1] >= canvas_wide:
            return draw_word(rng, fonts)
        top = (canvas_high - mask.shape[0]) // 2 + int(rng.integers(-2, 3))
        left = (canvas_wide - mask.shape[1]) // 2 + int(rng.integers(-2, 3))
        top, left = max(0, top), max(0, left)
        box = (top, left, top + mask.shape[0], left + mask.shape[1])
        _blend(picture, mask, top, left, ink)
        _add_neighbors(picture, box, high, ink, fonts, rng)
    if rng.random() < 0.45:
        _draw_trace(picture, high, rng)
    window = cut_window(_degrade(picture, rng), _jitter(box, high, rng))
    return window, number


def _spell(number: int, rng: np.random.Generator) -> str:
    if number == OTHER:
        if rng.random() < 0.4:
            return str(rng.choice(_OTHERS))
        return "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 8))))
    name = NAMES[number]
    return str(rng.choice(_SPELLINGS.get(name, (name, name, name, name.lower()))))


@lru_cache(maxsize=4096)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if path == "default":
        return ImageFont.load_default(size)
    return ImageFont.truetype(path, size)


def _draw_text(text: str, high: float, font: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Coverage of a text whose capitals are ``high`` px high; drawn larger and reduced, wider or narrower."""
    large = 40
    if font.startswith("hershey"):
        number, thick = int(font[-1]), int(rng.integers(1, 6))
        (wide, tall), base = cv2.getTextSize(text, number, 1.6, thick)
        canvas = np.zeros((tall + base + 12, wide + 12), np.uint8)
        cv2.putText(canvas, text, (6, tall + 6), number, 1.6, (255,), thick, cv2.LINE_AA)
        capital = cv2.getTextSize("V", number, 1.6, thick)[0][1]
    else:
        face = _font(font, large)
        left, top, right, bottom = face.getbbox(text)
        picture = Image.new("L", (int(right - left) + 12, int(bottom - top) + 12))
        ImageDraw.Draw(picture).text((6 - left, 6 - top), text, fill=255, font=face)
        canvas = np.asarray(picture)
        box = face.getbbox("V")
        capital = max(8, int(box[3] - box[1]))
        if rng.random() < 0.25:
            canvas = np.asarray(cv2.dilate(canvas, np.ones((3, 3), np.uint8)))
    zoom = high / capital
    stretch = float(rng.uniform(0.75, 1.3))
    size = (max(2, round(canvas.shape[1] * zoom * stretch)), max(2, round(canvas.shape[0] * zoom)))
    small = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), dtype=np.float32) / np.float32(255)
    rows, columns = np.flatnonzero(small.max(axis=1) > 0.1), np.flatnonzero(small.max(axis=0) > 0.1)
    if not rows.size or not columns.size:
        return small
    return small[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _draw_paper(height: int, width: int, rng: np.random.Generator, high: float) -> NDArray[np.uint8]:
    """Paper with a grid of 1 mm and 5 mm, where capitals are 1.7 to 3.6 mm high."""
    picture = np.full((height, width), int(rng.integers(200, 256)), np.uint8)
    px_per_mm = high / float(rng.uniform(1.6, 3.8))
    minor, major = int(rng.integers(90, 250)), int(rng.integers(60, 230))
    if rng.random() < 0.2:
        return picture
    for period, color in ((1, max(minor, major)), (5, major)):
        if period * px_per_mm < 2.5:
            continue
        shift = rng.uniform(0, period * px_per_mm, 2)
        for axis in range(2):
            places = np.arange(shift[axis], picture.shape[axis], period * px_per_mm).astype(int)
            if axis == 0:
                picture[places] = np.minimum(picture[places], color)
            else:
                picture[:, places] = np.minimum(picture[:, places], color)
    return picture


def _blend(picture: NDArray[np.uint8], mask: NDArray[np.float32], top: int, left: int, ink: int) -> None:
    height, width = picture.shape
    mask = mask[: height - top, : width - left]
    part = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[:] = np.minimum(part, part * (1 - mask) + ink * mask).astype(np.uint8)


def _add_neighbors(
    picture: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    high: float,
    ink: int,
    fonts: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """A bar, a glyph or a pulse beside the word."""
    top, left, bottom, right = box
    thick = max(1, round(high * float(rng.uniform(0.06, 0.2))))
    if rng.random() < 0.2:
        x = (
            left - int(rng.uniform(0.05, 1.2) * high)
            if rng.random() < 0.7
            else right + int(rng.uniform(0.05, 1) * high)
        )
        y = int(rng.integers(0, max(1, top + 2)))
        cv2.line(picture, (x, y), (x, y + int(rng.uniform(1, 5) * high)), (ink,), thick)
    elif rng.random() < 0.1:
        glyph = _draw_text(str(rng.choice(_GLYPHS)), high, str(rng.choice(fonts)), rng)
        x = left - glyph.shape[1] - int(rng.uniform(0.05, 0.8) * high)
        if x >= 0 and glyph.shape[0] < picture.shape[0] - top:
            _blend(picture, glyph, top, x, ink)
    if rng.random() < 0.1:
        x = right + int(rng.uniform(0.2, 1.5) * high)
        cv2.rectangle(picture, (x, top - int(2 * high)), (x + int(2 * high), bottom + int(3 * high)), (ink,), thick)


def _draw_trace(picture: NDArray[np.uint8], high: float, rng: np.random.Generator) -> None:
    """A wandering line with a steep wave, beside or across the word."""
    height, width = picture.shape
    x = np.arange(0, width, max(1.0, high / 8))
    level = rng.uniform(0.05, 0.95) * height
    y = level + np.cumsum(rng.normal(0, 0.04 * high, len(x)))
    if rng.random() < 0.6:
        peak = rng.uniform(0, width)
        y -= rng.choice((-1, 1)) * rng.uniform(1, 6) * high * np.exp(-(((x - peak) / (0.25 * high)) ** 2))
    points = np.rint(np.stack([x, y], axis=1) * 16).astype(np.int32)
    thick = max(1, round(high * float(rng.uniform(0.05, 0.2))))
    cv2.polylines(picture, [points[:, None]], False, (int(rng.integers(0, 120)),), thick, cv2.LINE_AA, 4)


def _random_box(height: int, width: int, high: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    top, left = int(rng.uniform(1, 4) * high), int(rng.uniform(1, 10) * high)
    wide = int(rng.uniform(0.2, 3.5) * high)
    return top, left, min(height, top + max(3, int(high))), min(width, left + max(2, wide))


def _jitter(box: tuple[int, int, int, int], high: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    off = np.rint(rng.normal(0, 0.09 * high, 4)).astype(int)
    top, left, bottom, right = (int(edge + move) for edge, move in zip(box, off, strict=True))
    return max(0, top), max(0, left), max(top + 2, bottom), max(left + 1, right)


def _degrade(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, noise, another contrast, thresholding and JPEG."""
    if rng.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.1))), dtype=np.uint8)
    values = picture.astype(np.float32)
    if rng.random() < 0.3:
        values += rng.normal(0, rng.uniform(2, 16), values.shape).astype(np.float32)
    if rng.random() < 0.5:
        values = 255 - (255 - values) * float(rng.uniform(0.35, 1.0))
    picture = np.clip(values, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        picture = np.where(picture < int(rng.integers(90, 190)), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 98))]
        picture = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_GRAYSCALE), dtype=np.uint8
        )
    return picture

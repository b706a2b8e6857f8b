"""Printed lead names, read by their shape in any size and common typeface.

Letters are pieces of ink that touch nothing else; neighbors on one line are a word. A word is stretched to one size
and compared with every lead name in the typefaces of ``words.png``, which ``docs/make_lead_words.py`` makes. A name
that touches a trace is not read; the other names of the page are enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import CABRERA_LEADS, STANDARD_LEADS
from ecglens.limits import threshold

__all__ = ["LIMITS", "NAMES", "TILE", "NameLimits", "Word", "read_lead_names"]


@dataclass(frozen=True)
class NameLimits:
    """Thresholds of reading lead names by their shape."""

    letter_mm: tuple[float, float] = threshold(
        (0.25, 5.0),
        "mm",
        "Smallest and largest size of a letter.",
        low="Specks count as letters; large names are not read.",
        high="Small names are not read; traces count as letters.",
    )
    word_height_mm: tuple[float, float] = threshold(
        (1.1, 5.0),
        "mm",
        "Smallest and largest height of a name.",
        low="Dots count as names; large names are not read.",
        high="Small names are not read; complexes count as names.",
    )
    max_width_mm: float = threshold(
        13.0,
        "mm",
        "Largest width of a name.",
        low="Wide names such as aVR in large print are not read.",
        high="Words of the header count as names.",
    )
    max_gap: float = threshold(
        0.6,
        "1",
        "Widest gap inside a name as a part of its height.",
        low="Names with wide spacing are torn.",
        high="Neighboring print belongs to the name.",
    )
    max_level_difference: float = threshold(
        0.3,
        "1",
        "Largest difference of the feet of two letters as a part of their height.",
        low="Names on turned pages are torn.",
        high="Print of other lines belongs to the name.",
    )
    aspect_cost: float = threshold(
        0.4,
        "1",
        "Cost of a width to height ratio that differs from the template.",
        low="I and II are confused.",
        high="Condensed typefaces are not read.",
    )
    min_score: float = threshold(
        0.55,
        "1",
        "Least similarity with a template.",
        low="Any print counts as names.",
        high="Names in unusual typefaces are not read.",
    )
    max_boxes: int = threshold(
        10_000,
        "boxes",
        "Number of pieces of ink of the size of letters from which a page is noise and no name is searched.",
        low="Names of pages full of print are not read.",
        high="Pages of noise take many seconds.",
        evidence="46 real pages have at most 4,857; a page of dots of 9,900 x 9,900 px took 25 s",
    )
    max_letters: int = threshold(
        4,
        "letters",
        "Largest number of letters in a name.",
        low="-aVR is not read.",
        high="Words count as names.",
    )
    max_names: int = threshold(
        600,
        "names",
        "Number of names that are returned, the clearest ones first.",
        low="Names on pages with much print are lost.",
        high="Fitting layouts to the names of a page full of letters takes many seconds.",
        evidence="46 real pages have at most 240; a page with 2,400 printed names took 20 s",
    )


LIMITS = NameLimits()


NAMES: tuple[str, ...] = tuple(dict.fromkeys((*STANDARD_LEADS, *CABRERA_LEADS)))

TILE = (24, 96)
"""Rows and columns of a tile of ``words.png``; the name is left-aligned and as high as the tile."""

_SHAPE = (20, 36)
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Word:
    """A lead name with its score in [0, 1] and the box of its ink in px."""

    name: str
    score: float
    top: int
    left: int
    bottom: int
    right: int


def read_lead_names(black: NDArray[np.bool_], *, px_per_mm: float) -> list[Word]:
    """Find printed lead names.

    Args:
        black: ``(height, width)``, where there is ink.
        px_per_mm: Pixels per millimeter; 6 or more to tell V5 from V6.

    Returns:
        Words that look like a lead name, the clearest ones first.
    """
    strokes = np.asarray(black, dtype=np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    left, top, width, height = (stats[1:, column] for column in range(4))
    largest = np.maximum(width, height)
    letters = (largest >= LIMITS.letter_mm[0] * px_per_mm) & (largest <= LIMITS.letter_mm[1] * px_per_mm)
    boxes = np.stack([top, left, top + height, left + width], axis=1)[letters]
    if len(boxes) > LIMITS.max_boxes:
        return []
    extents = [_extent(group) for group in _find_words(boxes)]
    printed = [extent for extent in extents if _is_name_sized(extent, px_per_mm)]
    scored = _read([strokes[top:bottom, left:right] for top, left, bottom, right in printed])
    words = [
        Word(name, score, *extent)
        for (name, score), extent in zip(scored, printed, strict=True)
        if score >= LIMITS.min_score
    ]
    return sorted(words, key=lambda word: -word.score)[: LIMITS.max_names]


def _extent(letters: NDArray[np.int32]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the box around the boxes of letters."""
    (top, left), (bottom, right) = letters[:, :2].min(axis=0), letters[:, 2:].max(axis=0)
    return int(top), int(left), int(bottom), int(right)


def _is_name_sized(extent: tuple[int, int, int, int], px_per_mm: float) -> bool:
    top, left, bottom, right = extent
    least, largest = LIMITS.word_height_mm
    return least <= (bottom - top) / px_per_mm <= largest and (right - left) / px_per_mm <= LIMITS.max_width_mm


def _find_words(boxes: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Letters on one line, left to right, closer together than ``_GAP`` of their height; at most ``_LONGEST``."""
    boxes = boxes[np.argsort(boxes[:, 1], kind="stable")]
    tops, lefts, feet, rights = np.ascontiguousarray(boxes.T, dtype=np.float64)
    heights = feet - tops
    is_used = np.zeros(len(boxes), dtype=np.bool_)
    words = []
    for index in range(len(boxes)):
        if is_used[index]:
            continue
        word = [index]
        is_used[index] = True
        top, foot, right, high = tops[index], feet[index], rights[index], heights[index]
        while True:
            begin, end = np.searchsorted(lefts, (right - 0.3 * high, right + LIMITS.max_gap * high + 1e-6))
            near = slice(begin, end)
            level = np.abs(feet[near] - foot) <= LIMITS.max_level_difference * high
            size = heights[near] <= 1.6 * high
            hyphen_first = high < 0.35 * heights[near]
            inside = (tops[near] < foot) & (feet[near] > top)
            fitting = np.flatnonzero(~is_used[near] & ((level & size) | (hyphen_first & inside)))
            if not fitting.size:
                break
            following = int(begin + fitting[0])
            word.append(following)
            is_used[following] = True
            top, foot = min(top, tops[following]), max(foot, feet[following])
            right, high = max(right, rights[following]), max(high, heights[following])
        if len(word) <= LIMITS.max_letters:
            words.append(boxes[word])
    return words


def _read(words: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float]]:
    """The lead name that the ink of each word looks most like, and how much."""
    if not words:
        return []
    shapes, aspects, names = _templates()
    similarity = _shapes([ink * np.uint8(255) for ink in words]) @ shapes.T
    aspect = np.log([ink.shape[1] / ink.shape[0] for ink in words])
    scores = similarity - LIMITS.aspect_cost * np.abs(aspects - aspect[:, None])
    best = scores.argmax(axis=1)
    clearest = np.clip(scores[np.arange(len(words)), best], 0, 1)
    return [(NAMES[name], float(score)) for name, score in zip(names[best], clearest, strict=True)]


def _shapes(words: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Words stretched to ``_SHAPE`` with a margin, ``(words, pixels)``, each of mean 0 and length 1."""
    inner = (_SHAPE[1] - 2 * _MARGIN, _SHAPE[0] - 2 * _MARGIN)
    shapes = np.zeros((len(words), *_SHAPE), dtype=np.float32)
    for shape, word in zip(shapes, words, strict=True):
        shape[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = cv2.resize(word, inner, interpolation=cv2.INTER_AREA)
        cv2.GaussianBlur(shape, (0, 0), 0.8, dst=shape)
    vectors = shapes.reshape(len(words), -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.intp]]:
    """Shapes ``(tiles, pixels)``, logarithms of width by height, and the place of each one's name."""
    data = files("ecglens.leads").joinpath("words.png").read_bytes()
    tiles = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    words, aspects, names = [], [], []
    for row, _ in enumerate(NAMES):
        for column in range(tiles.shape[1] // TILE[1]):
            tile = tiles[row * TILE[0] : (row + 1) * TILE[0], column * TILE[1] : (column + 1) * TILE[1]]
            width = int(np.flatnonzero(tile.any(axis=0)).max()) + 1
            words.append(tile[:, :width])
            aspects.append(np.log(width / TILE[0]))
            names.append(row)
    return _shapes(words), np.array(aspects), np.array(names)

"""Printed lead names, told by their shape in whatever size and common typeface they stand.

Letters are pieces of ink that touch nothing else; neighbours on one line are a word. A word is stretched to one size
and compared with every lead name in the typefaces of ``words.png``, which ``docs/make_lead_words.py`` makes. A name
that touches a trace is not seen; the other names of the page are enough.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import CABRERA_LEADS, STANDARD_LEADS

__all__ = ["NAMES", "TILE", "Word", "lead_words"]

NAMES: tuple[str, ...] = tuple(dict.fromkeys((*STANDARD_LEADS, *CABRERA_LEADS)))

TILE = (24, 96)
"""Rows and columns of a tile of ``words.png``; the name is left-aligned and as high as the tile."""

_SHAPE = (20, 36)
_MARGIN = 2
_LETTER_MM = (0.25, 5.0)
_WORD_MM = (1.1, 5.0)
_WIDEST_MM = 13.0
_GAP = 0.6
"""Widest gap inside a word, of its height."""
_LEVEL = 0.3
"""How far the feet of two letters may differ, of their height."""
_ASPECT_COST = 0.4
_SCORE_NEEDED = 0.55
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Word:
    """A lead name: how sure it is, in [0, 1], and the box of its ink in px."""

    name: str
    score: float
    top: int
    left: int
    bottom: int
    right: int


def lead_words(black: NDArray[np.bool_], *, px_per_mm: float) -> list[Word]:
    """Find printed lead names.

    Args:
        black: ``(height, width)``, where there is ink.
        px_per_mm: Pixels per millimetre; 6 or more to tell V5 from V6.

    Returns:
        Every word that looks like a lead name, in no order.
    """
    drawn = np.asarray(black, dtype=np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    left, top, width, height = (stats[1:, column] for column in range(4))
    largest = np.maximum(width, height)
    letters = (largest >= _LETTER_MM[0] * px_per_mm) & (largest <= _LETTER_MM[1] * px_per_mm)
    boxes = np.stack([top, left, top + height, left + width], axis=1)[letters]
    found = []
    for group in _words(boxes):
        first, start = int(group[:, 0].min()), int(group[:, 1].min())
        last, end = int(group[:, 2].max()), int(group[:, 3].max())
        high, wide = (last - first) / px_per_mm, (end - start) / px_per_mm
        if not _WORD_MM[0] <= high <= _WORD_MM[1] or wide > _WIDEST_MM:
            continue
        name, score = _read(drawn[first:last, start:end])
        if score >= _SCORE_NEEDED:
            found.append(Word(name, score, first, start, last, end))
    return found


def _words(boxes: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Letters on one line, left to right, closer together than ``_GAP`` of their height; at most ``_LONGEST``."""
    boxes = boxes[np.argsort(boxes[:, 1], kind="stable")]
    tops, lefts, feet, rights = np.ascontiguousarray(boxes.T, dtype=np.float64)
    heights = feet - tops
    taken = np.zeros(len(boxes), dtype=np.bool_)
    words = []
    for index in range(len(boxes)):
        if taken[index]:
            continue
        word = [index]
        taken[index] = True
        top, foot, right, high = tops[index], feet[index], rights[index], heights[index]
        while True:
            begin, end = np.searchsorted(lefts, (right - 0.3 * high, right + _GAP * high + 1e-6))
            near = slice(begin, end)
            level = np.abs(feet[near] - foot) <= _LEVEL * high
            size = heights[near] <= 1.6 * high
            hyphen_first = high < 0.35 * heights[near]
            inside = (tops[near] < foot) & (feet[near] > top)
            fitting = np.flatnonzero(~taken[near] & ((level & size) | (hyphen_first & inside)))
            if not fitting.size:
                break
            following = int(begin + fitting[0])
            word.append(following)
            taken[following] = True
            top, foot = min(top, tops[following]), max(foot, feet[following])
            right, high = max(right, rights[following]), max(high, heights[following])
        if len(word) <= _LONGEST:
            words.append(boxes[word])
    return words


def _read(ink: NDArray[np.uint8]) -> tuple[str, float]:
    """The lead name that a word looks most like, and how much."""
    shapes, aspects, names = _templates()
    likeness = shapes @ _shape(ink * np.uint8(255))
    aspect = np.log(ink.shape[1] / ink.shape[0])
    score = likeness - _ASPECT_COST * np.abs(aspects - aspect)
    best = int(score.argmax())
    return NAMES[names[best]], float(np.clip(score[best], 0, 1))


def _shape(word: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A word stretched to ``_SHAPE`` with a margin, as a vector of mean 0 and length 1."""
    inner = (_SHAPE[1] - 2 * _MARGIN, _SHAPE[0] - 2 * _MARGIN)
    shape = np.zeros(_SHAPE, dtype=np.float32)
    shape[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = cv2.resize(word, inner, interpolation=cv2.INTER_AREA)
    vector = np.asarray(cv2.GaussianBlur(shape, (0, 0), 0.8), dtype=np.float32).ravel()
    vector = vector - vector.mean()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.intp]]:
    """Shapes ``(tiles, pixels)``, logarithms of width by height, and the place of each one's name."""
    data = files("ecglens.leads").joinpath("words.png").read_bytes()
    sheet = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    shapes, aspects, names = [], [], []
    for row, _ in enumerate(NAMES):
        for column in range(sheet.shape[1] // TILE[1]):
            tile = sheet[row * TILE[0] : (row + 1) * TILE[0], column * TILE[1] : (column + 1) * TILE[1]]
            width = int(np.flatnonzero(tile.any(axis=0)).max()) + 1
            shapes.append(_shape(tile[:, :width]))
            aspects.append(np.log(width / TILE[0]))
            names.append(row)
    return np.stack(shapes), np.array(aspects), np.array(names)

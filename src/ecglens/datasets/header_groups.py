"""Groups of pages that print the same number in their header, without reading a letter.

Recorders set their headers from a template, so the same number gives the same pixels but for the compression. The
header is cut into lines and words; the place whose contents differ most from page to page is the exam number, and two
pages whose words there agree at every spot are one group.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["Word", "group_by_header", "header_words"]

_DARK = 128
_LINES, _WORDS = 4, 5
"""Lines of a header, and words of a line, that are used."""

_WORD_GAPS = (0.3, 0.38, 0.45)
"""A gap wider than this share of the line's height parts two words; fonts differ, so each is tried."""

_SPOT = 5
"""Side in px of the spots over which two words are compared."""

_SAME_SPOT = 20.0
"""Mean difference in levels of the worst spot up to which two words are the same; measured in docs/audit.md."""

_REACH = 4.0
"""Distance of two words' coarse images, in the same units, within which they are compared."""

_PRESENT, _MANY = 0.5, 0.1
"""A telling place has a word on half of the pages, and different contents for a tenth of them."""

_LOOK = 400
"""Pages by which the most telling place is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word of a header.

    Attributes:
        parting: Which of the widths of a gap parted it.
        line: Which line, from 0.
        place: Which word of the line, from 0.
        pixels: ``(height, width)`` uint8 gray, cut out one pixel wider than its ink.
    """

    parting: int
    line: int
    place: int
    pixels: NDArray[np.uint8]


def header_words(gray: NDArray[np.uint8], top: int) -> list[Word]:
    """Cut the words out of a header.

    Args:
        gray: ``(height, width)`` uint8, the whole page.
        top: Row where the trace area begins.

    Returns:
        Words line by line; none where there is no header.
    """
    head = gray[: max(0, top - 2)]
    if head.shape[0] < 8:
        return []
    ink = head < _DARK
    ink[ink.mean(axis=1) > 0.5] = False
    words = []
    lines = [span for span in _runs(np.asarray(ink.any(axis=1)), 0) if span[1] - span[0] >= 5]
    for line, (upper, lower) in enumerate(lines[:_LINES]):
        inked = np.asarray(ink[upper:lower].any(axis=0))
        for parting, gap in enumerate(_WORD_GAPS):
            for place, (left, right) in enumerate(_runs(inked, gap * (lower - upper))[:_WORDS]):
                cut = head[max(0, upper - 1) : lower + 1, max(0, left - 1) : right + 1]
                words.append(Word(parting, line, place, cut.copy()))
    return words


def group_by_header(pages: Sequence[Sequence[Word]]) -> NDArray[np.intp] | None:
    """Number the pages by the contents of the header's most telling place.

    Args:
        pages: Words of each page.

    Returns:
        ``(pages,)`` group numbers; a page without a word at that place is a group of its own. ``None`` where no place
        tells pages apart: there are no headers, or all say the same.
    """
    step = max(1, len(pages) // _LOOK)
    looked = _places(pages[::step])
    count = len(pages[::step])
    telling = {
        place: len(set(_same_words(contents, count)[list(contents)].tolist()))
        for place, contents in looked.items()
        if len(contents) >= _PRESENT * count
    }
    if not telling or max(telling.values()) <= max(1.0, _MANY * count):
        return None
    best = max(telling, key=lambda place: (telling[place], place[0], -place[1], -place[2]))
    return _same_words(_places(pages)[best], len(pages))


def words_differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Compute the mean difference in levels of the worst spot of two words, at the best of nine shifts by a pixel."""
    if abs(one.shape[0] - other.shape[0]) > 1 or abs(one.shape[1] - other.shape[1]) > 1:
        return 255.0
    height, width = min(one.shape[0], other.shape[0]), min(one.shape[1], other.shape[1])
    fixed = one[:height, :width].astype(np.float32)
    padded = cv2.copyMakeBorder(other, 1, 2, 1, 2, cv2.BORDER_REPLICATE).astype(np.float32)
    worst = 255.0
    for down in range(3):
        for right in range(3):
            difference = np.abs(fixed - padded[down : down + height, right : right + width])
            worst = min(worst, float(cv2.blur(difference, (_SPOT, _SPOT)).max()))
    return worst


def _places(pages: Sequence[Sequence[Word]]) -> dict[tuple[int, int, int], dict[int, NDArray[np.uint8]]]:
    places: defaultdict[tuple[int, int, int], dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    for number, words in enumerate(pages):
        for word in words:
            places[word.parting, word.line, word.place][number] = word.pixels
    return places


def _same_words(contents: Mapping[int, NDArray[np.uint8]], count: int) -> NDArray[np.intp]:
    """Number pages by their word: equal pixels first, then words that differ by compression only."""
    leaders: dict[tuple[tuple[int, ...], bytes], int] = {}
    pairs = []
    for owner, word in contents.items():
        pairs.append((leaders.setdefault((word.shape, word.tobytes()), owner), owner))
    owners = list(leaders.values())
    tree = cKDTree(np.stack([_coarse(contents[owner]) for owner in owners]))
    near = ((owners[i], owners[j]) for i, j in tree.query_pairs(_REACH))
    pairs += [(i, j) for i, j in near if words_differ(contents[i], contents[j]) <= _SAME_SPOT]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    links = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.intp)


def _coarse(word: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A word as 4 x 12 mean levels, and its width."""
    small = cv2.resize(word, (12, 4), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
    return np.asarray(np.append(small, 2.0 * word.shape[1]) / np.sqrt(len(small)), dtype=np.float64)


def _runs(filled: NDArray[np.bool_], gap: float) -> list[tuple[int, int]]:
    """Stretches of ``filled``, those apart by at most ``gap`` taken together."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(np.int8)))
    spans: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and start - spans[-1][1] <= gap:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans

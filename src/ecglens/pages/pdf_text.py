"""Text that a PDF holds as text, in pixels of its drawn page: exact where reading letters from pixels is not.

PDFium's own lines join lead names with a grid that is drawn with glyphs of a font, so its characters are joined to
pieces by their places.
"""

import ctypes
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.records import Box, PageText

__all__ = ["LIMITS", "PdfTextLimits", "find_texts"]


@dataclass(frozen=True)
class PdfTextLimits:
    """Thresholds of reading the text of a PDF."""

    max_chars: int = threshold(
        200_000,
        "characters",
        "Largest number of characters of a page, those of a grid that is drawn with glyphs among them.",
        low="Pages with a grid of glyphs have no text.",
        high="Hostile files take seconds.",
        evidence="a page of 198,000 characters takes 1 s, most of it to draw it",
    )
    max_letters: int = threshold(
        20_000,
        "characters",
        "Largest number of characters of a page without long runs of one character.",
        low="Pages with long reports have no text.",
        high="Hostile files take seconds.",
        evidence="a page of 19,800 letters takes 0.5 s more than without its text",
    )
    min_run: int = threshold(
        8,
        "characters",
        "Length from which a run of one character is a line or a row of a grid, and no text.",
        low="Numbers with repeated digits are cut.",
        high="Grids that are drawn with glyphs hide lead names.",
    )
    max_copies: int = threshold(
        30,
        "copies",
        "Largest number of pieces of one character that are alike; more of them are a grid or marks of beats.",
        low="Repeated marks are lost.",
        high="Grids that are drawn with single glyphs are text.",
    )
    min_word_gap: float = threshold(
        0.1,
        "line heights",
        "Gap between two characters from which a space is read.",
        low="Letters that are set wide are read as words.",
        high="Words run together.",
    )
    max_gap: float = threshold(
        0.5,
        "line heights",
        "Gap between two characters from which they are of two pieces.",
        low="Sentences that are set wide fall apart.",
        high="Lead names join the print beside them.",
    )
    max_offset: float = threshold(
        0.25,
        "line heights",
        "Offset across the line from which two characters are of two pieces.",
        low="Raised signs are pieces of their own.",
        high="Two lines are one piece.",
    )
    max_growth: float = threshold(
        1.5,
        "1",
        "Ratio of the line heights from which two characters are of two pieces.",
        low="Signs from other fonts are pieces of their own.",
        high="Lead names join the glyphs of a grid.",
    )
    max_turn_deg: float = threshold(
        3.0,
        "deg",
        "Largest deviation of a line of text from a whole quarter turn.",
        low="Scans that were straightened lose their text.",
        high="Stamps and watermarks across the page are text.",
    )
    min_contrast: int = threshold(
        48,
        "gray levels",
        "Least contrast of the pixels under a piece of text.",
        low="Text that is covered or as white as the paper is read.",
        high="Text in pale gray is not read.",
    )


LIMITS = PdfTextLimits()

_SUB_PX = 256
"""PDFium maps points to whole pixels only, so they are mapped to a page that is as many times as large."""
_SAMPLES = (100, 400)
"""Rows and columns of pixels that are looked at under a piece of text, however large it is."""
_INVISIBLE = frozenset({pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP})
_HYPHENS = dict.fromkeys(map(ord, "\x02\N{SOFT HYPHEN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}"), "-")
_WITHOUT_INK = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
"""Categories of control characters, and of glyphs such as symbols that a recorder's own font has."""

_Map = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Affine map, ``(2, 3)``, of plain numbers: arrays of this size would take most of the time."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A character in the frame of its line: columns along the line, rows across it."""

    text: str
    turns: int
    ink: Box
    advance: Box


_SPACE = _Letter(" ", -1, Box(0, 0, 0, 0), Box(0, 0, 0, 0))
"""A space that PDFium puts between words; it has no place."""


def find_texts(page: pdfium.PdfPage, pixels: NDArray[np.uint8]) -> tuple[PageText, ...] | None:
    """Find the visible text of a page, without grids of glyphs, doubled print and text across the page.

    Args:
        page: An open page.
        pixels: The page as it was drawn, ``(height, width, 3)`` uint8 RGB.

    Returns:
        The pieces of text that are turned like most text of the page, in no order that can be relied on; ``None``
        where the page holds more characters than an ECG page.
    """
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if count > LIMITS.max_chars:
            return None
        places = _without_runs([pdfium_c.FPDFText_GetUnicode(text_page, index) for index in range(count)])
        if len(places) > LIMITS.max_letters:
            return None
        to_px = _matrix(page, pixels.shape[1], pixels.shape[0])
        pieces = [_join(letters) for letters in _split(_letters(text_page, places, to_px))]
    finally:
        text_page.close()
    visible = [piece for piece in pieces if piece.text and _has_ink(piece.box, pixels)]
    return _without_grid(_without_copies(_turned_like_most(visible)))


def _without_runs(codes: list[int]) -> list[int]:
    """Places of the characters that are not of a long run of one character; ``-1`` in place of a run."""
    places: list[int] = []
    for _, run in groupby(range(len(codes)), key=codes.__getitem__):
        indices = list(run)
        places += [-1] if len(indices) >= LIMITS.min_run else indices
    return places


def _matrix(page: pdfium.PdfPage, width: int, height: int) -> _Map:
    """Map from points of the page to pixel centers, which knows turned and cropped pages."""
    column, row = ctypes.c_int(), ctypes.c_int()
    size = (0, 0, width * _SUB_PX, height * _SUB_PX, 0)
    mapped = []
    for x, y in ((0.0, 0.0), (100.0, 0.0), (0.0, 100.0)):
        pdfium_c.FPDF_PageToDevice(page, *size, x, y, column, row)
        mapped.append((column.value / _SUB_PX, row.value / _SUB_PX))
    origin, right, up = mapped
    rows = [((right[i] - origin[i]) / 100, (up[i] - origin[i]) / 100, origin[i] - 0.5) for i in (0, 1)]
    return rows[0], rows[1]


def _letters(text_page: pdfium.PdfTextPage, places: list[int], to_px: _Map) -> Iterator[_Letter | None]:
    """Yield the visible characters of lines along the edges of the page; ``None`` where a line ends."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    loose = pdfium_c.FS_RECTF()
    for index in places:
        if index < 0 or pdfium_c.FPDFText_IsGenerated(text_page, index):
            yield None if index < 0 or pdfium_c.FPDFText_GetUnicode(text_page, index) in (10, 13) else _SPACE
            continue
        turns = _quarter_turns(pdfium_c.FPDFText_GetCharAngle(text_page, index), to_px)
        if turns is None or not _is_opaque(text_page, index):
            continue
        pdfium_c.FPDFText_GetCharBox(text_page, index, left, right, bottom, top)
        pdfium_c.FPDFText_GetLooseCharBox(text_page, index, loose)
        ink = _map_box(to_px, left.value, bottom.value, right.value, top.value)
        advance = _map_box(to_px, loose.left, loose.bottom, loose.right, loose.top)
        text = chr(pdfium_c.FPDFText_GetUnicode(text_page, index))
        yield _Letter(text, turns, _turn_back(ink, turns), _turn_back(advance, turns))


def _quarter_turns(angle: float, to_px: _Map) -> int | None:
    """Clockwise quarter turns of a line of text on the drawn page; ``None`` for other turns."""
    (a, b, _), (d, e, _) = to_px
    along, up = math.cos(angle), -math.sin(angle)
    turns = math.degrees(math.atan2(d * along + e * up, a * along + b * up)) / 90
    return None if abs(turns - round(turns)) * 90 > LIMITS.max_turn_deg else round(turns) % 4


def _is_opaque(text_page: pdfium.PdfTextPage, index: int) -> bool:
    """Return whether a character is filled or stroked with a color that is not transparent."""
    shape = pdfium_c.FPDFText_GetTextObject(text_page, index)
    if shape and pdfium_c.FPDFTextObj_GetTextRenderMode(shape) in _INVISIBLE:
        return False
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    return not pdfium_c.FPDFText_GetFillColor(text_page, index, red, green, blue, alpha) or alpha.value > 0


def _map_box(to_px: _Map, left: float, bottom: float, right: float, top: float) -> Box:
    (a, b, c), (d, e, f) = to_px
    columns = a * left + b * bottom + c, a * right + b * top + c
    rows = d * left + e * bottom + f, d * right + e * top + f
    return Box(min(rows), min(columns), max(rows), max(columns))


def _turn_back(box: Box, turns: int) -> Box:
    """The box in the frame of text with these turns, about the corner of the page."""
    for _ in range(turns):
        box = Box(-box.right, box.top, -box.left, box.bottom)
    return box


def _split(letters: Iterable[_Letter | None]) -> Iterator[list[_Letter]]:
    """Yield the characters of each piece; spaces that nothing places are among them."""
    piece: list[_Letter] = []
    last: _Letter | None = None
    for letter in letters:
        if letter is None or (last is not None and letter is not _SPACE and not _continues(last, letter)):
            yield piece
            piece, last = [], None
        if letter is not None:
            piece.append(letter)
            last = last if letter is _SPACE else letter
    yield piece


def _continues(last: _Letter, letter: _Letter) -> bool:
    """Return whether a character follows another one in one word or sentence."""
    if last.turns != letter.turns:
        return False
    low, high = sorted((last.advance.height, letter.advance.height))
    gap = letter.advance.left - last.advance.right
    offset = abs(letter.advance.top + letter.advance.bottom - last.advance.top - last.advance.bottom) / 2
    same_size, same_line = high <= LIMITS.max_growth * low, offset <= LIMITS.max_offset * high
    return same_size and same_line and abs(gap) <= LIMITS.max_gap * high


def _join(letters: list[_Letter]) -> PageText:
    """One piece of text, with the box of its ink on the page."""
    text, last = "", None
    inked: list[_Letter] = []
    for letter in letters:
        is_placed = letter is not _SPACE
        if is_placed and last is not None:
            gap = letter.advance.left - last.advance.right
            text += " " if gap > LIMITS.min_word_gap * letter.advance.height else ""
        text += letter.text
        last = letter if is_placed else last
        if is_placed and _clean(letter.text):
            inked.append(letter)
    if not inked:
        return PageText("", Box(0, 0, 0, 0))
    turns, inks = inked[0].turns, [one.ink for one in inked]
    line = Box(
        min(ink.top for ink in inks),
        min(ink.left for ink in inks),
        max(ink.bottom for ink in inks),
        max(ink.right for ink in inks),
    )
    return PageText(_clean(text), _turn_back(line, -turns % 4), turns)


def _clean(text: str) -> str:
    """Plain hyphens and letters, single spaces, and nothing that has no ink."""
    plain = "".join(
        one if unicodedata.category(one) == "No" else unicodedata.normalize("NFKC", one)
        for one in text.translate(_HYPHENS)
    )
    return " ".join("".join(" " if one.isspace() else _printable(one) for one in plain.translate(_HYPHENS)).split())


def _printable(character: str) -> str:
    return "" if unicodedata.category(character) in _WITHOUT_INK else character


def _has_ink(box: Box, pixels: NDArray[np.uint8]) -> bool:
    """Return whether the pixels of a box show anything: text may be covered, cut off or as white as the paper."""
    top, left = max(0, math.floor(box.top)), max(0, math.floor(box.left))
    part = pixels[top : max(0, math.ceil(box.bottom)) + 1, left : max(0, math.ceil(box.right)) + 1]
    part = part[:: 1 + len(part) // _SAMPLES[0], :: 1 + part.shape[1] // _SAMPLES[1]]
    return part.size > 0 and int(np.ptp(part, axis=(0, 1)).max()) >= LIMITS.min_contrast


def _turned_like_most(pieces: list[PageText]) -> list[PageText]:
    letters: Counter[int] = Counter()
    for piece in pieces:
        letters[piece.turns] += len(piece.text)
    most = max(letters, key=letters.__getitem__, default=0)
    return [piece for piece in pieces if piece.turns == most]


def _without_copies(pieces: list[PageText]) -> list[PageText]:
    """Print that is doubled to look bold, once."""
    boxes: dict[str, list[Box]] = {}
    once = []
    for piece in pieces:
        near = min(piece.box.height, piece.box.width) / 2
        others = boxes.setdefault(piece.text, [])
        if len(others) <= LIMITS.max_copies and any(_distance(piece.box, other) < near for other in others):
            continue
        others.append(piece.box)
        once.append(piece)
    return once


def _distance(box: Box, other: Box) -> float:
    return max(abs(box.top - other.top), abs(box.left - other.left))


def _without_grid(pieces: list[PageText]) -> tuple[PageText, ...]:
    """The pieces without glyphs that are repeated all over the page, and without rows of one character."""
    copies = Counter(piece.text for piece in pieces if len(piece.text) == 1)
    return tuple(
        piece
        for piece in pieces
        if copies[piece.text] <= LIMITS.max_copies
        and not (len(piece.text) >= LIMITS.min_run and len(set(piece.text) - {" "}) == 1)
    )

"""Contents of a page that was not read: traces, or print alone; and the other pages of its file that show traces.

Cheap checks on a small picture of the page, for sentences that say what to do next. Nothing is measured by them.
"""

import os
import time
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.grid import find_grid
from ecglens.pages.preprocessing import extract_ink, reduce_picture
from ecglens.pages.read import Source, load_file, read_page
from ecglens.records import Page

__all__ = ["LIMITS", "ContentLimits", "describe_contents", "is_blank", "shows_no_trace"]

_EVIDENCE = "cover pages and pages with traces of `shared/data/foreign_pages`, pages that are no ECG of the tests"


@dataclass(frozen=True)
class ContentLimits:
    """Thresholds of seeing what a page shows, on a picture of it with a side of at most ``side_px``."""

    side_px: int = threshold(
        1200,
        "px",
        "Longest side of the picture of the page.",
        low="Thin traces are torn.",
        high="Looking takes longer.",
        evidence=_EVIDENCE,
    )
    dark: int = threshold(
        96,
        "ink of 255",
        "Ink that counts.",
        low="Noise counts as print.",
        high="Pale traces are not seen.",
        evidence=_EVIDENCE,
    )
    trace_length: float = threshold(
        0.2,
        "1",
        "Least length of a trace as a part of the page's side; words are shorter.",
        low="Lines of joined letters count as traces.",
        high="Torn traces are not seen.",
        evidence=_EVIDENCE,
    )
    max_thickness_px: float = threshold(
        10.0,
        "px",
        "Largest mean thickness of a trace.",
        low="Traces with tall complexes are not seen.",
        high="Pictures count as traces.",
        evidence=_EVIDENCE,
    )
    max_letter: float = threshold(
        0.035,
        "1",
        "Largest height of a letter as a part of the page's height.",
        low="Titles and logos do not count as print.",
        high="Complexes of torn traces count as print.",
        evidence=_EVIDENCE,
    )
    max_word: float = threshold(
        0.15,
        "1",
        "Largest width of a word whose letters touch, as a part of the page's width.",
        low="Words do not count as print.",
        high="Torn traces count as print.",
        evidence=_EVIDENCE,
    )
    min_marks: int = threshold(
        30,
        "marks",
        "Least number of marks of a page of print.",
        low="Empty pages count as print.",
        high="Short cover pages do not count as print.",
        evidence=_EVIDENCE,
    )
    max_empty: float = threshold(
        0.003,
        "1",
        "Largest share of pixels with any ink on a page of a few words.",
        low="Covers with a few words do not count as print.",
        high="Faded pages count as print.",
        evidence="traces cover 1 % of a page or more; a title of four words less than 0.2 %",
    )
    any_ink: int = threshold(
        24,
        "ink of 255",
        "Ink of which a page of a few words has next to none.",
        low="Noise of scans counts as ink.",
        high="Faded pages count as print.",
        evidence="`python -m pytest tests/pages/test_contents.py`: a faded page has ink of 40",
    )
    min_paper: int = threshold(
        200,
        "gray levels",
        "Least brightness of paper.",
        low="Screens with a dark background count as print.",
        high="Photographed print does not count as print.",
        evidence=_EVIDENCE,
    )
    min_contrast: int = threshold(
        8,
        "gray levels",
        "Least difference between the darkest and the brightest value of a page that is not blank.",
        low="Blank pages are searched for leads, which takes seconds on large ones.",
        high="Faded pages count as blank.",
        evidence="`python -m pytest tests/pages/test_contents.py`: a faded page of 12 levels is searched",
    )
    max_pages: int = threshold(
        10,
        "pages",
        "Largest number of other pages that are looked at.",
        low="Traces on late pages are not named.",
        high="Long files take long to be refused.",
    )
    max_seconds: float = threshold(
        5.0,
        "s",
        "Time after which no further page is looked at.",
        low="Traces on late pages are not named.",
        high="Long files take long to be refused.",
    )


LIMITS = ContentLimits()

_SPECK_PX = 5
"""Area of ink below which it is noise."""


def is_blank(page: Page) -> bool:
    """Return whether all pixels of a page have nearly the same color, as on the back of a scanned sheet."""
    darkest, brightest, _, _ = cv2.minMaxLoc(page.pixels.reshape(page.height, -1))
    return not page.curves and brightest - darkest < LIMITS.min_contrast


def shows_no_trace(page: Page) -> bool:
    """Return whether a page that was refused was seen to show no trace: it is blank, or shows print alone."""
    return is_blank(page) or describe_contents(page) is not None


def describe_contents(page: Page, source: Source | None = None, *, max_megapixels: float | None = None) -> str | None:
    """Return a sentence for a page that was refused because it shows no trace; ``None`` where it may show one.

    Args:
        page: The page that was refused, as it was decoded.
        source: Its file, where other pages of it may be looked at; a few of them, for some seconds.
        max_megapixels: As for :func:`ecglens.pages.read_page`.
    """
    shows_trace, is_print = _look(page)
    if shows_trace:
        return None
    others = _find_traces(page, source, max_megapixels) if source is not None and page.count > 1 else []
    if others:
        pages = f"page {others[0]}" if len(others) == 1 else f"one of the pages {_join(others)}"
        if is_print:
            return f"Page {page.number} of the file shows print but no trace; read {pages}, where traces are seen."
        return f"No trace is seen on page {page.number} of the file; read {pages}, where traces are seen."
    return "The page shows print but no trace; read a page with traces." if is_print else None


def _find_traces(page: Page, source: Source, max_megapixels: float | None) -> list[int]:
    """Numbers of the other pages of a file that show traces, as far as they are looked at."""
    if not isinstance(source, str | os.PathLike | bytes):
        try:
            getattr(source, "seek", lambda start: None)(0)
            source, _ = load_file(source)
        except (OSError, ValueError, EcgReadError):  # a stream that can be read once only
            return []
    started, numbers = time.monotonic(), []
    others = [number for number in range(1, page.count + 1) if number != page.number]
    for number in others[: LIMITS.max_pages]:
        if time.monotonic() - started > LIMITS.max_seconds:
            break
        try:
            other = read_page(source, page=number, max_megapixels=max_megapixels)
        except EcgReadError:
            continue
        if _look(other)[0]:
            numbers.append(number)
    return numbers


def _join(numbers: list[int]) -> str:
    """Numbers in words: ``2 to 5`` where they follow each other.

    >>> _join([2, 3, 4]), _join([2, 5]), _join([2, 4, 7])
    ('2 to 4', '2 and 5', '2, 4 and 7')
    """
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    *firsts, last = map(str, numbers)
    return f"{', '.join(firsts)} and {last}"


def _look(page: Page) -> tuple[bool, bool]:
    """Return whether a page shows traces or the paper for them, and whether it shows print alone."""
    if page.curves:
        return True, False
    shrink = min(1.0, LIMITS.side_px / max(page.height, page.width))
    size = (max(1, round(page.width * shrink)), max(1, round(page.height * shrink)))
    pixels = reduce_picture(page.pixels, *size)
    if find_grid(pixels):
        return True, False
    widths, heights, areas = _marks(pixels)
    lengths = np.maximum(widths / size[0], heights / size[1])
    thicknesses = areas / np.maximum(1, np.maximum(widths, heights))
    if np.any((lengths >= LIMITS.trace_length) & (thicknesses <= LIMITS.max_thickness_px)):
        return True, False
    is_paper = float(np.median(pixels)) >= LIMITS.min_paper
    are_letters = np.all(heights <= LIMITS.max_letter * size[1]) and np.all(widths <= LIMITS.max_word * size[0])
    has_text = len(widths) >= LIMITS.min_marks or _is_nearly_empty(pixels)
    return False, bool(is_paper and are_letters and len(widths) and has_text)


def _is_nearly_empty(pixels: NDArray[np.uint8]) -> bool:
    """Return whether a page has next to no ink, as a cover with a few words."""
    return float(np.mean(extract_ink(pixels) > LIMITS.any_ink)) <= LIMITS.max_empty


def _marks(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Widths, heights and areas of connected ink in px, without straight rules and specks."""
    ink = np.asarray(extract_ink(pixels) > LIMITS.dark, dtype=np.uint8)
    length = max(1, pixels.shape[1] // 16)
    for kernel in (np.ones((1, length), np.uint8), np.ones((length, 1), np.uint8)):
        rules = cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel)
        ink = np.asarray(cv2.subtract(ink, rules), dtype=np.uint8)
    joined = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    marks = np.asarray(stats[1:], dtype=np.int32)
    marks = marks[marks[:, cv2.CC_STAT_AREA] >= _SPECK_PX]
    return marks[:, cv2.CC_STAT_WIDTH], marks[:, cv2.CC_STAT_HEIGHT], marks[:, cv2.CC_STAT_AREA]

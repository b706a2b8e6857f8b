"""Messages that say what is on a page instead of the leads of a known layout."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ink_lines import draw_line, normalized_from
from numpy.typing import NDArray

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.leads.name_shapes import Word
from ecglens.leads.page_description import describe_page
from ecglens.records import Box, Page, PageText, PixelClasses
from ecglens.render import render_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
PAGE = Page(np.full((440, 1100, 3), 255, np.uint8))
WORDS = [Word(name, 0.9, 0, 0, 9, 9) for name in ("V2", "I", "V2")]


def lines(count: int) -> NDArray[np.uint8]:
    ink = np.zeros((440, 1100), np.uint8)
    for line in range(count):
        draw_line(ink, zero=60 + 90 * line, left=40, right=1040, beats=np.arange(90, 1040, 80))
    return ink


def with_print(share: float) -> Page:
    plane = np.zeros(PAGE.pixels.shape[:2], np.uint8)
    printed = plane.copy()
    printed[: round(share * len(plane))] = 255
    return replace(PAGE, classes=PixelClasses(plane, printed, plane, plane))


@pytest.mark.parametrize(
    ("count", "start"), [(1, "One line of traces was seen"), (4, "Four lines of traces were seen")]
)
def test_the_lines_are_counted(count: int, start: str) -> None:
    assert describe_page(PAGE, normalized_from(lines(count)), []).startswith(start)


def test_names_that_were_read_are_given_once() -> None:
    text = describe_page(PAGE, normalized_from(lines(3)), WORDS)
    assert "and the lead names I, V2, which do not make up a known layout" in text
    assert "and the lead name I," in describe_page(PAGE, normalized_from(lines(3)), WORDS[1:2])
    assert "no lead names could be read" in describe_page(PAGE, normalized_from(lines(3)), [])


def test_additional_leads_are_named() -> None:
    texts = tuple(PageText(text, Box(0, 0, 9, 9)) for text in ("V8", "V3R", "Rate"))
    text = describe_page(replace(PAGE, texts=texts), normalized_from(lines(3)), [])
    assert "with the additional leads V3R, V8 only, which are not read" in text


def test_a_coarse_picture_is_called_one() -> None:
    coarse = replace(normalized_from(lines(3)), scale=(0.5, 0.5))
    assert "too coarse" in describe_page(PAGE, coarse, [])
    assert "too coarse" not in describe_page(PAGE, normalized_from(lines(3)), [])


def test_print_without_traces_is_a_cover_page_and_blank_paper_is_not() -> None:
    blank = normalized_from(np.zeros((440, 1100), np.uint8))
    assert "this may be a cover page" in describe_page(with_print(0.1), blank, [])
    assert describe_page(with_print(0.0), blank, []) == describe_page(PAGE, blank, []) == "No traces were seen."


def test_a_cover_page_is_called_one() -> None:
    pixels = np.full((1100, 850, 3), 255, np.uint8)
    header = render_page(RECORD, dpi=100, header="report").page.pixels[:180, :800]
    pixels[100 : 100 + header.shape[0], 20 : 20 + header.shape[1]] = header
    with pytest.raises(EcgReadError, match="Print was seen, but no traces"):
        digitize_page(Page(pixels, "cover"))

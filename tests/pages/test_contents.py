"""Sentences for pages without traces: what they show, and where the traces of their file are."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from not_ecgs import generate_not_ecgs
from tests.support.text_pdfs import draw_cover, page_with_text, text_pdf

import ecglens
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.pages import contents, read_page
from ecglens.pages.contents import describe_contents, is_blank, shows_no_trace
from ecglens.records import Page
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.fixture(scope="module")
def file_with_cover() -> bytes:
    trace = page_with_text(render_page(RECORD).page)
    return text_pdf(draw_cover, trace, draw_cover, trace, trace)


@pytest.mark.slow
def test_a_cover_page_names_the_pages_with_traces(file_with_cover: bytes) -> None:
    expected = "Page 1 of the file shows print but no trace; read one of the pages 2, 4 and 5, where traces are seen."
    with pytest.raises(EcgReadError, match=expected) as error:
        ecglens.digitize(file_with_cover)
    assert error.value.code == "no_leads"
    abstention = ecglens.read(file_with_cover).abstention
    assert abstention is not None
    assert expected in abstention.reason
    page = read_page(file_with_cover)
    assert describe_contents(page, io.BytesIO(file_with_cover)) == expected


def test_a_single_page_of_print_says_so() -> None:
    page = read_page(text_pdf(draw_cover))
    assert (
        describe_contents(page, text_pdf(draw_cover)) == "The page shows print but no trace; read a page with traces."
    )


def test_only_some_pages_for_some_time_are_looked_at(monkeypatch: pytest.MonkeyPatch, file_with_cover: bytes) -> None:
    page = read_page(file_with_cover)
    monkeypatch.setattr(contents, "LIMITS", replace(contents.LIMITS, max_pages=1))
    assert "read page 2, where traces" in str(describe_contents(page, file_with_cover))
    monkeypatch.setattr(contents, "LIMITS", replace(contents.LIMITS, max_seconds=-1.0))
    assert describe_contents(page, file_with_cover) == "The page shows print but no trace; read a page with traces."


def test_a_damaged_page_of_the_file_is_passed_over(file_with_cover: bytes) -> None:
    page = read_page(file_with_cover)
    assert "where traces are seen" in str(describe_contents(replace(page, count=7), file_with_cover))


def test_pages_with_traces_and_pictures_are_not_called_print() -> None:
    for style in ("plain", "bare", "gray-copy"):
        assert describe_contents(render_page(RECORD, style=style).page) is None
    for name, pixels in generate_not_ecgs(np.random.default_rng(1), 16):
        if name not in {"text page", "form"}:
            assert describe_contents(Page(pixels)) is None, name


@pytest.mark.slow
@pytest.mark.parametrize("value", [0, 128, 255])
def test_the_back_of_a_sheet_is_blank(value: int) -> None:
    noise = np.random.default_rng(1).integers(0, 5, (900, 1200, 3))
    pixels = np.clip(value + noise - 2, 0, 255).astype(np.uint8)
    assert is_blank(read_page(pixels))
    abstention = ecglens.read(pixels).abstention
    assert abstention is not None
    assert "The page is blank" in abstention.reason
    with pytest.raises(EcgReadError, match="The page is blank"):
        ecglens.digitize(pixels)


def test_a_blank_page_of_a_file_names_the_pages_with_traces() -> None:
    trace = page_with_text(render_page(RECORD).page)
    abstention = ecglens.read(text_pdf(lambda canvas: None, trace)).abstention
    assert abstention is not None
    assert "No trace is seen on page 1 of the file; read page 2" in abstention.reason


def test_a_faded_page_is_not_blank() -> None:
    page = render_page(RECORD).page
    faded = (255 - (255 - page.pixels.astype(np.float64)) * 12 / 255).round().astype(np.uint8)
    assert not is_blank(replace(page, pixels=faded))


def test_a_cover_with_two_words_shows_no_trace() -> None:
    pixels = np.full((1700, 1200, 3), 255, np.uint8)
    cv2.putText(pixels, "Page one", (400, 800), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    assert shows_no_trace(Page(pixels))


def test_faded_traces_below_a_dark_title_are_not_called_print() -> None:
    page = render_page(RECORD, style="bare").page
    faded = (255 - (255 - page.pixels.astype(np.float64)) * 40 / 255).round().astype(np.uint8)
    cv2.putText(faded, "Page one", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    assert not shows_no_trace(replace(page, pixels=faded, curves=()))

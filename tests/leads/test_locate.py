"""Locating the leads of a page once, on the view that shows them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from call_counts import count_calls

from ecglens.leads.locate import _MAX_PHOTO_PX, _reduce, locate_by_classes, locate_flat_leads, locate_leads
from ecglens.pages import read_page
from ecglens.records import Box, Layout, NotFound, Page, PageText, PixelClasses

DATA = Path(__file__).resolve().parents[1] / "data"
BLANK = Page(np.full((400, 500, 3), 255, np.uint8))


@pytest.fixture(scope="module")
def sample() -> Page:
    return read_page(DATA / "MI_26.jpg")


def test_a_flat_scan_is_located_as_it_came_and_once(sample: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    located = locate_leads(sample)
    assert located.page is sample
    assert isinstance(located.layout, Layout)
    assert located.layout.name == "3x4+1"
    flat = locate_flat_leads(located)
    assert calls == {"find_layout": 1}
    assert flat.layout is located.layout
    np.testing.assert_array_equal(flat.page.pixels, sample.pixels)


def test_a_layout_that_is_given_is_searched_for_again(sample: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    located = locate_leads(sample)
    calls = count_calls(monkeypatch)
    again = locate_flat_leads(located, name="3x4+1")
    assert calls["find_layout"] >= 1
    assert isinstance(again.layout, Layout)
    assert again.layout.name == "3x4+1"


def test_text_of_the_file_turns_the_page_before_it_is_located(sample: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    on_its_side = replace(
        sample,
        pixels=np.ascontiguousarray(np.rot90(sample.pixels)),
        texts=(PageText("upright letters", Box(5, 5, 90, 15), turns=3),),
    )
    located = locate_leads(on_its_side)
    assert calls == {"find_layout": 1}
    assert isinstance(located.layout, Layout)
    np.testing.assert_array_equal(located.page.pixels, sample.pixels)


def test_blank_paper_comes_back_as_it_was_with_the_reason() -> None:
    located = locate_leads(BLANK)
    assert located.page is BLANK
    assert isinstance(located.layout, NotFound)
    assert "The page is blank" in located.layout.reason
    plane = np.zeros(BLANK.pixels.shape[:2], np.uint8)
    assert locate_by_classes(replace(BLANK, classes=PixelClasses(plane, plane, plane, plane))) is None


def test_a_huge_photograph_is_reduced_and_has_no_text_in_the_wrong_place() -> None:
    page = replace(BLANK, texts=(PageText("aVR", Box(0, 0, 9, 9)),))
    assert _reduce(page) is page
    huge = _reduce(replace(page, pixels=np.zeros((6000, 6000, 3), np.uint8)))
    assert 0.2 * _MAX_PHOTO_PX < huge.height * huge.width <= _MAX_PHOTO_PX
    assert huge.texts == ()

"""Locating the leads of a page once, on the view that shows them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from call_counts import count_calls

from ecglens.formats.csv import read_csv
from ecglens.leads import locate, search_time
from ecglens.leads.locate import _MAX_PHOTO_PX, _reduce, locate_by_classes, locate_flat_leads, locate_leads
from ecglens.pages import read_page
from ecglens.pages.geometry.orientation import turn_by_quarters
from ecglens.records import Box, EcgRecord, Layout, LeadBox, NotFound, Page, PageText, PixelClasses
from ecglens.render import render_page

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


def test_what_takes_long_is_left_out_for_a_sender_who_has_waited_long(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Page(np.random.default_rng(3).integers(0, 256, (700, 900, 3), dtype=np.uint8))
    calls = count_calls(monkeypatch)
    with search_time.end_searches_after(0.0):
        located = locate_flat_leads(locate_leads(noise))
    assert isinstance(located.layout, NotFound)
    assert "The search for leads was stopped, as it took too long." in located.layout.reason
    assert calls == {"find_layout": 1}
    with search_time.end_searches_after(0.0):
        flat = locate_flat_leads(noise)
    assert isinstance(flat.layout, NotFound)
    assert "not located by the rules for scans. The search for leads was stopped" in flat.layout.reason
    assert calls == {"find_layout": 1}


def test_a_picture_without_grid_and_traces_is_refused_on_its_first_view(monkeypatch: pytest.MonkeyPatch) -> None:
    cloth = np.random.default_rng(0).normal(150, 20, (900, 1200, 1)).clip(0, 255).repeat(3, axis=2)
    calls = count_calls(monkeypatch)
    located = locate_flat_leads(Page(np.asarray(cloth, dtype=np.uint8)))
    assert isinstance(located.layout, NotFound)
    assert calls == {"find_layout": 2}  # by rules and by the classes of its pixels


def test_a_huge_photograph_is_reduced_and_has_no_text_in_the_wrong_place() -> None:
    page = replace(BLANK, texts=(PageText("aVR", Box(0, 0, 9, 9)),))
    assert _reduce(page) is page
    huge = _reduce(replace(page, pixels=np.zeros((6000, 6000, 3), np.uint8)))
    assert 0.2 * _MAX_PHOTO_PX < huge.height * huge.width <= _MAX_PHOTO_PX
    assert huge.texts == ()


def test_leads_of_a_bent_view_and_of_a_page_that_was_bent_too_far_are_on_paper_that_is_not_flat() -> None:
    page = Page(np.zeros((400, 400, 3), np.uint8))
    settled = replace(page, bend_mm=3.0, residual_mm=0.02, is_settled=np.ones((2, 2), np.bool_))
    assert locate._is_settled(settled)
    assert not locate._is_settled(replace(settled, bend_mm=21.5))
    assert not locate._is_settled(replace(settled, residual_mm=0.1))
    bent = locate._keep_bent(page, settled)
    assert bent.is_settled is not None
    assert not bent.is_settled.any()
    assert locate._keep_bent(page, page).is_settled is None
    far = locate._doubt_large_bend(replace(settled, bend_mm=21.5))
    assert far.is_settled is not None
    assert not far.is_settled.any()
    assert locate._doubt_large_bend(settled) is settled


def test_the_direction_of_traces_is_found_by_how_even_their_ink_is() -> None:
    across = np.zeros((300, 400), np.uint8)
    across[[60, 61, 150, 151, 240, 241], 20:380] = 255
    blank = np.zeros_like(across)
    page = Page(np.zeros((300, 400, 3), np.uint8))
    assert locate._find_direction(replace(page, classes=PixelClasses(across, blank, blank, blank))) is True
    turned = np.ascontiguousarray(across.T)
    blank = np.zeros_like(turned)
    assert locate._find_direction(replace(page, classes=PixelClasses(turned, blank, blank, blank))) is False


def test_a_search_that_takes_too_long_is_stopped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.full((600, 800, 3), 255, np.uint8)
    across = np.arange(800)
    for row in range(40, 560, 40):
        pixels[(row + 12 * np.sin(across / 11)).astype(int) + np.arange(3)[:, None], across] = 0
    monkeypatch.setattr(search_time, "LIMIT_S", 0.0)
    for search in (locate_leads, locate_flat_leads):
        calls = count_calls(monkeypatch)
        layout = search(Page(pixels)).layout
        assert calls["find_layout"] == 1
        assert isinstance(layout, NotFound)
        assert layout.reason.endswith("The search for leads was stopped, as it took too long.")


def test_a_stroke_beside_the_name_of_a_lead_is_no_recording() -> None:
    record = read_csv(DATA / "ptbxl_00001.csv")
    short = EcgRecord(record.signals_mv[:1, 450:650], record.fs_hz, ("I",))
    page = render_page(short, layout="1x1", pulse="left", seconds=10.0).page
    for search in (locate_leads, locate_flat_leads):
        layout = search(replace(page, curves=(), texts=())).layout
        assert isinstance(layout, NotFound)


def test_one_lead_on_its_side_is_not_read_as_it_looks_alike_either_way(
    sample: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = locate_leads(sample).layout
    page = Page(np.zeros((600, 800, 3), np.uint8))
    turned = next(turn_by_quarters(page))
    boxes = tuple(LeadBox(lead, Box(0, 0, 9, 9), 5.0) for lead in ("I", "II", "III"))
    for count, expected in ((1, None), (3, turned)):
        layout = replace(whole, leads=boxes[:count])
        monkeypatch.setattr(locate, "find_layout", lambda view, layout=layout, **options: layout)
        located = locate._first_located([turned])
        assert (located and located.page) is expected

"""Assessing pictures of pages before they are read."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ecglens
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.pages.assessing import LIMITS, assess_page, describe_hints
from ecglens.records import Box, Page, PageText
from ecglens.render import damage, render_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
RENDERED = render_page(RECORD)
PAGE = RENDERED.page


def reduce_page(zoom: float) -> Page:
    return Page(np.asarray(cv2.resize(PAGE.pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)))


def test_a_good_picture_gets_no_hint() -> None:
    assessment = assess_page(PAGE)
    assert assessment.is_good
    assert assessment.hints == ()
    assert assessment.px_per_mm == pytest.approx(200 / 25.4, rel=0.01)
    assert assessment.to_dict()["is_good"] is True


@pytest.mark.parametrize("kind", ["perspective", "curl", "shadow", "uneven-light", "fold"])
def test_a_photograph_that_can_be_read_gets_no_hint(kind: str) -> None:
    assert assess_page(damage(RENDERED, kind, 0.5, seed=1).page).hints == ()


def test_a_distant_page_asks_to_come_closer() -> None:
    assert assess_page(reduce_page(0.55)).is_close
    far = assess_page(reduce_page(0.35))
    assert not far.is_close
    assert far.hints == ("Move closer, until the page fills the picture.",)


def test_a_small_page_on_a_large_table_asks_to_come_closer() -> None:
    table = np.full((3 * PAGE.height, 3 * PAGE.width, 3), (90, 80, 70), dtype=np.uint8)
    table[PAGE.height : 2 * PAGE.height, PAGE.width : 2 * PAGE.width] = PAGE.pixels
    assert "Move closer, until the page fills the picture." in assess_page(Page(table)).hints


def test_a_blurred_page_asks_to_hold_still() -> None:
    assert assess_page(damage(RENDERED, "blur", 0.5, seed=1).page).is_sharp
    assert (
        "Hold the phone still and tap on the page to focus." in assess_page(damage(RENDERED, "blur", 1, 1).page).hints
    )


def test_a_dark_page_asks_for_light_and_a_pale_one_for_contrast() -> None:
    assert assess_page(Page(np.asarray(PAGE.pixels * 0.4, dtype=np.uint8))).is_bright
    assert assess_page(Page(np.asarray(PAGE.pixels * 0.25, dtype=np.uint8))).hints == ("Use more light.",)
    pale = Page(np.asarray(255 - (255 - PAGE.pixels.astype(float)) * 0.2, dtype=np.uint8))
    assert "Avoid glare, and let the light fall from the side." in assess_page(pale).hints


@pytest.mark.parametrize("part", [np.s_[:, 400:], np.s_[:, :1800]])
def test_a_cut_page_asks_for_all_corners(part: tuple[slice, slice]) -> None:
    cut = assess_page(Page(np.ascontiguousarray(PAGE.pixels[part])))
    assert not cut.is_whole
    assert cut.hints == ("Show all four corners of the page.",)


def test_corners_that_are_visible_are_returned() -> None:
    table = np.full((2000, 3000, 3), (90, 80, 70), dtype=np.uint8)
    table[200 : 200 + PAGE.height, 300 : 300 + PAGE.width] = PAGE.pixels
    assessment = assess_page(Page(table))
    assert assessment.corners is not None
    assert np.allclose(assessment.corners[0], (300, 200), atol=12)
    assert assessment.is_whole


def test_a_picture_of_nothing_is_assessed_too() -> None:
    blank = assess_page(Page(np.full((400, 500, 3), 255, np.uint8)))
    assert blank.px_per_mm is None
    assert blank.edge_px is None
    assert blank.is_sharp
    assert blank.is_close


def test_a_file_is_assessed_in_a_moment(tmp_path: Path) -> None:
    Image.fromarray(PAGE.pixels).save(tmp_path / "page.png")
    assert ecglens.assess(tmp_path / "page.png").is_good
    began = time.process_time()
    assess_page(PAGE)
    assert time.process_time() - began < 1.0  # 0.05 s; ten times that on a busy machine


def test_a_refusal_says_what_to_do() -> None:
    far = reduce_page(0.25)
    half = Page(np.ascontiguousarray(far.pixels[:310, :310]))
    with pytest.raises(EcgReadError, match="Move closer, until the page fills the picture"):
        digitize_page(half)
    assert describe_hints(PAGE) == ""
    named = Page(far.pixels, texts=(PageText("I", Box(0, 0, 9, 9)),))
    assert describe_hints(named) == ""
    assert LIMITS.min_px_per_mm > 2

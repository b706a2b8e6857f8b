from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.pages.geometry.paper_edges import find_paper_corners, rectify, rectify_by_edges
from ecglens.records import Page
from ecglens.render import render_page

RECORD = read_csv(Path(__file__).resolve().parents[2] / "data" / "ptbxl_00001.csv")


def photo(corners, *, table=90, size=(700, 1000)):
    pixels = np.full((*size, 3), table, np.uint8)
    cv2.fillConvexPoly(pixels, np.array(corners, np.int32), (245, 245, 245))
    return Page(pixels)


@pytest.mark.parametrize(
    "corners",
    [
        [(60, 40), (930, 90), (900, 640), (100, 600)],
        [(120, 120), (880, 30), (950, 560), (180, 670)],  # turned
        [(0, 0), (930, 50), (999, 699), (80, 640)],  # two at the picture's own
    ],
)
def test_the_corners_of_a_sheet_on_a_table_are_found_clockwise(corners):
    edges = find_paper_corners(photo(corners))
    assert np.abs(np.array(edges) - corners).max() < 4


def test_a_photo_is_rectified_with_a_warning():
    corners = [(60, 40), (930, 90), (900, 640), (100, 600)]
    flat, source = rectify_by_edges(photo(corners))
    first = source.to_source @ (0, 0, 1)
    assert np.abs(first[:2] / first[2] - corners[0]).max() < 6
    assert flat.pixels.mean() > 240
    assert "photographed at an angle" in flat.warnings[-1]
    assert np.abs(np.subtract(flat.pixels.shape, rectify(photo(corners), corners).pixels.shape)).max() <= 8


@pytest.mark.parametrize(
    "page",
    [
        Page(np.full((600, 900, 3), 255, np.uint8)),
        Page(np.zeros((600, 900, 3), np.uint8)),
        photo([(0, 0), (999, 0), (999, 699), (0, 699)]),  # the paper is the picture
        photo([(450, 300), (560, 300), (560, 390), (450, 390)]),  # a small thing
        photo([(500, 10), (940, 200), (940, 500), (500, 690), (60, 500), (60, 200)]),  # of six sides
    ],
)
def test_what_is_no_sheet_on_something_darker_is_left_alone(page):
    assert find_paper_corners(page) is None
    assert rectify_by_edges(page) is None


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3))))
def test_any_picture_has_corners_within_it_or_none(pixels):
    page = Page(pixels)
    edges = find_paper_corners(page)
    if edges is not None:
        columns, rows = np.array(edges).T
        assert (columns >= 0).all()
        assert (columns <= page.width - 1).all()
        assert (rows >= 0).all()
        assert (rows <= page.height - 1).all()


def test_corners_given_by_hand_undo_perspective() -> None:
    page = render_page(RECORD).page
    whole = rectify(page, [(0, 0), (page.width - 1, 0), (page.width - 1, page.height - 1), (0, page.height - 1)])
    assert abs(whole.width - page.width) <= 1
    assert abs(whole.height - page.height) <= 1
    with pytest.raises(EcgReadError, match="Expected four corners"):
        rectify(page, [(0, 0), (0, 10), (10, 10), (10, 0)])

"""Painting over what is printed around the traces."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.leads.layout import find_layout
from ecglens.pages.read import read_page
from ecglens.printed.redaction import redact
from ecglens.records import Box, Layout, PageText

PAGE = Path(__file__).parents[1] / "data" / "Normal_1.jpg"


@pytest.fixture
def page():
    return read_page(PAGE)


def dark(pixels):
    return int((pixels.max(axis=2) < 110).sum())


def written(page, row):
    """Return the page with a name across a row."""
    pixels = page.pixels.copy()
    cv2.putText(pixels, "SMITH 4711", (420, round(row) + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return replace(page, pixels=pixels)


def test_nothing_is_left_around_the_traces_and_all_of_them_stay(page):
    layout = find_layout(page)
    done, area = redact(page, layout).pixels, layout.trace_area
    top, bottom = int(area.top) - 6, int(area.bottom) + 6

    assert dark(page.pixels[:top]) > 100
    assert dark(done[:top]) == dark(done[bottom:]) == 0
    inside = np.s_[int(area.top) : int(area.bottom), int(area.left) : int(area.right)]
    np.testing.assert_array_equal(done[inside], page.pixels[inside])
    np.testing.assert_array_equal(page.pixels, read_page(PAGE).pixels)


@pytest.mark.parametrize("edge", ["top", "bottom"])
def test_a_name_that_the_edge_would_cut_goes_whole(page, edge):
    layout = find_layout(page)
    row = (
        layout.trace_area.top - layout.px_per_mm[0] if edge == "top" else layout.trace_area.bottom + layout.px_per_mm[0]
    )
    part = np.s_[round(row) - 20 : round(row) + 20, 415:520]
    before, named = redact(page, layout).pixels, written(page, row)

    assert dark(named.pixels[part]) > dark(page.pixels[part]) + 50
    assert dark(redact(named, layout).pixels[part]) <= dark(before[part]) + 2


def test_a_turned_page_is_redacted_along_its_own_edges(page):
    matrix = cv2.getRotationMatrix2D((page.width / 2, page.height / 2), -3.0, 1.0)
    turned = cv2.warpAffine(page.pixels, matrix, (page.width, page.height), borderValue=(255, 255, 255))
    layout = find_layout(replace(page, pixels=turned))

    assert isinstance(layout, Layout)
    done = redact(replace(page, pixels=turned), layout)
    assert dark(done.pixels[:90]) == 0
    assert find_layout(done).name == "3x4+1"


def test_text_of_the_file_that_names_a_person_goes_with_the_print(page):
    layout = find_layout(page)
    name, area = layout.names[0], layout.trace_area
    texts = (
        PageText("SMITH 4711", Box(5, 400, 20, 500)),
        PageText("I", name),
        PageText("x", Box(area.top - 9, 9, 99, 99)),
    )
    assert redact(replace(page, texts=texts), layout).texts == (texts[1],)

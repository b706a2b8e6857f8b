"""Classes of pixels: where the shipped network sees traces, grid and pulses on rendered pages."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from synthetic_ecgs import synthesize_ecg

from ecglens.records import Page
from ecglens.render import render_page
from ecglens.vision.pixel_classes import classify_page

RECORD = synthesize_ecg()
BARE = {"grid": "none", "names": None, "header": None}


def trace_of(page: Page):
    assert page.classes is not None
    return page.classes.trace


@pytest.mark.parametrize("grid", ["red-lines", "gray-lines", "pink-dotted"])
def test_traces_are_seen_and_grids_are_not(grid):
    page = classify_page(render_page(RECORD, grid=grid, dpi=120).page)
    ink = 255 - render_page(RECORD, dpi=120, **BARE).page.pixels[..., 0]
    classified, true = trace_of(page) > 127, ink > 127
    area = slice(len(ink) // 4, None)  # below the header
    assert (classified & true)[area].sum() / (classified | true)[area].sum() > 0.5
    assert (page.classes.grid[area] > 127).sum() > 5 * true[area].sum() or grid == "pink-dotted"


def test_a_page_keeps_its_size_and_a_small_one_is_enlarged():
    page = render_page(RECORD, dpi=200).page
    assert trace_of(classify_page(page)).shape == page.pixels.shape[:2]
    small = replace(page, pixels=cv2.resize(page.pixels, (700, 500), interpolation=cv2.INTER_AREA))
    enlarged = classify_page(small)
    assert trace_of(enlarged).shape == enlarged.pixels.shape[:2] == (1000, 1400)


def test_blank_paper_has_no_traces():
    page = classify_page(Page(np.full((800, 1000, 3), 255, np.uint8), "blank"))
    assert not (trace_of(page) > 127).any()

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_models import ecg_page

from ecglens.leads import find_layout
from ecglens.models.inputs import TraceCanvas, make_input, make_trace_canvas
from ecglens.pages import read_page
from ecglens.pages.preprocessing import rotate
from ecglens.records import InkMap, Layout, Page

DATA = Path(__file__).resolve().parents[2] / "data"
SAMPLES = ["Normal_1.jpg", "HB_1.jpg", "MI_26.jpg", "PMI_18.jpg"]
RECIPE = TraceCanvas()
NO_PAGE = Page(np.zeros((1, 1, 3), np.uint8))


def layout_of(pixels: np.ndarray) -> Layout:
    layout = find_layout(Page(np.ascontiguousarray(pixels)))
    assert isinstance(layout, Layout), layout
    return layout


def canvas_of(layout: Layout, recipe: TraceCanvas = RECIPE) -> np.ndarray:
    """Return the array of a recipe that needs no more of a page than its layout."""
    (array,) = make_input(NO_PAGE, layout, recipe)["page"]
    return array


def array_of(pixels: np.ndarray) -> np.ndarray:
    return canvas_of(layout_of(pixels))


@pytest.fixture(params=[*SAMPLES, "rendered"])
def pixels(request: pytest.FixtureRequest) -> np.ndarray:
    return ecg_page(dpi=200).pixels if request.param == "rendered" else read_page(DATA / request.param).pixels


def header_of(layout: Layout) -> slice:
    return slice(0, int(layout.trace_area.top) - 60)


def test_the_array_has_the_recipe_s_shape_and_scale(pixels):
    array = array_of(pixels)
    assert array.shape == (1, 304, 512)
    assert array.dtype == np.float32
    assert array.min() >= 0
    assert 3 < array.max() <= 4
    scaled = canvas_of(layout_of(pixels), TraceCanvas(mean=0.5, std=0.5))
    np.testing.assert_allclose(scaled, (array * 0.25 - 0.5) / 0.5, atol=1e-6)


@pytest.mark.parametrize("color", [0, 255, "mirrored"])
def test_header_and_footer_never_reach_the_array(color):
    for name in SAMPLES:
        before = read_page(DATA / name).pixels
        layout = layout_of(before)
        after = before.copy()
        for part in (header_of(layout), slice(int(layout.trace_area.bottom) + 12, None)):
            after[part] = after[part][:, ::-1] if color == "mirrored" else color
        assert (after != before).mean() > 0.02
        changed, cropped = array_of(after), array_of(before)
        # A black bar moves the grid's edge by a pixel and its blackest ink by a shade; no bar or letter is seen.
        assert np.abs(changed - cropped).max() < (0.8 if color == 0 else 1e-6)
        assert np.corrcoef(changed.ravel(), cropped.ravel())[0, 1] > (0.995 if color == 0 else 0.999999)


def test_pulses_and_what_is_left_and_right_of_the_traces_never_reach_the_array(pixels):
    layout = layout_of(pixels)
    ink = layout.ink
    left = int(ink.column(min(lead.box.left for lead in layout.leads))) - 1
    right = int(np.ceil(ink.column(max(lead.box.right for lead in layout.leads)))) + 1
    painted = ink.pixels.copy()
    assert (painted[:, :left] > 200).sum() > 50  # the pulses
    painted[:, :left] = 255 - painted[:, :left]
    painted[:, right:] = 255 - painted[:, right:]
    other = replace(layout, ink=InkMap(painted, ink.scale, ink.origin))
    np.testing.assert_array_equal(canvas_of(other), canvas_of(layout))


def test_ink_above_and_below_the_strips_never_reaches_the_array(pixels):
    layout = layout_of(pixels)
    ink = layout.ink
    half = (RECIPE.strip_mm / 2 + 1) * layout.px_per_mm[0]
    zeros = [lead.baseline_px for lead in layout.leads]
    top, bottom = int(ink.row(min(zeros) - half)), int(np.ceil(ink.row(max(zeros) + half)))
    painted = ink.pixels.copy()
    painted[: max(0, top)] = 255
    painted[bottom:] = 255
    other = replace(layout, ink=InkMap(painted, ink.scale, ink.origin))
    np.testing.assert_array_equal(canvas_of(other), canvas_of(layout))


def test_the_traces_do_reach_the_array(pixels):
    layout = layout_of(pixels)
    blank = replace(layout, ink=InkMap(np.zeros_like(layout.ink.pixels), layout.ink.scale, layout.ink.origin))
    assert canvas_of(blank).max() == 0
    assert (canvas_of(layout) > 1).mean() > 0.01


def test_a_page_of_twice_the_size_gives_the_same_array(pixels):
    twice = np.asarray(cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    before, after = array_of(pixels), array_of(twice)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98
    assert np.abs(before - after).mean() < 0.06


@pytest.mark.parametrize("turn", [-2.0, 2.0])
def test_a_page_that_is_turned_gives_the_same_array(pixels, turn):
    before, after = array_of(pixels), array_of(rotate(pixels, turn))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.93
    assert np.abs(before - after).mean() < 0.08


def test_each_strip_has_its_zero_line_in_the_middle_and_1_mv_is_10_mm():
    page = ecg_page()
    canvas = make_trace_canvas(layout_of(page.pixels), RECIPE)
    strip = canvas[: RECIPE.height // 4]
    most = int(strip.sum(axis=1).argmax())
    assert most == pytest.approx(len(strip) / 2, abs=1.5)
    rhythm = canvas[3 * RECIPE.height // 4 :]
    columns = np.flatnonzero((rhythm[: len(rhythm) // 2 - 10] > 100).any(axis=0))
    tallest = min(int(np.flatnonzero(rhythm[:, column] > 100)[0]) for column in columns)
    # Lead II's R waves are 0.9 to 1.1 mV; a strip shows 38 mm.
    assert (len(rhythm) / 2 - tallest) / len(rhythm) * 38 == pytest.approx(10, abs=1.6)


def test_strips_are_in_the_page_s_order_whatever_the_order_of_the_leads(pixels):
    layout = layout_of(pixels)
    mixed = replace(layout, leads=layout.leads[::-1])
    np.testing.assert_array_equal(canvas_of(mixed), canvas_of(layout))

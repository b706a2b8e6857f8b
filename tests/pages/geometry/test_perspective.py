from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from not_ecgs import generate_not_ecgs
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.pages.geometry.dewarping import estimate_bend
from ecglens.pages.geometry.perspective import rectify_by_grid
from ecglens.pages.grid import find_grid
from ecglens.records import Page
from ecglens.render import damage, render_page

RECORD = read_csv(Path(__file__).parents[2] / "data" / "ptbxl_00001.csv")


def photo(strength, seed=2, *, layout="3x4+1", kind="perspective"):
    return damage(render_page(RECORD, layout=layout), kind=kind, strength=strength, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "strength"), [("perspective", 1.0), ("perspective", 0.6), ("rotation", 1.0)])
def test_a_photographed_grid_becomes_square_and_upright(kind, strength):
    page = photo(strength, kind=kind).page
    flat, source = rectify_by_grid(page)

    grid = find_grid(flat.pixels)
    assert grid.strength > 6
    assert grid.px_per_mm[0] == pytest.approx(grid.px_per_mm[1], rel=0.01)
    assert estimate_bend(flat).most_mm < 2
    assert "photographed at an angle" in flat.warnings[-1]
    middle = np.array([flat.width / 2, flat.height / 2, 1.0])
    column, row, depth = source.to_source @ middle
    there = page.pixels[round(row / depth), round(column / depth)]
    assert np.abs(there.astype(int) - flat.pixels[flat.height // 2, flat.width // 2]).max() < 40


def test_a_page_that_lies_flat_stays_as_large_as_it_is():
    page = render_page(RECORD).page
    flat, _ = rectify_by_grid(page)
    assert (flat.height, flat.width) == pytest.approx((page.height, page.width), rel=0.02)


@pytest.mark.slow
def test_leads_are_read_from_a_page_seen_far_from_aside():
    rendered = photo(1.0, layout="6x2")
    tracing = digitize_page(rendered.page)
    assert tracing.layout.name == "6x2"
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 8


@pytest.mark.parametrize(
    "pixels", [pixels for kind, pixels in generate_not_ecgs(np.random.default_rng(5), 24) if "paper" not in kind]
)
def test_pictures_without_a_grid_are_left_alone(pixels):
    assert rectify_by_grid(Page(pixels)) is None


@pytest.mark.parametrize(
    "pixels",
    [np.full((500, 900, 3), 255, np.uint8), np.zeros((4000, 300, 3), np.uint8), np.zeros((40, 30, 3), np.uint8)],
)
def test_blank_and_tiny_pictures_tell_nothing(pixels):
    assert rectify_by_grid(Page(pixels)) is None


@settings(max_examples=20, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 400), st.integers(1, 400), st.just(3)), elements=st.integers(0, 255)))
def test_noise_of_any_size_tells_nothing(pixels):
    assert rectify_by_grid(Page(pixels)) is None

"""Ink taken off a photographed grid and put on clean paper."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.pages.grid import find_grid
from ecglens.pages.grid_removal import remove_photographed_grid
from ecglens.records import Box, NotFound, Page, PageText
from ecglens.render import damage, render_page

RECORD = read_csv(Path(__file__).parents[1] / "data" / "ptbxl_00001.csv")


def squared_paper() -> NDArray[np.uint8]:
    """Return grainy blue paper with a grid of 4 px/mm in light that fades from left to right."""
    pixels = np.full((400, 600, 3), (205, 215, 235), np.float64)
    for step, color in ((4, (170, 185, 220)), (20, (110, 130, 190))):
        pixels[::step] = pixels[:, ::step] = color
    grain = np.random.default_rng(0).normal(0, 4, pixels.shape)
    return np.asarray(pixels * np.linspace(1, 0.7, 600)[None, :, None] + grain, dtype=np.uint8)


def test_ink_is_black_on_white_paper_with_the_same_grid() -> None:
    pixels = squared_paper()
    lines = np.r_[91:95, 191:195, 291:295]
    pixels[lines, 50:550] = 30
    page = Page(pixels, warnings=("It was bent.",), texts=(PageText("aVR", Box(0, 0, 9, 9)),))
    clean = remove_photographed_grid(page)
    assert clean is not None
    is_ink = clean.pixels.max(axis=2) < 100
    assert is_ink[lines, 52:548].mean() > 0.98
    is_ink[lines] = False
    assert is_ink.mean() < 0.001
    assert np.median(clean.pixels) == 255
    grid = find_grid(clean.pixels)
    assert not isinstance(grid, NotFound)
    assert grid.px_per_mm == pytest.approx((4, 4), rel=0.01)
    assert clean.texts == ()
    assert clean.warnings[0] == "It was bent."
    assert "clean paper" in clean.warnings[1]


@pytest.mark.parametrize(
    "pixels",
    [np.full((500, 900, 3), 255, np.uint8), np.zeros((4000, 300, 3), np.uint8), np.zeros((40, 30, 3), np.uint8)],
    ids=["blank", "black", "tiny"],
)
def test_a_picture_without_a_grid_is_left_alone(pixels: NDArray[np.uint8]) -> None:
    assert remove_photographed_grid(Page(pixels)) is None


@pytest.mark.slow
def test_lifting_takes_the_grid_off_and_leaves_the_traces():
    rendered = damage(render_page(RECORD, grid="red-lines"), kind="uneven-light", strength=0.8, seed=1)
    clean = remove_photographed_grid(rendered.page)
    assert not isinstance(find_grid(clean.pixels), NotFound)
    assert 0.002 < (clean.pixels.max(axis=2) < 100).mean() < 0.05
    assert np.median(clean.pixels) == 255
    assert "clean paper" in clean.warnings[-1]
    tracing = digitize_page(clean)
    assert tracing.layout.name == "3x4+1"
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 10

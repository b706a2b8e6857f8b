from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecglens.pages import preprocessing, read_page
from ecglens.pages.grid import crop_to_grid, find_grid
from ecglens.records import NotFound

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "Normal_1.jpg"


def grid_page(px_per_mm: float, *, height: int = 700, width: int = 900) -> NDArray[np.uint8]:
    """Draw white paper with a pink grid: every mm a faint line, every 5 mm a strong one, with a scanner's grain."""
    fine = np.full((4 * height, 4 * width, 3), 255, dtype=np.uint8)
    for axis, length in ((0, 4 * height), (1, 4 * width)):
        for index, place in enumerate(np.arange(12.0, length - 4, 4 * px_per_mm)):
            across = slice(round(place), round(place) + 4)
            fine[(across, slice(None)) if axis == 0 else (slice(None), across)] = (
                (245, 160, 160) if index % 5 == 0 else (252, 215, 215)
            )
    page = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(0).normal(0, 2, page.shape)
    return np.clip(page + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("step", ["clahe", "median", "gaussian", "otsu", "canny"])
def test_a_step_keeps_size_and_input(step: str) -> None:
    image = preprocessing.gray(read_page(SAMPLE).pixels)
    before = image.copy()
    changed = getattr(preprocessing, step)(image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    np.testing.assert_array_equal(image, before)


def test_otsu_and_canny_are_binary() -> None:
    image = preprocessing.gray(read_page(SAMPLE).pixels)
    for binary in (preprocessing.otsu(image), preprocessing.canny(image)):
        assert set(np.unique(binary)) == {0, 255}


def test_gray_weighs_colors_as_the_eye_does() -> None:
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(preprocessing.gray(colors), [[76, 150, 29, 255]])


def test_gaussian_of_zero_changes_nothing() -> None:
    image = preprocessing.gray(read_page(SAMPLE).pixels)
    np.testing.assert_array_equal(preprocessing.gaussian(image, sigma_px=0), image)


def test_ink_keeps_black_and_drops_a_pink_grid_under_a_shadow() -> None:
    page = grid_page(6.0).astype(np.float64)
    page[300:304, 100:800] = 20
    page *= np.linspace(1.0, 0.6, page.shape[1])[None, :, None]
    dark = preprocessing.extract_ink(page.astype(np.uint8))
    assert dark[301, 100:800].min() > 200
    assert np.median(dark[:290]) < 10
    assert np.quantile(dark[:290], 0.99) < 40


def test_the_grid_is_removed_and_the_trace_stays() -> None:
    page = grid_page(6.0)
    page[300:303, 100:800] = 10
    clean = preprocessing.remove_grid(page)
    assert clean[301, 100:800].max() < 40
    assert clean[:290].min() > 225


@pytest.mark.slow
@settings(max_examples=60)
@given(st.floats(-9.5, 9.5))
def test_skew_is_measured_to_a_tenth_of_a_degree(angle: float) -> None:
    turned = preprocessing.rotate(grid_page(6.0), angle)
    assert preprocessing.estimate_skew(turned) == pytest.approx(angle, abs=0.1)


@pytest.mark.parametrize("shape", [(90, 70), (1700, 1300), (1700, 1300, 3)], ids=["small", "large", "large in color"])
def test_a_picture_is_reduced_to_averages_over_areas(shape: tuple[int, ...]) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape).astype(np.uint8)
    small = preprocessing.reduce_picture(ramp, 60, 80)
    assert small.shape == (80, 60, *shape[2:])
    expected = np.linspace(0, 255, 80).reshape(-1, *[1] * (len(shape) - 1))
    np.testing.assert_allclose(small, np.broadcast_to(expected, small.shape), atol=4)


def test_rotating_back_restores_the_middle_of_a_page() -> None:
    page = preprocessing.gaussian(preprocessing.gray(read_page(SAMPLE).pixels), sigma_px=3)
    page = np.repeat(page[..., None], 3, axis=2)
    back = preprocessing.rotate(preprocessing.rotate(page, 2.0), -2.0)
    inner = np.s_[100:-100, 100:-100]
    assert np.abs(back[inner].astype(int) - page[inner]).mean() < 2


@pytest.mark.parametrize("px_per_mm", [2.5, 3.937, 6.0, 9.3])
def test_scale_is_read_from_the_grid(px_per_mm: float) -> None:
    grid = find_grid(grid_page(px_per_mm))
    assert grid
    assert grid.px_per_mm == pytest.approx((px_per_mm, px_per_mm), rel=0.005)


def test_the_grids_place_is_found_and_header_and_footer_go() -> None:
    page = np.full((1100, 1000, 3), 255, dtype=np.uint8)
    page[200:900, 50:950] = grid_page(5.0)
    for row in (60, 120, 980, 1050):
        cv2.putText(page, "ECG REPORT 168607 Male 2020", (60, row), 0, 1.2, (0, 0, 0), 2)
    grid = find_grid(page)
    assert grid
    assert (grid.box.top, grid.box.bottom) == pytest.approx((200, 900), abs=30)
    assert (grid.box.left, grid.box.right) == pytest.approx((50, 950), abs=30)
    cropped = crop_to_grid(page)
    assert cropped.min(axis=2).min() > 100, "print was left in"


@pytest.mark.parametrize("kind", ["white", "noise", "text"])
def test_no_grid_is_a_falsy_reason(kind: str) -> None:
    rng = np.random.default_rng(3)
    page = np.full((700, 900, 3), 255, dtype=np.uint8)
    if kind == "noise":
        page = rng.integers(0, 256, page.shape, dtype=np.uint8)
    if kind == "text":
        for row in range(60, 660, 41):
            cv2.putText(page, "no sign at rest or under load", (60, row), 0, 1.0, (0, 0, 0), 2)
    grid = find_grid(page)
    assert isinstance(grid, NotFound)
    assert "No regular grid" in grid.reason
    np.testing.assert_array_equal(crop_to_grid(page), page)

"""Pages turned upright and brought to one scale by their grid."""

from pathlib import Path

import numpy as np
import pytest
from ink_lines import normalized_from

from ecglens.formats.csv import read_csv
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage, normalize_at_scale, normalize_page
from ecglens.pages.preprocessing import rotate
from ecglens.records import Box, NotFound, Page, PixelClasses
from ecglens.render import RenderedPage, damage, render_page
from ecglens.vision.pixel_classes import classify_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")


@pytest.fixture(scope="module")
def rendering() -> RenderedPage:
    return render_page(RECORD, dpi=150)


def normalize(page: Page) -> NormalizedPage:
    normalized = normalize_page(page)
    assert isinstance(normalized, NormalizedPage), normalized
    return normalized


def test_ink_is_at_one_scale_and_maps_back_to_the_page(rendering: RenderedPage) -> None:
    normalized = normalize(rendering.page)
    assert normalized.grid.px_per_mm == pytest.approx([rendering.truth.px_per_mm] * 2, rel=0.003)
    assert normalized.scale == pytest.approx([rendering.truth.px_per_mm / PX_PER_MM] * 2, rel=0.003)
    assert normalized.rotation_deg == 0
    zero = rendering.truth.pulses[0].bottom
    row = round((zero - normalized.origin[0]) / normalized.scale[0])
    assert normalized.row(row) == pytest.approx(zero, abs=normalized.scale[0])
    assert (normalized.ink[row - 4 : row + 5] > 90).any(axis=0).mean() > 0.8


@pytest.mark.parametrize("angle", [-2.0, 1.5])
def test_a_skewed_page_is_turned_upright(rendering: RenderedPage, angle: float) -> None:
    skewed = Page(rotate(rendering.page.pixels, angle))
    normalized = normalize(skewed)
    assert normalized.rotation_deg == pytest.approx(angle, abs=0.1)
    middle = np.array([(skewed.width - 1) / 2, (skewed.height - 1) / 2, 1.0])
    assert np.array(normalized.to_upright) @ middle == pytest.approx(middle[:2], abs=0.01)


def test_boxes_are_moved_by_the_origin_and_the_scale() -> None:
    normalized = NormalizedPage(
        ink=np.zeros((9, 9), np.uint8),
        scale=(2.0, 3.0),
        origin=(10.0, 20.0),
        rotation_deg=0.0,
        to_upright=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        grid=normalized_from(np.zeros((9, 9), np.uint8)).grid,
    )
    assert (normalized.row(4), normalized.column(4)) == (18, 32)
    assert normalized.box(1, 2, 3, 4) == Box(12, 26, 16, 32)


def test_a_page_without_a_grid_is_refused_and_can_be_given_its_scale(rendering: RenderedPage) -> None:
    bare = render_page(RECORD, dpi=150, grid="none").page
    answer = normalize_page(bare)
    assert isinstance(answer, NotFound)
    assert "grid" in answer.reason
    normalized = normalize_at_scale(bare, rendering.truth.px_per_mm)
    assert normalized.origin == (0, 0)
    size_mm = np.array(normalized.ink.shape) / PX_PER_MM
    assert size_mm == pytest.approx(np.array([bare.height, bare.width]) / rendering.truth.px_per_mm, abs=1)


def test_the_classes_of_the_pixels_are_used_where_they_are_known(rendering: RenderedPage) -> None:
    shape = rendering.page.pixels.shape[:2]
    trace, pulse = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    trace[shape[0] // 2, :] = pulse[shape[0] // 4, :] = 255
    page = Page(rendering.page.pixels, classes=PixelClasses(trace, np.zeros_like(trace), np.zeros_like(trace), pulse))
    normalized = normalize_at_scale(page, float(PX_PER_MM))
    assert normalized.pulse is not None
    height = normalized.ink.shape[0]
    assert normalized.ink.sum(axis=1).argmax() == pytest.approx(height / 2, abs=2)
    assert normalized.pulse.sum(axis=1).argmax() == pytest.approx(height / 4, abs=2)


def test_a_pile_of_pages_is_refused_by_the_size_of_its_paper(rendering: RenderedPage) -> None:
    result = normalize_page(Page(np.ascontiguousarray(np.tile(rendering.page.pixels, (6, 1, 1)))))
    assert isinstance(result, NotFound)
    assert "By its grid the paper would be 1.1 m long; crop the picture to one page." in result.reason


@pytest.mark.parametrize(("kind", "seed"), [("noise", 3), ("noise", 11), ("jpeg", 3), ("jpeg", 11)])
def test_noise_and_blocks_of_a_jpeg_are_no_grid(kind: str, seed: int) -> None:
    page = damage(render_page(RECORD, layout="6x2", style="bare", dpi=138), kind=kind, strength=0.8, seed=seed).page
    assert isinstance(normalize_page(page), NotFound)
    assert isinstance(normalize_page(classify_page(page)), NotFound)


def test_a_page_without_a_grid_is_turned_upright_by_its_lines() -> None:
    page = render_page(RECORD, style="bare").page
    turned = Page(rotate(page.pixels, 2.0))
    normalized = normalize_at_scale(turned, 7.87)
    assert abs(normalized.rotation_deg) == pytest.approx(2.0, abs=0.15)
    assert normalize_at_scale(page, 7.87).rotation_deg == 0

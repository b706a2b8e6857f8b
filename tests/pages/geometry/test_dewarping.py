"""Dewarping by the grid."""

from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead
from rendered_recorders import as_jpeg

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.pages import read_page
from ecglens.pages.geometry.dewarping import estimate_bend, flatten
from ecglens.render import damage, render_page
from ecglens.render.paper import GridStyle

DATA = Path(__file__).resolve().parents[2] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.slow
def test_a_curled_page_is_dewarped_by_its_grid() -> None:
    rendered = damage(render_page(RECORD), kind="curl", strength=0.4, seed=3)
    before = estimate_bend(rendered.page)
    assert before is not None
    assert before.most_mm > 2
    after = estimate_bend(flatten(rendered.page))
    assert after is not None
    assert after.most_mm < 0.5
    tracing = digitize_page(rendered.page)
    assert any("bent or photographed" in warning for warning in tracing.warnings)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 5


def test_a_flat_page_keeps_its_pixels() -> None:
    page = read_page(DATA / "MI_26.jpg")
    assert flatten(page).pixels is page.pixels


@pytest.mark.parametrize("layout", ["3x4+1", "3x2-limb"])
@pytest.mark.parametrize("quality", [90, 75])
def test_a_flat_gray_page_saved_as_jpeg_keeps_its_pixels(layout: str, quality: int) -> None:
    gray = GridStyle((205, 205, 205), (130, 130, 130), 0.12, 0.25)
    page = as_jpeg(render_page(RECORD, layout=layout, dpi=120, grid=gray).page, quality)
    flat = flatten(page)
    assert flat.pixels is page.pixels
    assert flat.bend_mm < 1


@pytest.mark.slow
def test_a_slight_fold_is_dewarped() -> None:
    rendered = damage(render_page(RECORD), kind="fold", strength=0.16, seed=3)
    tracing = digitize_page(rendered.page)
    assert tracing.page.bend_mm > 0.8
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 10

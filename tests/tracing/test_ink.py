"""Ink of traces, separated from grids and separators."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    "grid", ["red-dotted", "green-lines", "blue-dotted", "orange-lines", "gray-lines", "gray-dotted"]
)
def test_every_kind_of_grid_is_separated_from_the_traces(grid: str) -> None:
    rendered = render_page(RECORD, grid=grid)
    assert np.median(list(compute_snr_by_lead(rendered, digitize_page(rendered.page)).values())) > 16


def test_a_grid_nearly_as_dark_as_the_traces_is_removed() -> None:
    rendered = render_page(RECORD, grid="none")
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    for every_mm, color in ((1, (29, 56, 106)), (5, (9, 110, 77))):
        rows, columns = (np.arange(0, side, every_mm * px_per_mm).astype(int) for side in pixels.shape[:2])
        pixels[rows] = np.minimum(pixels[rows], color)
        pixels[:, columns] = np.minimum(pixels[:, columns], color)
    tracing = digitize_page(replace(rendered.page, pixels=pixels))
    assert tracing.layout.px_per_mm_source == "grid"
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 12


def test_tall_complexes_are_not_removed_as_separators() -> None:
    signals = RECORD.signals_mv.copy()
    row = RECORD.leads.index("V4")
    signals[row] *= 3.6 / np.nanmax(signals[row])
    rendered = render_page(replace(RECORD, signals_mv=signals))
    tracing = digitize_page(rendered.page)
    assert tracing.record is not None
    assert np.nanmax(tracing.record.signals_mv[tracing.record.leads.index("V4")]) > 3
    assert compute_snr_by_lead(rendered, tracing)["V4"] > 8

"""Pages with two columns of which only one is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.layouts import LAYOUTS
from ecglens.leads.fit import Fit
from ecglens.leads.half_pages import complete_half, describe_half
from ecglens.render import RenderedPage, render_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
COLUMNS = np.array([40.0, 1040.0])
"""Head and end of lines of 250 mm on a normalized page."""


def without_names(rendered: RenderedPage, leads: set[str]) -> RenderedPage:
    """Return the page with white boxes over the names of some leads."""
    pixels = rendered.page.pixels.copy()
    for text in rendered.truth.texts:
        if text.text in leads:
            box = text.box
            pixels[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1] = 255
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


@pytest.mark.parametrize("hidden", [("V1", "V2", "V3", "V4", "V5", "V6"), ("I", "II", "III", "aVR", "aVL", "aVF")])
def test_a_page_with_one_named_column_of_two_is_read_whole(hidden: tuple[str, ...]) -> None:
    rendered = without_names(render_page(RECORD, layout="6x2"), set(hidden))
    tracing = digitize_page(rendered.page)
    assert tracing.layout.name == "6x2"
    assert any("names could not be read; the layout 6x2 supplies them" in text for text in tracing.warnings)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 15


def test_a_page_of_six_limb_leads_is_not_read_as_half_a_page() -> None:
    for style in ("plain", "orange-strip"):
        assert digitize_page(render_page(RECORD, layout="6x1-limb", style=style).page).layout.name == "6x1-limb"


def test_short_lines_and_names_within_the_lines_are_halves() -> None:
    flat, plan = np.zeros((6, 1100)), LAYOUTS["6x1-precordial"]
    assert describe_half(flat, np.array([40.0, 540.0]), plan, 42.0).endswith("only 125 mm long: half a page?")
    assert "in the middle of the lines" in describe_half(flat, COLUMNS, plan, 545.0)
    assert describe_half(flat, COLUMNS, LAYOUTS["12x1"], 545.0) == ""


def test_the_other_column_follows_only_on_lines_of_ten_seconds() -> None:
    fit = Fit(LAYOUTS["6x1-precordial"], 1.0, (), (), 0.0, 0.0)
    whole = complete_half(fit, COLUMNS, 545.0)
    assert whole is not None
    assert whole[0].plan.name == "6x2"
    np.testing.assert_array_equal(whole[1], [40, 540, 1040])
    assert complete_half(fit, np.array([40.0, 840.0]), 445.0) is None
    assert complete_half(fit, COLUMNS, 45.0) is None  # chest leads are no left column

"""Layouts located from lead names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import LAYOUTS
from ecglens.records import Page
from ecglens.render import RenderedPage, render_page

DATA = Path(__file__).resolve().parents[1] / "data"
SHARED = DATA.parents[2] / "shared" / "data" / "ptbxl"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "1x1"])
def test_every_layout_is_located_from_its_lead_names(layout: str) -> None:
    rendered = render_page(RECORD, layout=layout)
    tracing = digitize_page(rendered.page)
    assert tracing.layout.name == layout
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 16


def cut_at(page: Page, share: float) -> Page:
    return replace(page, pixels=np.ascontiguousarray(page.pixels[:, : round(share * page.width)]))


def with_names(rendered: RenderedPage, named: set[str]) -> Page:
    pixels = rendered.page.pixels.copy()
    for text in rendered.truth.texts:
        if text.role == "lead" and text.text not in named:
            box = text.box
            pixels[int(box.top) - 1 : int(box.bottom) + 2, int(box.left) - 1 : int(box.right) + 2] = 255
    return replace(rendered.page, pixels=pixels)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.6, 0.775, 0.8])  # at 0.775 columns of 4.0 s
def test_a_page_cut_in_its_second_column_is_refused_or_its_lost_leads_are_distrusted(share: float) -> None:
    page = cut_at(render_page(RECORD, layout="6x2+1").page, share)
    if share == 0.5:
        with pytest.raises(EcgReadError, match="half a page"):
            digitize_page(page)
        return
    tracing = digitize_page(page)
    assert tracing.layout.name == "6x2+1"
    assert any("may be cut" in warning for warning in tracing.warnings)
    assert tracing.record is not None
    lost = dict(zip(tracing.record.leads, tracing.record.quality, strict=True))
    assert max(lost[lead] for lead in ("V1", "V2", "V3", "V4", "V5", "V6")) < 0.75 * max(lost.values())


def test_columns_of_an_unusual_duration_bring_a_warning() -> None:
    page = cut_at(render_page(RECORD, layout="6x2").page, 0.5)
    assert any("121 mm wide, 4.85 s at 25 mm/s" in warning for warning in digitize_page(page).warnings)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_twelve_lines_with_hidden_names_are_identified_by_the_limb_leads() -> None:
    (header,) = SHARED.rglob("00137_hr.hea")
    rendered = render_page(read_wfdb(header), layout="12x1")
    assert digitize_page(rendered.page).layout.name == "12x1"


def test_columns_of_a_third_of_ten_seconds_bring_no_warning() -> None:
    warnings = digitize_page(render_page(RECORD, layout="4x3").page).warnings
    assert not any("may be cut" in warning for warning in warnings)


@pytest.mark.slow
def test_all_lines_with_pulses_belong_to_the_layout() -> None:
    """With V1 to V3 beside I to III alone, two of the six lines were mistaken for rhythm strips of 3x4+2."""
    page = with_names(render_page(RECORD, layout="6x2"), {"I", "II", "III", "V1", "V2", "V3"})
    with pytest.raises(EcgReadError, match="do not make up a known layout"):
        digitize_page(page)


@pytest.mark.parametrize("more", [{"V1"}, {"aVF"}, {"aVF", "V1", "V5", "V6"}])
def test_names_within_lines_show_that_there_are_two_columns(more: set[str]) -> None:
    page = with_names(render_page(RECORD, layout="6x2"), {"I", "II", "III", "aVR", "aVL", *more})
    assert digitize_page(page).layout.name == "6x2"


def test_two_pages_in_one_picture_bring_a_warning_without_a_grid() -> None:
    page = render_page(RECORD, grid="none").page
    two = replace(page, pixels=np.concatenate([page.pixels, page.pixels], axis=1))
    assert any("two pages" in warning for warning in digitize_page(two).warnings)
    assert not any("two pages" in warning for warning in digitize_page(page).warnings)

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
from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.fit import Fit
from ecglens.leads.layout_from_names import leave_grid_out, name_strips
from ecglens.leads.locate import locate_flat_leads
from ecglens.leads.name_shapes import Word
from ecglens.leads.normalized import PX_PER_MM
from ecglens.leads.trace_lines import Rows
from ecglens.records import Layout, Page
from ecglens.render import RenderedPage, damage, render_page

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


def test_the_trace_of_a_strip_outweighs_a_name_that_is_misread() -> None:
    seconds = np.arange(4000) / 400
    curves = np.stack([np.sin(2 * np.pi * rate * seconds) for rate in (1.0, 1.7, 2.3, 1.7)])
    plan = LayoutPlan("3x4+1", (("I",), ("II",), ("III",)), ("II",))
    fit = Fit(plan, 1.0, (), (), right_mm=2.0, down_mm=-5.0)
    rows = Rows(zeros=np.array([100.0, 200.0, 300.0, 400.0]), pulses=())
    columns = np.array([0.0, 4000.0])
    v6 = Word("V6", 0.9, top=368, left=2 * PX_PER_MM, bottom=400 - 5 * PX_PER_MM, right=20)
    named, warnings = name_strips(fit, [v6], rows, columns, curves)
    assert named.rhythm == ("V6",)  # the rows have no V6 that it could be compared with
    assert warnings == ()
    sure = replace(v6, name="aVR")
    rows_with_avr = replace(plan, rows=(("I",), ("II",), ("aVR",)))
    named, warnings = name_strips(replace(fit, plan=rows_with_avr), [sure], rows, columns, curves)
    assert named.rhythm == ("II",)
    assert "looks like aVR, but its trace is that of II" in warnings[0]


def test_a_strip_whose_name_is_misread_as_a_lead_that_is_no_strip_is_named_after_its_trace() -> None:
    seconds = np.arange(4000) / 400
    curves = np.stack([np.sin(2 * np.pi * rate * seconds) for rate in (1.0, 1.7, 2.3, 1.7)])
    plan = LayoutPlan("3x4+1", (("II",), ("V5",), ("V6",)), ("II",))
    fit = Fit(plan, 1.0, (), (), right_mm=2.0, down_mm=-5.0)
    rows = Rows(zeros=np.array([100.0, 200.0, 300.0, 400.0]), pulses=())
    v6 = Word("V6", 0.9, top=368, left=2 * PX_PER_MM, bottom=400 - 5 * PX_PER_MM, right=20)
    named, warnings = name_strips(fit, [v6], rows, np.array([0.0, 4000.0]), curves)
    assert named.rhythm == ("V5",)
    assert "looks like V6, but its trace is that of V5" in warnings[0]


def test_no_two_strips_get_one_name() -> None:
    seconds = np.arange(4000) / 400
    curves = np.stack([np.sin(2 * np.pi * rate * seconds) for rate in (1.0, 1.7, 2.3, 1.7, 1.7)])
    plan = LayoutPlan("3x4+2", (("I",), ("II",), ("III",)), ("II", "V1"))
    fit = Fit(plan, 1.0, (), (), right_mm=2.0, down_mm=-5.0)
    rows = Rows(zeros=np.array([100.0, 200.0, 300.0, 400.0, 500.0]), pulses=())
    named, _ = name_strips(fit, [], rows, np.array([0.0, 4000.0]), curves)
    assert named.rhythm == ("II", "V1")


def test_what_is_left_of_a_grid_does_not_join_the_foot_of_a_pulse_to_the_traces() -> None:
    rendered = render_page(RECORD, layout="6x1-precordial", grid="blue-dotted", dpi=146, frame=(60, 90, 160))
    page = damage(damage(rendered, "uneven-light", 0.35, 1), "fading", 0.33, 1).page
    (first, *_) = digitize_page(page).layout.leads
    assert abs(first.box.left - rendered.truth.leads[0].x0_px) < 0.5 * rendered.truth.px_per_mm  # 20 ms


def test_a_rule_below_the_header_is_no_line_of_traces() -> None:
    strips = ("V1", "V5")
    rendered = render_page(
        RECORD, layout="3x4+2", grid="none", dpi=130, row_mm=21, header="report", separators=None, rhythm=strips
    )
    layout = digitize_page(rendered.page).layout
    assert (layout.name, layout.rhythm_leads) == ("3x4+2", strips)
    assert abs(layout.leads[0].baseline_px - rendered.truth.leads[0].baseline_px) < rendered.truth.px_per_mm


@pytest.mark.parametrize("left_mm", [0.0, 8.0])
def test_a_page_whose_left_half_is_pale_is_not_read_as_a_page_of_six_leads(left_mm: float) -> None:
    rendered = render_page(RECORD, layout="6x2", grid="green-lines")
    head = next(lead for lead in rendered.truth.leads if lead.lead == "V1")
    border = round(rendered.truth.trace(head)[0, 0] - left_mm * rendered.truth.px_per_mm)
    pixels = rendered.page.pixels.copy()
    pixels[:, :border] = 255 - (255 - pixels[:, :border]) // 8
    layout = locate_flat_leads(Page(pixels)).layout
    assert isinstance(layout, Layout)
    assert layout.name == "6x2"


@pytest.mark.parametrize(("stop", "left"), [(1087, 86.0), (1060, 102.0)])
def test_pale_ends_belong_to_traces_of_ten_seconds(stop: int, left: float) -> None:
    """Thin flat traces are paler than their complexes, as what is left of a grid is; ten seconds are no chance."""
    rows = Rows(np.array([100.0, 200.0, 300.0, 400.0]), ())
    bare = np.zeros((500, 1200), np.uint8)
    for zero in (100, 200, 300, 400):
        bare[zero - 1 : zero + 2, 86:stop] = 120
        bare[zero - 1 : zero + 2, 102 : stop - 13] = 255
    assert leave_grid_out(bare, rows, (), (86.0, float(stop)))[0] == left

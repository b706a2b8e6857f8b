"""Layouts by the lattice of lead names, on pages with one difficulty each that was observed on real recorders."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from read_against_truth import snr_db
from rendered_recorders import BARE, as_jpeg, with_names, with_pulse_in_each_column

from ecglens.digitizing import digitize_page, measure_tracing
from ecglens.formats.csv import read_csv
from ecglens.layouts import plan
from ecglens.leads.layout_from_lattice import find_lattice_layout
from ecglens.leads.normalized import NormalizedPage, normalize_page
from ecglens.records import GOOD_QUALITY, Layout, NotFound, Page, PixelClasses, Tracing
from ecglens.render import RenderedPage, render_page
from ecglens.render.paper import GridStyle
from ecglens.vision.pixel_classes import classify_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
GRAY = GridStyle((205, 205, 205), (130, 130, 130), 0.12, 0.25)
BLACK = GridStyle((150, 150, 150), (40, 40, 40), 0.12, 0.25)
RATE_BPM = 63


@pytest.fixture(scope="module")
def example() -> RenderedPage:
    """Return a page whose pixels were classified."""
    rendered = render_page(RECORD, dpi=120)
    return replace(rendered, page=classify_page(rendered.page))


def find_leads(page: Page, *, name: str | None = None) -> Layout | NotFound:
    normalized = normalize_page(page)
    assert isinstance(normalized, NormalizedPage), normalized
    return find_lattice_layout(page, normalized, name=name)


def without_traces(page: Page, columns: slice | NDArray[np.bool_]) -> Page:
    """Return a classified page without traces in these columns."""
    assert page.classes is not None
    trace = page.classes.trace.copy()
    trace[:, columns] = 0
    return replace(page, classes=PixelClasses(trace, page.classes.print, page.classes.grid, page.classes.pulse))


def test_leads_are_located_beside_their_names_by_the_classes_of_the_pixels(example: RenderedPage) -> None:
    layout = find_leads(example.page)
    assert isinstance(layout, Layout), layout
    assert layout.name == "3x4+1"
    assert (layout.px_per_mm_source, layout.unread, layout.rhythm_leads) == ("grid", 0, ("II",))
    for box, truth in zip(layout.leads, example.truth.leads, strict=True):
        assert box.lead == truth.lead
        edges = (truth.box.left, truth.box.right, truth.baseline_px)
        assert (box.box.left, box.box.right, box.baseline_px) == pytest.approx(edges, abs=1.5 * example.truth.px_per_mm)


def test_the_layout_that_is_given_must_be_that_of_the_names(example: RenderedPage) -> None:
    layout = find_leads(example.page, name="3x4")
    assert isinstance(layout, Layout), layout
    assert {lead.lead for lead in layout.leads} == set(plan("3x4").leads)
    refused = find_leads(example.page, name="12x1")
    assert isinstance(refused, NotFound)
    assert "do not make up a known layout" in refused.reason


def test_names_without_enough_traces_beside_them_are_refused(example: RenderedPage) -> None:
    none = find_leads(without_traces(example.page, slice(None)))
    assert isinstance(none, NotFound)
    assert "names of 12 leads were read, but no traces were found beside them" in none.reason
    columns_mm = np.arange(example.page.width) / example.truth.px_per_mm
    holes = find_leads(without_traces(example.page, columns_mm % 6 < 3.5))  # each is bridged
    assert isinstance(holes, NotFound)
    assert "the traces beside them run over only" in holes.reason


def test_ten_seconds_in_two_columns_are_not_stretched_to_names_that_begin_unevenly() -> None:
    rendered = render_page(RECORD, layout="6x2", names="below", font="mono", name_mm=3.5, dpi=100)
    layout = find_leads(classify_page(rendered.page))
    assert isinstance(layout, Layout), layout
    for box, truth in zip(layout.leads, rendered.truth.leads, strict=True):
        assert box.box.right == pytest.approx(truth.box.right, abs=0.5 * rendered.truth.px_per_mm)  # 20 ms


def test_a_dark_frame_below_the_traces_is_no_rhythm_strip() -> None:
    dark = (60, 60, 60)
    page = render_page(
        RECORD, layout="3x4", dpi=140, frame=dark, grid="red-dotted", names="on-trace", pulse="right", separators=None
    ).page
    layout = find_leads(classify_page(page))
    assert isinstance(layout, Layout), layout
    assert layout.name == "3x4"


def good_share(tracing: Tracing) -> float:
    assert tracing.record is not None
    return float(np.mean([quality >= GOOD_QUALITY for quality in tracing.record.quality]))


def best_snr_db(rendered: RenderedPage, tracing: Tracing, lead: str) -> float:
    """Return the SNR of a lead at the best shift of up to 24 ms: a fraction of a pixel at this resolution."""
    assert tracing.record is not None
    truth = next(segment.signal_mv for segment in rendered.truth.leads if segment.lead == lead).astype(np.float64)
    signal = np.nan_to_num(tracing.record.signals_mv[tracing.record.leads.index(lead)][: len(truth)]).astype(np.float64)
    return max(snr_db(truth, np.roll(signal, shift)) for shift in range(-12, 13))


def rate_bpm(tracing: Tracing) -> float:
    measurements = measure_tracing(tracing)
    assert measurements is not None
    assert measurements.rate_bpm is not None
    return measurements.rate_bpm.value


@pytest.mark.slow
@pytest.mark.parametrize("grid", [GRAY, BLACK, "red-lines"], ids=["gray", "black", "red"])
@pytest.mark.parametrize("quality", [98, 75])
def test_a_page_saved_as_jpeg_keeps_its_signals(grid: str | GridStyle, quality: int) -> None:
    rendered = render_page(RECORD, grid=grid, dpi=120)
    tracing = digitize_page(as_jpeg(rendered.page, quality))
    assert tracing.layout.name == "3x4+1"
    assert good_share(tracing) >= 0.8
    assert np.median([best_snr_db(rendered, tracing, lead) for lead in ("I", "aVF", "V2", "V5")]) > 8
    assert rate_bpm(tracing) == pytest.approx(RATE_BPM, abs=2)


@pytest.mark.parametrize("layout", ["6x1-limb", "6x1-precordial", "3x2-limb", "3x2-precordial"])
def test_pages_with_six_leads_are_identified_by_their_names(layout: str) -> None:
    tracing = digitize_page(as_jpeg(render_page(RECORD, layout=layout, dpi=120, grid=GRAY).page, 90))
    assert tracing.layout.name == layout
    assert good_share(tracing) >= 0.8


@pytest.mark.parametrize(("across_mm", "up_mm"), [(20.0, 8.0), (1.0, -6.0), (30.0, 8.0)])
@pytest.mark.parametrize("bar", [False, True])
def test_names_may_be_printed_anywhere_beside_their_leads(across_mm: float, up_mm: float, bar: bool) -> None:
    tracing = digitize_page(with_names(RECORD, across_mm=across_mm, up_mm=up_mm, bar=bar, dpi=120, grid=GRAY))
    assert tracing.layout.name == "3x4+1"
    assert rate_bpm(tracing) == pytest.approx(RATE_BPM, abs=2)


@pytest.mark.slow
def test_each_column_may_begin_with_a_pulse() -> None:
    tracing = digitize_page(with_pulse_in_each_column(RECORD, dpi=130, grid=GRAY))
    assert tracing.layout.name == "6x2"
    assert tracing.gain_source == "pulse"
    assert {round(box.box.width / tracing.layout.px_per_mm[1]) for box in tracing.layout.leads} <= {99, 100, 101}
    assert rate_bpm(tracing) == pytest.approx(RATE_BPM, abs=2)


@pytest.mark.slow
def test_traces_begin_after_a_pulse_and_a_name_between() -> None:
    page = with_names(RECORD, across_mm=-5.0, up_mm=2.0, layout="6x1-limb", grid=GRAY, dpi=200)
    truth = render_page(RECORD, **BARE, layout="6x1-limb", grid=GRAY, dpi=200).truth
    tracing = digitize_page(as_jpeg(page, 85))
    assert tracing.layout.name == "6x1-limb"
    for box, segment in zip(tracing.layout.leads, truth.leads, strict=True):
        assert abs(box.box.left - segment.box.left) < 1.5 * truth.px_per_mm


def test_a_rhythm_strip_at_the_edge_is_not_lost() -> None:
    rendered = render_page(RECORD, dpi=120, footer=None, grid=GRAY)
    strip = next(lead for lead in rendered.truth.leads if lead.rhythm)
    end = round(strip.baseline_px + 4 * rendered.truth.px_per_mm)
    cut = replace(rendered.page, pixels=np.ascontiguousarray(rendered.page.pixels[:end]))
    assert digitize_page(cut).layout.name == "3x4+1"


def test_two_strips_keep_their_own_names() -> None:
    rendered = render_page(RECORD, layout="3x4+2", rhythm=("V1", "II"), dpi=120, grid="red-lines")
    tracing = digitize_page(as_jpeg(rendered.page, 85))
    assert [lead.lead for lead in tracing.layout.leads if lead.rhythm] == ["V1", "II"]

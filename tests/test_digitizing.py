"""Digitizing with corrections by hand."""

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

import ecglens
from ecglens import digitizing
from ecglens.digitizing import digitize_page, measure_tracing
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.printed.facts import is_speed_supported
from ecglens.reading import examine_page, load_runtime
from ecglens.records import Agreement, Box, Located, Measured, Measurements, PrintedFacts
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[0] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_boxes_layout_and_gain_can_be_given_by_hand() -> None:
    page = render_page(RECORD).page
    plain = digitize_page(page)
    box = next(lead.box for lead in plain.layout.leads if lead.lead == "V1")
    moved = digitize_page(page, boxes={"V1": Box(box.top, box.left + 20, box.bottom, box.right)})
    assert moved.traces[2].lead == "V1"
    assert len(moved.traces[2].rows_px) < len(plain.traces[2].rows_px)
    with pytest.raises(EcgReadError, match="got one of V9"):
        digitize_page(page, boxes={"V9": box})
    with pytest.raises(EcgReadError, match="Expected a box of V1 on the page"):
        digitize_page(page, boxes={"V1": Box(0, 0, 5, 5)})
    with pytest.raises(EcgReadError, match="Expected a layout out of"):
        ecglens.digitize(b"", layout="5x5")
    with pytest.raises(EcgReadError, match="Expected a gain in mm/mV from 1 to 80, got 0"):
        ecglens.digitize(b"", gain_mm_mv=0)


def speed_warnings(warnings: tuple[str, ...]) -> list[str]:
    return [warning for warning in warnings if "check the paper speed" in warning]


def test_a_page_at_another_speed_that_prints_nothing_is_doubted_on_every_surface() -> None:
    page = render_page(RECORD, layout="6x1-limb", speed_mm_s=50.0, header=None, footer=None).page
    tracing = digitize_page(page)
    assert tracing.speed_source == "default"
    (warning,) = speed_warnings(tracing.warnings)
    assert "a page at 50 mm/s, but 25 mm/s was used" in warning
    assert speed_warnings(examine_page(page, load_runtime(), measure=True).warnings) == [warning]
    assert speed_warnings(digitize_page(page, speed_mm_s=25.0).warnings) == [warning]
    assert not speed_warnings(digitize_page(page, speed_mm_s=50.0).warnings)


@pytest.mark.parametrize(
    ("facts", "width_s", "supported"),
    [
        (PrintedFacts(), 2.5, True),
        (PrintedFacts(), 1.9, False),
        (PrintedFacts(speed_mm_s=25.0), 1.9, True),
        (PrintedFacts(speed_mm_s=50.0), 2.5, False),
        (PrintedFacts(column_s=1.9), 1.9, True),
        (PrintedFacts(column_s=5.0), 2.5, False),
        (PrintedFacts(rate_bpm=60.0), 1.9, True),
        (PrintedFacts(rate_bpm=90.0), 1.9, False),
    ],
)
def test_print_columns_and_rate_support_a_speed(facts: PrintedFacts, width_s: float, supported: bool) -> None:
    layout = digitize_page(render_page(RECORD).page).layout
    leads = tuple(
        replace(lead, box=Box(0, 0, 9, 25 * width_s * layout.px_per_mm[1])) for lead in layout.leads if not lead.rhythm
    )
    rate = Measurements(rate_bpm=Measured(60.0, 1.0, "1/min"))
    assert is_speed_supported(facts, replace(layout, leads=leads), rate, 25.0) is supported


def test_a_page_on_which_nothing_confirms_the_speed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecglens.measuring.measure.measure", lambda record, low_pass_hz: Measurements())
    page = render_page(RECORD).page
    assert not speed_warnings(digitize_page(page).warnings)
    monkeypatch.setattr("ecglens.digitizing.is_speed_supported", lambda *arguments: False)
    (warning,) = speed_warnings(digitize_page(page).warnings)
    assert "Nothing on the page confirms 25 mm/s" in warning
    assert not speed_warnings(digitize_page(page, speed_mm_s=25.0).warnings)


def test_a_record_is_measured_once() -> None:
    tracing = digitize_page(render_page(RECORD).page)
    assert tracing.measurements is not None
    assert measure_tracing(tracing) is tracing.measurements


def test_slightly_bent_paper_whose_strokes_dewarping_spoiled_is_traced_as_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = render_page(RECORD).page
    spoiled = replace(page, pixels=cv2.blur(page.pixels, (15, 15)), bend_mm=0.5, residual_mm=0.1)
    layout = digitize_page(page).layout
    monkeypatch.setattr(digitizing, "locate_flat_leads", lambda page, name: Located(spoiled, layout))
    tracing = digitize_page(page)
    assert tracing.record is not None
    assert min(tracing.record.quality) > 0.5
    assert tracing.page.pixels is page.pixels
    assert tracing.page.bend_mm == 0.5


def test_traces_by_classes_do_not_replace_those_of_the_ink_if_fewer_of_their_leads_are_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = render_page(RECORD, dpi=100).page
    plain = digitize_page(page)
    assert plain.record is not None
    doubted = replace(plain, agreements=(Agreement(0.9, 0.0),) * len(plain.traces))
    one_fails = replace(plain.record, quality=(0.4, *plain.record.quality[1:]))
    clearer = replace(plain, agreements=(Agreement(1.0, 0.0),) * len(plain.traces), record=one_fails)
    monkeypatch.setattr(
        digitizing, "_trace_and_check", lambda page, *_, **__: doubted if page.classes is None else clearer
    )
    assert digitize_page(page) is doubted
    clearer = replace(clearer, record=plain.record)
    assert digitize_page(page) is clearer

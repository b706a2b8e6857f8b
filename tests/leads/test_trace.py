"""Digitizing against the exact truth of rendered pages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_against_truth import against_truth, snr_db

import ecglens
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import LAYOUTS
from ecglens.leads import find_layout
from ecglens.leads.fit import best_fit
from ecglens.leads.overlay import overlay
from ecglens.leads.pen import OVERSAMPLE, centre_line, outline, pen_radius
from ecglens.leads.relations import einthoven_rmse, mended
from ecglens.leads.strokes import HIDDEN, follow, runs_of
from ecglens.leads.words import Word
from ecglens.pages import read_page
from ecglens.pages.edges import straighten
from ecglens.pages.flatten import bend_of, flatten
from ecglens.reader import digitize_page
from ecglens.records import Box, EcgRecord, Layout, Page
from ecglens.render import RenderedPage, damage, render_page

DATA = Path(__file__).resolve().parents[1] / "data"
SHARED = DATA.parents[2] / "shared" / "data" / "ptbxl"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "1x1"])
def test_every_layout_is_found_and_read_without_being_told(layout: str) -> None:
    rendered = render_page(RECORD, layout=layout)
    tracing = digitize_page(rendered.page)
    assert tracing.layout.name == layout
    assert np.median(list(against_truth(rendered, tracing).values())) > 16


@pytest.mark.slow
@pytest.mark.parametrize(
    "grid", ["red-dotted", "green-lines", "blue-dotted", "orange-lines", "gray-lines", "gray-dotted"]
)
def test_every_kind_of_grid_is_told_from_the_traces(grid: str) -> None:
    rendered = render_page(RECORD, grid=grid)
    assert np.median(list(against_truth(rendered, digitize_page(rendered.page)).values())) > 16


@pytest.mark.parametrize("dpi", [150, 300])
def test_the_signals_do_not_hang_on_the_resolution(dpi: int) -> None:
    rendered = render_page(RECORD, dpi=dpi)
    tracing = digitize_page(rendered.page, fs_hz=RECORD.fs_hz)
    assert tracing.layout.px_per_mm == pytest.approx((dpi / 25.4,) * 2, rel=1e-3)
    assert np.median(list(against_truth(rendered, tracing).values())) > 15


def test_a_grid_nearly_as_dark_as_the_traces_is_taken_off() -> None:
    rendered = render_page(RECORD, grid="none")
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    for every_mm, colour in ((1, (29, 56, 106)), (5, (9, 110, 77))):
        rows, columns = (np.arange(0, side, every_mm * px_per_mm).astype(int) for side in pixels.shape[:2])
        pixels[rows] = np.minimum(pixels[rows], colour)
        pixels[:, columns] = np.minimum(pixels[:, columns], colour)
    tracing = digitize_page(replace(rendered.page, pixels=pixels))
    assert tracing.layout.px_per_mm_source == "grid"
    assert np.median(list(against_truth(rendered, tracing).values())) > 12


def test_a_page_cut_at_the_side_loses_the_leads_that_are_not_on_it() -> None:
    page = render_page(RECORD).page
    cut = replace(page, pixels=np.ascontiguousarray(page.pixels[:, : int(0.8 * page.width)]))
    tracing = digitize_page(cut)
    assert tracing.record is not None
    poor = {lead for lead, value in zip(tracing.record.leads, tracing.record.quality, strict=True) if value < 0.5}
    assert poor == {"V4", "V5", "V6"}
    assert all(any(f"Lead {lead} could not be followed" in text for text in tracing.warnings) for lead in poor)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "kept"), [("recorder", 0.93), ("recorder", 0.95), ("render", 0.85), ("render", 0.9)]
)
def test_what_a_cut_page_still_shows_stands_where_it_stood(source: str, kept: float) -> None:
    page = render_page(RECORD, pen_mm=0.3).page if source == "render" else read_page(DATA / "Normal_1.jpg")
    cut = replace(page, pixels=np.ascontiguousarray(page.pixels[:, : int(kept * page.width)]))
    whole, part = digitize_page(page).record, digitize_page(cut)
    assert any("may be cut" in warning for warning in part.warnings)
    assert whole is not None
    assert part.record is not None
    for lead in ("II", "aVL", "V3"):
        before, after = (record.signals_mv[record.leads.index(lead)] for record in (whole, part.record))
        shown = min(len(before), len(after))
        assert snr_db(before[:shown].astype(np.float64), after[:shown].astype(np.float64)) > 12


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
def test_a_page_cut_before_its_second_column_of_names_is_refused(share: float) -> None:
    page = render_page(RECORD, layout="6x2+1").page
    with pytest.raises(EcgReadError, match="Only 6 lead names could be read, and each col|names could not be read"):
        digitize_page(cut_at(page, share))


def test_a_strip_of_less_than_ten_seconds_in_columns_is_said_to_be_short() -> None:
    page = cut_at(render_page(RECORD, layout="6x2").page, 0.5)
    assert any("121 mm wide, 4.85 s at 25 mm/s" in warning for warning in digitize_page(page).warnings)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_twelve_lines_whose_complexes_hide_their_names_are_told_by_the_limb_leads() -> None:
    (header,) = SHARED.rglob("00137_hr.hea")
    rendered = render_page(read_wfdb(header), layout="12x1")
    assert digitize_page(rendered.page).layout.name == "12x1"


def test_thirds_of_ten_seconds_are_no_odd_columns() -> None:
    warnings = digitize_page(render_page(RECORD, layout="4x3").page).warnings
    assert not any("may be cut" in warning for warning in warnings)


@pytest.mark.slow
def test_lines_with_pulses_are_all_the_layouts_or_none() -> None:
    """With V1 to V3 beside I to III alone, two of the six lines were taken for rhythm strips of 3x4+2."""
    page = with_names(render_page(RECORD, layout="6x2"), {"I", "II", "III", "V1", "V2", "V3"})
    with pytest.raises(EcgReadError, match="6 calibration pulses .* lead names could not be read"):
        digitize_page(page)


@pytest.mark.parametrize("more", [{"V1"}, {"aVF"}, {"aVF", "V1", "V5", "V6"}])
def test_bars_and_names_within_lines_tell_two_columns_from_one(more: set[str]) -> None:
    page = with_names(render_page(RECORD, layout="6x2"), {"I", "II", "III", "aVR", "aVL", *more})
    assert digitize_page(page).layout.name == "6x2"


def test_a_second_page_is_told_where_pulses_give_the_scale() -> None:
    page = render_page(RECORD, grid="none").page
    two = replace(page, pixels=np.concatenate([page.pixels, page.pixels], axis=1))
    assert any("two pages" in warning for warning in digitize_page(two).warnings)
    assert not any("two pages" in warning for warning in digitize_page(page).warnings)


def test_a_page_out_of_focus_begins_where_the_sharp_one_does() -> None:
    rendered = damage(render_page(RECORD), kind="blur", strength=0.5, seed=3)
    tracing = digitize_page(rendered.page)
    assert np.median(list(against_truth(rendered, tracing).values())) > 12  # 8 where blur moves the beginning


def test_traces_over_their_names_leave_enough_to_tell_the_layout() -> None:
    zeros, span = 100.0 + 50 * np.arange(12), (86.0, 1087.0)
    seen = {"II": 1, "III": 2, "aVF": 5}
    words = [Word(name, 0.97, int(zeros[row]) - 12, 95, int(zeros[row]) - 4, 103) for name, row in seen.items()]
    standard = {"12x1": 0.7}
    fit = best_fit(words, zeros, span, adds_up=lambda plan: standard.get(plan.name, 0.0), pulsed=True)
    assert fit is not None
    assert fit.plan.name == "12x1"
    assert best_fit(words, zeros, span, adds_up=lambda plan: 0.3, pulsed=True) is None
    cabrera = {"12x1-cabrera": 0.7}
    assert best_fit(words, zeros, span, adds_up=lambda plan: cabrera.get(plan.name, 0.0), pulsed=True) is None
    assert best_fit(words, zeros, span, adds_up=lambda plan: standard.get(plan.name, 0.0)) is None


def test_a_page_without_a_grid_is_read_by_its_pulses_and_says_so() -> None:
    rendered = render_page(RECORD, style="bare")
    tracing = digitize_page(rendered.page)
    assert tracing.layout.px_per_mm_source == "pulse"
    assert any("No grid was seen" in warning for warning in tracing.warnings)
    assert np.median(list(against_truth(rendered, tracing).values())) > 8


def test_half_the_gain_is_told_by_the_pulse() -> None:
    rendered = render_page(RECORD, gain_mm_mv=5.0)
    tracing = digitize_page(rendered.page)
    assert (tracing.gain_mm_mv, tracing.gain_source) == (5.0, "pulse")
    assert np.median(list(against_truth(rendered, tracing).values())) > 12


def test_no_pulse_is_warned_about_and_a_given_gain_is_taken() -> None:
    page = render_page(RECORD, gain_mm_mv=5.0, pulse=None).page
    guessed = digitize_page(page)
    assert guessed.gain_source == "usual"
    assert any("10 mm/mV was taken for granted" in warning for warning in guessed.warnings)
    told = digitize_page(page, gain_mm_mv=5.0)
    assert told.record is not None
    assert guessed.record is not None
    assert np.nanmax(told.record.signals_mv[0]) == pytest.approx(2 * np.nanmax(guessed.record.signals_mv[0]), rel=0.01)


def test_each_lead_starts_when_its_column_does() -> None:
    record = digitize_page(render_page(RECORD).page).record
    assert record is not None
    starts = dict(zip(record.leads, record.start_s, strict=True))
    assert starts["I"] == starts["II-rhythm"] == 0
    assert starts["V1"] == pytest.approx(5.0, abs=0.03)
    assert record.on_one_clock().duration_s == pytest.approx(10, abs=0.03)


def test_limb_leads_add_up_on_a_public_page() -> None:
    tracing = ecglens.digitize(DATA / "HB_1.jpg")
    assert tracing.einthoven_mv is not None
    assert tracing.einthoven_mv < 0.03
    assert tracing.gain_mm_mv == 10
    assert tracing.record is not None
    assert min(tracing.record.quality) > 0.4


def test_a_pdf_is_read_from_its_vectors() -> None:
    page = read_page(DATA / "00009_hr.pdf")
    assert len(page.curves) == 13
    tracing = digitize_page(page)
    assert tracing.record is not None
    assert min(tracing.record.quality) > 0.9
    assert tracing.einthoven_mv is not None
    assert tracing.einthoven_mv < 0.005


@pytest.mark.slow
def test_a_bent_page_is_laid_flat_by_its_grid() -> None:
    rendered = damage(render_page(RECORD), kind="curl", strength=0.4, seed=3)
    before = bend_of(rendered.page)
    assert before is not None
    assert before.most_mm > 2
    after = bend_of(flatten(rendered.page))
    assert after is not None
    assert after.most_mm < 0.5
    tracing = digitize_page(rendered.page)
    assert any("bent or photographed" in warning for warning in tracing.warnings)
    assert np.median(list(against_truth(rendered, tracing).values())) > 5


def test_a_flat_page_is_left_as_it_is() -> None:
    page = read_page(DATA / "MI_26.jpg")
    assert flatten(page).pixels is page.pixels


def test_corners_by_hand_undo_a_photograph_at_an_angle() -> None:
    page = render_page(RECORD).page
    whole = straighten(page, [(0, 0), (page.width - 1, 0), (page.width - 1, page.height - 1), (0, page.height - 1)])
    assert abs(whole.width - page.width) <= 1
    assert abs(whole.height - page.height) <= 1
    with pytest.raises(EcgReadError, match="Expected four corners"):
        straighten(page, [(0, 0), (0, 10), (10, 10), (10, 0)])


def test_corrections_by_hand_are_arguments() -> None:
    page = render_page(RECORD).page
    plain = digitize_page(page)
    box = next(lead.box for lead in plain.layout.leads if lead.lead == "V1")
    moved = digitize_page(page, boxes={"V1": Box(box.top, box.left + 20, box.bottom, box.right)})
    assert moved.traces[2].lead == "V1"
    assert len(moved.traces[2].rows_px) < len(plain.traces[2].rows_px)
    with pytest.raises(EcgReadError, match="found one of V9"):
        digitize_page(page, boxes={"V9": box})
    with pytest.raises(EcgReadError, match="Expected a box of V1 on the page"):
        digitize_page(page, boxes={"V1": Box(0, 0, 5, 5)})
    with pytest.raises(EcgReadError, match="Expected a layout out of"):
        ecglens.digitize(b"", layout="5x5")
    with pytest.raises(EcgReadError, match="Expected a gain in mm/mV from 1 to 80, found 0"):
        ecglens.digitize(b"", gain_mm_mv=0)


def test_a_flat_lead_is_named_and_distrusted() -> None:
    signals = RECORD.signals_mv.copy()
    signals[RECORD.leads.index("V3")] = 0
    page = render_page(EcgRecord(signals, RECORD.fs_hz, RECORD.leads)).page
    tracing = digitize_page(page)
    assert tracing.record is not None
    quality = dict(zip(tracing.record.leads, tracing.record.quality, strict=True))
    assert quality["V3"] < 0.5
    assert any("V3" in warning and "flat" in warning for warning in tracing.warnings)


def test_the_overlay_is_the_page_with_the_lines_on_it() -> None:
    rendered = render_page(RECORD, dpi=100)
    picture = overlay(digitize_page(rendered.page))
    assert picture.shape == rendered.page.pixels.shape
    blue = picture[..., 2].astype(int) - picture[..., 0] > 60
    assert blue.sum() > 5000
    assert (rendered.page.pixels[..., 2].astype(int) - rendered.page.pixels[..., 0] > 60).sum() < 100


def test_a_page_of_another_recorder_is_measured_but_gets_no_label() -> None:
    page = render_page(RECORD).page
    layout = find_layout(page)
    assert isinstance(layout, Layout)
    assert not layout.known_print
    from ecglens.reader import examine_page, load_runtime

    reading = examine_page(page, load_runtime(), measure=True)
    assert reading.prediction.label is None
    assert reading.prediction.abstention is not None
    assert reading.prediction.abstention.kind == "unfamiliar"
    assert reading.measurements is not None
    assert reading.measurements.rate_bpm is not None


@given(st.floats(0.8, 3.0), st.floats(-30, 30), st.floats(4, 30))
@settings(max_examples=40)
def test_the_pen_is_rolled_back_to_the_curve_it_followed(radius: float, height: float, width: float) -> None:
    places = np.arange(120 * OVERSAMPLE) / OVERSAMPLE
    curve = 60 + height * np.exp(-(((places - 60) / width) ** 2))
    reach = int(radius * OVERSAMPLE)
    shifts = range(-reach, reach + 1)
    lifts = [np.sqrt(max(radius**2 - (shift / OVERSAMPLE) ** 2, 0)) for shift in shifts]
    padded = np.pad(curve, reach, mode="edge")
    windows = [padded[reach + shift : reach + shift + len(curve)] for shift in shifts]
    upper = np.min([window - lift for window, lift in zip(windows, lifts, strict=True)], axis=0)
    lower = np.max([window + lift for window, lift in zip(windows, lifts, strict=True)], axis=0)
    found, _ = centre_line((upper, lower), radius)
    inner = slice(4 * reach, -4 * reach)
    assert np.abs(found - curve)[inner].max() < 0.35 + 0.5 * abs(height) / width


def test_runs_are_followed_through_a_gap_and_past_a_speck() -> None:
    black = np.zeros((60, 50), dtype=bool)
    black[30:33] = True
    black[30:33, 20:24] = False
    black[5:7, 21] = True
    runs = runs_of(black)
    path = follow(runs, np.array([31.0]), px_per_mm=4.0, reach_px=40)
    assert (path[0, 20:24] == HIDDEN).all()
    assert (path[0, :20] != HIDDEN).all()
    assert (path[0, 24:] != HIDDEN).all()
    top, bottom = np.full(50, 30.0), np.full(50, 32.0)
    upper, lower = outline((black * 255).astype(np.uint8), top, bottom, level=128)
    assert pen_radius((upper, lower)) == pytest.approx(1.5, abs=0.3)


def test_a_trace_goes_to_its_tip_and_not_along_a_letter_that_crosses_it() -> None:
    black = np.zeros((120, 60), dtype=bool)
    black[20:22] = True
    black[20:22, 30:41] = False
    for column in range(30, 41):  # an S wave down to row 110
        first = 20 + 18 * min(column - 30, 40 - column)
        black[first : first + 20, column] = True
    for column in range(31, 41):  # a stroke of a letter from one of its flanks to the other
        black[36 + (column - 31) // 2, column] = True
    runs = runs_of(black)
    lowest = []
    for names in ((), ((34.0, 30.0, 44.0, 42.0),)):
        (path,) = follow(runs, np.array([21.0]), px_per_mm=8.0, reach_px=200, names=names)
        lowest.append(runs.bottom[35, path[35]])
    assert lowest == [pytest.approx(39, abs=2), pytest.approx(119, abs=2)]


def with_bars(rendered: RenderedPage) -> RenderedPage:
    """The page with a bar of 7 x 0.8 mm at each border of two leads."""
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    left = min(segment.box.left for segment in rendered.truth.leads)
    for segment in rendered.truth.leads:
        if segment.box.left > left + 1:
            rows, columns = (int(value) for value in (segment.baseline_px, segment.box.left))
            tall, wide = round(3.5 * px_per_mm), round(0.4 * px_per_mm)
            pixels[rows - tall : rows + tall, columns - wide : columns + wide] = 0
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


def with_pulses_at_the_traces(rendered: RenderedPage) -> RenderedPage:
    """The page with a pulse before each line whose falling flank stands where the line begins."""
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    left = min(segment.box.left for segment in rendered.truth.leads)
    for segment in rendered.truth.leads:
        if segment.box.left < left + 1:
            zero, end = round(segment.baseline_px), round(segment.box.left)
            roof, begin, pen = zero - round(10 * px_per_mm), end - round(5 * px_per_mm), round(0.3 * px_per_mm)
            pixels[roof : roof + pen, begin:end] = 0
            pixels[roof:zero, begin : begin + pen] = pixels[roof:zero, end - pen : end] = 0
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


def test_bars_between_leads_hide_the_traces_and_are_none() -> None:
    rendered = render_page(RECORD)
    clean, barred = (against_truth(page, digitize_page(page.page)) for page in (rendered, with_bars(rendered)))
    assert min(barred[lead] - clean[lead] for lead in clean) > -3


def test_traces_begin_at_the_flank_of_the_pulse_before_them() -> None:
    rendered = with_pulses_at_the_traces(render_page(RECORD, pulse=None))
    tracing = digitize_page(rendered.page)
    assert tracing.layout.pulse_mm == pytest.approx(10, abs=0.3)
    assert np.median(list(against_truth(rendered, tracing).values())) > 16


def test_complexes_higher_than_their_lines_are_apart_are_no_separators() -> None:
    signals = RECORD.signals_mv.copy()
    row = RECORD.leads.index("V4")
    signals[row] *= 3.6 / np.nanmax(signals[row])
    rendered = render_page(replace(RECORD, signals_mv=signals))
    tracing = digitize_page(rendered.page)
    assert tracing.record is not None
    assert np.nanmax(tracing.record.signals_mv[tracing.record.leads.index("V4")]) > 3
    assert against_truth(rendered, tracing)["V4"] > 8


def test_a_slight_fold_is_laid_flat() -> None:
    rendered = damage(render_page(RECORD), kind="fold", strength=0.16, seed=3)
    tracing = digitize_page(rendered.page)
    assert tracing.page.bend_mm > 0.8
    assert np.median(list(against_truth(rendered, tracing).values())) > 10


def test_a_short_gap_is_mended_by_the_other_limb_leads() -> None:
    signals = RECORD.signals_mv[:3].copy()
    gap = slice(500, 540)
    truth = signals[0, gap].copy()
    signals[0, gap] = np.nan
    record = EcgRecord(signals, RECORD.fs_hz, RECORD.leads[:3], (0.0,) * 3, confidence=np.ones_like(signals))
    whole = mended(record)
    assert whole.signals_mv[0, gap] == pytest.approx(truth, abs=0.01)
    assert whole.confidence is not None
    assert (whole.confidence[0, gap] == 0.5).all()
    assert np.isnan(record.signals_mv[0, gap]).all()
    assert einthoven_rmse(whole) == pytest.approx(0, abs=0.01)

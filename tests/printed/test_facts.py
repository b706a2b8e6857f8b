"""Print around the traces: read, used, and held against what was measured."""

import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas
from tests.support.text_pdfs import page_with_text, text_pdf

import ecglens
from ecglens.digitizing import digitize_page
from ecglens.errors import MissingExtraError
from ecglens.formats.csv import read_csv
from ecglens.leads import find_layout
from ecglens.measuring.measure import measure
from ecglens.pages import read_page
from ecglens.pages.geometry.orientation import turn_by_quarters
from ecglens.printed import facts as recorder
from ecglens.printed.facts import find_contradictions, is_speed_contradicted, parse_facts, read_facts, read_text_facts
from ecglens.reading import examine_page, load_runtime
from ecglens.records import Box, Layout, Measured, Measurements, Page, PageText, PrintedFacts
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
RATE_BPM = measure(RECORD).rate_bpm.value


@pytest.fixture(scope="module")
def ocr() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("rapidocr")


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("0.67~25Hz AC50 25mm/s 10mm/mV 4*2.5s+1r \N{BLACK HEART SUIT}92 SE-3", (92, 25, 10, 2.5, 0.67, 25)),
        ("25mm/s 10mm/mV 4*2.5s+1r \N{BLACK DIAMOND}64 V1.0", (64, 25, 10, 2.5, None, None)),
        ("25.0 mm/s 10.0 mm/mV 4 by 2.5s + 3 rhythm lds 100Hz", (None, 25, 10, 2.5, None, 100)),
        ("50 mm/s  5 mm/mV  0,05-150 Hz", (None, 50, 5, None, 0.05, 150)),
        ("Vent. rate 61 BPM Atrial rate 300 BPM", (None, None, None, None, None, None)),
        ("Vent. rate 61 BPM", (61, None, None, None, None, None)),
        ("HR 71/min AC 50 Hz", (71, None, None, None, None, None)),
        ("25 mm/s 50 mm/s", (None, None, None, None, None, None)),
        ("10/5mm/mV 31 mm/s Room 12", (None, None, None, None, None, None)),
        ("HR 999 F 60~ 0.15-100 Hz", (None, None, None, None, 0.15, 100)),
    ],
)
def test_facts_are_taken_from_a_line_and_never_guessed(line: str, facts: tuple[float | None, ...]) -> None:
    result = parse_facts([line])
    names = ("rate_bpm", "speed_mm_s", "gain_mm_mv", "column_s", "high_pass_hz", "low_pass_hz")
    assert tuple(getattr(result, name) for name in names) == facts


@pytest.mark.parametrize(
    "lines",
    [
        ("PR interval 146 ms", "QRS duration 128 ms", "QT/QTc 490/493 ms"),
        ("PRinterval 146ms QRSD 128", "QT 490 QTc 493"),
    ],
)
def test_intervals_are_read_as_recorders_print_them(lines: tuple[str, ...]) -> None:
    result = parse_facts(lines)
    assert (result.pr_ms, result.qrs_ms, result.qt_ms, result.qtc_ms) == (146, 128, 490, 493)


def test_a_page_without_print_has_no_facts() -> None:
    assert not parse_facts([])
    assert not parse_facts(["ECG REPORT", "Room No.: 25", "2020-10-16 12:36:05"])


@pytest.fixture(scope="module")
def layout() -> Layout:
    result = find_layout(read_page(DATA / "HB_1.jpg"))
    assert isinstance(result, Layout)
    return result


def at_rate(rate_bpm: float, basic_bpm: float | None = None) -> Measurements:
    basic = rate_bpm if basic_bpm is None else basic_bpm
    return Measurements(rate_bpm=Measured(rate_bpm, 0.5, "1/min"), basic_rate_bpm=Measured(basic, 0.5, "1/min"))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (PrintedFacts(), ()),
        (PrintedFacts(92, 25, 10, 2.5, 0.67, 25), ()),
        (PrintedFacts(rate_bpm=88), ()),
        (PrintedFacts(rate_bpm=120), ("prints a rate of 120/min, but 92/min was measured",)),
        (PrintedFacts(rate_bpm=46), ("prints a rate of 46/min",)),
        (PrintedFacts(speed_mm_s=50), ("prints 50 mm/s, but 25 mm/s was used",)),
        (PrintedFacts(gain_mm_mv=5), (r"prints 5 mm/mV, but 10 mm/mV was used, and the calibration pulse is 10.0 mm",)),
        (PrintedFacts(column_s=5), (r"prints 5 s a column, but its columns are 6\d mm wide, 2\.[45]\d s at 25 mm/s",)),
    ],
)
def test_each_fact_that_the_page_contradicts_is_one_sentence(
    layout: Layout, facts: PrintedFacts, expected: tuple[str, ...]
) -> None:
    result = find_contradictions(facts, layout, speed_mm_s=25, gain_mm_mv=10, measurements=at_rate(92.5))
    assert len(result) == len(expected)
    assert all(re.search(words, sentence) for sentence, words in zip(result, expected, strict=True))


def test_a_rate_that_leaves_early_beats_out_is_no_contradiction(layout: Layout) -> None:
    result = at_rate(98.0, basic_bpm=92.4)
    assert (
        find_contradictions(PrintedFacts(rate_bpm=92), layout, speed_mm_s=25, gain_mm_mv=10, measurements=result) == ()
    )


def test_a_rate_is_not_held_against_beats_that_were_not_measured(layout: Layout) -> None:
    assert find_contradictions(PrintedFacts(rate_bpm=92), layout, speed_mm_s=25, gain_mm_mv=10, measurements=None) == ()


@pytest.mark.parametrize(("printed_ms", "count"), [(90, 0), (120, 0), (121, 1), (59, 1)])
def test_a_printed_qrs_that_was_measured_otherwise_is_reported(layout: Layout, printed_ms: float, count: int) -> None:
    measured = Measurements(qrs_ms=Measured(90.0, 9.0, "ms"))
    facts = PrintedFacts(qrs_ms=printed_ms)
    sentences = find_contradictions(facts, layout, speed_mm_s=25, gain_mm_mv=10, measurements=measured)
    assert len(sentences) == count
    assert all("The page prints QRS" in sentence and "90 ms were measured" in sentence for sentence in sentences)


def test_columns_then_the_rate_tell_whether_a_printed_speed_is_wrong(layout: Layout) -> None:
    misread = at_rate(185.0)  # 92.5/min at 25 mm/s, read as 50
    assert is_speed_contradicted(PrintedFacts(speed_mm_s=50, column_s=2.5), layout, misread)
    assert is_speed_contradicted(PrintedFacts(rate_bpm=92, speed_mm_s=50), layout, misread)
    assert not is_speed_contradicted(PrintedFacts(rate_bpm=185, speed_mm_s=50), layout, misread)
    assert not is_speed_contradicted(PrintedFacts(rate_bpm=92, speed_mm_s=50, column_s=1.25), layout, misread)
    assert not is_speed_contradicted(PrintedFacts(speed_mm_s=50), layout, misread)


@pytest.mark.slow
@pytest.mark.usefixtures("ocr")
def test_a_printed_speed_and_gain_are_used_where_nothing_else_tells_them() -> None:
    page = render_page(RECORD, speed_mm_s=50.0, gain_mm_mv=5.0, pulse=None).page
    result = digitize_page(page, printed=True)
    assert (result.speed_mm_s, result.speed_source) == (50.0, "printed")
    assert (result.gain_mm_mv, result.gain_source) == (5.0, "printed")
    assert result.record is not None
    rate = measure(result.record).rate_bpm
    assert rate is not None
    assert rate.value == pytest.approx(RATE_BPM, abs=2)
    assert result.to_dict()["printed"]["low_pass_hz"] == 150


@pytest.mark.slow
@pytest.mark.usefixtures("ocr")
def test_what_is_given_by_hand_wins_over_print_and_is_contradicted_in_words() -> None:
    page = render_page(RECORD, speed_mm_s=50.0).page
    result = digitize_page(page, speed_mm_s=25.0, printed=True)
    assert (result.speed_mm_s, result.speed_source) == (25.0, "given")
    assert any("prints 50 mm/s, but 25 mm/s was used" in text for text in result.warnings)
    assert any("prints 1.25 s a column" in text for text in result.warnings)


@pytest.mark.usefixtures("ocr")
def test_the_pulse_wins_over_a_printed_gain_and_the_page_is_said_to_contradict_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = render_page(RECORD).page
    monkeypatch.setattr("ecglens.digitizing.read_facts", lambda page, layout: PrintedFacts(gain_mm_mv=5.0))
    result = digitize_page(page, printed=True)
    assert (result.gain_mm_mv, result.gain_source) == (10.0, "pulse")
    assert any("prints 5 mm/mV, but 10 mm/mV was used" in text for text in result.warnings)


def test_a_printed_speed_that_the_columns_contradict_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = PrintedFacts(speed_mm_s=50.0, column_s=2.5)
    monkeypatch.setattr("ecglens.digitizing.read_facts", lambda page, layout: facts)
    result = digitize_page(render_page(RECORD).page, printed=True)
    assert (result.speed_mm_s, result.speed_source) == (25.0, "default")
    assert any("prints 50 mm/s, but 25 mm/s was used" in text for text in result.warnings)


@pytest.mark.slow
@pytest.mark.usefixtures("ocr")
def test_a_public_page_is_read_whole_and_its_filter_marks_qrs_and_st() -> None:
    reading = ecglens.examine(DATA / "HB_1.jpg", measure=True, printed=True)
    assert reading.tracing is not None
    assert reading.tracing.printed == PrintedFacts(92, 25, 10, 2.5, 0.67, 25)
    assert reading.to_dict()["printed"]["rate_bpm"] == 92
    assert any("low pass of 25 Hz widens the QRS complex, which is corrected" in text for text in reading.warnings)
    assert not any("The page prints" in text for text in reading.warnings)


@pytest.mark.slow
@pytest.mark.usefixtures("ocr")
@pytest.mark.parametrize("turn", [0.0, 1.5])
def test_print_is_read_on_a_turned_page(turn: float) -> None:
    page = render_page(RECORD, header="cart", rate_bpm=63).page
    height, width = page.pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    turned = cv2.warpAffine(page.pixels, matrix, (width, height), borderValue=(255, 255, 255))
    whole = Page(np.asarray(turned, dtype=np.uint8))
    result = find_layout(whole)
    assert isinstance(result, Layout)
    facts = read_facts(whole, result)
    assert (facts.rate_bpm, facts.speed_mm_s, facts.gain_mm_mv) == (63, 25, 10)


def test_a_page_at_another_speed_gets_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    page = read_page(DATA / "HB_1.jpg")
    runtime = load_runtime()
    assert examine_page(page, runtime).prediction.label is not None
    monkeypatch.setattr("ecglens.digitizing.read_facts", lambda page, layout: PrintedFacts(speed_mm_s=50.0))
    prediction = examine_page(page, runtime, measure=True, printed=True).prediction
    assert prediction.label is None
    assert prediction.abstention is not None
    assert "prints 50 mm/s" in prediction.abstention.reason


def test_nothing_is_read_where_it_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    reading = ecglens.examine(DATA / "HB_1.jpg", measure=True)
    assert reading.tracing is not None
    assert reading.tracing.printed is None


def test_without_the_extra_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    monkeypatch.setattr(recorder, "_engine", recorder._engine.__wrapped__)
    for name in [name for name in sys.modules if name.partition(".")[0] == "rapidocr"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ecglens\[ocr\]'"):
        read_facts(read_page(DATA / "HB_1.jpg"), layout)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("HF 63 /min", "rate_bpm", 63),
        ("Herzfrequenz 75/min", "rate_bpm", 75),
        ("Ventr. Frequenz: 75", "rate_bpm", 75),
        ("Fréq. card. : 72", "rate_bpm", 72),
        ("FC 72 bpm", "rate_bpm", 72),
        ("Frecuencia cardíaca 72 lpm", "rate_bpm", 72),
        ("Frequenza cardiaca: 72", "rate_bpm", 72),
        ("HR (1/min) 75", "rate_bpm", 75),
        ("HF: 35 Hz", "rate_bpm", None),
        ("PQ Intervall 158ms", "pr_ms", 158),
        ("PQ-Zeit [ms] 158", "pr_ms", 158),
        ("Intervalle PR 158 ms", "pr_ms", 158),
        ("Intervalo PR: 158 ms", "pr_ms", 158),
        ("PR 0,16 s", "pr_ms", 160),
        ("P/PQ 110/158 ms", "pr_ms", None),
        ("QRS Dauer 100ms", "qrs_ms", 100),
        ("Durée QRS 100 ms", "qrs_ms", 100),
        ("Duración QRS 100 ms", "qrs_ms", 100),
        ("Durata QRS 100 ms", "qrs_ms", 100),
        ("QRS-Achse 48 ° P-QRS-T Winkel 68/69/60°", "qrs_ms", None),
        ("Axe QRS 48°", "qrs_ms", None),
        ("Intervallo QT 366 ms", "qt_ms", 366),
        ("QT / QTc 366 ms / 408 ms", "qtc_ms", 408),
        ("QTcB 373 ms", "qtc_ms", 373),
        ("QRS/QT/QTc 100/366/408 ms", "qtc_ms", None),
        ("Rhythmen 10s, 25 mm/s, 2p", "column_s", 10),
        ("RUHE-EKG / 3 * 5s 50mm/s", "column_s", 5),
        ("TP 40Hz, AC 50Hz", "low_pass_hz", 40),
        ("25.0 mm/s 10.0 mm/mV 5mm/sqr.", "speed_mm_s", 25),
    ],
)
def test_facts_are_read_in_five_languages(line: str, name: str, value: float | None) -> None:
    assert getattr(parse_facts([line]), name) == value


def test_labels_and_values_of_a_pdf_are_joined_by_their_lines() -> None:
    def draw(canvas: Canvas) -> None:
        for row, label in enumerate(("Herzfrequenz", "PQ Intervall", "QRS")):
            canvas.drawString(100, 500 - 11 * row, label)
        for row, value in enumerate(("75/min", "158ms", "100 ms")):
            canvas.drawString(210, 500 - 11 * row + 1, value)
        canvas.drawString(60, 20, "50mm/s 10mm/mV")

    for page in (read_page(text_pdf(draw)), next(turn_by_quarters(read_page(text_pdf(draw))))):
        facts = read_text_facts(page)
        assert facts == PrintedFacts(75, 50, 10, pr_ms=158, qrs_ms=100)
    assert read_text_facts(read_page(DATA / "HB_1.jpg")) is None


@pytest.fixture
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)


def pdf_at_50(*lines: str) -> bytes:
    page = render_page(RECORD, speed_mm_s=50.0, header=None).page
    return text_pdf(page_with_text(page, *((150, 40 + 30 * row, line) for row, line in enumerate(lines))))


@pytest.mark.usefixtures("without_ocr")
def test_the_speed_in_the_text_of_a_pdf_is_used_without_being_asked_for() -> None:
    tracing = ecglens.digitize(pdf_at_50("50 mm/s  10 mm/mV", "HF 63 /min"))
    assert (tracing.speed_mm_s, tracing.speed_source) == (50.0, "printed")
    assert tracing.printed == PrintedFacts(63, 50, 10)
    assert tracing.record is not None
    rate = measure(tracing.record).rate_bpm
    assert rate is not None
    assert rate.value == pytest.approx(RATE_BPM, abs=2)
    assert not any("The page prints" in warning for warning in tracing.warnings)


@pytest.mark.usefixtures("without_ocr")
def test_a_speed_in_the_text_that_the_rate_contradicts_is_not_used() -> None:
    page = render_page(RECORD, header=None).page
    data = text_pdf(page_with_text(page, (150, 40, "50 mm/s"), (150, 70, f"HF {RATE_BPM:.0f} /min")))
    tracing = ecglens.digitize(data)
    assert (tracing.speed_mm_s, tracing.speed_source) == (25.0, "default")
    assert any("prints 50 mm/s, but 25 mm/s was used" in warning for warning in tracing.warnings)


@pytest.mark.usefixtures("without_ocr")
def test_a_label_alone_is_withdrawn_where_the_text_prints_another_speed() -> None:
    page = read_page(DATA / "HB_1.jpg")
    runtime = load_runtime()
    with_text = replace(page, texts=(PageText("50 mm/s", Box(10, 10, 30, 90)),))
    prediction = examine_page(with_text, runtime).prediction
    assert prediction.label is None
    assert prediction.abstention is not None
    assert "prints 50 mm/s" in prediction.abstention.reason


def test_facts_of_the_text_spare_the_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(page: Page, layout: Layout) -> PrintedFacts:
        raise AssertionError("the text of the file was there")

    monkeypatch.setattr("ecglens.digitizing.read_facts", fail)
    assert digitize_page(read_page(pdf_at_50("50 mm/s")), printed=True).speed_source == "printed"

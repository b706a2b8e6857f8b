from pathlib import Path

import numpy as np
import pytest

import ecglens
from ecglens.errors import EcgLensError
from ecglens.records import EcgRecord

PAGE = Path(__file__).parents[1] / "data" / "MI_26.jpg"


@pytest.fixture(scope="module")
def reading():
    return ecglens.examine(PAGE, measure=True)


def test_a_record_shows_its_leads_and_escapes_its_comments():
    record = EcgRecord(np.float32([[1, 2]]), 2.0, ("I",), comments=("<script>",), quality=(0.9,))
    html = record._repr_html_()
    assert "EcgRecord(1 lead at 2 Hz, 1.0 s: I)" in html
    assert "<td>1.00 to 2.00</td>" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_reading_shows_page_label_probabilities_and_measurements(reading):
    html = reading._repr_html_()
    assert "data:image/jpeg;base64," in html
    assert "Myocardial infarction" in html
    assert "QRS duration" in html
    assert "not a diagnosis" in html
    assert len(html) < 400_000


def test_a_reading_without_measurements_shows_its_leads_too():
    html = ecglens.examine(PAGE)._repr_html_()
    assert "data:image/jpeg;base64," in html
    assert "QRS duration" not in html


def test_a_digital_ecg_shows_its_leads_on_paper_and_its_answer(reading):
    html = ecglens.examine_record(reading.tracing.record)._repr_html_()
    assert html.count("<polyline") == 13
    assert "<td>MI</td>" in html
    assert "QRS duration" in html
    assert len(html) < 100_000


def test_parts_of_a_reading_show_themselves(reading):
    assert "Myocardial infarction" in reading.prediction._repr_html_()
    tracing = reading.tracing._repr_html_()
    assert "data:image/jpeg;base64," in tracing
    assert "II-rhythm" in tracing
    explanation = ecglens.explain(PAGE)._repr_html_()
    assert "Myocardial infarction" in explanation
    assert "<td>V2</td>" in explanation


def test_a_record_of_gaps_only_is_shown():
    html = EcgRecord(np.full((1, 50), np.nan, np.float32), 10.0, ("<I>",))._repr_html_()
    assert "<svg" in html
    assert "<I>" not in html


def test_the_reading_of_a_record_is_plotted(reading):
    pytest.importorskip("matplotlib").use("agg")
    assert len(ecglens.examine_record(reading.tracing.record).plot(seconds=5).lines) == 13


def test_short_texts_stand_for_results(reading):
    assert repr(reading) == "Reading(MI_26.jpg, page 1 of 1: mi)"
    assert repr(reading.page) == "Page(MI_26.jpg, page 1 of 1, 1107 x 786 px)"
    assert repr(reading.layout) == "Layout(3x4+1: 13 leads, 3.97 x 3.97 px/mm)"
    assert repr(reading.tracing.record).startswith("EcgRecord(13 leads at 500 Hz, ")


def test_a_reading_is_plotted_where_it_was_digitized(reading):
    pytest.importorskip("matplotlib").use("agg")
    assert len(reading.plot().lines) == 13
    with pytest.raises(EcgLensError, match="Expected signals, but the page was not digitized"):
        ecglens.examine(PAGE).plot()
    with pytest.raises(EcgLensError, match="the leads of the page were not located"):
        ecglens.examine(np.full((300, 400, 3), 255, np.uint8), measure=True).plot()


def test_a_record_is_an_array_and_a_lead_is_found_by_its_name(tmp_path):
    record = EcgRecord(np.float32([[1, 2], [3, 4]]), 500.0, ("I", "II"))
    np.testing.assert_array_equal(np.asarray(record), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(record["II"], [3, 4])
    with pytest.raises(KeyError, match="Expected one of the leads I, II, got 'V1'"):
        record["V1"]
    pytest.importorskip("wfdb")
    record.to_wfdb(tmp_path / "a")
    np.testing.assert_allclose(ecglens.read_record(tmp_path / "a").signals_mv, record.signals_mv)

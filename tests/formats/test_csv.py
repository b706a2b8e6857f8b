"""Records as CSV, written and read back."""

from dataclasses import replace

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.csv import looks_like_record, read_csv, write_csv, write_traces
from ecglens.records import Box, InkMap, Layout, LeadTrace, Page, Tracing


def test_csv_keeps_signals_to_a_tenth_of_a_microvolt_and_gaps(record, tmp_path):
    write_csv(record, tmp_path / "new" / "a.csv")
    back = read_csv(tmp_path / "new" / "a.csv")
    assert (back.fs_hz, back.leads) == (500.0, ("II", "aVR"))
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=6e-5)


def test_lead_names_are_spelled_as_usual(tmp_path):
    (tmp_path / "a.csv").write_text("AVR,v1\n1,2\n3,4\n")
    assert read_csv(tmp_path / "a.csv", fs_hz=100).leads == ("aVR", "V1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("II\n1\n2\n", "Expected a column time_s in a.csv or a sampling rate"),
        ("time_s,II\n0,1\n", "two or more rows of numbers in a.csv, got 2 lines; add samples"),
        ("time_s,II\n0,1\n1,2\n2\n3,4\n", "got another number of cells in line 4 than before; correct it"),
        ("path,label\n0,mi.jpg\n1,2\n", "in a.csv, got 'mi.jpg' in place of a number; give a file of signals"),
        ("time_s,II\n0,1\n1,1\n5,2\n", "Expected even steps of time"),
        ("time_s\n0\n1\n2\n", "Expected a column for each lead"),
    ],
)
def test_a_csv_that_is_no_record_is_refused_in_one_sentence(text, message, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_csv(tmp_path / "a.csv")


def test_csv_is_numbers_below_the_names_and_is_read_with_a_line_of_units_too(record, tmp_path):
    write_csv(record, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "time_s,II_mV,aVR_mV"
    assert [float(cell or "nan") for cell in lines[1].split(",")] == pytest.approx([0, 0, 0.3])
    (tmp_path / "b.csv").write_text("\n".join(["time_s,II,aVR", "s,mV,mV", *lines[1:]]) + "\n")
    first, second = read_csv(tmp_path / "a.csv"), read_csv(tmp_path / "b.csv")
    assert first.leads == second.leads == ("II", "aVR")
    assert first.fs_hz == second.fs_hz
    np.testing.assert_array_equal(first.signals_mv, second.signals_mv)


def test_a_csv_opens_in_pandas_as_numbers(record, tmp_path):
    pandas = pytest.importorskip("pandas")
    write_csv(record, tmp_path / "a.csv")
    frame = pandas.read_csv(tmp_path / "a.csv")
    assert [kind.kind for kind in frame.dtypes] == ["f", "f", "f"]
    np.testing.assert_allclose(frame["II_mV"], record.signals_mv[0], atol=6e-5)


@pytest.mark.parametrize(
    "text",
    [
        "time_s;I [uV];-aVR_mV\n0;100;1\n0,004;-200;1,5\n",
        "time_s\tI (µV)\t-aVR\n0\t100\t1\n0.004\t-200\t1.5\n",
        "time_s,I uV,-aVR\n0,100,1\n0.004,-200,1.5\n",
    ],
)
def test_separators_decimal_commas_and_units_in_names_of_other_programs_are_read(text, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    other = read_csv(tmp_path / "a.csv")
    assert (other.leads, other.fs_hz) == (("I", "-aVR"), 250.0)
    np.testing.assert_allclose(other.signals_mv, [[0.1, -0.2], [1.0, 1.5]], atol=1e-6)


def test_units_of_a_csv_are_heeded(tmp_path):
    (tmp_path / "a.csv").write_text("t,I,V1\nms,uV,V\n0,100,0.001\n4,,0.002\n8,300,0.003\n")
    document = read_csv(tmp_path / "a.csv")
    assert document.fs_hz == 250
    np.testing.assert_allclose(document.signals_mv, [[0.1, np.nan, 0.3], [1, 2, 3]])
    (tmp_path / "a.csv").write_text("t,I\ns,mmHg\n0,1\n1,2\n")
    with pytest.raises(DatasetError, match="Expected a unit of mv, uv, .* got 'mmHg'"):
        read_csv(tmp_path / "a.csv")


def test_a_csv_of_one_sample_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("time_s,I\ns,mV\n0,1\n")
    with pytest.raises(DatasetError, match="Expected two samples or more"):
        read_csv(tmp_path / "a.csv")


def test_leads_that_begin_later_are_written_on_one_clock_by_distinct_names(record, tmp_path):
    late = replace(record, leads=("-aVR", "-aVR"), start_s=(0.0, 1.0))
    write_csv(late, tmp_path / "a.csv")
    back = read_csv(tmp_path / "a.csv")
    assert back.leads == ("-aVR", "-aVR-2")
    assert back.signals_mv.shape == (2, 1500)
    np.testing.assert_array_equal(np.isnan(back.signals_mv[1, :500]), True)
    np.testing.assert_allclose(back.signals_mv[1, 500:700], record.signals_mv[1, :200], atol=6e-5)


@pytest.mark.parametrize(
    ("header", "is_record"),
    [("time_s,II", True), ("avr,v1", True), ("II-rhythm", True), ("path,label", False), ("", False)],
)
def test_a_record_is_recognized_by_its_header(header, is_record, tmp_path):
    (tmp_path / "a.csv").write_text(f"{header}\n1,2\n")
    assert looks_like_record(tmp_path / "a.csv") is is_record
    assert looks_like_record(tmp_path / "missing.csv")


def test_traces_without_a_scale_are_written_in_pixels_and_mm_of_the_page(tmp_path):
    ink = InkMap(np.zeros((1, 1), np.uint8), (1.0, 1.0), (0.0, 0.0))
    upright = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    layout = Layout("1x1", (), Box(0, 0, 9, 9), 0.0, (4.0, 5.0), "none", None, upright, ink)
    trace = LeadTrace("II", np.array([10.0, 15.0]), np.array([96.0, np.nan]), baseline_px=100.0)
    page = Page(np.zeros((9, 9, 3), np.uint8))
    tracing = Tracing(page, layout, None, (trace, trace), 25.0, None, None)
    write_traces(tracing, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "lead,column_px,row_px,right_mm,up_mm",
        "II,10.00,96.00,0.000,1.000",
        "II,15.00,,1.000,",
        "II-2,10.00,96.00,0.000,1.000",
        "II-2,15.00,,1.000,",
    ]

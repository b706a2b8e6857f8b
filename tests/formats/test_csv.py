"""Records as CSV, written and read back."""

from dataclasses import replace

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.csv import looks_like_record, read_csv, write_csv, write_traces
from ecglens.formats.files import read_record
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
        ("time_s,II,note\n0,1,N\n1,low,N\n", "in a.csv, got 'low' in place of a number"),
        ("time_s,V1_mV,II_mV\n0,1,1\n1,2,-\n", "in a.csv, got '-' in place of a number"),
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
    with pytest.raises(DatasetError, match="Expected a unit of mV, uV, .* got 'mmHg'"):
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


def test_numbers_without_a_unit_are_millivolts_with_a_warning_or_refused(tmp_path):
    path = tmp_path / "ecg.csv"
    path.write_text("time_s,I,II_mV\n0,0.5,0.1\n0.002,-0.5,0.2\n0.004,1.0,0.1\n")
    assert read_csv(path).warnings == ("The file names no unit of I; the numbers were taken as millivolts.",)
    path.write_text("time_s,I,II\n0,1000,0\n0.002,-1000,0\n0.004,1000,0\n")
    with pytest.raises(DatasetError, match="between low and high; name their unit in the header"):
        read_csv(path)
    path.write_text("time_s,I (mmHg)\n0,80\n0.002,90\n0.004,80\n")
    with pytest.raises(DatasetError, match="got 'mmHg'"):
        read_csv(path)


def test_time_in_milliseconds_has_its_unit_in_its_name(tmp_path):
    path = tmp_path / "ecg.csv"
    path.write_text("time (ms),I_mV\n0,0.5\n2,0.6\n4,0.5\n")
    assert read_csv(path).fs_hz == 500.0


@pytest.mark.parametrize("rate", [599.88, 512.414, 599.880024, 1 / 0.001667, 333.333333, 257.03125, 800.0, 1000.0])
def test_rates_are_read_back_as_they_were(rate, record, tmp_path):
    for each in (record, replace(record, signals_mv=np.tile(record.signals_mv, 40))):
        write_csv(replace(each, fs_hz=rate), tmp_path / "ecg.csv")
        assert read_csv(tmp_path / "ecg.csv").fs_hz == pytest.approx(rate, rel=1e-9)


def rows_of(times, *columns):
    """Return lines of times and columns."""
    return "".join(",".join(map(str, row)) + "\n" for row in zip(times, *columns, strict=True))


WAVE = [round(np.sin(number / 9), 3) for number in range(2000)]
STEPS = range(2000)


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("time_ms", [2 * n for n in STEPS]),
        ("Zeit [ms]", [2 * n for n in STEPS]),
        ("timestamp_ns", [2_000_000 * n + 10**18 for n in STEPS]),
        ("timestamp", [f"2024-03-31T01:59:5{n // 500}.{n % 500 * 2:03}" for n in STEPS]),
        ("time", [f"2024-01-01 12:00:0{n // 500}.{n % 500 * 2:03}+01:00" for n in STEPS]),
        ("Elapsed time", [f"0:0{n // 500}.{n % 500 * 2:03}" for n in STEPS]),
        ("time (s)", [1_700_000_000 + n / 500 for n in STEPS]),
    ],
)
def test_times_of_other_programs_give_the_rate(header, times, tmp_path):
    (tmp_path / "a.csv").write_text(f"{header},II_mV\n{rows_of(times, WAVE)}")
    record = read_csv(tmp_path / "a.csv")
    assert (record.fs_hz, record.leads, record.warnings) == (500.0, ("II",), ())
    np.testing.assert_allclose(record["II"], WAVE, atol=1e-6)


@pytest.mark.parametrize("rate", [128, 250, 257, 360])
def test_times_rounded_to_milliseconds_are_even_and_lost_samples_are_not(rate, tmp_path):
    times = [f"{n / rate:.3f}" for n in STEPS]
    (tmp_path / "a.csv").write_text(f"time_s,II_mV\n{rows_of(times, WAVE)}")
    assert read_csv(tmp_path / "a.csv").fs_hz == rate
    (tmp_path / "a.csv").write_text(f"time_s,II_mV\n{rows_of([*times[:1000], *times[1001:]], WAVE[1:])}")
    with pytest.raises(DatasetError, match="Expected even steps of time"):
        read_csv(tmp_path / "a.csv")


def test_times_that_are_milliseconds_without_a_word_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(f"time,II_mV\n{rows_of([4 * n for n in STEPS], WAVE)}")
    with pytest.raises(DatasetError, match="got steps of 4; name their unit in the header, such as time_ms"):
        read_csv(tmp_path / "a.csv")


def test_columns_that_number_the_lines_are_no_leads_and_others_are_left_out(tmp_path):
    times = [n / 500 for n in STEPS]
    rows = rows_of(STEPS, times, WAVE, [70] * 2000, [1.5] * 2000, [""] * 2000)
    (tmp_path / "a.csv").write_text(f",time_s,I_mV,HR,Resp [L],\n{rows}")
    record = read_csv(tmp_path / "a.csv")
    assert record.leads == ("I",)
    assert record.warnings == ("Left out, since the file states no voltage for them: HR, Resp.",)


def test_columns_of_text_are_left_out_with_a_warning(tmp_path):
    rows = rows_of(["P1"] * 2000, [n / 500 for n in STEPS], WAVE, [70] * 2000, ["", "N"] * 1000)
    (tmp_path / "a.csv").write_text(f"patient,time_s,II_mV,HR,annotation\n{rows}")
    record = read_record(tmp_path / "a.csv")
    assert (record.leads, record.fs_hz) == (("II",), 500)
    assert record.warnings == ("Left out, since the file states no voltage for them: patient, HR, annotation.",)


@pytest.mark.parametrize("text", ["0,0.1\n0.002,0.2\n0.004,0.3\n", "1;0,5\n2;0,6\n3;0,5\n"])
def test_a_table_without_names_is_refused_with_what_is_missing(text, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    for read in (read_csv, read_record):
        with pytest.raises(DatasetError, match="Expected names of the columns in the first line of a.csv, such as"):
            read(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_files_of_other_encodings_are_read(encoding, tmp_path):
    (tmp_path / "a.csv").write_bytes("time_s,I [µV]\n0,100\n0.002,200\n0.004,300\n".encode(encoding))
    np.testing.assert_allclose(read_record(tmp_path / "a.csv")["I"], [0.1, 0.2, 0.3])


def test_tables_of_physionet_have_quotes_and_a_line_of_units(tmp_path):
    times = [f"'0:{n / 360:06.3f}'" for n in STEPS]
    text = f"'Elapsed time','MLII','V5'\n'hh:mm:ss.mmm','mV','mV'\n{rows_of(times, WAVE, WAVE)}"
    (tmp_path / "a.csv").write_text(f"# a comment\n{text}")
    record = read_record(tmp_path / "a.csv")
    assert (record.leads, record.fs_hz, record.warnings) == (("MLII", "V5"), 360.0, ())


def test_names_with_prefixes_and_repeated_names_are_leads(tmp_path):
    (tmp_path / "a.csv").write_text("Time,LEAD II,ECG AVR,II\n0,1,2,3\n0.002,2,3,4\n0.004,1,3,1\n")
    assert read_csv(tmp_path / "a.csv").leads == ("II", "aVR", "II-2")


@pytest.mark.parametrize(
    ("column", "name", "mv"),
    [
        ("II_V", "II", 1e3),
        ("II_nV", "II", 1e-6),
        ("II_volts", "II", 1e3),
        ("II_microvolt", "II", 1e-3),
        ("II/mV", "II", 1.0),
        ("II mV", "II", 1.0),
        ("II (uV)", "II", 1e-3),
        ("II_(uV)", "II", 1e-3),
        ("II [Volt]", "II", 1e3),
        ("II in mV", "II", 1.0),
        ("II-uV", "II", 1e-3),
        ("V_V", "V", 1e3),
        ("V1 (V)", "V1", 1e3),
        ("ECG_V", "ECG", 1e3),
    ],
)
def test_a_unit_in_the_name_of_a_column_is_no_part_of_the_lead(column, name, mv, tmp_path):
    (tmp_path / "a.csv").write_text(f"time_s;{column}\n0;1.5\n0.002;-0.5\n0.004;0.25\n")
    record = read_csv(tmp_path / "a.csv")
    assert (record.leads, record.warnings) == ((name,), ())
    np.testing.assert_allclose(record.signals_mv, [np.float64([1.5, -0.5, 0.25]) * mv], rtol=1e-6)


def test_lead_v_has_no_unit_in_its_name(tmp_path):
    (tmp_path / "a.csv").write_text("time_s,Lead V,II_mV\n0,1.5,1\n0.002,-0.5,2\n0.004,0.25,1\n")
    record = read_csv(tmp_path / "a.csv")
    assert (record.leads, record.warnings) == (
        ("II",),
        ("Left out, since the file states no voltage for them: V.",),
    )


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        ([value / 1000 for value in WAVE], "of volts"),
        ([round(15 * value) for value in WAVE], "whole numbers"),
        (list((np.array(WAVE) - np.mean(WAVE)) / np.std(WAVE)), "normalized"),
        ([(value + 1) / 2 for value in WAVE], "normalized"),
        ([300 * value for value in WAVE], "between low and high"),
    ],
)
def test_numbers_that_are_no_millivolts_are_refused_without_a_unit_and_read_with_one(samples, fault, tmp_path):
    rows = rows_of([n / 500 for n in STEPS], samples)
    (tmp_path / "a.csv").write_text(f"time_s,II\n{rows}")
    with pytest.raises(DatasetError, match=rf"{fault}.* name their unit in the header, such as II_mV or II_uV"):
        read_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(f"time_s,II_mV\n{rows}")
    assert read_csv(tmp_path / "a.csv").warnings == ()


@pytest.mark.parametrize(
    "header", ["time_s,heart_rate", "time_s,temp_C", "time_s,x", "time_s,voltage", "time_s,V", "time_s,ch1"]
)
def test_columns_that_no_name_and_no_unit_makes_leads_are_refused_alone_and_left_out_beside_others(header, tmp_path):
    column = header.partition(",")[2]
    (tmp_path / "a.csv").write_text(f"{header}\n0,0.5\n0.002,0.7\n0.004,0.6\n")
    with pytest.raises(DatasetError, match=f"such as II_mV or II_uV, got {column}; name the unit of each lead"):
        read_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(f"{header},II\n0,0.5,1.5\n0.002,0.7,0.5\n0.004,0.6,1\n")
    record = read_csv(tmp_path / "a.csv")
    assert record.leads == ("II",)
    assert record.warnings[0] == f"Left out, since the file states no voltage for them: {column}."
    assert record.warnings[1].startswith("The file names no unit of II")


@pytest.mark.parametrize("column", ["ECG", "Lead 1", "ECG_clean", "MLII", "vx", "EKG II", "DII"])
def test_other_names_of_leads_need_no_unit(column, tmp_path):
    (tmp_path / "a.csv").write_text(f"time_s,{column}\n0,0.5\n0.002,0.7\n0.004,0.6\n")
    assert len(read_csv(tmp_path / "a.csv").leads) == 1


def test_other_voltages_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("time_s,PLETH_mV,Resp_mV,II_mV\n0,1,1,1\n0.002,2,1,2\n0.004,1,1,1\n")
    record = read_csv(tmp_path / "a.csv")
    assert (record.leads, record.warnings) == (("II",), ("Left out, since they are no ECG: PLETH, Resp.",))


@pytest.mark.parametrize("cell", ["", "nan", "inf", "-inf"])
def test_a_lead_without_a_number_has_a_warning(cell, tmp_path):
    (tmp_path / "a.csv").write_text(f"time_s,I_mV,V6_mV\n0,0.5,{cell}\n0.002,0.7,{cell}\n0.004,0.6,{cell}\n")
    record = read_csv(tmp_path / "a.csv")
    assert np.isnan(record["V6"]).all()
    assert record.warnings == ("The file has no number in V6.",)

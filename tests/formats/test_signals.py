import warnings

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.csv import read_csv, write_csv
from ecglens.formats.wfdb import read_wfdb, write_wfdb
from ecglens.records import EcgRecord


@pytest.fixture
def record() -> EcgRecord:
    t = np.arange(1000) / 500
    signals = np.float32([np.sin(7 * t), 0.3 * np.cos(5 * t)])
    signals[1, 200:210] = np.nan
    return EcgRecord(signals, 500.0, ("II", "aVR"))


def test_csv_keeps_signals_to_a_tenth_of_a_microvolt_and_gaps(record, tmp_path):
    write_csv(record, tmp_path / "new" / "a.csv")
    back = read_csv(tmp_path / "new" / "a.csv")
    assert (back.fs_hz, back.leads) == (500.0, ("II", "aVR"))
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=6e-5)


def test_wfdb_keeps_signals_to_a_microvolt_and_gaps(record, tmp_path):
    write_wfdb(record, tmp_path / "new" / "rec")
    back = read_wfdb(tmp_path / "new" / "rec.hea")
    assert (back.fs_hz, back.leads) == (500.0, ("II", "aVR"))
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=6e-4)


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


def test_a_wfdb_record_that_is_not_there_or_is_broken_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected a WFDB header no\.hea"):
        read_wfdb(tmp_path / "no")
    (tmp_path / "bad.hea").write_text("bad 1 500 10\nbad.dat 16 1000/mV 16 0 0 0 0 II\n")
    with pytest.raises(DatasetError, match="Expected a WFDB record at bad, but it cannot be read"):
        read_wfdb(tmp_path / "bad.hea")


def test_csv_has_a_line_of_units_and_is_read_with_and_without_it(record, tmp_path):
    write_csv(record, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[:2] == ["time_s,II,aVR", "s,mV,mV"]
    (tmp_path / "b.csv").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    first, second = read_csv(tmp_path / "a.csv"), read_csv(tmp_path / "b.csv")
    assert (first.fs_hz, first.leads) == (second.fs_hz, second.leads)
    np.testing.assert_array_equal(first.signals_mv, second.signals_mv)


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


def test_the_wfdb_package_reads_names_units_gain_and_comments(page, tmp_path):
    wfdb = pytest.importorskip("wfdb")
    write_wfdb(page, tmp_path / "rec.hea")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = wfdb.rdrecord(str(tmp_path / "rec"))
    assert tuple(document.sig_name) == page.leads
    assert set(document.units) == {"mV"}
    assert set(document.adc_gain) == {1000.0}
    assert document.comments[:2] == list(page.comments)
    np.testing.assert_allclose(document.p_signal.T, page.on_one_clock().signals_mv, atol=6e-4)


def test_a_name_that_wfdb_does_not_allow_is_refused(record, tmp_path):
    with pytest.raises(DatasetError, match="Expected letters, digits, - and _ .* 'my page'"):
        write_wfdb(record, tmp_path / "my page")

"""WFDB records, written and read back, and headers that state more than they hold."""

import warnings

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.files import read_record
from ecglens.formats.wfdb import read_wfdb, write_wfdb


def write_header(folder, header):
    (folder / "a.hea").write_text(header, encoding="ascii")
    (folder / "a.dat").write_bytes(bytes(2000))
    return folder / "a.hea"


SIGNAL = "a.dat 16 1000/mV 16 0 0 0 0 I\n"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            f"a 1 500 1000000000\n{SIGNAL}",
            "at most 1000 signals and 30,000,000 samples at a, got 1 signals of 1,000,000,000",
        ),
        (f"a 2000000000 500 10\n{SIGNAL}", "got 2,000,000,000 signals of 10"),
        ("a 1 500 1000\na.dat 16x90000 1000/mV 16 0 0 0 0 I\n", "got 90,000 signals of 1,000"),
        ("a/2 1 500 2000\na 1000\na 1000\n", "segments without segments"),
        (f"a 1 0 1000\n{SIGNAL}", "a sampling rate above 0 Hz in a, got 0 Hz"),
        ("a 1 500 1000\na.dat 516 1000/mV 16 0 0 0 0 I\n", "it cannot be read"),
    ],
    ids=["samples", "signals", "samples a frame", "ring of segments", "rate", "no FLAC"],
)
def test_a_header_that_states_more_than_a_recording_has_is_refused(header, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        read_record(write_header(tmp_path, header))


@pytest.mark.parametrize("name", ["../b.dat", "{folder}/b.dat", "/dev/zero", "https://127.0.0.1:9/b.dat"])
def test_a_header_reads_no_file_outside_of_its_folder(name, tmp_path):
    (tmp_path / "b.dat").write_bytes(bytes(2000))
    (tmp_path / "record").mkdir()
    named = name.format(folder=tmp_path)
    header = write_header(tmp_path / "record", f"a 1 500 1000\n{named} 16 1000/mV 16 0 0 0 0 I\n")
    with pytest.raises(DatasetError, match="Expected a WFDB record at a, but it cannot be read"):
        read_record(header)


def test_wfdb_keeps_signals_to_a_microvolt_and_gaps(record, tmp_path):
    write_wfdb(record, tmp_path / "new" / "rec")
    back = read_wfdb(tmp_path / "new" / "rec.hea")
    assert (back.fs_hz, back.leads) == (500.0, ("II", "aVR"))
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=6e-4)


def test_a_wfdb_record_that_is_not_there_or_is_broken_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected a WFDB header no\.hea"):
        read_wfdb(tmp_path / "no")
    (tmp_path / "bad.hea").write_text("bad 1 500 10\nbad.dat 16 1000/mV 16 0 0 0 0 II\n")
    with pytest.raises(DatasetError, match="Expected a WFDB record at bad, but it cannot be read"):
        read_wfdb(tmp_path / "bad.hea")


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


@pytest.mark.parametrize(("unit", "in_mv"), [("uV", 1e-3), ("V", 1e3), ("mV", 1.0)])
def test_units_of_a_record_are_heeded(unit, in_mv, tmp_path):
    header = write_header(tmp_path, f"a 1 500 3\na.dat 16 10/{unit} 16 0 0 0 0 avr\n")
    np.array([10, 20, -32768], "<i2").tofile(tmp_path / "a.dat")
    back = read_wfdb(header)
    assert back.leads == ("aVR",)
    np.testing.assert_allclose(back.signals_mv, [[1 * in_mv, 2 * in_mv, np.nan]], rtol=1e-6)


def test_a_signal_that_is_no_voltage_is_refused(tmp_path):
    header = write_header(tmp_path, "a 1 500 1000\na.dat 16 10/mmHg 16 0 0 0 0 ABP\n")
    with pytest.raises(DatasetError, match="Expected voltages in the WFDB record a, got the unit 'mmHg'"):
        read_wfdb(header)

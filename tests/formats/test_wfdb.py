"""WFDB records, written and read back, and headers that state more than they hold."""

import warnings

import numpy as np
import pytest

import ecglens
from ecglens.errors import DatasetError, MissingDataError
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
        (f"a 1 0 1000\n{SIGNAL}", "a sampling rate of 10 to 100,000 Hz in a, got 0 Hz"),
        (f"a 1 -500 1000\n{SIGNAL}", "a sampling rate above 0 Hz in the header of the WFDB record a, got '-500'"),
        (f"a 1 5e2 1000\n{SIGNAL}", "a sampling rate above 0 Hz"),
        (f"a 1 nan 1000\n{SIGNAL}", "a sampling rate above 0 Hz"),
        ("a 1 500 1000\na.dat 516 1000/mV 16 0 0 0 0 I\n", "are damaged"),
    ],
    ids=[
        "samples",
        "signals",
        "samples a frame",
        "ring of segments",
        "rate",
        "negative rate",
        "exponent",
        "no rate",
        "no FLAC",
    ],
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
    with pytest.raises(DatasetError, match="Expected a WFDB record at a, but its header or its signals are damaged"):
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
    message = (
        r"Expected the signals of the WFDB record bad in bad\.dat beside its header, got no such file; put it there"
    )
    with pytest.raises(MissingDataError, match=message):
        read_wfdb(tmp_path / "bad.hea")
    with pytest.raises(FileNotFoundError, match=message):
        read_record(tmp_path / "bad.hea")


def test_samples_that_differ_from_their_checksum_are_a_doubt(tmp_path):
    header = write_header(tmp_path, "a 2 500 500\na.dat 16 1000/mV 16 0 0 -6 0 I\na.dat 16 1000/mV 16 0 0 7 0 avr\n")
    samples = np.zeros((500, 2), "<i2")
    samples[0] = -6, 7
    samples.tofile(tmp_path / "a.dat")
    assert read_wfdb(header).warnings == ()
    samples[100, 1] = 500
    samples.tofile(tmp_path / "a.dat")
    doubt = "The file may be damaged: the samples of aVR differ from the checksum in its header."
    assert read_wfdb(header).warnings == (doubt,)
    assert doubt in ecglens.examine_record(read_record(header)).record.warnings
    (tmp_path / "b.hea").write_text("b/2 2 500 1000\na 500\na 500\n", encoding="ascii")
    assert read_wfdb(tmp_path / "b.hea").warnings == (doubt,)


def test_a_header_without_checksums_or_with_zeros_is_no_doubt(tmp_path):
    for ending in ("", " 16 0 0 0 0 I", " 16 0 5"):
        header = write_header(tmp_path, f"a 1 500 1000\na.dat 16 1000/mV{ending}\n")
        np.arange(1000, dtype="<i2").tofile(tmp_path / "a.dat")
        assert read_wfdb(header).warnings == ()


@pytest.mark.parametrize("form", ["16", "212", "24", "32", "80"])
def test_a_file_of_signals_that_is_cut_short_says_so(form, tmp_path):
    wfdb = pytest.importorskip("wfdb")
    digital = np.zeros((1000, 3), int) + [1, 2, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"fmt": [form] * 3, "adc_gain": [10.0] * 3, "baseline": [0] * 3, "write_dir": str(tmp_path)}
        wfdb.wrsamp("a", fs=500, units=["mV"] * 3, sig_name=["I", "II", "V1"], d_signal=digital, **options)
    assert read_wfdb(tmp_path / "a").signals_mv.shape == (3, 1000)
    content = (tmp_path / "a.dat").read_bytes()
    (tmp_path / "a.dat").write_bytes(content[:-100])
    with pytest.raises(
        DatasetError, match=r"bytes in a\.dat, as the header .* the file is cut short, so copy it again"
    ):
        read_wfdb(tmp_path / "a")


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


def test_a_signal_that_is_no_voltage_is_refused_alone_and_left_out_beside_others(tmp_path):
    pressure = "a.dat 16 10/mmHg 16 0 0 0 0 ABP\n"
    header = write_header(tmp_path, f"a 1 500 1000\n{pressure}")
    with pytest.raises(DatasetError, match="Expected signals whose unit is stated in a, got 1 without a voltage"):
        read_wfdb(header)
    record = read_wfdb(write_header(tmp_path, f"a 2 500 500\n{SIGNAL}{pressure}"))
    assert record.leads == ("I",)
    assert record.warnings == ("Left out, since the file states no voltage for them: ABP.",)


@pytest.mark.parametrize("gain", ["", " 0", " 0(5)/mV"])
def test_signals_without_a_gain_are_refused_since_wfdb_would_guess_one(gain, tmp_path):
    header = write_header(tmp_path, f"a 1 500 1000\na.dat 16{gain}\n")
    with pytest.raises(DatasetError, match="Expected signals whose unit is stated in a, got 1 without a voltage"):
        read_wfdb(header)


def test_signals_of_several_samples_a_frame_are_not_averaged(tmp_path):
    rows = np.arange(1, 301, dtype="<i2").reshape(100, 3)  # a frame: two samples of II, one of respiration
    header = write_header(tmp_path, "a 2 250 100\na.dat 16x2 1000/mV 16 0 0 0 0 II\na.dat 16 1/mV 16 0 0 0 0 Resp\n")
    (tmp_path / "a.dat").write_bytes(rows.tobytes())
    record = read_wfdb(header)
    assert (record.leads, record.fs_hz) == (("II",), 500.0)
    np.testing.assert_allclose(record["II"], rows[:, :2].ravel() / 1000, rtol=1e-6)
    assert record.warnings == ("Left out, since they are no ECG: Resp.",)


def test_segments_with_gaps_between_them_are_joined_on_one_clock(tmp_path):
    (tmp_path / "part.dat").write_bytes(np.arange(200, dtype="<i2").tobytes())
    (tmp_path / "lay.hea").write_text("lay 2 250 0\n~ 0 1000/mV 16 0 0 0 0 II\n~ 0 1000/mV 16 0 0 0 0 V1\n")
    (tmp_path / "both.hea").write_text(
        "both 2 250 100\npart.dat 16 1000/mV 16 0 0 0 0 II\npart.dat 16 1000/mV 16 0 0 0 0 V1\n"
    )
    (tmp_path / "one.hea").write_text("one 1 250 100\npart.dat 16 1000/mV 16 0 0 0 0 V1\n")
    (tmp_path / "whole.hea").write_text("whole/4 2 250 300\nlay 0\nboth 100\n~ 100\none 100\n")
    record = read_wfdb(tmp_path / "whole.hea")
    assert record.leads == ("II", "V1")
    np.testing.assert_allclose(record["V1"], [*range(1, 200, 2), *[np.nan] * 100, *range(100)] / np.float32(1000))
    assert np.isnan(record["II"][100:]).all()


def test_a_header_without_a_rate_says_that_the_default_was_used(tmp_path):
    record = read_wfdb(write_header(tmp_path, "a 1\na.dat 16 1000/mV 16 0 0 0 0 I\n"))
    assert (record.fs_hz, record.warnings) == (
        250.0,
        ("The header states no sampling rate; 250 Hz was used, the default of WFDB.",),
    )


def test_signals_without_a_name_are_numbered(tmp_path):
    assert read_wfdb(write_header(tmp_path, "a 1 250 1000\na.dat 16 1000/mV\n")).leads == ("channel 1",)


@pytest.mark.parametrize("rate", ["500", "500.0", "500.", "500/1000", "500(3)", "500/1000(3)"])
def test_a_sampling_rate_is_read_with_its_counter(rate, tmp_path):
    assert read_record(write_header(tmp_path, f"a 1 {rate} 1000\n{SIGNAL}")).fs_hz == 500

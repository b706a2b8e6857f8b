"""Records whose files state more than they hold, files of elsewhere, or parts that do not fit each other."""

import json
import struct
import zlib

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats import files
from ecglens.formats.checks import check_record
from ecglens.formats.files import read_record, write_record
from ecglens.records import EcgRecord


def test_a_deflated_data_set_that_unpacks_to_more_than_an_ecg_is_refused_unpacked(whole, tmp_path):
    path = write_record(whole, tmp_path / "a", "dicom")
    data = path.read_bytes()
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    head = data[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    uid = head.index(b"1.2.840.10008.1.2.1.99")
    head = head[: uid - 2] + struct.pack("<H", 22) + head[uid:]
    head = head[:140] + struct.pack("<I", len(head) - 144) + head[144:]

    def deflate(body):
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return packer.compress(body) + packer.flush()

    path.write_bytes(head + deflate(data[start:]))
    assert read_record(path).leads == whole.leads
    path.write_bytes(head + deflate(data[start:] + bytes(100_000_000)))
    with pytest.raises(DatasetError, match=r"a deflated data set of at most 100 MB at a\.dcm, got more"):
        read_record(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"leads": ["I", "I"]}, "a part is missing or damaged"),
        ({"fs_hz": 0}, "a sampling rate of 10 to 100,000 Hz"),
        ({"fs_hz": float("nan")}, "a sampling rate of 10 to 100,000 Hz"),
        ({"fs_hz": 10**400}, "a part is missing or damaged"),
        ({"leads": [], "signals": {}}, "leads of one sample or more"),
        ({"signals": {"I": [[1.0], [2.0]]}}, "leads of one sample or more"),
        ({"start_s": [1.0, 2.0]}, "a start and a quality for each of 1 leads"),
        ({"start_s": ["soon"]}, "starts of leads in s"),
        ({"leads": [5], "signals": {"5": [1.0]}}, "a part is missing or damaged"),
    ],
)
def test_a_record_whose_parts_do_not_fit_is_refused(changes, message, tmp_path):
    document = {
        "format": "ecglens-record", "format_version": 1, "fs_hz": 500.0, "leads": ["I"], "start_s": [], "quality": [],
        "unit": "mV", "signals": {"I": [0.0, 1.0]}, "comments": [], "warnings": [],
    }  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert np.allclose(read_record(path).signals_mv, [[0, 1]])
    path.write_text(json.dumps({**document, **changes}), encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_record(path)


@pytest.mark.parametrize("fs_hz", [1e-3, 9.9, 100_001.0, 1e9])
def test_rates_of_no_recorder_are_refused_before_anything_is_computed(fs_hz):
    with pytest.raises(DatasetError, match=r"Expected a sampling rate of 10 to 100,000 Hz in a\.hea"):
        check_record(EcgRecord(np.zeros((1, 5000), np.float32), fs_hz, ("I",)), "a.hea")


@pytest.mark.parametrize("start_s", [0.0, 1e9])
def test_recordings_of_weeks_are_refused_also_by_a_late_start(start_s):
    samples = 10 * 3600 * 101 if start_s == 0 else 100
    record = EcgRecord(np.zeros((1, samples), np.float32), 10.0, ("I",), start_s=(start_s,))
    with pytest.raises(DatasetError, match="Expected at most 100 hours over all leads in a, got"):
        check_record(record, "a")


def test_infinite_samples_are_missing_and_voltages_of_another_unit_are_refused():
    signals = np.float32([[0.5, np.inf, -np.inf, np.nan, 1.0]])
    checked = check_record(EcgRecord(signals, 500.0, ("I",)), "a")
    np.testing.assert_array_equal(checked.signals_mv, np.float32([[0.5, np.nan, np.nan, np.nan, 1.0]]))
    with pytest.raises(
        DatasetError, match="Expected voltages of at most 10,000 mV in a, got 2e[+]04 mV; check its unit"
    ):
        check_record(EcgRecord(np.float32([[0, 20_000]]), 500.0, ("I",)), "a")


def test_whatever_a_reader_raises_is_one_sentence(tmp_path, monkeypatch):
    def fail(path):
        raise OverflowError("int too large to convert to float")

    monkeypatch.setattr(files, "_READERS", {**files._READERS, "json": fail})
    (tmp_path / "a.json").write_text('{"format": "ecglens-record"}\n')
    with pytest.raises(DatasetError, match=r"a whole file of JSON of ecglens at a\.json, .* \(OverflowError\)"):
        read_record(tmp_path / "a.json")


def test_a_dicom_file_that_states_more_samples_than_it_holds_says_so(whole, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    path = write_record(whole, tmp_path / "a", "dicom")
    dataset = pydicom.dcmread(path)
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 4_294_967_295
    pydicom.dcmwrite(path, dataset)
    warnings = read_record(path).warnings
    assert "The file ends early: it states 4,294,967,295 samples of each lead and holds 5,000." in warnings


def test_a_lead_without_any_number_is_said():
    signals = np.float32([[0.1, 0.2], [np.nan, np.nan], [np.inf, -np.inf]])
    record = check_record(EcgRecord(signals, 250.0, ("I", "II", "V1")), "a.edf")
    assert record.warnings == ("The file has no number in II, V1.",)
    assert np.isnan(record.signals_mv[1:]).all()


def test_characters_that_control_a_terminal_are_removed_from_names_and_comments():
    record = EcgRecord(np.zeros((1, 10)), 250.0, ("I\x1b]0;x\x07",), comments=("age 40\nline \x1b[2J",))
    checked = check_record(record, "x.json")
    assert checked.leads == ("I?]0;x?",)
    assert checked.comments == ("age 40\nline ?[2J",)


def test_thousands_of_leads_are_refused():
    record = EcgRecord(np.zeros((30_000, 10)), 250.0, tuple(map(str, range(30_000))))
    with pytest.raises(DatasetError, match="at most 1,000 leads in x.xml, got 30,000"):
        check_record(record, "x.xml")

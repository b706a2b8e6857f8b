"""Records whose files state more than they hold, files of elsewhere, or parts that do not fit each other."""

import json
import struct
import zlib

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.files import read_record, write_record


def _wfdb(folder, header):
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
        read_record(_wfdb(tmp_path, header))


@pytest.mark.parametrize("name", ["../b.dat", "{folder}/b.dat", "/dev/zero", "https://127.0.0.1:9/b.dat"])
def test_a_header_reads_no_file_outside_of_its_folder(name, tmp_path):
    (tmp_path / "b.dat").write_bytes(bytes(2000))
    (tmp_path / "record").mkdir()
    named = name.format(folder=tmp_path)
    header = _wfdb(tmp_path / "record", f"a 1 500 1000\n{named} 16 1000/mV 16 0 0 0 0 I\n")
    with pytest.raises(DatasetError, match="Expected a WFDB record at a, but it cannot be read"):
        read_record(header)


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
        ({"fs_hz": 0}, "a sampling rate above 0 Hz"),
        ({"fs_hz": float("nan")}, "a sampling rate above 0 Hz"),
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

"""Records whose files state more than they hold, files of elsewhere, or parts that do not fit each other."""

import json
import struct
import zlib

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.files import read_record, write_record


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

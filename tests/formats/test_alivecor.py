import struct
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.alivecor import looks_like_atc, read_atc


def block(name: bytes, data: bytes) -> bytes:
    whole = name + struct.pack("<I", len(data)) + data
    return whole + struct.pack("<I", sum(whole))


def atc(leads: dict[bytes, list[int]], *, kind: int = 1, step_nv: int = 500) -> bytes:
    info = bytearray(264)
    info[180:191] = b"triangle hw"
    blocks = [block(b"info", bytes(info)), block(b"fmt ", struct.pack("<BHHBH", kind, 300, step_nv, 0, 0))]
    blocks += [block(name, np.array(samples, "<i2").tobytes()) for name, samples in leads.items()]
    return b"ALIVE\0\0\0\x03\0\0\0" + b"".join(blocks) + block(b"ann ", b"\0" * 10)


def test_leads_steps_and_rate_are_those_of_the_blocks(tmp_path: Path) -> None:
    (tmp_path / "a.atc").write_bytes(atc({b"ecg ": [200, -400], b"ecg2": [1000, 0], b"avg ": [9]}))
    record = read_atc(tmp_path / "a.atc")
    assert record.fs_hz == 300.0
    assert record.leads == ("I", "II")
    np.testing.assert_allclose(record.signals_mv, [[0.1, -0.2], [0.5, 0.0]], atol=1e-6)
    assert record.comments == ("recorder: AliveCor triangle hw",)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_file_that_is_cut_off_is_refused(cut: int, tmp_path: Path) -> None:
    (tmp_path / "a.atc").write_bytes(atc({b"ecg ": [1, 2, 3]})[:-cut])
    with pytest.raises(DatasetError, match=r"Expected whole blocks in a\.atc, got one that is cut off"):
        read_atc(tmp_path / "a.atc")


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(atc({b"ecg ": [1, 2, 3]}))
    content[content.index(b"ecg ") + 9] ^= 1
    (tmp_path / "a.atc").write_bytes(content)
    with pytest.raises(DatasetError, match="got another sum for 'ecg'; the file is damaged"):
        read_atc(tmp_path / "a.atc")


@pytest.mark.parametrize(("kind", "step_nv"), [(2, 500), (1, 0)])
def test_other_samples_are_refused(kind: int, step_nv: int, tmp_path: Path) -> None:
    (tmp_path / "a.atc").write_bytes(atc({b"ecg ": [1]}, kind=kind, step_nv=step_nv))
    with pytest.raises(DatasetError, match="Expected samples of 16 bits"):
        read_atc(tmp_path / "a.atc")


def test_a_file_without_leads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.atc").write_bytes(atc({}))
    with pytest.raises(DatasetError, match="Expected leads of one sample or more"):
        read_atc(tmp_path / "a.atc")


def test_the_signature_is_its_mark() -> None:
    assert looks_like_atc(atc({}))
    assert not looks_like_atc(b"ALIVE")

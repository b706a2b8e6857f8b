import struct
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.healforce import looks_like_healforce, read_healforce


def section(number: int, data: bytes) -> bytes:
    return struct.pack("<HHI2s6x", 0, number, 16 + len(data), b"\x0d\x0d") + data


def healforce(samples: list[list[int]]) -> bytes:
    """Pack rows of three channels, whose number of samples is a multiple of four."""
    low = np.array(samples).T.ravel() + 512
    quads = low.reshape(-1, 4)
    words = quads[:, :3].copy()
    for column, shift in enumerate((8, 4, 0)):
        words[:, column] |= (quads[:, 3] >> shift & 0xF) << 10
    rhythm = words.astype("<u2").tobytes()
    parts = {3: bytes([3, 4]) + bytes(10), 6: struct.pack("<HHHH", 9524, 150, 0, len(rhythm)) + rhythm}
    start = 6 + 16 + 10 * len(parts)
    index, body = b"", b""
    for number, data in parts.items():
        whole = section(number, data)
        index += struct.pack("<HII", number, len(whole), start + len(body))
        body += whole
    return struct.pack("<HHH", 0, 0, 0) + section(0, index) + body


def test_samples_are_unpacked_from_three_words_for_four(tmp_path: Path) -> None:
    rows = [[0, 1, -1, 511], [-512, 100, 200, -300], [7, 8, 9, 10]]
    (tmp_path / "a.SCP").write_bytes(healforce(rows))
    record = read_healforce(tmp_path / "a.SCP")
    assert (record.fs_hz, record.leads) == (150.0, ("channel 1", "channel 2", "channel 3"))
    np.testing.assert_allclose(record.signals_mv, np.array(rows) / 100, atol=1e-6)
    assert "not documented" in record.warnings[0]


@pytest.mark.parametrize("size", [0, 20, 50, 80])
def test_a_file_that_is_cut_off_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "a.SCP").write_bytes(healforce([[1, 2, 3, 4]] * 3)[:size])
    with pytest.raises(DatasetError, match=r"Expected a Healforce file at a\.SCP, but it cannot be read"):
        read_healforce(tmp_path / "a.SCP")


def test_a_file_of_the_standard_is_none_of_them(tmp_path: Path) -> None:
    content = bytearray(healforce([[1, 2, 3, 4]] * 3))
    assert looks_like_healforce(content)
    content[16:22] = b"SCPECG"
    assert not looks_like_healforce(content)

"""Files of the Healforce Prince 180, whose ending is that of SCP-ECG: its sections, but samples of its own kind.

Four samples of 12 bits are packed into three words of 16 bits; 10 of the 12 bits are the signal. The manufacturer
publishes no description; this one was found by users of the device.
"""

import struct
from pathlib import Path

import numpy as np

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.records import EcgRecord

__all__ = ["looks_like_healforce", "read_healforce"]

_VERSIONS = b"\x0d\x0d"
"""Versions of section and protocol."""
_HEADER_BYTES = 16
_INDEX = 6
"""Position of the index of the sections, after checksum and size."""
_LEAD_SECTION, _RHYTHM_SECTION = 3, 6
_STEP_MV = 0.01
_SIGN, _RANGE = 512, 1024
_UNVERIFIED = "The step of 10 µV and the order of the channels are not documented by the recorder's manufacturer."


def looks_like_healforce(head: bytes) -> bool:
    """Return whether a file that begins so has sections of the recorder, which lack the mark of SCP-ECG."""
    return head[_INDEX + 2 : _INDEX + 4] == b"\0\0" and head[14:16] == _VERSIONS and head[16:22] != b"SCPECG"


def read_healforce(path: str | Path) -> EcgRecord:
    """Read a file of a Healforce Prince 180; its channels have no names.

    Raises:
        DatasetError: The file cannot be read or is damaged.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if not looks_like_healforce(content):
            raise ValueError
        sections = _sections(content)
        channels = sections[_LEAD_SECTION][0]
        rate_hz, size = struct.unpack_from("<2xH2xH", sections[_RHYTHM_SECTION])
        words = np.frombuffer(sections[_RHYTHM_SECTION], "<u2", size // 2, 8)
        samples = _unpack(words[: len(words) // 3 * 3].reshape(-1, 3))
        rows = samples[: len(samples) // channels * channels].reshape(-1, channels).T
    except (OSError, KeyError, IndexError, ValueError, ZeroDivisionError, struct.error) as error:
        raise DatasetError(f"Expected a Healforce file at {path.name}, but it cannot be read.") from error
    names = tuple(f"channel {number + 1}" for number in range(channels))
    signals = np.ascontiguousarray(rows * _STEP_MV, dtype=np.float32)
    comments = ("recorder: Healforce Prince 180",)
    return check_record(
        EcgRecord(signals, float(rate_hz), names, comments=comments, warnings=(_UNVERIFIED,)), path.name
    )


def _sections(content: bytes) -> dict[int, bytes]:
    """Return what is in the sections after their headers, by number."""
    (index_bytes,) = struct.unpack_from("<I", content, _INDEX + 4)
    sections = {}
    for place in range(_INDEX + _HEADER_BYTES, _INDEX + index_bytes - 9, 10):
        number, size, start = struct.unpack_from("<HII", content, place)
        sections[number] = content[start + _HEADER_BYTES : start + size]
    return sections


def _unpack(words: np.ndarray) -> np.ndarray:
    """Return signed samples; the fourth of each four has four bits in each word."""
    fourth = ((words[:, 0] & 0x3C00) >> 2) | ((words[:, 1] & 0x3C00) >> 6) | ((words[:, 2] & 0x3C00) >> 10)
    low = np.column_stack([words, fourth]).astype(np.int32) & (_RANGE - 1)
    return (low - _SIGN).ravel()

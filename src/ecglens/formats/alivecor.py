"""AliveCor's ATC files of Kardia recorders, by its file format specification 1.7: blocks with a name and a checksum."""

import struct
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.formats.limb_leads import derive_limb_leads
from ecglens.records import EcgRecord

__all__ = ["looks_like_atc", "read_atc"]

_SIGNATURE = b"ALIVE\0\0\0"
_FIRST_BLOCK = 12
"""Position of the first block, after signature and version."""
_LEADS = MappingProxyType(
    {b"ecg ": "I", b"ecg2": "II", b"ecg3": "III", b"ecg4": "aVR", b"ecg5": "aVL", b"ecg6": "aVF"}
    | {b"ecg7": "V1", b"ecg8": "V2", b"ecg9": "V3", b"ecga": "V4", b"ecgb": "V5", b"ecgc": "V6"}
)
_SIGNED_16_BIT = 1
_HARDWARE = slice(180, 212)
"""Recorder's name in the block of information."""


def looks_like_atc(head: bytes) -> bool:
    """Return whether a file that begins so is an ATC file."""
    return head.startswith(_SIGNATURE)


def read_atc(path: str | Path) -> EcgRecord:
    """Read an ATC file.

    Raises:
        DatasetError: The file cannot be read, is damaged, or holds no lead.
    """
    path = Path(path)
    try:
        blocks = dict(_iterate_blocks(path.read_bytes(), path.name))
        kind, fs_hz, step_nv = struct.unpack_from("<BHH", blocks[b"fmt "])
    except (OSError, KeyError, struct.error) as error:
        raise DatasetError(f"Expected an ATC file with a block 'fmt ' at {path.name}, but it has none.") from error
    if kind != _SIGNED_16_BIT or not step_nv:
        raise DatasetError(
            f"Expected samples of 16 bits with a step in nV in {path.name}, got format {kind} and a step of {step_nv}."
        )
    rows = {
        lead: np.frombuffer(blocks[name], "<i2", len(blocks[name]) // 2)
        for name, lead in _LEADS.items()
        if name in blocks
    }
    signals = np.full((len(rows), max(map(len, rows.values()), default=0)), np.nan, np.float32)
    for line, row in zip(signals, rows.values(), strict=True):
        line[: len(row)] = row * (step_nv * 1e-6)
    hardware = blocks.get(b"info", b"")[_HARDWARE].split(b"\0")[0].decode("ascii", "replace").strip()
    comments = (f"recorder: AliveCor {hardware}".rstrip(),)
    return derive_limb_leads(check_record(EcgRecord(signals, float(fs_hz), tuple(rows), comments=comments), path.name))


def _iterate_blocks(content: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the names of the blocks and what is in them.

    Raises:
        DatasetError: A block is cut off, or its checksum, the sum of its bytes, is another.
    """
    place = _FIRST_BLOCK
    while place < len(content):
        if place + 8 > len(content):
            raise DatasetError(f"Expected whole blocks in {name}, got one that is cut off; export the file again.")
        block = content[place : place + 4]
        end = place + 8 + int.from_bytes(content[place + 4 : place + 8], "little")
        checksum = content[end : end + 4]
        if len(checksum) < 4:
            raise DatasetError(f"Expected whole blocks in {name}, got one that is cut off; export the file again.")
        if sum(content[place:end]) % 2**32 != int.from_bytes(checksum, "little"):
            raise DatasetError(
                f"Expected blocks with their checksums in {name}, got another sum for "
                f"'{block.decode('ascii', 'replace').strip()}'; the file is damaged, export it again."
            )
        yield block, content[place + 8 : end]
        place = end + 4

"""Image file directories: the tag lists of TIFF files and of EXIF blocks, read no further than is safe.

Pillow keeps a copy of every tag's bytes, and tags may overlap, so a small file can ask for any amount of memory.
Walking the directories first shows what they would cost.

Source: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF (libtiff); EXIF 2.32 (CIPA DC-008), section 4.6.2.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_FRAMES", "Directory", "directories", "read_exif_orientation"]

MAX_FRAMES = 1_000
"""Directories after this many are not counted: no ECG has so many pages, and a chain may be made to be slow."""

_ORIENTATION = 0x0112
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BYTE_TYPES = (1, 2, 6, 7)


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory.

    Attributes:
        tags: First value of each tag that holds whole numbers.
        tag_bytes: Bytes that all its tags refer to.
        numbers: How many values its tags hold that are not bytes.
    """

    tags: dict[int, int]
    tag_bytes: int
    numbers: int


def directories(data: bytes) -> Iterator[Directory]:
    """Walk the chain of directories; it ends where the bytes no longer make sense."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    try:
        offset = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
        visited: set[int] = set()
        while offset and offset not in visited and len(visited) < MAX_FRAMES:
            visited.add(offset)
            directory, offset = _directory(data, offset, order, big)
            yield directory
    except (struct.error, OverflowError):
        return


def read_exif_orientation(exif: bytes) -> int:
    """Read the orientation, 1 to 8, of an EXIF block; 1 where it has none that makes sense."""
    block = exif.removeprefix(b"Exif\0\0")
    first = next(directories(block), None)
    value = first.tags.get(_ORIENTATION, 1) if first else 1
    return value if 1 <= value <= 8 else 1


def _directory(data: bytes, offset: int, order: str, big: bool) -> tuple[Directory, int]:
    head, entry, pointer = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    slot = 8 if big else 4
    count = struct.unpack_from(order + head, data, offset)[0]
    offset += struct.calcsize(order + head)
    step = struct.calcsize(order + entry) + slot
    tags: dict[int, int] = {}
    total = numbers = 0
    for start in range(offset, min(offset + count * step, len(data)), step):
        tag, kind, values = struct.unpack_from(order + entry, data, start)
        size = values * _TYPE_SIZES.get(kind, 1)
        total += size if size > slot else 0
        numbers += 0 if kind in _BYTE_TYPES else values
        place = start + step - slot
        if size > slot:
            place = struct.unpack_from(order + pointer, data, place)[0]
        code = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if code and values and place + struct.calcsize(order + code) <= len(data):
            tags[tag] = struct.unpack_from(order + code, data, place)[0]
    return Directory(tags, total, numbers), struct.unpack_from(order + pointer, data, offset + count * step)[0]

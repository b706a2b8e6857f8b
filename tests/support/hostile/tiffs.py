"""Hostile TIFF files: directories that never end, and strips and tiles that cost more than a page."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from hostile.bombs import zlib_zeros
from hostile.kinds import Kind

__all__ = ["KINDS"]

_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _SAMPLES, _ROWS, _STRIP_BYTES = (
    256, 257, 258, 259, 262, 273, 277, 278, 279,
)  # fmt: skip
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SUB_DIRECTORIES = 322, 323, 324, 325, 330
_NONE, _FAX_3, _FAX_4, _LZW, _DEFLATE, _PACKED = 1, 3, 4, 5, 8, 32773

_Tag = tuple[int, int, int, int]


def _directory(tags: Sequence[_Tag], following: int = 0) -> bytes:
    """Return a directory: tag, type, count and value or offset of each entry."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def _tiff(tags: Sequence[_Tag], tail: bytes = b"", following: int = 0) -> bytes:
    return b"II*\0\x08\0\0\0" + _directory(tags, following) + tail


def _offset(count: int) -> int:
    """Return the offset of the tail behind a directory of so many tags."""
    return 8 + 2 + 12 * count + 4


def _one_strip(width: int, height: int, compression: int, data: bytes, *more: _Tag, bits: int = 1) -> bytes:
    """Return a TIFF with all rows in one strip."""
    tags = [
        (_WIDTH, _LONG, 1, width), (_HEIGHT, _LONG, 1, height), (_BITS, _SHORT, 1, bits),
        (_COMPRESSION, _SHORT, 1, compression), (_PHOTOMETRIC, _SHORT, 1, 1), (_SAMPLES, _SHORT, 1, 1),
        (_ROWS, _LONG, 1, height), (_STRIP_BYTES, _LONG, 1, len(data)), *more,
    ]  # fmt: skip
    return _tiff([*tags, (_STRIPS, _LONG, 1, _offset(len(tags) + 1))], data)


def directories_in_a_ring(random: np.random.Generator) -> bytes:
    """Return a TIFF whose directory is followed by itself."""
    tags = [(_WIDTH, _SHORT, 1, 640), (_HEIGHT, _SHORT, 1, 400), (_SUB_DIRECTORIES, _LONG, 1, 8)]
    return _tiff(tags, following=8)


def directories_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a TIFF of thousands of pages of one pixel."""
    tags = [(_WIDTH, _SHORT, 1, 1), (_HEIGHT, _SHORT, 1, 1), (_STRIPS, _LONG, 1, 8), (_STRIP_BYTES, _LONG, 1, 1)]
    size, count = len(_directory(tags)), int(random.integers(900, 1600))
    chain = b"".join(_directory(tags, 8 + size * (number + 1)) for number in range(count))
    return b"II*\0\x08\0\0\0" + chain


def tags_with_billions_of_values(random: np.random.Generator) -> bytes:
    """Return a TIFF whose tags state four billion values."""
    tags = [(_WIDTH, _SHORT, 1, 640), (_HEIGHT, _SHORT, 1, 400)]
    tags += [(tag, int(random.integers(1, 13)), 2**32 - 1, 8) for tag in (_BITS, _STRIPS, _STRIP_BYTES, 320, 34665)]
    return _tiff(tags)


def tags_that_share_their_values(random: np.random.Generator) -> bytes:
    """Return a TIFF with thousands of tags that refer to the same bytes."""
    tags = [(_WIDTH, _SHORT, 1, 640), (_HEIGHT, _SHORT, 1, 400)]
    tags += [(tag, _UNDEFINED, 20_000, 1000) for tag in range(1000, 1000 + int(random.integers(1000, 5000)))]
    return _tiff(tags, bytes(20_000))


def tags_of_noise(random: np.random.Generator) -> bytes:
    """Return a TIFF whose entries are noise."""
    noise = [tuple(map(int, row)) for row in random.integers(0, [65_536, 14, 2**32, 2**32], (200, 4), dtype=np.int64)]
    tags = [*noise, (_WIDTH, _SHORT, 1, 640), (_HEIGHT, _SHORT, 1, 400), (_BITS, _SHORT, 1, 8)]
    return _tiff(tags, random.bytes(4000))


def offsets_outside(random: np.random.Generator) -> bytes:
    """Return a TIFF whose strips and next directory lie behind the file."""
    far = int(random.integers(10**6, 2**32 - 1))
    tags = [
        (_WIDTH, _SHORT, 1, 640), (_HEIGHT, _SHORT, 1, 400), (_BITS, _SHORT, 1, 8), (_PHOTOMETRIC, _SHORT, 1, 1),
        (_STRIPS, _LONG, 400, far), (_STRIP_BYTES, _LONG, 400, far), (_ROWS, _LONG, 1, 1),
    ]  # fmt: skip
    return _tiff(tags, following=far)


def big_tiff_of_billions(random: np.random.Generator) -> bytes:
    """Return a BigTIFF whose directory states 2**62 entries, or whose sizes need 64 bits."""
    count = (2**62, 3)[int(random.integers(2))]
    entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, 2**40) for tag in (_WIDTH, _HEIGHT, _STRIPS))
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, count) + entries + bytes(8)


def big_endian_and_types_of_no_size(random: np.random.Generator) -> bytes:
    """Return a TIFF of the other byte order whose sizes have types that are not numbers."""
    entries = b"".join(
        struct.pack(">HHII", tag, int(random.integers(0, 20)), 1, 640 << 16) for tag in (_WIDTH, _HEIGHT, _BITS)
    )
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", 3) + entries + bytes(4)


def one_bit_of_99_megapixels(random: np.random.Generator) -> bytes:
    """Return a TIFF of 99 megapixels of one bit in a strip of a few KB."""
    return _one_strip(9_900, 10_000, _DEFLATE, zlib_zeros(10_000 * 1238))


def fax_lines_of_noise(random: np.random.Generator) -> bytes:
    """Return a fax of 99 megapixels whose lines are noise."""
    kind = (_FAX_3, _FAX_4)[int(random.integers(2))]
    return _one_strip(9_900, 10_000, kind, random.bytes(60_000))


def strips_of_one_row_each(random: np.random.Generator) -> bytes:
    """Return a TIFF with a strip for each of thousands of rows, all of them the same bytes."""
    rows = int(random.integers(5_000, 9_000))
    data = zlib.compress(bytes(9_900), 9)
    tags = [
        (_WIDTH, _LONG, 1, 9_900), (_HEIGHT, _LONG, 1, rows), (_BITS, _SHORT, 1, 8),
        (_COMPRESSION, _SHORT, 1, _DEFLATE), (_PHOTOMETRIC, _SHORT, 1, 1), (_SAMPLES, _SHORT, 1, 1),
        (_ROWS, _LONG, 1, 1),
    ]  # fmt: skip
    start = _offset(len(tags) + 2)
    offsets = struct.pack("<I", start) * rows
    sizes = struct.pack("<I", len(data)) * rows
    tags += [(_STRIPS, _LONG, rows, start + len(data)), (_STRIP_BYTES, _LONG, rows, start + len(data) + 4 * rows)]
    return _tiff(tags, data + offsets + sizes)


def tiles_of_one_pixel(random: np.random.Generator) -> bytes:
    """Return a TIFF of tiles of 16 px, all of them the same bytes, or of one pixel."""
    side = (16, 1)[int(random.integers(2))]
    across = 4_000 // side if side > 1 else 400
    count = min(across * across, 10_000)
    data = zlib.compress(bytes(side * side), 9)
    tags = [
        (_WIDTH, _LONG, 1, across * side), (_HEIGHT, _LONG, 1, across * side), (_BITS, _SHORT, 1, 8),
        (_COMPRESSION, _SHORT, 1, _DEFLATE), (_PHOTOMETRIC, _SHORT, 1, 1), (_SAMPLES, _SHORT, 1, 1),
        (_TILE_WIDTH, _LONG, 1, side), (_TILE_HEIGHT, _LONG, 1, side),
    ]  # fmt: skip
    start = _offset(len(tags) + 2)
    lists = struct.pack("<I", start) * count + struct.pack("<I", len(data)) * count
    tags += [(_TILES, _LONG, count, start + len(data)), (_TILE_BYTES, _LONG, count, start + len(data) + 4 * count)]
    return _tiff(tags, data + lists)


def tiles_larger_than_the_page(random: np.random.Generator) -> bytes:
    """Return a TIFF of 400 px with a tile of gigabytes."""
    tags = [
        (_WIDTH, _LONG, 1, 400), (_HEIGHT, _LONG, 1, 400), (_BITS, _SHORT, 1, 8), (_COMPRESSION, _SHORT, 1, _DEFLATE),
        (_PHOTOMETRIC, _SHORT, 1, 1), (_SAMPLES, _SHORT, 1, 1), (_TILE_WIDTH, _LONG, 1, 40_000),
        (_TILE_HEIGHT, _LONG, 1, int(random.integers(1_000, 60_000))), (_TILES, _LONG, 1, 200),
        (_TILE_BYTES, _LONG, 1, 5_000),
    ]  # fmt: skip
    return _tiff(tags, zlib_zeros(1_000_000))


def strip_that_unpacks_to_gigabytes(random: np.random.Generator) -> bytes:
    """Return a TIFF of 400 px whose strip unpacks to hundreds of MB."""
    bomb = zlib_zeros(90_000_000)
    return _one_strip(400, 400, _DEFLATE, bomb, bits=8)


def codes_of_noise(random: np.random.Generator) -> bytes:
    """Return a TIFF of LZW codes or packed bytes that are noise."""
    kind = (_LZW, _PACKED, _NONE)[int(random.integers(3))]
    return _one_strip(3_000, 3_000, kind, random.bytes(60_000), bits=8)


def samples_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a TIFF of thousands of samples of a pixel, or of 64 bits each."""
    samples = int(random.integers(5, 65_535))
    data = _one_strip(640, 400, _NONE, bytes(20_000), bits=64)
    place = data.index(struct.pack("<HHII", _SAMPLES, _SHORT, 1, 1))
    return data[:place] + struct.pack("<HHII", _SAMPLES, _SHORT, 1, samples) + data[place + 12 :]


KINDS = (
    Kind(
        "TIFF directories",
        "page",
        "page.tif",
        (
            directories_in_a_ring,
            directories_by_the_thousand,
            tags_with_billions_of_values,
            tags_that_share_their_values,
            tags_of_noise,
            offsets_outside,
            big_tiff_of_billions,
            big_endian_and_types_of_no_size,
        ),
    ),
    Kind(
        "TIFF pixels",
        "page",
        "page.tif",
        (
            one_bit_of_99_megapixels,
            fax_lines_of_noise,
            strips_of_one_row_each,
            tiles_of_one_pixel,
            tiles_larger_than_the_page,
            strip_that_unpacks_to_gigabytes,
            codes_of_noise,
            samples_by_the_thousand,
        ),
    ),
)

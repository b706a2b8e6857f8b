"""Directories of tags of TIFF files and EXIF blocks, read no further than is safe."""

import struct

import pytest
from PIL import Image
from wild_files import HEIGHT, WIDTH, encode, quarters, tiff, tiff_tag_bomb

from ecglens.pages.ifd import MAX_FRAMES, directories, read_exif_orientation

WIDTH_TAG, HEIGHT_TAG, BITS_TAG = 256, 257, 258


def exif_block(orientation: int, *, order: str = "<") -> bytes:
    """Return an EXIF block with one tag."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIH2x", 0x0112, 3, 1, orientation)
    return b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, 1) + entry + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize("big_tiff", [False, True])
def test_the_directories_of_a_file_have_the_sizes_of_its_pages(big_tiff: bool) -> None:
    pages = [quarters(), Image.new("RGB", (50, 40))]
    data = encode(pages[0], "TIFF", big_tiff=big_tiff, save_all=True, append_images=pages[1:])
    chain = list(directories(data))
    assert [(one.tags[WIDTH_TAG], one.tags[HEIGHT_TAG]) for one in chain] == [(WIDTH, HEIGHT), (50, 40)]
    assert chain[0].tags[BITS_TAG] == 8


def test_bytes_outside_of_a_directory_are_counted_without_reading_them() -> None:
    (small,) = directories(tiff((WIDTH_TAG, 3, 1, 400), (HEIGHT_TAG, 4, 1, 300)))
    assert (small.tags, small.tag_bytes, small.numbers) == ({WIDTH_TAG: 400, HEIGHT_TAG: 300}, 0, 2)
    (bomb,) = directories(tiff_tag_bomb())
    assert bomb.tag_bytes == 4_000 * 1_000_000


def test_a_chain_that_turns_back_or_never_ends_is_left() -> None:
    entry = (WIDTH_TAG, 3, 1, 400)
    assert len(list(directories(tiff(entry, following=8)))) == 1
    step = struct.calcsize("<HHHIII")
    endless = b"II*\0\x08\0\0\0" + b"".join(
        struct.pack("<HHHIII", 1, *entry, 8 + step * (number + 1)) for number in range(MAX_FRAMES + 5)
    )
    assert len(list(directories(endless))) == MAX_FRAMES


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"PK\3\4" + bytes(99)])
def test_bytes_that_make_no_sense_have_no_directories(data: bytes) -> None:
    assert list(directories(data)) == []
    assert read_exif_orientation(data) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_in_both_orders_of_bytes_and_is_1_where_it_is_none(order: str) -> None:
    assert [read_exif_orientation(exif_block(value, order=order)) for value in range(1, 9)] == list(range(1, 9))
    assert read_exif_orientation(exif_block(6, order=order)[6:]) == 6
    assert read_exif_orientation(exif_block(0, order=order)) == read_exif_orientation(exif_block(9, order=order)) == 1

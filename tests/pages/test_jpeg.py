"""JPEG files: whole ones, and those that lack their last rows."""

import numpy as np
import pytest
from PIL import Image
from wild_files import HEIGHT, PAGE, WIDTH, encode, quarters

from ecglens.errors import EcgReadError
from ecglens.pages import read_page
from ecglens.pages.jpeg import LIMITS, decode_jpeg
from ecglens.pages.source import SourceFile


def source(data: bytes, *, page: int = 1) -> SourceFile:
    return SourceFile(data, "a.jpg", page, max_megapixels=100)


def test_a_page_is_decoded_upright_as_pillow_does() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(quarters(), "JPEG", quality=95, exif=exif)
    decoded = decode_jpeg(source(data))
    assert (decoded.pages, decoded.warnings) == (1, ())
    assert decoded.pixels.shape == (WIDTH, HEIGHT, 3)
    with Image.open(PAGE) as image:
        np.testing.assert_array_equal(decode_jpeg(source(PAGE.read_bytes())).pixels, np.asarray(image))


def test_a_page_of_plain_gray_is_not_mistaken_for_missing_rows() -> None:
    gray = Image.new("RGB", (400, 400), (127, 127, 127))
    assert decode_jpeg(source(encode(gray, "JPEG", quality=100))).warnings == ()


def test_a_file_of_more_scans_than_a_page_needs_is_refused() -> None:
    data = encode(quarters(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    bomb = data[:scan] + data[scan:-2] * (LIMITS.max_scans // data.count(b"\xff\xda") + 1) + data[-2:]
    assert decode_jpeg(source(data)).pixels.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(EcgReadError, match="expected a whole JPEG file"):
        decode_jpeg(source(bomb))


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8" + bytes(99)])
def test_a_file_without_a_frame_is_refused(data: bytes) -> None:
    with pytest.raises(EcgReadError, match="expected a whole JPEG file"):
        decode_jpeg(source(data))


def test_a_jpeg_has_one_page() -> None:
    with pytest.raises(EcgReadError, match="the file has one page"):
        decode_jpeg(source(encode(quarters(), "JPEG"), page=2))


class TestCutJpeg:
    @pytest.mark.parametrize("share", [0.75, 0.9, 0.99])
    def test_missing_last_rows_are_a_warning(self, share):
        data = PAGE.read_bytes()
        page = read_page(data[: int(len(data) * share)])
        missing = int(page.warnings[0].split("the last ")[1].split()[0])

        assert page.warnings == (f"The file is cut short: the last {missing} of 786 rows of the page are missing.",)
        assert missing == pytest.approx(786 * (1 - share), abs=50)
        np.testing.assert_array_equal(page.pixels[: 786 - missing - 32], read_page(data).pixels[: 786 - missing - 32])

    def test_a_missing_third_is_refused(self):
        data = PAGE.read_bytes()
        with pytest.raises(EcgReadError, match=r"without the lower 4\d% of its rows"):
            read_page(data[: len(data) // 2])

    def test_a_hole_that_leaves_the_end_mark_is_found(self):
        data = PAGE.read_bytes()
        with pytest.raises(EcgReadError, match=r"without the lower 4\d% of its rows"):
            read_page(data[: len(data) // 2] + b"\xff\xd9")

    def test_a_cut_progressive_jpeg_is_refused_since_its_detail_is_gone_everywhere(self):
        data = encode(quarters(), "JPEG", progressive=True)
        with pytest.raises(EcgReadError, match="expected a whole JPEG file"):
            read_page(data[: int(len(data) * 0.9)])

    def test_a_thumbnail_does_not_pass_for_the_end_of_the_page(self):
        exif = Image.Exif()
        exif[0x010E] = "\xff\xd9"
        data = encode(Image.open(PAGE), "JPEG", exif=exif)

        assert len(read_page(data[: int(len(data) * 0.9)]).warnings) == 1

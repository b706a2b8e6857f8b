import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image
from wild_files import (
    BLUE,
    BOMBS,
    DATA,
    GREEN,
    HEIGHT,
    PAGE,
    RED,
    WHITE,
    WIDTH,
    damaged_files,
    encode,
    encrypted_pdf,
    heic,
    pdf,
    png_bomb,
    quarters,
    ramp_16_bit,
)

from ecglens.errors import EcgReadError
from ecglens.pages import read_page
from ecglens.pages.read import count_pages


def assert_quarters(pixels: np.ndarray, *, tolerance: int = 6) -> None:
    height, width = pixels.shape[:2]
    places = [(1, 1), (1, 3), (3, 1), (3, 3)]
    corners = [pixels[height * row // 4, width * column // 4] for row, column in places]
    np.testing.assert_allclose(corners, [RED, GREEN, BLUE, WHITE], atol=tolerance)


class TestFormats:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(lambda: encode(quarters(), "JPEG", quality=95), id="jpeg"),
            pytest.param(lambda: encode(quarters(), "JPEG", quality=95, progressive=True), id="jpeg-progressive"),
            pytest.param(lambda: encode(quarters().convert("CMYK"), "JPEG", quality=95), id="jpeg-cmyk"),
            pytest.param(lambda: encode(quarters(), "PNG"), id="png"),
            pytest.param(lambda: encode(quarters().quantize(8), "PNG"), id="png-palette"),
            pytest.param(lambda: encode(quarters(), "BMP"), id="bmp"),
            pytest.param(lambda: encode(quarters(), "WEBP", lossless=True), id="webp"),
            pytest.param(lambda: encode(quarters(), "WEBP", quality=95), id="webp-lossy"),
            pytest.param(lambda: encode(quarters(), "TIFF"), id="tiff"),
            pytest.param(lambda: encode(quarters(), "TIFF", compression="tiff_lzw"), id="tiff-lzw"),
            pytest.param(lambda: encode(quarters(), "TIFF", big_tiff=True), id="bigtiff"),
            pytest.param(lambda: encode(quarters().convert("CMYK"), "TIFF"), id="tiff-cmyk"),
            pytest.param(lambda: heic(quarters()), id="heic"),
            pytest.param(lambda: encode(quarters(), "PDF", resolution=200), id="pdf"),
        ],
    )
    def test_colours_and_places_are_kept(self, data):
        page = read_page(data())

        assert page.pixels.dtype == np.uint8
        assert page.pixels.flags.c_contiguous
        assert page.pixels.shape == (HEIGHT, WIDTH, 3)
        assert_quarters(page.pixels, tolerance=12)
        assert page.warnings == ()
        assert (page.number, page.count, page.source) == (1, 1, "bytes")

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_16_bit_gray_is_scaled_to_its_full_range(self, kind):
        pixels = read_page(encode(Image.fromarray(ramp_16_bit()), kind)).pixels

        np.testing.assert_array_equal(pixels[0, :, 0], np.rint(ramp_16_bit()[0] / 257))
        assert (pixels == pixels[:, :, :1]).all()

    def test_16_bit_colour_is_scaled(self):
        deep = np.asarray(quarters()).astype(np.uint16)[:, :, ::-1] * 257

        assert_quarters(read_page(cv2.imencode(".png", deep)[1].tobytes()).pixels, tolerance=1)

    def test_white_is_zero_is_turned_to_black_on_white(self):
        data = encode(Image.fromarray(ramp_16_bit()), "TIFF", tiffinfo={262: 0})

        assert read_page(data).pixels[0, 0, 0] == 255

    @pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "TIFF"), ("RGBA", "WEBP")])
    def test_what_is_transparent_becomes_white_paper(self, mode, kind):
        clear = Image.new(mode, (WIDTH, HEIGHT), 0)

        assert (read_page(encode(clear, kind)).pixels == 255).all()

    def test_half_transparent_ink_is_mixed_with_the_paper(self):
        ink = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 128))

        assert set(np.unique(read_page(encode(ink, "PNG")).pixels)) == {127}

    def test_a_transparent_palette_colour_becomes_white_paper(self):
        data = encode(Image.new("P", (WIDTH, HEIGHT), 0), "PNG", transparency=0)

        assert (read_page(data).pixels == 255).all()

    def test_one_bit_pixels_become_black_and_white(self):
        page = Image.new("1", (WIDTH, HEIGHT), 1)
        page.paste(0, (0, 0, WIDTH, 10))
        pixels = read_page(encode(page, "PNG")).pixels

        assert (pixels[:10] == 0).all()
        assert (pixels[10:] == 255).all()

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_page_stands_upright_by_its_exif_metadata(self, kind, orientation):
        back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
        image = quarters()
        if orientation in back:
            image = image.transpose(Image.Transpose(back[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}

        assert_quarters(read_page(encode(image, kind, exif=exif, **options)).pixels, tolerance=12)

    def test_the_first_frame_of_a_moving_picture_is_the_page(self):
        black = Image.new("RGB", (WIDTH, HEIGHT))
        for kind in ("PNG", "WEBP"):
            data = encode(quarters(), kind, save_all=True, append_images=[black], lossless=True)
            assert_quarters(read_page(data).pixels)

    def test_pages_of_a_tiff_are_counted_and_chosen(self):
        data = encode(Image.new("RGB", (WIDTH, HEIGHT)), "TIFF", save_all=True, append_images=[quarters()])
        page = read_page(data, page=2)

        assert_quarters(page.pixels)
        assert (page.number, page.count) == (2, 2)

    def test_pages_of_a_pdf_are_counted_and_drawn_at_200_dpi(self):
        page = read_page(pdf((144, 144), (216, 144)), page=2)

        assert (page.width, page.height, page.number, page.count) == (600, 400, 2, 2)

    def test_a_real_pdf_page_shows_its_traces(self):
        page = read_page(DATA / "00009_hr.pdf")

        assert (page.width, page.height) == (2339, 1654)
        assert (page.pixels.max(axis=2) < 100).mean() > 0.002


class TestSources:
    def test_a_path_bytes_and_a_file_object_give_the_same_page(self):
        with PAGE.open("rb") as stream:
            pages = [read_page(PAGE), read_page(str(PAGE)), read_page(stream), read_page(PAGE.read_bytes())]

        assert [page.source for page in pages] == ["Normal_1.jpg"] * 3 + ["bytes"]
        assert all((page.pixels == pages[0].pixels).all() for page in pages)

    def test_the_name_says_nothing_about_the_format(self, tmp_path):
        (tmp_path / "page.pdf").write_bytes(encode(quarters(), "PNG"))

        assert_quarters(read_page(tmp_path / "page.pdf").pixels)

    def test_pixels_are_those_that_pillow_decodes(self):
        with Image.open(PAGE) as image:
            np.testing.assert_array_equal(read_page(PAGE).pixels, np.asarray(image))

    def test_many_threads_read_at_once(self):
        sources = [PAGE.read_bytes(), (DATA / "00009_hr.pdf").read_bytes(), heic(quarters())]
        shapes: list[tuple[int, ...]] = []
        threads = [threading.Thread(target=lambda s=s: shapes.append(read_page(s).pixels.shape)) for s in sources * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(shapes) == sorted([(786, 1107, 3), (1654, 2339, 3), (HEIGHT, WIDTH, 3)] * 3)


def test_a_file_object_that_was_read_before_is_refused_with_what_to_do(tmp_path):
    with open(DATA / "MI_26.jpg", "rb") as stream:
        assert read_page(stream).width > 0
        with pytest.raises(EcgReadError, match=r"call seek\(0\)"):
            read_page(stream)
        stream.seek(0)
        assert read_page(stream).width > 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            pytest.param(lambda: b"", "found an empty file", id="empty"),
            pytest.param(lambda: b"Dear colleague, ...", "expected JPEG, .* found text", id="text"),
            pytest.param(lambda: b"GIF89a" + bytes(99), "found a GIF", id="gif"),
            pytest.param(lambda: bytes(128) + b"DICM" + bytes(99), "found a DICOM file", id="dicom"),
            pytest.param(lambda: b"<html><body>", "found an HTML, SVG or XML file", id="html"),
            pytest.param(
                lambda: b"<?xml?><RestingECG>", "found a digital ECG; read it with ecglens.read_record", id="muse"
            ),
            pytest.param(lambda: b"%!PS-Adobe EPSF", "found a PostScript file", id="eps"),
            pytest.param(lambda: b"\x01" + os.urandom(6) + bytes(300), "found bytes of another kind", id="noise"),
            pytest.param(lambda: PAGE.read_bytes()[:300], "expected a whole JPEG file", id="jpeg-head"),
            pytest.param(lambda: encode(quarters(), "PNG")[:300], "expected a whole PNG file", id="png-cut"),
            pytest.param(lambda: encode(quarters(), "TIFF")[:300], "expected a whole TIFF file", id="tiff-cut"),
            pytest.param(lambda: encode(quarters(), "BMP")[:300], "expected a whole BMP file", id="bmp-cut"),
            pytest.param(lambda: encode(quarters(), "WEBP")[:200], "expected a whole WebP file", id="webp-cut"),
            pytest.param(lambda: b"RIFF\0\0\0\0WEBPVP8?" + bytes(20), "expected a whole WebP", id="webp-unknown"),
            pytest.param(lambda: heic(quarters())[:300], "expected a whole HEIC file", id="heic-cut"),
            pytest.param(lambda: pdf((600, 400))[:60], "expected a whole PDF file", id="pdf-cut"),
            pytest.param(encrypted_pdf, "found an encrypted one", id="pdf-encrypted"),
            pytest.param(
                lambda: encode(quarters().resize((400, 299)), "PNG"), "at least 300 px .* found 400 x 299", id="small"
            ),
            pytest.param(lambda: pdf((100, 400)), "at least 300 px", id="pdf-small"),
            pytest.param(
                lambda: encode(quarters().resize((4000, 390)), "PNG"),
                "at most 10 times as long as it is wide, found 4,000 x 390 px; cut the page",
                id="strip",
            ),
            pytest.param(lambda: png_bomb(10_001, 10_000), "at most 100 megapixels", id="large"),
            pytest.param(
                lambda: encode(Image.new("F", (400, 400)), "TIFF"), "TIFF file with fractional numbers", id="float"
            ),
            pytest.param(
                lambda: encode(Image.fromarray(np.full((400, 400), 70_000, np.int32)), "TIFF"),
                "expected pixels of 8 or 16 bits",
                id="int32",
            ),
            pytest.param(BOMBS["png"], "found 60,000 x 60,000 px", id="png-bomb"),
            pytest.param(BOMBS["tiff"], "found 60,000 x 60,000 px", id="tiff-bomb"),
            pytest.param(BOMBS["tiff tags"], "expected a whole TIFF file", id="tiff-tag-bomb"),
            pytest.param(BOMBS["tiff tiles"], "expected a whole TIFF file", id="tiff-tile-bomb"),
            pytest.param(BOMBS["webp"], "found 16,383 x 16,383 px", id="webp-bomb"),
            pytest.param(BOMBS["jpeg"], "found 60,000 x 60,000 px", id="jpeg-bomb"),
            pytest.param(BOMBS["pdf page"], "found 40,000 x 40,000 px", id="pdf-page-bomb"),
            pytest.param(BOMBS["pdf picture"], "a picture of at most .* found 30,000 x 30,000", id="pdf-picture-bomb"),
        ],
    )
    def test_bytes_that_are_no_page(self, data, message):
        with pytest.raises(EcgReadError, match=message):
            read_page(data())

    def test_the_limit_can_be_set(self):
        with pytest.raises(EcgReadError, match=r"at most 0\.5 megapixels"):
            read_page(PAGE, max_megapixels=0.5)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(EcgReadError, match=r"^page\.jpg: expected a file, found nothing"):
            read_page(tmp_path / "page.jpg")

    def test_a_folder(self, tmp_path):
        with pytest.raises(EcgReadError, match="found a folder"):
            read_page(tmp_path)

    def test_a_path_that_cannot_be_one(self):
        with pytest.raises(EcgReadError, match="expected a path to a file"):
            read_page("page\0.jpg")

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
    def test_a_device_that_never_ends(self):
        with pytest.raises(EcgReadError, match="found a device or pipe"):
            read_page("/dev/zero")

    def test_a_closed_file_and_one_of_text(self, tmp_path):
        (tmp_path / "page.txt").write_text("a page")
        with (tmp_path / "page.txt").open() as stream, pytest.raises(EcgReadError, match="open it in binary mode"):
            read_page(stream)
        with pytest.raises(EcgReadError, match=r"page\.txt: expected an open file"):
            read_page(stream)

    @pytest.mark.parametrize("page", [-1, 0, 2])
    def test_a_page_that_the_file_does_not_have(self, page):
        for data in (PAGE.read_bytes(), encode(quarters(), "TIFF"), pdf((600, 400)), encode(quarters(), "PNG")):
            with pytest.raises(EcgReadError, match=f"expected page 1, found page {page}; the file has one page"):
                read_page(data, page=page)

    def test_the_message_names_no_folder(self, tmp_path):
        with pytest.raises(EcgReadError) as caught:
            read_page(tmp_path / "secret" / "page.jpg")
        assert str(tmp_path) not in str(caught.value)


def assert_read_or_refused(data: bytes) -> None:
    try:
        page = read_page(data)
    except EcgReadError as error:
        message = str(error)
    else:
        message = "."
        assert page.pixels.dtype == np.uint8
        assert page.pixels.ndim == 3
        assert min(page.pixels.shape[:2]) >= 300
    assert message.endswith(".")
    assert "\n" not in message


ANY_SPEED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.mark.slow
@given(damaged_files())
@settings(max_examples=300, suppress_health_check=ANY_SPEED)
def test_nothing_but_a_read_error_escapes_from_damaged_files(data):
    assert_read_or_refused(data)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@given(damaged_files())
@settings(max_examples=10_000, suppress_health_check=ANY_SPEED)
def test_nothing_but_a_read_error_escapes_from_ten_thousand_damaged_files(data):
    assert_read_or_refused(data)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures with the resource module")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_little_memory(bomb, tmp_path):
    (tmp_path / "bomb").write_bytes(BOMBS[bomb]())
    measure = """
import resource, sys
from ecglens.errors import EcgReadError
from ecglens.pages import read_page
unit = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_page(sys.argv[1])
except EcgReadError:
    sys.stdout.write(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit))
"""
    ran = subprocess.run([sys.executable, "-c", measure, tmp_path / "bomb"], capture_output=True, text=True, check=True)

    assert int(ran.stdout) < 100 * 1024**2


def test_pages_are_counted_whether_or_not_they_can_be_read():
    for form in ("PDF", "TIFF", "PNG"):
        small = [Image.new("RGB", (20, 10), (number, 0, 0)) for number in range(3)]
        with io.BytesIO() as stream:
            small[0].save(stream, form, **({} if form == "PNG" else {"save_all": True, "append_images": small[1:]}))
            assert count_pages(stream.getvalue()) == (1 if form == "PNG" else 3)
            assert count_pages(stream.getvalue()[:100]) == 1
    assert count_pages(b"") == count_pages(b"a letter") == 1


def test_the_header_of_a_wfdb_record_is_named():
    header = b"100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n"
    with pytest.raises(EcgReadError, match="found the header of a WFDB record, .* in a ZIP"):
        read_page(header)

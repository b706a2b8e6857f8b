"""Pixels of every mode become RGB in strips, as whole pictures did, and in little memory."""

import io
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from wild_files import ODD_PICTURES, encode, odd_pictures, picture, png

from ecglens.pages import raster, read_page

MEASURED = (
    "PNG, gray of 1 bit",
    "PNG, gray of 16 bits",
    "PNG, gray and alpha of 16 bits",
    "PNG, color of 16 bits",
    "PNG, color with a transparent value",
    "PNG, color and alpha",
    "PNG, palette with transparency",
)
OPTIONS = {
    "TIFF": {"compression": "tiff_lzw"},
    "WebP": {"lossless": True, "method": 0},
    "JPEG": {"quality": 20},
}


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def convert_whole(image: Image.Image) -> np.ndarray:
    """Convert a picture to RGB on white paper as a whole."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        return np.repeat(np.rint(values * (255 / 65535)).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return np.array(paper)
    return np.array(image.convert("RGB"))


def check_same(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        expected = convert_whole(image)
    np.testing.assert_array_equal(read_page(data).pixels, expected)


@pytest.fixture(params=[1, 1000, raster._STRIP_PIXELS], ids=["rows", "short strips", "strips"])
def strips(request, monkeypatch):
    monkeypatch.setattr(raster, "_STRIP_PIXELS", request.param)


@pytest.mark.usefixtures("strips")
class TestStrips:
    @pytest.mark.parametrize("name", ODD_PICTURES)
    def test_a_picture_has_the_pixels_that_it_has_as_a_whole(self, name):
        check_same(ODD_PICTURES[name](403, 307, rng()))

    def test_a_tiff_without_compression_has_the_pixels_that_it_has_as_a_whole(self):
        check_same(encode(picture(403, 307, rng(), mode="RGBA"), "TIFF"))

    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    @pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "exact": True}, {"quality": 40}])
    def test_a_webp_has_the_pixels_that_pillow_gives_it(self, mode, options):
        exif = Image.Exif()
        exif[0x010E] = "odd"  # a chunk of an odd number of bytes before others
        for size in ((403, 307), (301, 300)):
            check_same(encode(picture(*size, rng(), mode=mode), "WEBP", icc_profile=b"odd", exif=exif, **options))


def test_no_limit_of_the_program_around_us_counts(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", raster._STRIP_PIXELS)
    for kind in ("PNG", "TIFF", "BMP", "WEBP"):
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
        assert read_page(encode(picture(600, 500, rng(), mode="RGB"), kind, **options)).pixels.shape == (500, 600, 3)


@settings(max_examples=80, deadline=None)
@given(odd_pictures(st.tuples(st.integers(300, 330), st.integers(300, 330))))
def test_a_picture_of_any_depth_mode_size_and_value_is_decoded(data):
    pixels = read_page(data).pixels

    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous


_MEASURE = """
    import json, os, resource, sys
    import cv2
    from PIL import JpegImagePlugin
    from ecglens.pages.jpeg import decode_jpeg
    from ecglens.pages.raster import decode_png
    from ecglens.pages.read import decode_here
    from ecglens.pages.source import SourceFile
    cv2.setNumThreads(1)
    warm, *files = sys.argv[1:]
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    decode_png(SourceFile(open(warm, "rb").read(), "warm", 1, 1.0))
    peaks = {}
    for path in files:
        kind, data = path.rsplit(".", 1)[1], open(path, "rb").read()
        receive, send = os.pipe()
        if os.fork() == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pixels = decode_here(SourceFile(data, path, 1, 100.0), kind).pixels
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(send, json.dumps((after - before) * unit / (pixels.size / 3)).encode())
            os._exit(0)
        os.wait()
        peaks[os.path.basename(path)] = json.loads(os.read(receive, 100))
    print(json.dumps(peaks))
"""


@pytest.mark.slow
def test_a_page_takes_little_memory_whatever_its_mode(tmp_path):
    """A page of 100 megapixels may take 10 bytes a pixel, since a decoder has 1,000 MB."""
    side = 2000
    for name in MEASURED:
        (tmp_path / f"{name}.PNG").write_bytes(ODD_PICTURES[name](side, side, rng(), rows=1))
    for mode, kind in (("RGBA", "TIFF"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("RGB", "WebP"), ("RGBA", "WebP")):
        image = picture(side, 8, rng(), mode=mode).resize((side, side), Image.Resampling.NEAREST)
        options = {
            "TIFF": {"compression": "tiff_lzw"},
            "WebP": {"lossless": True, "method": 0},
            "JPEG": {"quality": 20},
        }[kind]
        (tmp_path / f"{mode}.{kind}").write_bytes(encode(image, kind, **options))
    (tmp_path / "warm.PNG").write_bytes(png(400, 400, rng(), depth=8, color=6))
    files = sorted(str(path) for path in tmp_path.iterdir() if path.name != "warm.PNG")

    command = [sys.executable, "-c", textwrap.dedent(_MEASURE), str(tmp_path / "warm.PNG"), *files]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )

    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)
    assert len(peaks) == len(files)
    # libwebp takes 4 bytes a pixel beside the picture, and some megabytes for any picture.
    assert {name: peak for name, peak in peaks.items() if peak > (12 if name.endswith("WebP") else 9.5)} == {}


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_an_animation_says_that_its_first_picture_was_read(tmp_path, suffix):
    frames = [Image.new("RGB", (400, 400), color) for color in ("white", "red")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / f"one.{suffix}")
    assert "is an animation, of which the first picture was read" in " ".join(
        read_page(tmp_path / f"a.{suffix}").warnings
    )
    assert read_page(tmp_path / f"one.{suffix}").warnings == ()


def test_nothing_is_written_to_stderr_about_a_damaged_fax(capfd: pytest.CaptureFixture[str]) -> None:
    fax = io.BytesIO()
    Image.fromarray(rng().integers(0, 2, (400, 500)) > 0).save(fax, "TIFF", compression="group3")
    with Image.open(fax) as picture_of_fax:
        start, length = picture_of_fax.tag_v2[273][0], picture_of_fax.tag_v2[279][0]
    data = bytearray(fax.getvalue())
    data[start : start + length] = rng().bytes(length)
    read_page(bytes(data))
    assert capfd.readouterr().err == ""

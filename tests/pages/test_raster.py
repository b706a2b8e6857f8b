"""Pixels of every mode become RGB in strips, as whole pictures did, and in little memory."""

import io
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image
from wild_files import encode, png, png_chunk

from ecglens.pages import raster, read_page

RNG = np.random.default_rng(7)
PALETTE = png_chunk(b"PLTE", RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())
CLEAR = png_chunk(b"tRNS", RNG.integers(0, 256, 256, dtype=np.uint8).tobytes())
PNGS = {
    "gray of 1 bit": {"depth": 1, "color": 0},
    "gray of 4 bits": {"depth": 4, "color": 0},
    "gray": {"depth": 8, "color": 0},
    "gray of 16 bits": {"depth": 16, "color": 0},
    "gray with a transparent value": {"depth": 8, "color": 0, "extra": png_chunk(b"tRNS", b"\0\7")},
    "gray and alpha": {"depth": 8, "color": 4},
    "gray and alpha of 16 bits": {"depth": 16, "color": 4},
    "color": {"depth": 8, "color": 2},
    "color of 16 bits": {"depth": 16, "color": 2},
    "color with a transparent value": {"depth": 8, "color": 2, "extra": png_chunk(b"tRNS", b"\0\1\0\2\0\3")},
    "color and alpha": {"depth": 8, "color": 6},
    "color and alpha of 16 bits": {"depth": 16, "color": 6},
    "palette": {"depth": 8, "color": 3, "extra": PALETTE},
    "palette of 2 bits": {"depth": 2, "color": 3, "extra": png_chunk(b"PLTE", bytes(range(12)))},
    "palette with transparency": {"depth": 8, "color": 3, "extra": PALETTE + CLEAR},
}
MEASURED = (
    "gray of 1 bit",
    "gray of 16 bits",
    "gray and alpha of 16 bits",
    "color of 16 bits",
    "color with a transparent value",
    "color and alpha",
    "palette with transparency",
)
OPTIONS = {
    "TIFF": {"compression": "tiff_lzw"},
    "WebP": {"lossless": True, "method": 0},
    "JPEG": {"quality": 20},
}
MODES = {"gray": "L", "color": "RGB", "color and alpha": "RGBA", "ink": "CMYK", "lab": "LAB"}


def noise(mode: str, width: int, height: int) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = RNG.integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), values.tobytes())


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
    @pytest.mark.parametrize("options", PNGS.values(), ids=PNGS)
    def test_a_png_has_the_pixels_that_it_has_as_a_whole(self, options):
        check_same(png(403, 307, RNG, **options))

    @pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
    @pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
    def test_a_tiff_has_the_pixels_that_it_has_as_a_whole(self, mode, compression):
        check_same(encode(noise(mode, 403, 307), "TIFF", compression=compression))

    def test_a_bitmap_has_the_pixels_that_it_has_as_a_whole(self):
        check_same(encode(noise("RGBA", 403, 307), "BMP"))
        check_same(encode(noise("RGB", 403, 307).quantize(16), "BMP"))

    def test_a_jpeg_of_inks_has_the_pixels_that_it_has_as_a_whole(self):
        check_same(encode(noise("CMYK", 403, 307), "JPEG"))

    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    @pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "exact": True}, {"quality": 40}])
    def test_a_webp_has_the_pixels_that_pillow_gives_it(self, mode, options):
        exif = Image.Exif()
        exif[0x010E] = "odd"  # a chunk of an odd number of bytes before others
        for size in ((403, 307), (301, 300)):
            check_same(encode(noise(mode, *size), "WEBP", icc_profile=b"odd", exif=exif, **options))


def test_no_limit_of_the_program_around_us_counts(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", raster._STRIP_PIXELS)
    for kind in ("PNG", "TIFF", "BMP", "WEBP"):
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
        assert read_page(encode(noise("RGB", 600, 500), kind, **options)).pixels.shape == (500, 600, 3)


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
    decode_png(SourceFile(open(warm, "rb").read(), "warm", 1, 1.0))
    peaks = {}
    for path in files:
        kind, data = path.rsplit(".", 1)[1], open(path, "rb").read()
        receive, send = os.pipe()
        if os.fork() == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pixels = decode_here(SourceFile(data, path, 1, 100.0), kind).pixels
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(send, json.dumps((after - before) * 1024 / (pixels.size / 3)).encode())
            os._exit(0)
        os.wait()
        peaks[os.path.basename(path)] = json.loads(os.read(receive, 100))
    print(json.dumps(peaks))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units elsewhere")
def test_a_page_takes_little_memory_whatever_its_mode(tmp_path):
    """A page of 100 megapixels may take 10 bytes a pixel, since a decoder has 1,000 MB."""
    side = 2000
    for name in MEASURED:
        (tmp_path / f"{name}.PNG").write_bytes(png(side, side, RNG, rows=1, **PNGS[name]))
    for mode, kind in (("RGBA", "TIFF"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("RGB", "WebP"), ("RGBA", "WebP")):
        image = noise(mode, side, 8).resize((side, side), Image.Resampling.NEAREST)
        options = {
            "TIFF": {"compression": "tiff_lzw"},
            "WebP": {"lossless": True, "method": 0},
            "JPEG": {"quality": 20},
        }[kind]
        (tmp_path / f"{mode}.{kind}").write_bytes(encode(image, kind, **options))
    (tmp_path / "warm.PNG").write_bytes(png(400, 400, RNG, depth=8, color=6))
    files = sorted(str(path) for path in tmp_path.iterdir() if path.name != "warm.PNG")

    command = [sys.executable, "-c", textwrap.dedent(_MEASURE), str(tmp_path / "warm.PNG"), *files]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )

    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)
    assert len(peaks) == len(files)
    # libwebp takes 4 bytes a pixel beside the picture, and some megabytes for any picture.
    assert {name: peak for name, peak in peaks.items() if peak > (12 if name.endswith("WebP") else 9)} == {}

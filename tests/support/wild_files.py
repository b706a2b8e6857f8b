"""Files to test the reading of pages with: intact ones of every kind, damaged ones, and decompression bombs."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pillow_heif
from hypothesis import strategies as st
from PIL import Image

DATA = Path(__file__).parents[1] / "data"
PAGE = DATA / "Normal_1.jpg"
WIDTH, HEIGHT = 480, 320
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters() -> Image.Image:
    """Return an image with red and green quarters at the top, and blue and white ones at the bottom."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2], pixels[: HEIGHT // 2, WIDTH // 2 :] = RED, GREEN
    pixels[HEIGHT // 2 :, : WIDTH // 2], pixels[HEIGHT // 2 :, WIDTH // 2 :] = BLUE, WHITE
    return Image.fromarray(pixels)


def ramp_16_bit() -> np.ndarray:
    return np.tile(np.linspace(0, 65535, WIDTH).astype(np.uint16), (HEIGHT, 1))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95, **options)
    return stream.getvalue()


def pdf(*pages: tuple[float, float], picture: bytes | None = None) -> bytes:
    """Return a PDF with empty pages of these sizes in points; ``picture`` is the dictionary and stream of an image."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    kids = b" ".join(b"%d 0 R" % (3 + index) for index in range(len(pages)))
    objects.append(b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids))
    extra = (
        b"/Contents %d 0 R/Resources<</XObject<</P %d 0 R>>>>" % (3 + len(pages), 4 + len(pages)) if picture else b""
    )
    objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %g %g]%s>>" % (*size, extra) for size in pages]
    if picture:
        draw = b"q 400 0 0 400 0 0 cm /P Do Q"
        objects += [b"<</Length %d>>stream\n%s\nendstream" % (len(draw), draw), picture]
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def flate_picture(width: int, height: int) -> bytes:
    body = zlib.compress(bytes(1_000_000), 9)
    head = b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB" % (width, height)
    return head + b"/BitsPerComponent 8/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(body), body)


def encrypted_pdf() -> bytes:
    """Return a PDF whose trailer names a security handler; no password opens it."""
    whole = pdf((600, 400))
    marks = (
        b"/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -44/O(%s)/U(%s)>>/ID[(1234567890123456)(1234567890123456)]"
    )
    return whole.replace(b"trailer<<", b"trailer<<" + marks % (b"o" * 32, b"u" * 32))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def noise(shape: tuple[int, ...], rng: np.random.Generator, value: int | None = None) -> np.ndarray:
    """Return random bytes, or bytes of one value."""
    return rng.integers(0, 256, shape, dtype=np.uint8) if value is None else np.full(shape, value, np.uint8)


def picture(width: int, height: int, rng: np.random.Generator, *, mode: str, value: int | None = None) -> Image.Image:
    """Return a picture of random bytes, or of bytes of one value, in a mode of Pillow."""
    if mode in ("1", "P"):
        return picture(width, height, rng, mode="L", value=value).convert(mode)
    bands = 2 if mode == "I;16" else len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), noise((height, width, bands), rng, value).tobytes())


def png(
    width: int,
    height: int,
    rng: np.random.Generator,
    *,
    depth: int,
    color: int,
    extra: bytes = b"",
    rows: int | None = None,
    value: int | None = None,
) -> bytes:
    """Return a PNG of random bytes, of a depth and a type of color that Pillow may not write.

    Args:
        width: In px.
        height: In px.
        rng: Draws the values.
        depth: Bits of a sample.
        color: Type of color: 0 gray, 2 color, 3 palette, 4 gray and alpha, 6 color and alpha.
        extra: Chunks before the values.
        rows: Number of rows that differ; all by default.
        value: Value of every byte; random by default.
    """
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    values = noise((rows or height, (width * samples * depth + 7) // 8), rng, value)
    lines = [b"\0" + row.tobytes() for row in values]
    body = b"".join(lines[number % len(lines)] for number in range(height))
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + png_chunk(b"IDAT", zlib.compress(body, 1)) + png_chunk(b"IEND", b"")


def png_bomb(width: int, height: int, body: bytes = b"") -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", body or zlib.compress(bytes(10))) + png_chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], tail: bytes = b"", following: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", following) + tail


def tiff_tag_bomb() -> bytes:
    """Return a TIFF with thousands of tags that all refer to the same bytes."""
    tail = bytes(1_000_000)
    size = [(256, 3, 1, 400), (257, 3, 1, 400)]
    return tiff(*size, *[(tag, 7, len(tail), 1000) for tag in range(1000, 5000)], tail=tail)


def tiff_tile_bomb() -> bytes:
    tags = [(256, 4, 1, 400), (257, 4, 1, 400), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tiles = [(322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 200), (325, 4, 1, 5_000)]
    return tiff(*tags, *tiles, tail=zlib.compress(bytes(1_000_000)))


def webp_bomb() -> bytes:
    size = (16_382).to_bytes(3, "little")
    body = b"WEBPVP8X\x0a\0\0\0\0\0\0\0" + size + size + bytes(64)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_sized(width: int, height: int) -> bytes:
    data = bytearray(encode(quarters(), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


_PALETTE = png_chunk(b"PLTE", bytes(range(256)) * 3)
_PNGS = {
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
    "palette": {"depth": 8, "color": 3, "extra": _PALETTE},
    "palette of 2 bits": {"depth": 2, "color": 3, "extra": png_chunk(b"PLTE", bytes(range(12)))},
    "palette of 4 bits": {"depth": 4, "color": 3, "extra": png_chunk(b"PLTE", bytes(range(48)))},
    "palette with transparency": {"depth": 8, "color": 3, "extra": _PALETTE + png_chunk(b"tRNS", bytes(range(256)))},
}
_MODES = {
    "TIFF": ("1", "L", "I;16", "P", "LA", "RGB", "RGBA", "CMYK", "LAB"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
}


def _encode_picture(
    width: int, height: int, rng: np.random.Generator, *, kind: str, mode: str, value: int | None = None
) -> bytes:
    options = {"compression": "group4" if mode == "1" else "tiff_lzw"} if kind == "TIFF" else {}
    return encode(picture(width, height, rng, mode=mode, value=value), kind, **options)


ODD_PICTURES: dict[str, Callable[..., bytes]] = {
    **{f"PNG, {name}": partial(png, **options) for name, options in _PNGS.items()},
    **{f"{kind}, {mode}": partial(_encode_picture, kind=kind, mode=mode) for kind in _MODES for mode in _MODES[kind]},
}
"""Functions of width, height, a generator and ``value`` that return a picture of each depth and mode of a format."""

BOMBS = {
    "png": lambda: png_bomb(60_000, 60_000, zlib.compress(bytes(20_000_000), 9)),
    "tiff": lambda: tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)),
    "tiff tags": tiff_tag_bomb,
    "tiff tiles": tiff_tile_bomb,
    "webp": webp_bomb,
    "jpeg": lambda: jpeg_sized(60_000, 60_000),
    "pdf page": lambda: pdf((14_400, 14_400)),
    "pdf picture": lambda: pdf((600, 400), picture=flate_picture(30_000, 30_000)),
}


@cache
def small_files() -> tuple[bytes, ...]:
    with Image.open(PAGE) as image:
        page = image.resize((440, 312))
    exif = Image.Exif()
    exif[0x0112] = 6
    return (
        encode(page, "JPEG", exif=exif),
        encode(page, "JPEG", progressive=True),
        encode(page.convert("CMYK"), "JPEG"),
        encode(page.quantize(32), "PNG"),
        encode(page.convert("RGBA"), "PNG", exif=exif),
        encode(Image.fromarray(ramp_16_bit()), "PNG"),
        encode(page, "TIFF", compression="tiff_lzw", save_all=True, append_images=[page]),
        encode(page, "TIFF", compression="jpeg"),
        encode(page.convert("1"), "TIFF", compression="group4"),
        encode(page, "BMP"),
        encode(page.quantize(16), "BMP"),
        encode(page, "WEBP"),
        encode(page, "WEBP", lossless=True, exif=exif),
        heic(page),
        encode(page, "PDF"),
        pdf((400, 300), (200, 200)),
        (DATA / "00009_hr.pdf").read_bytes(),
    )


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(small_files())))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.one_of(st.integers(0, 400), st.integers(0, len(data))))
        change = draw(st.sampled_from(["flip", "cut", "insert", "overwrite", "remove", "repeat"]))
        chunk = draw(st.one_of(st.binary(min_size=1, max_size=24), st.just(b"\xff" * 8), st.just(bytes(8))))
        if change == "flip" and place < len(data):
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del data[place:]
        elif change == "insert":
            data[place:place] = chunk
        elif change == "overwrite":
            data[place : place + len(chunk)] = chunk
        elif change == "remove":
            del data[place : place + draw(st.integers(1, 2000))]
        elif change == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 2000))]
    return bytes(data)


@st.composite
def odd_pictures(draw: st.DrawFn, sizes: st.SearchStrategy[tuple[int, int]]) -> bytes:
    """Draw a picture of any depth and mode, of random values or of one."""
    make = ODD_PICTURES[draw(st.sampled_from(sorted(ODD_PICTURES)))]
    width, height = draw(sizes)
    value = draw(st.one_of(st.none(), st.sampled_from([0, 1, 127, 254, 255])))
    return make(width, height, np.random.default_rng(draw(st.integers(0, 1000))), value=value)

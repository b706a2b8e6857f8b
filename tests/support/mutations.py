"""Files that were damaged at random: small valid seeds of every format, and changes of their bytes."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image
from tiny_models import ecg_page

__all__ = ["Mutation", "draw_mutation", "draw_mutations", "seeds"]

_DATA = Path(__file__).parents[1] / "data"
_HEADER_BYTES = 400
"""A quarter of the changes are made in this part of a file, where most of its structure is."""
_MOST_CHANGES = 3
_SMALL = (720, 510)
"""Width and height of most seeds in px: a page of this size has readable leads, and is read quickly."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A damaged file.

    Attributes:
        number: Number that :func:`draw_mutation` draws it from again.
        seed: Name of the intact file.
        changes: Kinds of the changes, in order.
        data: The bytes.
    """

    number: int
    seed: str
    changes: tuple[str, ...]
    data: bytes


@cache
def seeds() -> dict[str, bytes]:
    """Return small intact files of each format, by name: a rendered page, and a PDF of curves."""
    page = Image.fromarray(ecg_page(1, dpi=110).pixels)
    small = page.resize(_SMALL)
    turned, exif = small.rotate(90, expand=True), Image.Exif()
    exif[0x0112] = 6
    return {
        "JPEG": _encode(page, "JPEG", quality=70),
        "JPEG, turned": _encode(turned, "JPEG", exif=exif, quality=70),
        "JPEG, progressive": _encode(small, "JPEG", progressive=True, quality=70),
        "JPEG, CMYK": _encode(small.convert("CMYK"), "JPEG"),
        "PNG": _encode(page, "PNG"),
        "PNG, palette": _encode(small.quantize(16), "PNG"),
        "PNG, 1 bit": _encode(page.convert("1", dither=Image.Dither.NONE), "PNG"),
        "PNG, transparent": _encode(turned.convert("RGBA"), "PNG", exif=exif),
        "PNG, 16 bits": _encode(Image.fromarray(np.asarray(small.convert("L"), np.uint16) * 257), "PNG"),
        "TIFF, LZW, 2 pages": _encode(small, "TIFF", compression="tiff_lzw", save_all=True, append_images=[small]),
        "TIFF, JPEG": _encode(small, "TIFF", compression="jpeg"),
        "TIFF, fax": _encode(page.convert("1", dither=Image.Dither.NONE), "TIFF", compression="group4"),
        "TIFF, deflate": _encode(page, "TIFF", compression="tiff_adobe_deflate"),
        "BMP": _encode(small.convert("L"), "BMP"),
        "BMP, palette": _encode(small.quantize(16), "BMP"),
        "WebP": _encode(page, "WEBP", quality=70),
        "WebP, lossless": _encode(turned.quantize(16).convert("RGB"), "WEBP", lossless=True, exif=exif),
        "HEIC": _encode_heic(page),
        "PDF of a picture": _encode(page, "PDF", resolution=110),
        "PDF of curves": (_DATA / "00009_hr.pdf").read_bytes(),
    }


def draw_mutations(numbers: Iterator[int] | range) -> Iterator[Mutation]:
    """Draw damaged files, one for each number."""
    return map(draw_mutation, numbers)


def draw_mutation(number: int) -> Mutation:
    """Draw the damaged file of a number."""
    random = np.random.default_rng(number)
    names = list(seeds())
    name = names[number % len(names)]
    data, changes = bytearray(seeds()[name]), []
    for _ in range(int(random.integers(1, _MOST_CHANGES + 1))):
        change = list(_CHANGES)[int(random.integers(len(_CHANGES)))]
        limit = min(len(data), _HEADER_BYTES) if random.integers(4) == 0 else len(data)
        _CHANGES[change](data, int(random.integers(limit)) if limit else 0, random)
        changes.append(change)
    is_repaired = name.startswith("PNG") and bool(random.integers(2))
    return Mutation(number, name, tuple(changes), _repair_png(bytes(data)) if is_repaired else bytes(data))


def _flip(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Flip a bit of one byte to forty."""
    for offset in range(int(random.integers(1, 40))):
        if place + offset < len(data):
            data[place + offset] ^= 1 << int(random.integers(8))


def _overwrite(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Overwrite a few bytes with noise, zeros or ones."""
    size = int(random.integers(1, 32))
    data[place : place + size] = (random.bytes(size), bytes(size), b"\xff" * size)[int(random.integers(3))]


def _clear(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Clear a block."""
    size = min(int(random.integers(1, 400)), len(data) - place)
    data[place : place + size] = bytes(size)


def _cut(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Cut off the rest, mostly near the end."""
    del data[place if random.integers(4) == 0 else max(place, len(data) * 3 // 4) :]


def _remove(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Remove a block."""
    del data[place : place + int(random.integers(1, 200))]


def _repeat(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Repeat a block in place."""
    data[place:place] = data[place : place + int(random.integers(1, 500))]


def _splice(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Insert a block of another part of the file, or of a file of another format."""
    others = list(seeds().values())
    other = bytes(data) if random.integers(2) else others[int(random.integers(len(others)))]
    start = int(random.integers(max(1, len(other))))
    data[place:place] = other[start : start + int(random.integers(1, 1000))]


def _exchange(data: bytearray, place: int, random: np.random.Generator) -> None:
    """Write a whole number at its limits, as sizes and counts are written."""
    width = (2, 4, 8)[int(random.integers(3))]
    value = (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)[int(random.integers(5))]
    data[place : place + width] = value.to_bytes(width, ("big", "little")[int(random.integers(2))])


_CHANGES = {
    "flip": _flip,
    "overwrite": _overwrite,
    "clear": _clear,
    "cut": _cut,
    "remove": _remove,
    "repeat": _repeat,
    "splice": _splice,
    "exchange": _exchange,
}


def _repair_png(data: bytes) -> bytes:
    """Return a PNG with the right sums of its chunks, without which no change gets beyond the first check."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : end]
        parts += [data[place : place + 4], body, zlib.crc32(body).to_bytes(4, "big")]
        place = end + 4
    return b"".join(parts)


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    with io.BytesIO() as stream:
        image.save(stream, kind, **options)
        return stream.getvalue()


def _encode_heic(image: Image.Image) -> bytes:
    with io.BytesIO() as stream:
        pillow_heif.from_pillow(image).save(stream, quality=70)
        return stream.getvalue()

"""PNG, TIFF, BMP and WebP: the limits are checked on their headers, then Pillow or OpenCV decodes them.

Each format's plugin of Pillow is called by name. ``Image.open`` would try other formats too, and its own guard
against decompression bombs is a process-wide setting that belongs to the program around us.

Pillow needs 4 bytes a pixel, and each change of a picture's mode as much again. What is decoded therefore becomes RGB
in strips, so that a page takes 7 bytes a pixel in all, whatever its mode.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.geometry.orientation import apply_orientation
from ecglens.pages.ifd import Directory, directories, read_exif_orientation
from ecglens.pages.source import Decoded, SourceFile

__all__ = [
    "LIMITS",
    "TagLimits",
    "convert_to_rgb",
    "decode_bmp",
    "decode_png",
    "decode_tiff",
    "decode_webp",
    "decode_with_pillow",
]


@dataclass(frozen=True)
class TagLimits:
    """Limits of the tags of TIFF files, which are read before any pixel."""

    max_tag_bytes: int = threshold(
        32_000_000,
        "bytes",
        "Largest size of all tags.",
        low="Files with large profiles are refused.",
        high="Files can take all memory.",
    )
    max_tag_numbers: int = threshold(
        1_000_000,
        "numbers",
        "Largest count of numbers in all tags.",
        low="Files with many strips are refused.",
        high="Files can take all memory.",
    )
    max_samples: int = threshold(
        16,
        "samples",
        "Largest number of samples of a pixel.",
        low="Files with extra channels are refused.",
        high="Files can take all memory.",
    )


LIMITS = TagLimits()


_TILE_WIDTH, _TILE_HEIGHT, _BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL = 322, 323, 258, 262, 277
_WHITE_IS_ZERO = 0
_TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_STRIP_PIXELS = 1 << 16
"""Pixels that become RGB at once: as many as a processor's cache holds in several modes."""
_LAB_STRIP_PIXELS = 1 << 22
"""The same for Lab, where each conversion begins with tables that take 20 ms to build."""
_WEBP_ANIMATED, _WEBP_HAS_EXIF = 0x02, 0x08
"""Flags of a WebP with several chunks (RFC 9649, section 2.7)."""


def decode_png(file: SourceFile) -> Decoded:
    """Decode a PNG, the first frame where it moves."""
    return decode_with_pillow(file, "PNG", PngImagePlugin.PngImageFile)


def decode_bmp(file: SourceFile) -> Decoded:
    """Decode a Windows bitmap."""
    return decode_with_pillow(file, "BMP", BmpImagePlugin.BmpImageFile)


def decode_webp(file: SourceFile) -> Decoded:
    """Decode a WebP, the first frame where it moves; the canvas is checked before libwebp makes it.

    OpenCV decodes those that do not move: Pillow reads them as an animation, whose frames take 24 bytes a pixel.
    """
    size = _webp_size(file.data)
    if size is None:
        raise file.damage_error("WebP")
    file.check_size(*size)
    flags = file.data[20] if file.data[12:16] == b"VP8X" else 0
    if flags & _WEBP_ANIMATED:
        return decode_with_pillow(file, "WebP", WebPImagePlugin.WebPImageFile)
    file.check_page(1)
    pixels = cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[1::-1] != size:
        raise file.damage_error("WebP")
    orientation = read_exif_orientation(_webp_exif(file.data)) if flags & _WEBP_HAS_EXIF else 1
    return Decoded(apply_orientation(_from_opencv(pixels), orientation))


def decode_tiff(file: SourceFile) -> Decoded:
    """Decode the wanted page of a TIFF.

    Raises:
        EcgReadError: There is no such page, or its tags, tiles or samples would cost more memory than a page may.
    """
    frames = list(directories(file.data))
    if not frames:
        raise file.damage_error("TIFF")
    file.check_page(len(frames))
    for frame in frames[: file.page]:
        tile = frame.tags.get(_TILE_WIDTH, 0) * frame.tags.get(_TILE_HEIGHT, 0)
        if (
            frame.tag_bytes > LIMITS.max_tag_bytes
            or frame.numbers > LIMITS.max_tag_numbers
            or tile > file.max_pixels
            or frame.tags.get(_SAMPLES_PER_PIXEL, 1) > LIMITS.max_samples
        ):
            raise file.damage_error("TIFF")
    return decode_with_pillow(file, "TIFF", _TiffFile, frames=frames)


def decode_with_pillow(
    file: SourceFile,
    kind: str,
    plugin: Callable[[io.BytesIO], Image.Image],
    *,
    frames: Sequence[Directory] = (),
) -> Decoded:
    """Decode one page of a file by a plugin of Pillow.

    Args:
        file: The file.
        kind: Name of its format, for messages.
        plugin: Class that opens the format.
        frames: Image file directories of a TIFF with several pages.

    Raises:
        EcgReadError: There is no such page, or it is larger than a page may be.
    """
    pages = len(frames) or 1
    file.check_page(pages)
    pixels, orientation = _load(file, kind, plugin, frames)
    return Decoded(apply_orientation(pixels, orientation), pages)


def convert_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of a picture of 8 bits in RGB, on white paper where it is transparent.

    Args:
        image: In any mode of Pillow for whole numbers of 8 bits.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, strip in _strips(image):
        pixels[rows] = np.asarray(_on_paper(strip))
    return pixels


class _TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF without Pillow's guard against decompression bombs, since tiles and pages were checked."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size, None).im
        ImageFile.ImageFile.load_prepare(self)


def _load(
    file: SourceFile, kind: str, plugin: Callable[[io.BytesIO], Image.Image], frames: Sequence[Directory]
) -> tuple[NDArray[np.uint8], int]:
    """Return a page's pixels and orientation; the memory of Pillow's own picture is free afterwards."""
    with plugin(io.BytesIO(file.data)) as image:
        if file.page > 1:
            image.seek(file.page - 1)
        file.check_size(*image.size)
        image.load()
        file.check_size(*image.size)
        exif = image.info.get("exif", b"")
        orientation = read_exif_orientation(exif) if isinstance(exif, bytes) and not frames else 1
        tags = frames[file.page - 1].tags if frames else {}
        return _rgb(image, file, kind, tags), orientation


def _rgb(image: Image.Image, file: SourceFile, kind: str, tags: Mapping[int, int]) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return _from_16_bit(image, file, tags)
    if image.mode == "F":
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected pixels of 8 or 16 bits, found a {kind} file with fractional numbers; "
            "save it as PNG or JPEG.",
        )
    return convert_to_rgb(image)


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the rows of each strip of a picture, from the top, and the strip."""
    height = max(1, (_LAB_STRIP_PIXELS if image.mode == "LAB" else _STRIP_PIXELS) // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _on_paper(strip: Image.Image) -> Image.Image:
    """Return a strip in RGB, on white paper where it is transparent."""
    if strip.mode not in _TRANSPARENT_MODES and "transparency" not in strip.info:
        return strip if strip.mode == "RGB" else strip.convert("RGB")
    layer = strip.convert("RGBA")
    paper = Image.new("RGB", strip.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper


def _from_opencv(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return RGB from BGR, or from BGRA on white paper."""
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels).astype(np.uint8, copy=False)
    paper = np.empty((*pixels.shape[:2], 3), np.uint8)
    height = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), height):
        layer = cv2.cvtColor(pixels[top : top + height], cv2.COLOR_BGRA2RGBA)
        paper[top : top + height] = np.asarray(_on_paper(Image.fromarray(layer)))
    return paper


def _from_16_bit(image: Image.Image, file: SourceFile, tags: Mapping[int, int]) -> NDArray[np.uint8]:
    """Scale whole numbers to 8 bits by the depth that the file states."""
    bits = tags.get(_BITS_PER_SAMPLE, 16)
    top = (1 << bits) - 1
    lowest, highest = _find_range(image)
    if bits > 16 or lowest < 0 or highest > top:
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected pixels of 8 or 16 bits, found values from {lowest} to {highest}; save it as PNG or JPEG.",
        )
    ramp = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        ramp = ramp[::-1]
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, strip in _strips(image):
        pixels[rows] = ramp[np.asarray(strip).astype(np.uint16, copy=False)][:, :, None]
    return pixels


def _find_range(image: Image.Image) -> tuple[int, int]:
    ends = [(int(values.min()), int(values.max())) for values in (np.asarray(strip) for _, strip in _strips(image))]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Canvas size from the header (RFC 9649, sections 2.5 to 2.7)."""
    if len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _webp_exif(data: bytes) -> bytes:
    """Return the EXIF block of a WebP with several chunks; empty if there is none."""
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"EXIF":
            return data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return b""

"""PNG, TIFF, BMP and WebP: Pillow decodes them; the limits are checked on their headers first.

Each format's plugin is called by name. ``Image.open`` would try other formats too, and its own guard
against decompression bombs is a process-wide setting that belongs to the program around us.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.geometry.orientation import apply_orientation
from ecglens.pages.ifd import Directory, directories, read_exif_orientation
from ecglens.pages.source import Decoded, SourceFile

__all__ = ["LIMITS", "TagLimits", "decode_bmp", "decode_png", "decode_tiff", "decode_webp", "decode_with_pillow"]


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


def decode_png(file: SourceFile) -> Decoded:
    """Decode a PNG, the first frame where it moves."""
    return decode_with_pillow(file, "PNG", PngImagePlugin.PngImageFile)


def decode_bmp(file: SourceFile) -> Decoded:
    """Decode a Windows bitmap."""
    return decode_with_pillow(file, "BMP", BmpImagePlugin.BmpImageFile)


def decode_webp(file: SourceFile) -> Decoded:
    """Decode a WebP, the first frame where it moves; the canvas is checked before libwebp makes it."""
    size = _webp_size(file.data)
    if size is None:
        raise file.damage_error("WebP")
    file.check_size(*size)
    return decode_with_pillow(file, "WebP", WebPImagePlugin.WebPImageFile)


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
    return decode_with_pillow(file, "TIFF", TiffImagePlugin.TiffImageFile, frames=frames)


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
    with plugin(io.BytesIO(file.data)) as image:
        if file.page > 1:
            image.seek(file.page - 1)
        file.check_size(*image.size)
        image.load()
        file.check_size(*image.size)
        exif = image.info.get("exif", b"")
        orientation = read_exif_orientation(exif) if isinstance(exif, bytes) and not frames else 1
        tags = frames[file.page - 1].tags if frames else {}
        return Decoded(apply_orientation(_rgb(image, file, kind, tags), orientation), pages)


def _rgb(image: Image.Image, file: SourceFile, kind: str, tags: Mapping[int, int]) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return _from_16_bit(np.array(image), file, tags)
    if image.mode == "F":
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected pixels of 8 or 16 bits, found a {kind} file with fractional numbers; "
            "save it as PNG or JPEG.",
        )
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return np.array(paper)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _from_16_bit(values: NDArray[Any], file: SourceFile, tags: Mapping[int, int]) -> NDArray[np.uint8]:
    """Scale whole numbers to 8 bits by the depth that the file states."""
    bits = tags.get(_BITS_PER_SAMPLE, 16)
    top = (1 << bits) - 1
    if bits > 16 or values.min() < 0 or values.max() > top:
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected pixels of 8 or 16 bits, found values from {values.min()} to {values.max()}; "
            "save it as PNG or JPEG.",
        )
    ramp = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        ramp = ramp[::-1]
    return np.repeat(ramp[values.astype(np.uint16, copy=False)][:, :, None], 3, axis=2)


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

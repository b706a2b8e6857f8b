"""JPEG: OpenCV decodes it, the markers are read here.

A page should cost one decoding and nothing more, so size, turn and completeness come from the markers. libjpeg fills
what it has no data for with gray of exactly 128, which is how missing rows are known.

Source: ITU-T T.81, annex B; markers of the JPEG file interchange format.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.geometry.orientation import apply_orientation
from ecglens.pages.ifd import read_exif_orientation
from ecglens.pages.source import Decoded, SourceFile

__all__ = ["LIMITS", "JpegLimits", "decode_jpeg"]


@dataclass(frozen=True)
class JpegLimits:
    """Limits of damaged and hostile JPEG files."""

    max_missing: float = threshold(
        1 / 3,
        "1",
        "Largest share of missing rows: with more, a line of leads is lost.",
        low="Pages that lack a footer are refused.",
        high="Pages without their last line are read.",
    )
    max_scans: int = threshold(
        100,
        "scans",
        "Largest number of scans of a progressive file.",
        low="Ordinary files are refused.",
        high="Files can be made to decode for minutes.",
    )
    min_fill_rows: int = threshold(
        8,
        "rows",
        "Least number of equal gray rows at the end that are missing.",
        low="Gray paper counts as missing.",
        high="Small damage is not noticed.",
    )


LIMITS = JpegLimits()


_FILL = 128
_FILL_STEP_ROWS = 64
_SOI, _EOI, _SOS, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_STANDALONE = (0x01, _SOI, *range(0xD0, 0xD8))


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    components: int
    progressive: bool
    orientation: int
    whole: bool
    plain: bytes


def decode_jpeg(file: SourceFile) -> Decoded:
    """Decode a JPEG, upright by its EXIF orientation.

    Args:
        file: Bytes that begin with a JPEG's mark.

    Returns:
        The page, with a warning where its last rows are missing.

    Raises:
        EcgReadError: It is too small, too large, or too much of it is missing.
    """
    header = _header(file)
    file.check_size(header.width, header.height)
    file.check_page(1)
    if header.progressive and (not header.whole or file.data.count(b"\xff\xda") > LIMITS.max_scans):
        raise file.damage_error("JPEG")
    pixels = _pixels(file, header)
    missing = _missing_rows(pixels)
    warnings: tuple[str, ...] = ()
    if missing > LIMITS.max_missing * pixels.shape[0]:
        raise EcgReadError(
            code="damaged",
            source=file.name,
            detail=f"expected a whole JPEG file, found one without the lower {missing / pixels.shape[0]:.0%} of "
            "its rows; export or scan the page again.",
        )
    if not header.whole or missing >= LIMITS.min_fill_rows:
        warnings = (f"The file is cut short: the last {missing} of {pixels.shape[0]} rows of the page are missing.",)
    return Decoded(apply_orientation(pixels, header.orientation), warnings=warnings)


def _pixels(file: SourceFile, header: _Header) -> NDArray[np.uint8]:
    if header.whole and header.components in (1, 3):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        decoded = cv2.imdecode(np.frombuffer(file.data, np.uint8), flags)
        if decoded is not None and decoded.shape == (header.height, header.width, 3):
            return decoded.astype(np.uint8, copy=False)
    from PIL import JpegImagePlugin  # needed by few files, and slow to import

    from ecglens.pages.raster import convert_to_rgb

    with JpegImagePlugin.JpegImageFile(io.BytesIO(header.plain)) as image:
        file.check_size(*image.size)
        return convert_to_rgb(image)


def _missing_rows(pixels: NDArray[np.uint8]) -> int:
    rows = int(pixels.shape[0])
    for bottom in range(rows, 0, -_FILL_STEP_ROWS):
        strip = pixels[max(bottom - _FILL_STEP_ROWS, 0) : bottom]
        if (strip[-1] != _FILL).any():
            return rows - bottom
        filled_rows = np.flatnonzero((strip != _FILL).any(axis=(1, 2)))
        if filled_rows.size:
            return rows - bottom + len(strip) - 1 - int(filled_rows[-1])
    return rows


def _header(file: SourceFile) -> _Header:
    """Walk the markers up to the first scan.

    ``plain`` is the file without its metadata and with an end: what Pillow is given where OpenCV does not serve,
    since Pillow would parse the metadata too.
    """
    data = file.data
    frame: tuple[int, int, int, int] | None = None
    orientation = 1
    parts = [b"\xff\xd8"]
    place = 2
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 4 > len(data):
            raise file.damage_error("JPEG")
        marker = data[place + 1]
        if marker in (0x00, 0xFF) or marker in _STANDALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in (_EOI, _SOS):
            break
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : end]
        if marker in _FRAMES and frame is None and len(body) >= 6:
            frame = (marker, int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"), body[5])
        if marker == _APP1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = read_exif_orientation(body)
        if marker < 0xE0 or marker == _APP14:
            parts.append(data[place:end])
        place = end
    if frame is None or marker == _EOI:
        raise file.damage_error("JPEG")
    ending = data.find(b"\xff\xd9", place)
    scans = data[place:] if ending < 0 else data[place : ending + 2]
    parts.append(scans if ending >= 0 else scans + b"\xff\xd9")
    kind, width, height, components = frame
    return _Header(width, height, components, kind in _PROGRESSIVE, orientation, ending >= 0, b"".join(parts))

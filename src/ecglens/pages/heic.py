"""HEIC: the photographs of current phones, decoded by libheif through Pillow."""

from pillow_heif import HeifImageFile

from ecglens.pages.raster import decode_with_pillow
from ecglens.pages.source import Decoded, SourceFile

__all__ = ["decode_heic"]


def decode_heic(file: SourceFile) -> Decoded:
    """Decode the primary picture of a HEIC file."""
    return decode_with_pillow(file, "HEIC", HeifImageFile)

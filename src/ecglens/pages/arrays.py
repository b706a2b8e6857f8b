"""Pictures that a program holds in memory, as the file of a page: NumPy arrays and Pillow images."""

import io
import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ecglens.errors import EcgReadError

__all__ = ["encode_array", "encode_image"]

_MAX_PIXELS = 200_000_000
"""Largest array that is copied; the limit of pages, which is lower, is that of their file."""
_PNG_MODES = frozenset({"1", "I", "I;16", "L", "LA", "P", "RGB", "RGBA"})
"""Modes of Pillow that PNG has; others, such as CMYK, become RGB."""
_FAST = 1
"""Level of PNG's compression: the file lives for a moment only."""


def encode_array(pixels: np.ndarray[Any, Any]) -> bytes:
    """Return the file of a page whose pixels are an array.

    Args:
        pixels: ``(height, width)`` gray, ``(height, width, 3)`` RGB or ``(height, width, 4)`` RGBA, uint8.

    Raises:
        EcgReadError: The array has another shape or type.
    """
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not is_picture or pixels.dtype != np.uint8 or not pixels.size:
        shape = " x ".join(map(str, pixels.shape)) or "a single value"
        raise EcgReadError(
            code="invalid_argument",
            source="array",
            detail=f"expected height x width (x 3 or 4) of uint8, found {shape} of {pixels.dtype}; convert it.",
        )
    height, width = pixels.shape[:2]
    if height * width > _MAX_PIXELS:
        raise EcgReadError(
            code="too_large",
            source="array",
            detail=f"expected at most {_MAX_PIXELS / 1e6:.0f} megapixels, found {height * width / 1e6:,.0f}; make it "
            "smaller.",
        )
    return _to_png(Image.fromarray(np.ascontiguousarray(pixels)))


def encode_image(image: Image.Image) -> tuple[bytes, str]:
    """Return the file of a page and its name, from an image of Pillow, upright by its EXIF orientation.

    Raises:
        EcgReadError: The image is animated, or cannot be decoded.
    """
    name = os.path.basename(str(getattr(image, "filename", ""))) or "image"
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise EcgReadError(
            code="unsupported",
            source=name,
            detail=f"expected one picture, found {frames} frames; give the path of the file, or one frame of it.",
        )
    try:
        upright = ImageOps.exif_transpose(image)
        return _to_png(upright if upright.mode in _PNG_MODES else upright.convert("RGB")), name
    # Pillow decodes an opened file now, and answers damage with many kinds of exceptions.
    except Exception as error:
        raise EcgReadError(
            code="damaged", source=name, detail="expected an image, found one that cannot be decoded; open it again."
        ) from error


def _to_png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=_FAST)
    return stream.getvalue()

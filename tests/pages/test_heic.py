"""HEIC files, the photographs of phones."""

import numpy as np
import pytest
from wild_files import BLUE, GREEN, HEIGHT, RED, WHITE, WIDTH, heic, quarters

from ecglens.errors import EcgReadError
from ecglens.pages.heic import decode_heic
from ecglens.pages.source import SourceFile


def source(data: bytes, *, page: int = 1, max_megapixels: float = 100) -> SourceFile:
    return SourceFile(data, "a.heic", page, max_megapixels)


def test_the_picture_has_its_size_and_colors() -> None:
    decoded = decode_heic(source(heic(quarters())))
    assert decoded.pixels.shape == (HEIGHT, WIDTH, 3)
    assert decoded.pixels.dtype == np.uint8
    assert (decoded.pages, decoded.warnings) == (1, ())
    corners = [decoded.pixels[row, column] for row in (80, 240) for column in (120, 360)]
    np.testing.assert_allclose(corners, [RED, GREEN, BLUE, WHITE], atol=12)


def test_what_is_too_small_or_too_large_is_refused() -> None:
    data = heic(quarters())
    with pytest.raises(EcgReadError, match="at least 300 px each way, found 200 x 200 px"):
        decode_heic(source(heic(quarters().resize((200, 200)))))
    with pytest.raises(EcgReadError, match=r"at most 0\.1 megapixels, found 480 x 320 px"):
        decode_heic(source(data, max_megapixels=0.1))
    with pytest.raises(EcgReadError, match="the file has one page"):
        decode_heic(source(data, page=2))

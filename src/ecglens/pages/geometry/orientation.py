"""Pages turned by quarters: as an EXIF mark asks for, or because they may lie on their side.

Source of the marks: EXIF 2.32 (CIPA DC-008), tag 0x0112.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import Page

__all__ = ["other_ways_up", "turned"]

_TURNS: dict[int, tuple[int | None, int | None]] = {
    2: (None, 1),
    3: (cv2.ROTATE_180, None),
    4: (None, 0),
    5: (cv2.ROTATE_90_CLOCKWISE, 1),
    6: (cv2.ROTATE_90_CLOCKWISE, None),
    7: (cv2.ROTATE_90_COUNTERCLOCKWISE, 1),
    8: (cv2.ROTATE_90_COUNTERCLOCKWISE, None),
}


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a page upright.

    Args:
        pixels: As the file holds them.
        orientation: EXIF orientation, 1 to 8; anything else turns nothing.
    """
    turn, flip = _TURNS.get(orientation, (None, None))
    if turn is not None:
        pixels = cv2.rotate(pixels, turn).astype(np.uint8, copy=False)
    if flip is not None:
        pixels = cv2.flip(pixels, flip).astype(np.uint8, copy=False)
    return pixels


def other_ways_up(page: Page) -> Iterator[Page]:
    """The page turned by one, three and two quarters, each with a warning that says so."""
    for orientation, said in ((6, "lay on its left side"), (8, "lay on its right side"), (3, "stood upside down")):
        yield replace(
            page,
            pixels=turned(page.pixels, orientation),
            warnings=(*page.warnings, f"The page {said}; it was turned."),
            curves=(),
        )

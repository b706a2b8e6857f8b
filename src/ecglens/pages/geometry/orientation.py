"""Orientation: pages turned by quarters, by their EXIF metadata or because they may lie on their side.

Source of the values: EXIF 2.32 (CIPA DC-008), tag 0x0112.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.records import Box, Page, PageText

__all__ = ["apply_orientation", "is_turned", "turn_by_quarters", "turn_by_texts"]

_TURNS: dict[int, tuple[int | None, int | None]] = {
    2: (None, 1),
    3: (cv2.ROTATE_180, None),
    4: (None, 0),
    5: (cv2.ROTATE_90_CLOCKWISE, 1),
    6: (cv2.ROTATE_90_CLOCKWISE, None),
    7: (cv2.ROTATE_90_COUNTERCLOCKWISE, 1),
    8: (cv2.ROTATE_90_COUNTERCLOCKWISE, None),
}


_QUARTERS = (1, 3, 2)
"""Quarter turns clockwise, the most likely first."""
_POSITIONS = ("on its left side", "on its right side", "upside down")
_TURNED = "it was turned upright."
"""End of the warning of a page that was turned."""


def apply_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
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


def turn_by_quarters(page: Page) -> Iterator[Page]:
    """Yield the page turned by one, three and two quarters, each with a warning that says so."""
    for turns, orientation, position in zip(_QUARTERS, (6, 8, 3), _POSITIONS, strict=True):
        yield replace(
            page,
            pixels=apply_orientation(page.pixels, orientation),
            warnings=(*page.warnings, f"The page was {position}; {_TURNED}"),
            curves=(),
            texts=tuple(_turn_text(text, page, turns) for text in page.texts),
        )


def is_turned(page: Page) -> bool:
    """Return whether a page is one of :func:`turn_by_quarters`, or a view of one."""
    return any(warning.endswith(_TURNED) for warning in page.warnings)


def turn_by_texts(page: Page) -> Page:
    """Turn a page by quarters so that most of the text that its file holds is upright; unchanged without text."""
    letters = Counter(dict.fromkeys(range(4), 0))
    for text in page.texts:
        letters[text.turns] += len(text.text)
    turns = letters.most_common(1)[0][0]
    if turns == 0:
        return page
    target = (4 - turns) % 4
    return next(view for view, turned in zip(turn_by_quarters(page), _QUARTERS, strict=True) if turned == target)


def _turn_text(text: PageText, page: Page, turns: int) -> PageText:
    """The text on the page after quarter turns clockwise."""
    box, height, width = text.box, page.height, page.width
    for _ in range(turns):
        box = Box(box.left, height - 1 - box.bottom, box.right, height - 1 - box.top)
        height, width = width, height
    return replace(text, box=box, turns=(text.turns + turns) % 4)

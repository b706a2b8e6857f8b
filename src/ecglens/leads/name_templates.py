"""Reading lead names as they are printed at the head of a lead.

The templates in ``names.png`` (one tile of 14 px a name, in the order of ``STANDARD_LEADS``) are medians over the pages
of "ECG Images dataset of Cardiac Patients" (Khan et al., DOI 10.17632/gwbz3fsgp8.2, CC BY 4.0), at the scale of a
normalized page; ``docs/make_lead_names.py`` makes them. A name in another typeface is not read.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS

__all__ = ["TILE", "NameMatch", "match_names", "name_edges"]

TILE = (14, 34)
"""Rows and columns of a template; its left edge is 1 px before the head of the lead, its bottom 3 px above 0 mV."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Correlation of a name with the print, in [-1, 1], and its offset from the expected position, px."""

    score: float
    down: int
    right: int


def match_names(ink: NDArray[np.uint8], *, row: float, column: float, reach: int = 6) -> dict[str, NameMatch]:
    """Compare every lead name with what is printed at the head of a lead.

    Args:
        ink: ``(height, width)`` uint8 of a normalized page.
        row: Zero line of the lead, px of the normalized page.
        column: Where the lead begins, px of the normalized page.
        reach: Largest offset of a name from its expected position, px of the normalized page.

    Returns:
        The best match of each name.
    """
    height, width = TILE[0] + 2 * reach, TILE[1] + 2 * reach
    top, left = round(row) - 3 - TILE[0] - reach, round(column) - 1 - reach
    rows = np.clip(np.arange(top, top + height), 0, ink.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, ink.shape[1] - 1)
    windows = sliding_window_view(ink[rows[:, None], columns], TILE).reshape(-1, TILE[0] * TILE[1]).astype(np.float32)
    windows -= windows.mean(axis=1, keepdims=True)
    windows /= np.maximum(np.linalg.norm(windows, axis=1, keepdims=True), 1e-6)
    scores = windows @ _templates()
    places = scores.argmax(axis=0)
    return {
        name: NameMatch(
            score=float(scores[place, index]),
            down=int(place) // (2 * reach + 1) - reach,
            right=int(place) % (2 * reach + 1) - reach,
        )
        for index, (name, place) in enumerate(zip(STANDARD_LEADS, places, strict=True))
    }


def name_edges(row: float, column: float) -> tuple[float, float, float, float]:
    """Return top, left, bottom and right of the name of a lead with this zero line and head, px."""
    return row - 3 - TILE[0], column - 1, row - 3, column - 1 + TILE[1]


@cache
def _templates() -> NDArray[np.float32]:
    """Every name's tile as a column of zero mean and length 1, ``(pixels, names)``."""
    data = files("ecglens.leads").joinpath("names.png").read_bytes()
    strip = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.float32)
    tiles = strip.reshape(len(STANDARD_LEADS), -1)
    tiles = tiles - tiles.mean(axis=1, keepdims=True)
    return np.ascontiguousarray((tiles / np.linalg.norm(tiles, axis=1, keepdims=True)).T)

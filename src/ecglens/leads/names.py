"""Reading lead names as they are printed at the head of a lead.

The templates in ``names.png`` (one tile of 14 px a name, in the order of ``STANDARD_LEADS``) are medians over the pages
of "ECG Images dataset of Cardiac Patients" (Khan et al., DOI 10.17632/gwbz3fsgp8.2, CC BY 4.0), at the scale of a
sheet; ``docs/make_lead_names.py`` makes them. A name in another typeface is not read, which is no guess at another.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS

__all__ = ["TILE", "NameMatch", "match_names"]

TILE = (14, 34)
"""Rows and columns of a template; its left edge is 1 px before the head of the lead, its bottom 3 px above 0 mV."""

_REACH = 6


@dataclass(frozen=True, slots=True)
class NameMatch:
    """How well a name matches what is printed, in [-1, 1], and how far from its usual place, px of the sheet."""

    score: float
    down: int
    right: int


def match_names(ink: NDArray[np.uint8], *, row: float, column: float) -> dict[str, NameMatch]:
    """Compare every lead name with what is printed at the head of a lead.

    Args:
        ink: ``(height, width)`` uint8 of a sheet.
        row: Zero line of the lead, px of the sheet.
        column: Where the lead begins, px of the sheet.

    Returns:
        The best match of each name.
    """
    height, width = TILE[0] + 2 * _REACH, TILE[1] + 2 * _REACH
    top, left = round(row) - 3 - TILE[0] - _REACH, round(column) - 1 - _REACH
    rows = np.clip(np.arange(top, top + height), 0, ink.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, ink.shape[1] - 1)
    patch = np.ascontiguousarray(ink[rows[:, None], columns])
    matches = {}
    for name, tile in _templates().items():
        _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(patch, tile, cv2.TM_CCOEFF_NORMED))
        matches[name] = NameMatch(score=float(score), down=int(y) - _REACH, right=int(x) - _REACH)
    return matches


@cache
def _templates() -> dict[str, NDArray[np.uint8]]:
    data = files("ecglens.leads").joinpath("names.png").read_bytes()
    strip = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return {name: strip[index * TILE[0] : (index + 1) * TILE[0]] for index, name in enumerate(STANDARD_LEADS)}

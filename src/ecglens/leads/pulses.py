"""Calibration pulses: 1 mV steps that say how tall a millivolt is and where each row's zero line runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.sheet import PX_PER_MM

__all__ = ["Pulse", "find_pulses"]

_HEIGHTS_MM = (10.0, 5.0, 20.0)
"""1 mV at the three usual gains."""
_END_MM = 40
"""Pulses stand at the left or the right end of the traces."""
_ENOUGH = 4
_ROOF_PX = 2
"""How far above its flanks a roof may be black."""
_BLACK = 90
_WIDTH_RANGE_MM = (1.5, 7.5)
_HEIGHT_TOLERANCE = 0.15
_LEVEL_MM = 0.75
"""How far the tops, and the feet, of a pulse's two flanks may differ."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A calibration pulse on a sheet, in px of the sheet; ``bottom`` is the zero line's row."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def height_mm(self) -> float:
        """Height in mm by the grid."""
        return (self.bottom - self.top) / PX_PER_MM


def find_pulses(ink: NDArray[np.uint8]) -> tuple[Pulse, ...]:
    """Find rectangular pulses: two upright flanks of one height, a flat top, nothing between the feet.

    Args:
        ink: ``(height, width)`` uint8 of a sheet.

    Returns:
        Pulses of the gain that most of them show, top to bottom.
    """
    width = ink.shape[1]
    ends = (slice(0, min(width, _END_MM * PX_PER_MM)), slice(max(0, width - _END_MM * PX_PER_MM), width))
    best: tuple[Pulse, ...] = ()
    for height_mm in _HEIGHTS_MM:
        for columns in ends:
            black = np.asarray(ink[:, columns] > _BLACK, dtype=np.uint8)
            flanks = _flanks(black, height_mm)
            found = tuple(
                Pulse(*_outline(a, b, columns.start)) for a, b in _pairs(flanks) if _is_open_below(black, a, b)
            )
            if len(found) > len(best):
                best = found
            if len(best) >= _ENOUGH:
                return tuple(sorted(best, key=lambda pulse: pulse.top))
    return tuple(sorted(best, key=lambda pulse: pulse.top))


def _flanks(black: NDArray[np.uint8], height_mm: float) -> NDArray[np.int32]:
    """``(left, top, width, height)`` of strokes of about ``height_mm``, left to right, 2 px wider than drawn.

    A thin stroke between two columns of pixels is black now in one, now in the other; widened, it is whole.
    """
    least = int((1 - _HEIGHT_TOLERANCE) * height_mm * PX_PER_MM)
    most = int((1 + _HEIGHT_TOLERANCE) * height_mm * PX_PER_MM) + 2
    thick = cv2.dilate(black, np.ones((1, 3), np.uint8))
    strokes = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    kept = stats[1:, :4][(stats[1:, 3] <= most) & (stats[1:, 2] <= 1.5 * PX_PER_MM)]
    return np.asarray(kept[np.argsort(kept[:, 0], kind="stable")], dtype=np.int32)


def _pairs(flanks: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Two flanks as far apart as a pulse is wide, level at their tops and feet."""
    left, top, feet = flanks[:, 0], flanks[:, 1], flanks[:, 1] + flanks[:, 3]
    narrow, wide = (width * PX_PER_MM for width in _WIDTH_RANGE_MM)
    level = _LEVEL_MM * PX_PER_MM
    for number, a in enumerate(flanks):
        here = slice(*np.searchsorted(left, (left[number] + narrow, left[number] + wide + 1e-6)))
        alike = (np.abs(top[here] - top[number]) <= level) & (np.abs(feet[here] - feet[number]) <= level)
        for b in flanks[here][alike]:
            yield a, b


def _outline(a: NDArray[np.int32], b: NDArray[np.int32], offset: int) -> tuple[float, float, float, float]:
    """Top, left, bottom, right along the middle of the pen; ``offset`` is added to columns."""
    pen = (float(a[2]) + float(b[2])) / 4 - 1
    top = (float(a[1]) + float(b[1])) / 2 + pen - 0.5
    bottom = (float(a[1] + a[3]) + float(b[1] + b[3])) / 2 - pen - 0.5
    return top, offset + float(a[0]) + float(a[2]) / 2 - 0.5, bottom, offset + float(b[0]) + float(b[2]) / 2 - 0.5


def _is_open_below(black: NDArray[np.uint8], a: NDArray[np.int32], b: NDArray[np.int32]) -> bool:
    """Whether there is a roof between two flanks, and nothing below it."""
    left, right = int(a[0] + a[2]), int(b[0])
    if right - left < 2:
        return False
    top, bottom = min(int(a[1]), int(b[1])), max(int(a[1] + a[3]), int(b[1] + b[3]))
    inside = black[max(0, top - _ROOF_PX) : bottom, left:right]
    margin = PX_PER_MM + _ROOF_PX
    if len(inside) < margin + 2 + PX_PER_MM:
        return False
    roof = inside[:margin].max(axis=0).mean()
    return bool(
        roof >= 0.85 and inside[margin + 1 : -PX_PER_MM].mean() < 0.1 and inside[-PX_PER_MM:].max(axis=0).mean() < 0.6
    )

"""Calibration pulses: steps of 1 mV that show the gain and the zero line of each row."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.normalized import PX_PER_MM
from ecglens.limits import threshold

__all__ = ["LIMITS", "Pulse", "PulseLimits", "find_pulses"]


@dataclass(frozen=True)
class PulseLimits:
    """Thresholds of calibration pulses."""

    end_mm: int = threshold(
        40,
        "mm",
        "Part of the traces at their left and right ends in which pulses are searched.",
        low="Pulses beside names are not found.",
        high="QRS complexes look like pulses.",
    )
    enough: int = threshold(
        4,
        "pulses",
        "Number of pulses of one gain after which other gains are not tried.",
        low="A false pulse decides the gain.",
        high="Searching takes longer.",
    )
    roof_px: int = threshold(
        2,
        "px of the normalized page",
        "Rows above the flanks in which the roof may be.",
        low="Pulses with thick roofs are not found.",
        high="Print above two strokes looks like a roof.",
    )
    black: int = threshold(
        90,
        "ink of 255",
        "Ink of a stroke.",
        low="Grid lines look like flanks.",
        high="Pale pulses are not found.",
    )
    width_range_mm: tuple[float, float] = threshold(
        (1.5, 7.5),
        "mm",
        "Smallest and largest width of a pulse.",
        low="Double strokes look like pulses; long pulses are not found.",
        high="Short pulses are not found; two complexes look like a pulse.",
    )
    height_tolerance: float = threshold(
        0.15,
        "1",
        "Largest relative deviation of the height from 5, 10 or 20 mm.",
        low="Pulses on stretched pages are not found.",
        high="R waves look like flanks.",
    )
    level_mm: float = threshold(
        0.75,
        "mm",
        "Largest difference between the tops, and between the feet, of the two flanks.",
        low="Pulses on turned pages are not found.",
        high="Two complexes look like a pulse.",
    )


LIMITS = PulseLimits()


_HEIGHTS_MM = (10.0, 5.0, 20.0)
"""1 mV at the three standard gains."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A calibration pulse on a normalized page, in px of the normalized page; ``bottom`` is the zero line's row."""

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
        ink: ``(height, width)`` uint8 of a normalized page.

    Returns:
        Pulses of the gain that most of them show, top to bottom.
    """
    width = ink.shape[1]
    ends = (slice(0, min(width, LIMITS.end_mm * PX_PER_MM)), slice(max(0, width - LIMITS.end_mm * PX_PER_MM), width))
    best: tuple[Pulse, ...] = ()
    for height_mm in _HEIGHTS_MM:
        for columns in ends:
            black = np.asarray(ink[:, columns] > LIMITS.black, dtype=np.uint8)
            flanks = _find_flanks(black, height_mm)
            pulses = tuple(
                Pulse(*_outline(a, b, columns.start)) for a, b in _pairs(flanks) if _is_open_below(black, a, b)
            )
            if len(pulses) > len(best):
                best = pulses
            if len(best) >= LIMITS.enough:
                return tuple(sorted(best, key=lambda pulse: pulse.top))
    return tuple(sorted(best, key=lambda pulse: pulse.top))


def _find_flanks(black: NDArray[np.uint8], height_mm: float) -> NDArray[np.int32]:
    """``(left, top, width, height)`` of strokes of about ``height_mm``, left to right, 2 px wider than printed.

    A thin stroke between two columns of pixels is black now in one, now in the other; widened, it is whole.
    """
    least = int((1 - LIMITS.height_tolerance) * height_mm * PX_PER_MM)
    most = int((1 + LIMITS.height_tolerance) * height_mm * PX_PER_MM) + 2
    thick = cv2.dilate(black, np.ones((1, 3), np.uint8))
    strokes = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    flanks = stats[1:, :4][(stats[1:, 3] <= most) & (stats[1:, 2] <= 1.5 * PX_PER_MM)]
    return np.asarray(flanks[np.argsort(flanks[:, 0], kind="stable")], dtype=np.int32)


def _pairs(flanks: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Two flanks as far apart as a pulse is wide, level at their tops and feet."""
    left, top, feet = flanks[:, 0], flanks[:, 1], flanks[:, 1] + flanks[:, 3]
    narrow, wide = (width * PX_PER_MM for width in LIMITS.width_range_mm)
    level = LIMITS.level_mm * PX_PER_MM
    for number, a in enumerate(flanks):
        here = slice(*np.searchsorted(left, (left[number] + narrow, left[number] + wide + 1e-6)))
        is_level = (np.abs(top[here] - top[number]) <= level) & (np.abs(feet[here] - feet[number]) <= level)
        for b in flanks[here][is_level]:
            yield a, b


def _outline(a: NDArray[np.int32], b: NDArray[np.int32], offset: int) -> tuple[float, float, float, float]:
    """Top, left, bottom, right along the middle of the pen; ``offset`` is added to columns."""
    pen = (float(a[2]) + float(b[2])) / 4 - 1
    top = (float(a[1]) + float(b[1])) / 2 + pen - 0.5
    bottom = (float(a[1] + a[3]) + float(b[1] + b[3])) / 2 - pen - 0.5
    return top, offset + float(a[0]) + float(a[2]) / 2 - 0.5, bottom, offset + float(b[0]) + float(b[2]) / 2 - 0.5


def _is_open_below(black: NDArray[np.uint8], a: NDArray[np.int32], b: NDArray[np.int32]) -> bool:
    """Return whether there is a roof between two flanks, and nothing below it."""
    left, right = int(a[0] + a[2]), int(b[0])
    if right - left < 2:
        return False
    top, bottom = min(int(a[1]), int(b[1])), max(int(a[1] + a[3]), int(b[1] + b[3]))
    inside = black[max(0, top - LIMITS.roof_px) : bottom, left:right]
    margin = PX_PER_MM + LIMITS.roof_px
    if len(inside) < margin + 2 + PX_PER_MM:
        return False
    roof = inside[:margin].max(axis=0).mean()
    return bool(
        roof >= 0.85 and inside[margin + 1 : -PX_PER_MM].mean() < 0.1 and inside[-PX_PER_MM:].max(axis=0).mean() < 0.6
    )

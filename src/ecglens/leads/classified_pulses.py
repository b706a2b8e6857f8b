"""Calibration pulses of a page whose pixels were classified: pieces of the class of pulses, beside the lines."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.normalized import PX_PER_MM
from ecglens.leads.pulses import Pulse
from ecglens.limits import threshold

__all__ = ["LIMITS", "ClassifiedPulseLimits", "find_classified_pulses", "group_pulses"]


@dataclass(frozen=True)
class ClassifiedPulseLimits:
    """Thresholds of pulses by the classes of pixels."""

    share: int = threshold(
        200,
        "share of 255",
        "Share of a pixel that a pulse covers from which it belongs to the pulse.",
        low="Steep complexes belong to pulses.",
        high="Faint pulses are torn.",
    )
    height_mm: tuple[float, float] = threshold(
        (3.5, 24.0),
        "mm",
        "Smallest and largest height of a pulse: half and twice 10 mm, with a fifth to spare.",
        low="Pieces of complexes are pulses.",
        high="Pulses of 5 mm are overlooked.",
    )
    width_mm: tuple[float, float] = threshold(
        (1.2, 14.0),
        "mm",
        "Smallest and largest width of a pulse with its feet.",
        low="Single strokes are pulses.",
        high="Narrow pulses are overlooked.",
    )
    flank: float = threshold(
        0.45,
        "1",
        "Least share of the height of a pulse that its flanks cover.",
        low="Dirt beside a pulse makes it wider.",
        high="Faint flanks are overlooked.",
    )
    roof: float = threshold(
        0.6,
        "1",
        "Least share of the width between its flanks that the roof of a pulse covers.",
        low="Grid lines through a pulse look like its roof.",
        high="Faint roofs are overlooked.",
    )
    height_tolerance: float = threshold(
        0.17,
        "1",
        "Largest relative deviation of a pulse's height from 5, 10 or 20 mm.",
        low="Pulses on stretched pages are overlooked.",
        high="Complexes look like pulses.",
    )
    before_name_mm: float = threshold(
        16.0,
        "mm",
        "Largest distance of a pulse from the names of its column.",
        low="Pulses far from names are overlooked.",
        high="Complexes look like pulses.",
    )
    after_names: float = threshold(
        0.6,
        "1",
        "Least distance of pulses at the right end from the last names, as a part of the distance of the columns.",
        low="Complexes of the last column look like pulses.",
        high="Pulses of pages whose names stand late are overlooked.",
    )
    to_line_mm: float = threshold(
        3.0,
        "mm",
        "Largest distance of a pulse's foot from its zero line.",
        low="Pulses of lines with a wandering baseline are overlooked.",
        high="Pulses of other lines count.",
    )
    same_place_mm: float = threshold(
        2.5,
        "mm",
        "Largest distance of the pulses of one column from each other.",
        low="Pulses on turned pages differ.",
        high="Complexes beside pulses count.",
    )
    min_lines: float = threshold(
        0.45,
        "1",
        "Least share of the lines that have a pulse in a column.",
        low="Two complexes that look like a pulse decide.",
        high="Pages with faint pulses have none.",
    )


LIMITS = ClassifiedPulseLimits()

_HEIGHTS_MM = np.array([5.0, 10.0, 20.0])
"""1 mV at the three usual gains."""
_LINE_MM = 250.0
"""Length of a line of 10 s."""


def find_classified_pulses(pulse: NDArray[np.uint8], px_per_mm: float = PX_PER_MM) -> list[Pulse]:
    """Find the pulses of a page.

    Args:
        pulse: ``(height, width)`` uint8, share of each pixel that pulses cover.
        px_per_mm: Pixels per millimeter, where they are known.

    Returns:
        Pulses with their feet, top to bottom, in px of ``pulse``.
    """
    strokes = np.asarray(pulse >= LIMITS.share, dtype=np.uint8)
    joined = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((round(px_per_mm) | 1, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    left, top, width, height = (stats[1:, column] for column in range(4))
    is_pulse = np.ones(len(left), dtype=np.bool_)
    for size, (low, high) in ((height, LIMITS.height_mm), (width, LIMITS.width_mm)):
        is_pulse &= (size >= low * px_per_mm) & (size <= high * px_per_mm)
    numbers = np.flatnonzero(is_pulse)[np.argsort(top[is_pulse], kind="stable")]
    outlines = [_outline(np.asarray(labels == one + 1), stats[one + 1]) for one in numbers]
    return [outline for outline in outlines if outline is not None]


def _outline(piece: NDArray[np.bool_], box: NDArray[np.int32]) -> Pulse | None:
    """The roof, the outer flanks and the foot of a pulse, without dirt and grid lines that join it."""
    left, top, width, height = (int(value) for value in box[:4])
    part = piece[top : top + height, left : left + width]
    flanks = np.flatnonzero(part.mean(axis=0) >= LIMITS.flank)
    if flanks.size < 2 or flanks[-1] - flanks[0] < 2:
        return None
    between = part[:, flanks[0] : flanks[-1] + 1]
    roofs = np.flatnonzero(between.mean(axis=1) >= LIMITS.roof)
    roof = int(roofs[0]) if roofs.size and roofs[0] < 0.6 * height else 0
    last = int(np.flatnonzero(part[:, flanks].any(axis=1))[-1])
    return Pulse(top + roof + 0.5, float(left + flanks[0]), float(top + last) - 0.5, float(left + flanks[-1] + 1))


def group_pulses(
    pulses: list[Pulse], zeros: NDArray[np.float64], lefts: NDArray[np.float64]
) -> list[tuple[Pulse, ...]]:
    """Group the pulses that stand on the lines by the columns in which they stand, left to right.

    Args:
        pulses: From :func:`find_classified_pulses`, on a normalized page.
        zeros: ``(lines,)``, rows of the zero lines.
        lefts: ``(columns,)``, left edges of the names of each column; pulses stand near them or at the right end.
    """
    wide = float(np.diff(lefts).mean()) if len(lefts) > 1 else _LINE_MM * PX_PER_MM
    pulses = [_stand_on(pulse, zeros) for pulse in pulses]
    pulses = [
        pulse
        for pulse in pulses
        if np.abs(pulse.height_mm / _HEIGHTS_MM - 1).min() <= LIMITS.height_tolerance
        and (
            np.abs(lefts - pulse.right).min() <= LIMITS.before_name_mm * PX_PER_MM
            or np.abs(lefts - pulse.left).min() <= LIMITS.before_name_mm * PX_PER_MM
            or pulse.left > lefts[-1] + LIMITS.after_names * wide
        )
    ]
    on_line = [pulse for pulse in pulses if np.abs(zeros - pulse.bottom).min() <= LIMITS.to_line_mm * PX_PER_MM]
    columns: list[list[Pulse]] = []
    for pulse in sorted(on_line, key=lambda pulse: pulse.right):
        if columns and pulse.right - columns[-1][-1].right <= LIMITS.same_place_mm * PX_PER_MM:
            columns[-1].append(pulse)
        else:
            columns.append([pulse])
    needed = max(1.0, LIMITS.min_lines * len(zeros))
    return [tuple(sorted(column, key=lambda pulse: pulse.top)) for column in columns if len(column) >= needed]


def _stand_on(pulse: Pulse, zeros: NDArray[np.float64]) -> Pulse:
    """The pulse with its foot on the nearest zero line, if that is near: strokes may go on below it."""
    zero = float(zeros[np.abs(zeros - pulse.bottom).argmin()])
    is_near = abs(zero - pulse.bottom) <= LIMITS.to_line_mm * PX_PER_MM
    return replace(pulse, bottom=zero) if is_near else pulse

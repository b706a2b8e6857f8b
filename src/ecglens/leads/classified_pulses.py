"""Calibration pulses of a page whose pixels were classified: connected pixels of the class pulse beside the lines."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.normalized import PX_PER_MM
from ecglens.leads.pulses import Pulse
from ecglens.limits import threshold

__all__ = ["LIMITS", "ClassifiedPulseLimits", "find_classified_pulses", "find_pulses_of_lines"]


@dataclass(frozen=True)
class ClassifiedPulseLimits:
    """Thresholds of pulses by the classes of pixels."""

    share: int = threshold(
        150,
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
    stroke: float = threshold(
        0.7,
        "1",
        "Least share of its height over which a flank of a known line has ink.",
        low="Complexes and short strokes look like flanks.",
        high="Faint flanks are overlooked.",
    )
    inside: float = threshold(
        0.2,
        "1",
        "Largest share of ink between the flanks of a pulse.",
        low="Pulses on dirty paper are overlooked.",
        high="Two complexes look like a pulse.",
    )
    roof: float = threshold(
        0.6,
        "1",
        "Least share of the width between its flanks that the roof of a pulse covers.",
        low="Grid lines through a pulse look like its roof.",
        high="Faint roofs are overlooked.",
    )
    above: float = threshold(
        0.5,
        "1",
        "Largest share of ink just above a flank.",
        low="Pulses below grid lines are overlooked.",
        high="Upright grid lines look like flanks.",
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
        high="Pulses of pages whose names are printed far to the right are overlooked.",
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

_HEIGHTS_MM = (10.0, 5.0, 20.0)
"""1 mV at the three standard gains."""
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
    roofs = roofs[roofs < 0.6 * height]
    roof = float(roofs[roofs <= roofs[0] + PX_PER_MM].mean()) if roofs.size else 0.5
    last = int(np.flatnonzero(part[:, flanks].any(axis=1))[-1])
    return Pulse(top + roof, float(left + flanks[0]), float(top + last) - 0.5, float(left + flanks[-1] + 1))


def find_pulses_of_lines(
    pulse: NDArray[np.uint8], zeros: NDArray[np.float64], lefts: NDArray[np.float64]
) -> list[tuple[Pulse, ...]]:
    """Find the pulses of lines whose positions are known, grouped by columns from left to right.

    Two upright strokes from the zero line up to one height are a pulse, also without a roof; most lines have one at the
    same place.

    Args:
        pulse: ``(height, width)`` uint8, share of each pixel of a normalized page that pulses cover.
        zeros: ``(lines,)``, rows of the zero lines.
        lefts: ``(columns,)``, left edges of the names of each column; pulses are near them or at the right end.
    """
    strokes = np.asarray(pulse >= LIMITS.share, dtype=np.uint8)
    black = np.asarray(cv2.dilate(strokes, np.ones((1, 3), np.uint8)), dtype=np.uint8)
    best: list[tuple[Pulse, ...]] = []
    for height_mm in _HEIGHTS_MM:
        pulses = [one for zero in zeros for one in _pair_flanks(black, float(zero), height_mm)]
        columns = _group_by_columns([one for one in pulses if _may_stand_at(one, lefts)], len(zeros))
        if sum(map(len, columns)) > sum(map(len, best)):
            best = columns
    return best


def _pair_flanks(black: NDArray[np.uint8], zero: float, height_mm: float) -> list[Pulse]:
    """Pairs of strokes that rise from a zero line to one height."""
    top, bottom = round(zero - height_mm * PX_PER_MM), round(zero)
    if top < 0 or bottom > len(black):
        return []
    body = black[top + PX_PER_MM : bottom - 1].mean(axis=0)
    over = black[max(0, top - 3 * PX_PER_MM) : max(1, top - 2)].mean(axis=0)
    is_flank = np.asarray((body >= LIMITS.stroke) & (over <= LIMITS.above))
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], is_flank, [False]]).astype(np.int8)))
    flanks = [(float(a), float(b)) for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    narrow, wide = (side * PX_PER_MM for side in LIMITS.width_mm)
    roof = _find_roof(black, top)
    return [
        Pulse(roof if roof is not None else float(top), left[0] + 1, zero, right[1] - 1)
        for number, left in enumerate(flanks)
        for right in flanks[number + 1 : number + 2]
        if narrow <= right[1] - left[0] <= wide and _is_empty(black, top, bottom, left[1], right[0])
    ]


def _is_empty(black: NDArray[np.uint8], top: int, bottom: int, left: float, right: float) -> bool:
    """Return whether there is little between two flanks, below the roof and above the foot."""
    inside = black[top + 2 * PX_PER_MM : bottom - PX_PER_MM, int(left) + 1 : int(right) - 1]
    return not inside.size or float(inside.mean()) <= LIMITS.inside


def _find_roof(black: NDArray[np.uint8], top: int) -> float | None:
    """Middle of the rows near the expected top that are filled most, or ``None`` without ink there."""
    first = max(0, top - PX_PER_MM)
    filled = black[first : top + PX_PER_MM + 1].sum(axis=1, dtype=np.float64)
    return None if filled.max(initial=0.0) < 2 else first + float(np.flatnonzero(filled == filled.max()).mean())


def _may_stand_at(pulse: Pulse, lefts: NDArray[np.float64]) -> bool:
    """Return whether a pulse is near the names of a column, or at the right end of the lines."""
    wide = float(np.diff(lefts).mean()) if len(lefts) > 1 else _LINE_MM * PX_PER_MM
    reach = LIMITS.before_name_mm * PX_PER_MM
    away = min(float(np.abs(lefts - pulse.right).min()), float(np.abs(lefts - pulse.left).min()))
    return away <= reach or pulse.left > lefts[-1] + LIMITS.after_names * wide


def _group_by_columns(pulses: list[Pulse], lines: int) -> list[tuple[Pulse, ...]]:
    """Pulses at one place, one of each line, where enough of the lines have one."""
    columns: list[dict[float, Pulse]] = []
    last = -np.inf
    for pulse in sorted(pulses, key=lambda pulse: pulse.right):
        if pulse.right - last > LIMITS.same_place_mm * PX_PER_MM:
            columns.append({})
        columns[-1].setdefault(pulse.bottom, pulse)
        last = pulse.right
    needed = max(2.0 if lines > 2 else 1.0, LIMITS.min_lines * lines)
    return [tuple(sorted(column.values(), key=lambda pulse: pulse.top)) for column in columns if len(column) >= needed]

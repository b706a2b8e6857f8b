"""ST levels and the frontal QRS axis of a typical beat."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["LIMITS", "AxisLimits", "frontal_axis", "measure_level"]


@dataclass(frozen=True)
class AxisLimits:
    """Thresholds of the frontal axis."""

    min_length: float = threshold(
        0.12,
        "1",
        "Least length of the QRS vector that has a direction, as a part of the largest area of a limb lead without "
        "sign.",
        low="Indeterminate axes get a random direction.",
        high="Axes of biphasic complexes are not measured.",
    )


LIMITS = AxisLimits()

_FRONTAL = MappingProxyType(
    {
        "I": (1.0, 0.0),
        "II": (0.5, 0.75**0.5),
        "III": (-0.5, 0.75**0.5),
        "aVR": (-0.75, -(0.1875**0.5)),
        "-aVR": (0.75, 0.1875**0.5),
        "aVL": (0.75, -(0.1875**0.5)),
        "aVF": (0.0, 0.75**0.5),
    }
)
"""Projection of a vector (left, down) on each limb lead in Einthoven's triangle; Goldberger's leads are shorter."""


def frontal_axis(areas: dict[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Compute the direction of the vector that explains the limb leads best, by least squares.

    Args:
        areas: By lead, area of the QRS complex with its sign and without.

    Returns:
        Degrees in (-180, 180], 0 towards the left arm and 90 towards the feet, and one standard uncertainty from the
        disagreement of the leads; ``None`` with fewer than two leads, or where the vector is too short to have a
        direction.

    >>> frontal_axis({"I": (1.0, 1.0), "aVF": (0.75**0.5, 1.0)})
    (45.0, 0.0)
    """
    limb = [lead for lead in areas if lead in _FRONTAL]
    if len(limb) < 2:
        return None
    directions = np.array([_FRONTAL[lead] for lead in limb])
    signed, unsigned = np.array([areas[lead] for lead in limb]).T
    if np.linalg.matrix_rank(directions) < 2:
        return None
    vector, *_ = np.linalg.lstsq(directions, signed, rcond=None)
    length = float(np.hypot(*vector))
    if length < LIMITS.min_length * unsigned.max() or length == 0:
        return None
    residual = signed - directions @ vector
    scatter = float(np.sqrt((residual**2).sum() / (len(limb) - 2))) if len(limb) > 2 else 0.0
    angle = float(np.degrees(np.arctan2(vector[1], vector[0])))
    return round(angle, 6), float(np.degrees(np.arctan2(scatter, length)))


def measure_level(beats: NDArray[np.float64], column: int, reach: int = 2) -> tuple[float, float] | None:
    """Measure the level of one lead at one place of its beats.

    Args:
        beats: ``(beats, window)``, mV, baseline subtracted.
        column: Sample of the window.
        reach: Samples on both sides that are averaged.

    Returns:
        Median over the beats and its standard error (of the median of normal values, 1.25 sigma / sqrt(n), sigma from
        the median absolute deviation), or ``None`` with fewer than two beats.
    """
    if column - reach < 0 or column + reach >= beats.shape[1]:
        return None
    near = beats[:, column - reach : column + reach + 1]
    levels = near[~np.isnan(near).any(axis=1)].mean(axis=1)
    if len(levels) < 2:
        return None
    middle = float(np.median(levels))
    return middle, 1.25 * 1.4826 * float(np.median(np.abs(levels - middle))) / float(np.sqrt(len(levels)))

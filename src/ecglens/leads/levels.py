"""Levels and directions of a median beat: ST at two places of each lead, and the frontal axis."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["frontal_axis", "level"]

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
"""What a lead shows of a vector (to the left, to the feet) in Einthoven's triangle; Goldberger's leads are shorter."""

_LEAST_AREA = 0.12
"""Least length of the vector, as a part of the limb leads' area without sign, that has a direction."""


def frontal_axis(areas: dict[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Direction of the vector that explains the limb leads best, by least squares.

    Args:
        areas: By lead, area of the QRS complex with its sign and without.

    Returns:
        Degrees in (-180, 180], 0 towards the left arm and 90 towards the feet, and one standard uncertainty from what
        the leads disagree; ``None`` with fewer than two leads, or where the vector is too short to have a direction.

    >>> frontal_axis({"I": (1.0, 1.0), "aVF": (0.75**0.5, 1.0)})
    (45.0, 0.0)
    """
    limb = [lead for lead in areas if lead in _FRONTAL]
    if len(limb) < 2:
        return None
    directions = np.array([_FRONTAL[lead] for lead in limb])
    signed, whole = np.array([areas[lead] for lead in limb]).T
    if np.linalg.matrix_rank(directions) < 2:
        return None
    vector, *_ = np.linalg.lstsq(directions, signed, rcond=None)
    length = float(np.hypot(*vector))
    if length < _LEAST_AREA * whole.max() or length == 0:
        return None
    left_over = signed - directions @ vector
    scatter = float(np.sqrt((left_over**2).sum() / (len(limb) - 2))) if len(limb) > 2 else 0.0
    angle = float(np.degrees(np.arctan2(vector[1], vector[0])))
    return round(angle, 6), float(np.degrees(np.arctan2(scatter, length)))


def level(cut: NDArray[np.float64], place: int, reach: int = 2) -> tuple[float, float] | None:
    """Level of one lead at a place of its beats.

    Args:
        cut: ``(beats, window)``, mV, baseline taken off.
        place: Sample of the window.
        reach: Samples to both sides that count.

    Returns:
        Median over beats and its standard error (of the median of normal values, 1.25 sigma / sqrt(n), sigma from the
        median absolute deviation), or ``None`` with fewer than two beats.
    """
    if place - reach < 0 or place + reach >= cut.shape[1]:
        return None
    near = cut[:, place - reach : place + reach + 1]
    known = near[~np.isnan(near).any(axis=1)].mean(axis=1)
    if len(known) < 2:
        return None
    middle = float(np.median(known))
    return middle, 1.25 * 1.4826 * float(np.median(np.abs(known - middle))) / float(np.sqrt(len(known)))

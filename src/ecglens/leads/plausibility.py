"""Plausibility of the leads: checks that they can be one recording.

Right paper with right names is not enough: a blank lead, a straight line or a drawing between the pulses must not get a
label. The limits lie well below the least values on 393 public pages, so that a real page is rarely refused and a
drawing nearly always.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LayoutPlan
from ecglens.limits import threshold
from ecglens.records import NotFound

__all__ = ["LIMITS", "PlausibilityLimits", "check_leads", "similarity"]


@dataclass(frozen=True)
class PlausibilityLimits:
    """Thresholds of the checks that the leads are one recording; in brackets the least value on 393 public pages."""

    min_covered: float = threshold(
        0.85,
        "1",
        "Least share of a lead's columns with ink (0.94).",
        low="Blank leads are read.",
        high="Leads with gaps are refused.",
    )
    min_height_px: float = threshold(
        0.7 * 4,
        "px of the normalized page",
        "Least height from the lowest to the highest point of a lead, 0.7 mm (0.92 mm).",
        low="Straight lines are read as leads.",
        high="Leads of low voltage are refused.",
    )
    min_strip_similarity: float = threshold(
        0.65,
        "1",
        "Least similarity of the rhythm strip and the lead that it repeats (0.76).",
        low="Pages of two recordings are read.",
        high="Pages with a noisy strip are refused.",
    )
    min_einthoven: float = threshold(
        0.6,
        "1",
        "Least similarity of I + III and II (0.73).",
        low="Exchanged leads are read.",
        high="Noisy limb leads are refused.",
    )
    min_goldberger: float = threshold(
        0.55,
        "1",
        "Least similarity of -aVR and aVL + aVF (0.71).",
        low="Exchanged leads are read.",
        high="Noisy limb leads are refused.",
    )
    max_difference_px: int = threshold(
        8,
        "px of the normalized page",
        "Difference that counts at most, 2 mm, so that neighbors' beats that cross a trace count little.",
        low="Real differences count too little.",
        high="Crossing traces make leads implausible.",
    )
    head_px: int = threshold(
        16,
        "px of the normalized page",
        "Part of a lead that is left out at its head, where its name is.",
        low="Names disturb the similarity.",
        high="Too little of a lead is compared.",
    )
    tail_px: int = threshold(
        4,
        "px of the normalized page",
        "Part of a lead that is left out at its end.",
        low="The next lead disturbs the similarity.",
        high="Too little of a lead is compared.",
    )


LIMITS = PlausibilityLimits()


def check_leads(
    curves: NDArray[np.float64], covered: NDArray[np.bool_], columns: NDArray[np.float64], layout: LayoutPlan
) -> NotFound | None:
    """Look for a reason not to believe the leads.

    Args:
        curves: ``(lines, columns)``, each line's trace as px of a normalized page below its zero line.
        covered: ``(lines, columns)``, where a line has ink at all.
        columns: Heads of the layout's columns and the end of the last.
        layout: Layout with the position of each lead.

    Returns:
        The reason, or ``None``.
    """
    parts = [
        slice(round(a) + LIMITS.head_px, round(b) - LIMITS.tail_px)
        for a, b in zip(columns[:-1], columns[1:], strict=True)
    ]
    lead_curves = {}
    for line, names in enumerate([*layout.rows, (layout.rhythm[0],) * layout.columns]):
        for part, name in zip(parts, names, strict=True):
            title = f"Lead {name}" if line < len(layout.rows) else "The rhythm strip"
            there = covered[line, part]
            if not there.size or there.mean() < LIMITS.min_covered:
                return NotFound(f"{title} has no trace over part of its length.")
            low, high = np.percentile(curves[line, part], [0.5, 99.5])
            if high - low < LIMITS.min_height_px:
                return NotFound(f"{title} is a flat line over a quarter of the page.")
            if line < len(layout.rows):
                lead_curves[name] = curves[line, part]
    strip = curves[-1]
    similarities = [
        similarity(strip[parts[names.index(name)]], lead_curves[name]) for names in layout.rows for name in names
    ]
    if max(similarities) < LIMITS.min_strip_similarity:
        return NotFound("The rhythm strip resembles none of the leads: they may not be one recording.")
    if similarity(lead_curves["I"] + lead_curves["III"], lead_curves["II"]) < LIMITS.min_einthoven:
        return NotFound("Leads I and III do not add up to II: they may not be one recording.")
    if similarity(-lead_curves["aVR"], lead_curves["aVL"] + lead_curves["aVF"]) < LIMITS.min_goldberger:
        return NotFound("Leads aVR, aVL and aVF do not add up to zero: they may not be one recording.")
    return None


def similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return 1 for curves of one shape and size, 0 for unrelated ones and for empty ones."""
    if not a.size:
        return 0.0
    a, b = a - np.median(a), b - np.median(b)
    apart, tall = (np.minimum(np.abs(x), LIMITS.max_difference_px).sum() for x in (a - b, np.abs(a) + np.abs(b)))
    return 1.0 - float(apart / max(float(tall), 1e-9))

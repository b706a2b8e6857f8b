"""Whether what stands in the leads' places can be one heart's recording.

Right paper with right names is not enough: a blank lead, a straight line or anything drawn between the pulses must not
be answered. The limits lie well below the least seen on 393 public pages (in brackets), so that a real page is refused
rarely and a drawn one nearly always.
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LayoutPlan
from ecglens.records import NotFound

__all__ = ["check_leads", "likeness"]

_COVERED = 0.85
"""Share of a lead's columns with ink (0.94)."""
_TALL_PX = 0.7 * 4
"""Height from the lowest to the highest point of a lead, px of a sheet (0.92 mm)."""
_ONE_RHYTHM = 0.65
"""Likeness of the rhythm strip and the lead that it runs along with (0.76)."""
_EINTHOVEN, _GOLDBERGER = 0.6, 0.55
"""Likeness of I + III and II, and of -aVR and aVL + aVF (0.73 and 0.71)."""
_CAP_PX = 8
"""Differences count up to 2 mm, so that neighbours' beats that cross a trace count little."""
_HEAD_PX, _TAIL_PX = 16, 4
"""What is left out at the head of a lead, where its name stands, and at its tail."""


def check_leads(
    curves: NDArray[np.float64], covered: NDArray[np.bool_], columns: NDArray[np.float64], layout: LayoutPlan
) -> NotFound | None:
    """Look for a reason not to believe the leads.

    Args:
        curves: ``(lines, columns)``, each line's trace as px of a sheet below its zero line.
        covered: ``(lines, columns)``, where a line has ink at all.
        columns: Heads of the layout's columns and the end of the last.
        layout: Which lead stands where.

    Returns:
        The reason, or ``None``.
    """
    parts = [slice(round(a) + _HEAD_PX, round(b) - _TAIL_PX) for a, b in zip(columns[:-1], columns[1:], strict=True)]
    lead_curves = {}
    for line, names in enumerate([*layout.rows, (layout.rhythm[0],) * layout.columns]):
        for part, name in zip(parts, names, strict=True):
            shown = f"Lead {name}" if line < len(layout.rows) else "The rhythm strip"
            there = covered[line, part]
            if not there.size or there.mean() < _COVERED:
                return NotFound(f"{shown} has no trace over part of its length.")
            low, high = np.percentile(curves[line, part], [0.5, 99.5])
            if high - low < _TALL_PX:
                return NotFound(f"{shown} is a flat line over a quarter of the page.")
            if line < len(layout.rows):
                lead_curves[name] = curves[line, part]
    strip = curves[-1]
    alike = [likeness(strip[parts[names.index(name)]], lead_curves[name]) for names in layout.rows for name in names]
    if max(alike) < _ONE_RHYTHM:
        return NotFound("The rhythm strip runs along with none of the leads: they may not be one recording.")
    if likeness(lead_curves["I"] + lead_curves["III"], lead_curves["II"]) < _EINTHOVEN:
        return NotFound("Leads I and III do not add up to II: they may not be one recording.")
    if likeness(-lead_curves["aVR"], lead_curves["aVL"] + lead_curves["aVF"]) < _GOLDBERGER:
        return NotFound("Leads aVR, aVL and aVF do not add up to nothing: they may not be one recording.")
    return None


def likeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """1 for curves of one shape and size, 0 for unrelated ones and for none at all."""
    if not a.size:
        return 0.0
    a, b = a - np.median(a), b - np.median(b)
    apart, tall = (np.minimum(np.abs(x), _CAP_PX).sum() for x in (a - b, np.abs(a) + np.abs(b)))
    return 1.0 - float(apart / max(float(tall), 1e-9))

"""Half pages: six leads that are a part of a page with twelve, of which the other names were not read.

Where the lines are as long as those of a page with two columns, and the names lie where those of a column do, the
other column follows from the layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.fit import Fit
from ecglens.leads.normalized import PX_PER_MM
from ecglens.leads.plausibility import similarity
from ecglens.leads.trace_lines import TEN_SECONDS_MM
from ecglens.limits import threshold

__all__ = ["LIMITS", "HalfPageLimits", "complete_half", "describe_half"]


@dataclass(frozen=True)
class HalfPageLimits:
    """Thresholds of pages with six leads."""

    min_six_mm: float = threshold(
        180.0,
        "mm",
        "Least length of the lines of a page with six leads.",
        low="Half of a page with twelve leads is read as one with six.",
        high="Short recordings of six leads are refused.",
    )
    min_beside_mm: float = threshold(
        20.0,
        "mm",
        "Least length of the lines beyond the place where a second column would begin that is compared.",
        low="A part without a beat is compared.",
        high="Two columns are read as one.",
    )
    max_change: float = threshold(
        0.5,
        "ln",
        "Largest logarithm of the ratio of a line's heights on both sides of that place.",
        low="Leads with a wandering baseline count as two.",
        high="Two leads of similar height count as one.",
    )
    min_changed: float = threshold(
        0.45,
        "1",
        "Least share of the lines whose height changes there.",
        low="Extrasystoles make two columns.",
        high="Two columns are read as one.",
    )
    max_name_mm: float = threshold(
        60.0,
        "mm",
        "Largest distance of the names of a single column from the heads of the lines; some programs print names 20 mm "
        "right of them.",
        low="Pages with names within the lines are refused.",
        high="Names of a second column name whole lines.",
    )
    max_loss: float = threshold(
        0.5,
        "1",
        "Largest difference of how well the limb leads add up on both sides of the place where a second column would "
        "begin.",
        low="Limb leads with a noisy end are refused.",
        high="Two columns are read as one.",
        evidence="`python benchmarks/accuracy.py`: 0.2 on pages of six leads; 0.7 where chest leads follow",
    )
    length_tolerance: float = threshold(
        0.03,
        "1",
        "Relative deviation of the lines from 250 mm up to which the other column is that of the layout.",
        low="Slightly stretched pages are refused.",
        high="Cut pages get a column of a wrong length.",
    )


LIMITS = HalfPageLimits()

_SIX = 6
_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")


def describe_half(
    curves: NDArray[np.float64], columns: NDArray[np.float64], plan: LayoutPlan, names_left: float
) -> str:
    """Describe why six leads may be half of a page with twelve; empty where nothing speaks for it.

    Args:
        curves: ``(lines, columns)``, each line's trace as px of a normalized page below its zero line.
        columns: Heads of the layout's columns and the end of the last.
        plan: Layout with the position of each lead.
        names_left: Left edge of the names of the first column.
    """
    if sum(map(len, plan.rows)) != _SIX:
        return ""
    long_mm = float(columns[-1] - columns[0]) / PX_PER_MM
    if long_mm < LIMITS.min_six_mm:
        return f"The names of six leads were read, but the lines are only {long_mm:.0f} mm long: half a page?"
    border = columns[0] + TEN_SECONDS_MM / 2 * PX_PER_MM
    if plan.columns > 1 or columns[-1] - border < LIMITS.min_beside_mm * PX_PER_MM:
        return ""
    if names_left - columns[0] > LIMITS.max_name_mm * PX_PER_MM:
        return "The names of six leads were read in the middle of the lines: half a page?"
    slack = 2 * PX_PER_MM
    left, right = (
        curves[:, first:last]
        for first, last in ((int(columns[0]) + slack, int(border) - slack), (int(border) + slack, int(columns[-1])))
    )
    if _changes(left, right) and not _go_on(left, right, plan):
        return "The names of six leads were read, but half way the lines go on with other complexes: half a page?"
    return ""


def complete_half(fit: Fit, columns: NDArray[np.float64], names_left: float) -> tuple[Fit, NDArray[np.float64]] | None:
    """Return the layout of two columns of which one is named, and its columns; ``None`` where it does not follow.

    Args:
        fit: Layout of six leads, fitted to the lines.
        columns: Heads of its column and its end.
        names_left: Left edge of the names.
    """
    start, stop = float(columns[0]), float(columns[-1])
    is_long = abs((stop - start) / PX_PER_MM / TEN_SECONDS_MM - 1) <= LIMITS.length_tolerance
    names = tuple(row[0] for row in fit.plan.rows)
    whole = next(
        (
            plan
            for plan in LAYOUTS.values()
            if plan.columns == 2
            and len(plan.rhythm) == len(fit.plan.rhythm)
            and names in tuple(zip(*plan.rows, strict=True))
        ),
        None,
    )
    if fit.plan.columns > 1 or not is_long or whole is None:
        return None
    column = tuple(zip(*whole.rows, strict=True)).index(names)
    halves = np.array([start, (start + stop) / 2, stop])
    right_mm = (names_left - float(halves[column])) / PX_PER_MM
    if abs(right_mm) > LIMITS.max_name_mm:
        return None
    return replace(fit, plan=whole, columns=tuple(column for _ in fit.words), right_mm=right_mm), halves


def _changes(left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    """Return whether the heights of enough lines differ on both sides."""
    heights = [np.ptp(np.percentile(part, (1, 99), axis=1), axis=0) + PX_PER_MM for part in (left, right)]
    changes = np.abs(np.log(heights[0] / heights[1])) > LIMITS.max_change
    return bool(changes.sum() >= LIMITS.min_changed * len(left))


def _go_on(left: NDArray[np.float64], right: NDArray[np.float64], plan: LayoutPlan) -> bool:
    """Return whether limb leads add up on the right if they do on the left; chest leads cannot be checked so."""
    names = [row[0] for row in plan.rows]
    if sorted(names) != sorted(_LIMB):
        return False
    before, after = (_sum_limb_leads(dict(zip(names, part, strict=True))) for part in (left, right))
    return all(one - two < LIMITS.max_loss for one, two in zip(before, after, strict=True))


def _sum_limb_leads(curves: Mapping[str, NDArray[np.float64]]) -> tuple[float, float]:
    """Return how well I + III are II, and aVL + aVF are -aVR."""
    return (
        similarity(curves["I"] + curves["III"], curves["II"]),
        similarity(-curves["aVR"], curves["aVL"] + curves["aVF"]),
    )

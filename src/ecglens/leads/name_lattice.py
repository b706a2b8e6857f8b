"""Lines of a page from its lead names: in every layout the names form a lattice, with one name beside each lead.

Each name is unique, so that a few of them determine the layout and the position of each line, even if complexes
overlap, lines are broken, or the strips below are farther apart. Two names span a lattice; the lattice that fits most
of the other names is selected.
"""

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.fit import name_weight
from ecglens.leads.name_shapes import Word
from ecglens.leads.normalized import PX_PER_MM
from ecglens.limits import threshold

__all__ = ["LIMITS", "Lattice", "LatticeLimits", "find_lattice", "find_lines_of_lattice"]


@dataclass(frozen=True)
class LatticeLimits:
    """Thresholds of the lattice of names, and of the lines beside it."""

    same_place_mm: float = threshold(
        3.5,
        "mm",
        "Largest distance of a name from its place in the lattice.",
        low="Names that are set less evenly do not fit.",
        high="Names of other layouts fit too.",
    )
    line_mm: tuple[float, float] = threshold(
        (7.0, 60.0),
        "mm",
        "Smallest and largest distance of lines.",
        low="Two words of the header span a lattice.",
        high="Pages with lines far apart are not read.",
    )
    column_mm: tuple[float, float] = threshold(
        (20.0, 270.0),
        "mm",
        "Smallest and largest distance of columns.",
        low="Two words of the header span a lattice.",
        high="Pages with long columns are not read.",
    )
    min_named: float = threshold(
        0.5,
        "1",
        "Least share of the names of a layout that lie in its lattice.",
        low="Words of the header make a layout.",
        high="Pages with few readable names are refused.",
    )
    missing_cost: float = threshold(
        0.35,
        "1",
        "Part of a name that each missing name costs.",
        low="Pages with six leads are read as half of a page with twelve.",
        high="Pages with few readable names are read as smaller layouts.",
    )
    sure: float = threshold(
        0.8,
        "1",
        "Probability from which a name of another lead between the lines counts against a layout.",
        low="Print between the lines counts against the right layout.",
        high="Half of the leads are read as a page with six.",
    )
    max_words: int = threshold(
        48,
        "words",
        "Largest number of names of a layout that are considered, the most probable first; each pair of them is tried.",
        low="Names on pages with much print are overlooked.",
        high="Pages full of names take long.",
    )
    below_mm: tuple[float, float] = threshold(
        (-12.0, 22.0),
        "mm",
        "Distances of a zero line below its name's foot that are tried.",
        low="Names far from their lines are given to no line.",
        high="Names are given to the next line.",
    )
    typical_mm: float = threshold(
        5.0,
        "mm",
        "Typical distance of a zero line below its name.",
        low="Lines above a name are preferred.",
        high="Lines far below a name are preferred.",
    )
    per_mm: float = threshold(
        0.004,
        "1/mm",
        "Part of the ink along the lines that each millimeter from the typical distance must bring.",
        low="Lines of the next lead are taken.",
        high="Names far from their lines are given to the next line.",
    )
    refine_mm: float = threshold(
        3.0,
        "mm",
        "Distance within which each zero line is moved to the row with most ink.",
        low="Lines that are set less evenly are missed.",
        high="Zero lines move to ST segments.",
    )
    min_strip: float = threshold(
        0.5,
        "1",
        "Least ink along a strip, as a part of that along the lines with names.",
        low="Print below the lines is a strip.",
        high="Strips with tall complexes are overlooked.",
    )
    near_mm: float = threshold(
        1.5,
        "mm",
        "Distance from the row along which most ink runs within which the flanks of a strip's complexes begin.",
        low="Strips of low voltage are lost.",
        high="Print below a frame looks like complexes.",
    )
    max_rule_mm: float = threshold(
        1.1,
        "mm",
        "Thickness up to which the ink there may be that of a frame.",
        low="Thick frames are strips.",
        high="Strips of low voltage are lost.",
    )
    min_steep: int = threshold(
        3,
        "px of the normalized page",
        "Least number of columns with such a flank.",
        low="Frames with a speck are strips.",
        high="Strips with thin flanks are lost.",
    )
    min_covered: float = threshold(
        0.8,
        "1",
        "Least share of a strip's columns that have ink.",
        low="Print below the lines is a strip.",
        high="Strips with gaps are overlooked.",
    )


LIMITS = LatticeLimits()

_MOST_STRIPS = 3


@dataclass(frozen=True, slots=True)
class Lattice:
    """Names that lie in a layout's lattice, in px of the normalized page.

    Attributes:
        plan: Layout without rhythm strips.
        named: Share of its names that were read, weighted by their probability.
        feet: ``(rows,)``, rows of the names' feet.
        lefts: ``(columns,)``, columns of the names' left edges.
        words: Names that lie in it, one for each lead that was read.
    """

    plan: LayoutPlan
    named: float
    feet: NDArray[np.float64]
    lefts: NDArray[np.float64]
    words: tuple[Word, ...]


def find_lattice(words: list[Word], *, only: str | None = None) -> Lattice | None:
    """Find the layout in whose lattice most names lie, or ``None`` if too few do.

    Args:
        words: Lead names that were read, in px of the normalized page.
        only: Layout that it must be; its strips do not matter here.
    """
    rows = None if only is None else LAYOUTS[only].rows
    plans = {plan.rows: plan for plan in LAYOUTS.values() if plan.lines > 1 and not plan.rhythm}
    if rows is not None:
        plans = {rows: plans.get(rows, LAYOUTS[only or ""])}
    lattices = [lattice for plan in plans.values() if (lattice := _fit_plan(plan, words)) is not None]
    if not lattices:
        return None
    best = max(lattices, key=lambda lattice: _worth(lattice) - _count_strays(lattice, words))
    return best if best.named >= LIMITS.min_named else None


def _worth(lattice: Lattice) -> float:
    """Return the number of names that lie in a lattice, less a part of those that are missing."""
    return (lattice.named - LIMITS.missing_cost * (1 - lattice.named)) * len(lattice.plan.leads)


def _count_strays(lattice: Lattice, words: list[Word]) -> int:
    """Count names of other leads that lie between the lines of a lattice, right of its first names."""
    top, bottom = float(lattice.feet[0]), float(lattice.feet[-1])
    return sum(
        word.score > LIMITS.sure
        and name_weight(word.name) == 1
        and word.name not in lattice.plan.leads
        and top - PX_PER_MM <= word.bottom <= bottom + PX_PER_MM
        and word.left > lattice.lefts[0] + LIMITS.column_mm[0] * PX_PER_MM
        for word in words
    )


def _fit_plan(plan: LayoutPlan, words: list[Word]) -> Lattice | None:
    """Return the lattice of one layout that fits most of its names."""
    places = {name: (row, column) for row, names in enumerate(plan.rows) for column, name in enumerate(names)}
    candidates = sorted((word for word in words if word.name in places), key=lambda word: -word.score)[
        : LIMITS.max_words
    ]
    if len(candidates) < 2:
        return None
    at = np.array([places[word.name] for word in candidates], dtype=np.float64)
    positions = np.array([(word.bottom, word.left) for word in candidates], dtype=np.float64)
    weights = np.array([word.score * name_weight(word.name) for word in candidates])
    slots = np.array([list(places).index(word.name) for word in candidates])
    least = np.array([LIMITS.line_mm[0], LIMITS.column_mm[0]]) * PX_PER_MM
    most = np.array([LIMITS.line_mm[1], LIMITS.column_mm[1]]) * PX_PER_MM
    best, best_fits = 0.0, None
    for one, two in combinations(range(len(candidates)), 2):
        apart, steps = positions[two] - positions[one], at[two] - at[one]
        needed = np.array([len(plan.rows) > 1, plan.columns > 1])
        if (needed & (steps == 0)).any():
            continue
        step = np.divide(apart, steps, out=np.zeros(2), where=steps != 0)
        if ((step < least) | (step > most))[needed].any():
            continue
        off = np.abs(positions - positions[one] - (at - at[one]) * step)
        if plan.columns == 1:
            off[:, 1] = np.abs(positions[:, 1] - positions[one, 1])
        fits = (off <= LIMITS.same_place_mm * PX_PER_MM).all(axis=1)
        total = float(sum(weights[fits & (slots == slot)].max() for slot in np.unique(slots[fits])))
        if total > best:
            best, best_fits = total, fits
    if best_fits is None or len(np.unique(slots[best_fits])) < 2:
        return None
    whole = sum(name_weight(name) for name in places)
    inside = [word for word, fits in zip(candidates, best_fits, strict=True) if fits]
    members = tuple(
        max((word for word in inside if word.name == name), key=lambda word: word.score)
        for name in places
        if any(word.name == name for word in inside)
    )
    feet = _line(at[best_fits, 0], positions[best_fits, 0], len(plan.rows))
    lefts = _line(at[best_fits, 1], positions[best_fits, 1], plan.columns)
    return Lattice(plan, best / whole, feet, lefts, members)


def _line(steps: NDArray[np.float64], places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the places of ``count`` equal steps, fitted to the given ones."""
    if len(np.unique(steps)) < 2:
        return np.full(count, float(np.median(places)))
    slope, first = np.polyfit(steps, places, 1)
    return np.asarray(first + slope * np.arange(count), dtype=np.float64)


def find_lines_of_lattice(bare: NDArray[np.uint8], lattice: Lattice, black: int) -> NDArray[np.float64] | None:
    """Find the zero lines beside the names of a lattice, and those of the strips below.

    Args:
        bare: ``(height, width)`` uint8, ink of the traces on the normalized page, without rules.
        lattice: Lattice of the names.
        black: Ink from which there is a stroke.

    Returns:
        Rows of the zero lines from top to bottom, strips last, or ``None`` if the traces do not fit.
    """
    left = max(0, round(float(lattice.lefts[0])))
    ink = np.asarray(bare[:, left:] > black, dtype=np.uint8)
    widened = cv2.dilate(ink, np.ones((PX_PER_MM, 1), np.uint8))
    filled = np.flatnonzero(widened.any(axis=0))
    if not filled.size:
        return None
    along = widened[:, filled[0] : filled[-1] + 1].mean(axis=1)
    rows = _place_lines(along, lattice.feet)
    if rows is None:
        return None
    zeros = np.array([_refine(along, row) for row in rows])
    if (np.diff(zeros) <= 0).any():
        return None
    return np.concatenate([zeros, _find_strips(ink[:, filled[0] : filled[-1] + 1], along, zeros)])


def _place_lines(along: NDArray[np.float64], feet: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the lines at one distance below all names along which most ink runs."""
    slack = round(LIMITS.refine_mm * PX_PER_MM)
    smooth = np.asarray(cv2.dilate(along.reshape(-1, 1), np.ones((2 * slack + 1, 1)))).ravel()
    best, best_rows = 0.0, None
    for below in np.arange(LIMITS.below_mm[0] * PX_PER_MM, LIMITS.below_mm[1] * PX_PER_MM + 1):
        rows = feet + below
        if rows[0] < 0 or rows[-1] >= len(along):
            continue
        places = np.clip(np.rint(rows).astype(np.intp), 0, len(along) - 1)
        score = 0.5 * float(smooth[places].mean() + along[places].mean()) + 0.5 * float(smooth[places].min())
        score -= LIMITS.per_mm * abs(below / PX_PER_MM - LIMITS.typical_mm)
        if score > best:
            best, best_rows = score, rows
    return best_rows


def _refine(along: NDArray[np.float64], row: float) -> float:
    reach = LIMITS.refine_mm * PX_PER_MM
    first, last = max(0, int(row - reach)), min(len(along), int(row + reach) + 1)
    near = along[first:last]
    return first + float(np.flatnonzero(near == near.max()).mean())


def _find_strips(ink: NDArray[np.uint8], along: NDArray[np.float64], zeros: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the zero lines of strips below the lines with names."""
    pitch = float(np.diff(zeros).mean()) if len(zeros) > 1 else LIMITS.line_mm[1] * PX_PER_MM
    typical, last = float(np.median(along[np.rint(zeros).astype(np.intp)])), float(zeros[-1])
    strips: list[float] = []
    while len(strips) < _MOST_STRIPS:
        first, stop = round(last + 0.45 * pitch), min(len(along), round(last + 1.6 * pitch))
        if first >= stop:
            break
        row = first + int(along[first:stop].argmax())
        top, bottom = max(0, round(row - 0.5 * pitch)), round(row + 0.5 * pitch)
        covered = float(ink[top:bottom].any(axis=0).mean())
        if along[row] < LIMITS.min_strip * typical or covered < LIMITS.min_covered or _is_rule(ink, row):
            break
        strips.append(float(row))
        last = float(row)
    return np.array(strips)


def _is_rule(ink: NDArray[np.uint8], row: int) -> bool:
    """Return whether no complex leaves the ink along a row, as none leaves a frame."""
    reach = round(LIMITS.near_mm * PX_PER_MM)
    tall = ink[max(0, row - reach) : row + reach + 1].sum(axis=0) > LIMITS.max_rule_mm * PX_PER_MM
    return int(tall.sum()) < LIMITS.min_steep

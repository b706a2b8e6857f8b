"""Fitting a known layout to the lines of a page: the one whose lead names are in their positions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.name_shapes import Word
from ecglens.leads.normalized import PX_PER_MM
from ecglens.limits import threshold

__all__ = ["LIMITS", "Fit", "FitLimits", "fit_layout", "name_weight"]


@dataclass(frozen=True)
class FitLimits:
    """Thresholds of fitting a layout to the lines and names of a page."""

    same_place_mm: float = threshold(
        2.5,
        "mm",
        "Largest difference between the positions of names beside their leads.",
        low="Names that are set less evenly do not fit their layout.",
        high="Names of other layouts fit too.",
    )
    right_mm: tuple[float, float] = threshold(
        (-5.0, 16.0),
        "mm",
        "Positions of names right of the heads of their leads.",
        low="Names far right of, or before, their leads are not used.",
        high="Names of neighboring columns are used.",
    )
    down_mm: tuple[float, float] = threshold(
        (-20.0, 14.0),
        "mm",
        "Positions of names below their zero lines.",
        low="Names high above or far below their lines are not used.",
        high="Names of neighboring lines are used.",
    )
    max_distance_of_pitch: float = threshold(
        0.7,
        "1",
        "The same as a part of the distance of the lines.",
        low="Names between dense lines are not used.",
        high="Names of neighboring lines are used.",
    )
    min_named: float = threshold(
        0.25,
        "1",
        "Least share of named leads with which a layout is identified.",
        low="Two letters by chance identify a layout.",
        high="Layouts whose names touch the traces are refused.",
    )
    min_lead: float = threshold(
        0.1,
        "1",
        "Least difference to the share of the next layout.",
        low="Layouts that differ in two names are confused.",
        high="Clear layouts need their limb leads to decide.",
    )
    min_sum: float = threshold(
        0.4,
        "1",
        "Least agreement of I + III with II that decides between two layouts.",
        low="Noise decides.",
        high="Layouts with faint limb leads stay undecided.",
    )
    min_sum_lead: float = threshold(
        0.2,
        "1",
        "Least difference to the agreement in the next layout.",
        low="Noise decides.",
        high="Clear layouts stay undecided.",
    )
    min_sum_alone: float = threshold(
        0.8,
        "1",
        "Least agreement that decides without names.",
        low="Random lines become 12x1 pages.",
        high="Twelve lines with hidden names are refused.",
    )
    min_certain_score: float = threshold(
        0.8,
        "1",
        "Score from which a name counts against a layout in which it has no place.",
        low="Letters of the print count against the right layout.",
        high="Layouts that leave names unexplained are accepted.",
    )
    min_bar_lines: float = threshold(
        0.7,
        "1",
        "Least share of the lines with a bar at one place, which marks a border of columns.",
        low="Remains of complexes look like bars.",
        high="Bars of torn pages are not recognized.",
    )
    bar_mm: float = threshold(
        1.0,
        "mm",
        "Largest difference between the positions of bars of one border.",
        low="Bars on slightly turned pages differ.",
        high="Remains of complexes look like bars.",
    )
    head_mm: float = threshold(
        16.0,
        "mm",
        "Distance from the ends of the lines, and between borders, below which bars are ignored: names are there.",
        low="The name I looks like a bar.",
        high="Borders of narrow columns are ignored.",
    )


LIMITS = FitLimits()


_STRETCHES = (1.0, 1.04, 1.08, 1.12, 1.16)
"""Some programs print the names farther apart than the leads."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A layout fitted to the lines of a page.

    Attributes:
        plan: Layout with the position of each lead.
        named: Share of the layout's leads whose names are in their positions, less names at other places of its lines.
        words: Those names.
        columns: Column of the layout of each of them.
        right_mm: Position of the names right of the heads of their leads.
        down_mm: Position of the names below their zero lines.
    """

    plan: LayoutPlan
    named: float
    words: tuple[Word, ...]
    columns: tuple[int, ...]
    right_mm: float
    down_mm: float


def fit_layout(
    words: list[Word],
    zeros: NDArray[np.float64],
    span: tuple[float, float],
    *,
    only: str | None = None,
    adds_up: Callable[[LayoutPlan], float] = lambda plan: 0.0,
    pulsed: bool = False,
) -> Fit | None:
    """Find the layout of ``len(zeros)`` lines whose names are in their positions, or ``None`` where none is clear.

    Args:
        words: Lead names that were read, in the pixels of ``zeros`` and ``span``.
        zeros: Rows of the zero lines.
        span: Columns at which the traces begin and end.
        only: Name of the layout that it must be.
        adds_up: How well the limb leads add up in a layout, from 0 to 1; it decides where the names leave two open.
        pulsed: Whether each line has a calibration pulse; the limb leads alone may decide then, since traces that
            cross their names leave few of them to read.
    """
    least = 1 + _count_borders(words, zeros, span)
    plans = [
        variant
        for plan in LAYOUTS.values()
        if plan.lines == len(zeros) and plan.columns >= least and only in (None, plan.name)
        for variant in _name_variants(plan, words)
    ]
    fits = [max((_fit(plan, words, zeros, span, by) for by in _STRETCHES), key=lambda fit: fit.named) for plan in plans]
    fits.sort(key=lambda fit: -fit.named)
    if not fits:
        return None
    few = fits[0].named < LIMITS.min_named
    if few and (not pulsed or len(fits) == 1):
        return None
    close = [fit for fit in fits if fit.named > fits[0].named - LIMITS.min_lead]
    if len(close) == 1 and not few:
        return close[0]
    sums = sorted((adds_up(fit.plan), -place) for place, fit in enumerate(fits if few else close))
    summed = fits[-sums[-1][1]]
    backed = not few or close == [summed]  # few names may still be clear: for one layout, and that which adds up
    needed = LIMITS.min_sum if backed else LIMITS.min_sum_alone
    return summed if sums[-1][0] > max(sums[-2][0] + LIMITS.min_sum_lead, needed) else None


def _name_variants(plan: LayoutPlan, words: list[Word]) -> list[LayoutPlan]:
    """A layout as it is; that of one line may show any lead whose name was read."""
    if plan.lines > 1:
        return [plan]
    names = dict.fromkeys([*plan.leads, *(word.name for word in words)])
    return [replace(plan, rows=((name,),)) for name in names]


def _count_borders(words: list[Word], zeros: NDArray[np.float64], span: tuple[float, float]) -> int:
    """Count the places where bars, which read as I, are at one height beside most of the lines: between two columns.

    Remains of complexes that a grid tears read as I too, but lie lower on one line than on another.
    """
    bars = np.array([(w.left, w.top, w.bottom) for w in words if w.name == "I"], dtype=np.float64).reshape(-1, 3)
    bars = bars[np.abs(bars[:, 0] - sum(span) / 2) < (span[1] - span[0]) / 2 - LIMITS.head_mm * PX_PER_MM]
    lines = np.abs(zeros - bars[:, 1:].mean(axis=1, keepdims=True)).argmin(axis=1)
    bars[:, 1:] -= zeros[lines, None]
    borders: list[float] = []
    for bar in bars:
        is_similar = (np.abs(bars - bar) < LIMITS.bar_mm * PX_PER_MM).all(axis=1)
        new = all(abs(bar[0] - other) > LIMITS.head_mm * PX_PER_MM for other in borders)
        if new and len(set(lines[is_similar])) >= max(3.0, LIMITS.min_bar_lines * len(zeros)):
            borders.append(float(bar[0]))
    return len(borders)


def _fit(
    plan: LayoutPlan, words: list[Word], zeros: NDArray[np.float64], span: tuple[float, float], stretch: float
) -> Fit:
    """Fit one layout: the position beside the heads, ``stretch`` times as far apart as the leads, of most names."""
    heads = span[0] + stretch * (np.linspace(*span, plan.columns + 1) - span[0])
    slots = [(name, row, column) for row, names in enumerate(plan.rows) for column, name in enumerate(names)]
    slots += [(name, len(plan.rows) + strip, 0) for strip, name in enumerate(plan.rhythm)]
    reach = (
        LIMITS.max_distance_of_pitch * float(np.diff(zeros).min()) / PX_PER_MM if len(zeros) > 1 else -LIMITS.down_mm[0]
    )
    pairs = [
        (number, (word.left - heads[column]) / PX_PER_MM, (word.bottom - zeros[row]) / PX_PER_MM, word)
        for number, (name, row, column) in enumerate(slots)
        for word in words
        if word.name == name
    ]
    down_limits = max(-reach, LIMITS.down_mm[0]), min(reach, LIMITS.down_mm[1])
    pairs = [
        pair
        for pair in pairs
        if LIMITS.right_mm[0] <= pair[1] <= LIMITS.right_mm[1] and down_limits[0] <= pair[2] <= down_limits[1]
    ]
    weight, best = _find_common_place(pairs, [name_weight(name) for name, _, _ in slots])
    right_mm, down_mm = (float(np.median([pair[way] for pair in best])) if best else 0.0 for way in (1, 2))
    whole = max(
        sum(name_weight(name) for name, _, _ in slots),
        sum(word.score for word in words if word.score > LIMITS.min_certain_score and name_weight(word.name) == 1),
    )
    names = {pair[3].name for pair in best}
    others = [
        word
        for word in words
        if word.score > LIMITS.min_certain_score and name_weight(word.name) == 1 and word.name not in names
    ]
    stray = sum(
        word.score
        for word in others
        if span[0] < word.left < span[1]
        and np.abs((word.bottom - zeros) / PX_PER_MM - down_mm).min() < LIMITS.same_place_mm
        and np.abs((word.left - heads[:-1]) / PX_PER_MM - right_mm).min() > LIMITS.same_place_mm
    )
    return Fit(
        plan=plan,
        named=max(0.0, weight - stray) / whole,
        words=tuple(pair[3] for pair in best),
        columns=tuple(slots[pair[0]][2] for pair in best),
        right_mm=right_mm,
        down_mm=down_mm,
    )


def _find_common_place(
    pairs: list[tuple[int, float, float, Word]], weights: list[float]
) -> tuple[float, list[tuple[int, float, float, Word]]]:
    """The names that are at one place beside most of the heads, and the sum of their weights.

    Args:
        pairs: Number of a place in the layout in rising order, distances of a name in mm from it, and the name.
        weights: Weight of the name of each place in the layout.
    """
    if not pairs:
        return 0.0, []
    numbers = np.array([pair[0] for pair in pairs])
    places = np.array([pair[1:3] for pair in pairs])
    scores = np.array([pair[3].score for pair in pairs])
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    apart = np.abs(places[:, None] - places).max(axis=2)
    near = np.where(apart <= LIMITS.same_place_mm, scores, 0.0)
    totals = np.maximum.reduceat(near, starts, axis=1) @ np.array(weights)[numbers[starts]]
    center = int(totals.argmax())
    groups = np.split(near[center], starts[1:])
    chosen = [int(start + group.argmax()) for start, group in zip(starts, groups, strict=True) if group.any()]
    return float(totals[center]), [pairs[place] for place in chosen]


def name_weight(name: str) -> float:
    """Return the weight of a name: bars are easily read where none is printed, V and aV are not."""
    return {"I": 0.3, "II": 0.5, "III": 0.7}.get(name, 1.0)

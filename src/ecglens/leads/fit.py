"""A known layout laid over the lines of a page: the one whose lead names stand where they should."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, LayoutPlan
from ecglens.leads.name_shapes import Word
from ecglens.leads.sheet import PX_PER_MM

__all__ = ["SAME_PLACE_MM", "Fit", "best_fit", "name_weight"]

SAME_PLACE_MM = 2.5
"""How far apart names that stand at one place beside their leads may be."""

_RIGHT_MM = (-5.0, 16.0)
_DOWN_MM = (-20.0, 14.0)
_NAME_REACH = 0.7
"""How far above or below its zero line a name may stand, of the lines' distance."""
_NAMES_NEEDED = 0.25
_CLEAR_BY = 0.1
_ADDED_NEEDED, _ADDED_CLEAR_BY = 0.4, 0.2
"""Likeness of I + III and II that a layout must have, and have above another, to be told by it from the other."""
_ADDED_ALONE = 0.8
"""The same where the names tell nothing."""
_SURE = 0.8
_BARS_NEEDED, _BAR_MM, _HEAD_MM = 0.7, 1.0, 16.0
"""Share of the lines at which bars stand above each other between two columns, how exactly, and how far from each other
and from the ends of the lines, where names of leads and bars stand too."""
_STRETCHES = (1.0, 1.04, 1.08, 1.12, 1.16)
"""Some programs print the names farther apart than the leads."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A layout laid over the lines of a page.

    Attributes:
        plan: Which lead stands where.
        named: Leads whose names stand where they should, less names within its lines, out of all that the layout has.
        words: Those names.
        columns: Column of the layout in which each of them stands.
        right_mm: Where names stand, right of the heads of their leads.
        down_mm: Below their zero lines.
    """

    plan: LayoutPlan
    named: float
    words: tuple[Word, ...]
    columns: tuple[int, ...]
    right_mm: float
    down_mm: float


def best_fit(
    words: list[Word],
    zeros: NDArray[np.float64],
    span: tuple[float, float],
    *,
    only: str | None = None,
    adds_up: Callable[[LayoutPlan], float] = lambda plan: 0.0,
    pulsed: bool = False,
) -> Fit | None:
    """The layout of ``len(zeros)`` lines whose names stand where they should, or ``None`` where none is clear.

    Args:
        words: Lead names that were read, in the pixels of ``zeros`` and ``span``.
        zeros: Rows of the zero lines.
        span: Columns at which the traces begin and end.
        only: Name of the layout that it must be.
        adds_up: How well the limb leads add up in a layout, from 0 to 1; it decides where the names leave two open.
        pulsed: Whether a calibration pulse stands on each line; the limb leads alone may decide then, since traces that
            cross their names leave few of them to read.
    """
    least = 1 + _borders(words, zeros, span)
    plans = [
        plan
        for plan in LAYOUTS.values()
        if plan.lines == len(zeros) and plan.columns >= least and only in (None, plan.name)
    ]
    fits = [max((_fit(plan, words, zeros, span, by) for by in _STRETCHES), key=lambda fit: fit.named) for plan in plans]
    fits.sort(key=lambda fit: -fit.named)
    if not fits:
        return None
    few = fits[0].named < _NAMES_NEEDED
    if few and (not pulsed or len(fits) == 1):
        return None
    close = [fit for fit in fits if fit.named > fits[0].named - _CLEAR_BY]
    if len(close) == 1 and not few:
        return close[0]
    sums = sorted((adds_up(fit.plan), -place) for place, fit in enumerate(fits if few else close))
    summed = fits[-sums[-1][1]]
    backed = not few or close == [summed]  # few names may still be clear: for one layout, and that which adds up
    needed = _ADDED_NEEDED if backed else _ADDED_ALONE
    return summed if sums[-1][0] > max(sums[-2][0] + _ADDED_CLEAR_BY, needed) else None


def _borders(words: list[Word], zeros: NDArray[np.float64], span: tuple[float, float]) -> int:
    """How many times bars, which read as I, stand at one height beside most of the lines: between two columns.

    What is left of complexes that a grid tears reads as I too, but stands lower on one line than on another.
    """
    bars = np.array([(w.left, w.top, w.bottom) for w in words if w.name == "I"], dtype=np.float64).reshape(-1, 3)
    bars = bars[np.abs(bars[:, 0] - sum(span) / 2) < (span[1] - span[0]) / 2 - _HEAD_MM * PX_PER_MM]
    lines = np.abs(zeros - bars[:, 1:].mean(axis=1, keepdims=True)).argmin(axis=1)
    bars[:, 1:] -= zeros[lines, None]
    found: list[float] = []
    for bar in bars:
        alike = (np.abs(bars - bar) < _BAR_MM * PX_PER_MM).all(axis=1)
        new = all(abs(bar[0] - other) > _HEAD_MM * PX_PER_MM for other in found)
        if new and len(set(lines[alike])) >= max(3.0, _BARS_NEEDED * len(zeros)):
            found.append(float(bar[0]))
    return len(found)


def _fit(
    plan: LayoutPlan, words: list[Word], zeros: NDArray[np.float64], span: tuple[float, float], stretch: float
) -> Fit:
    """The place beside the heads, ``stretch`` times as far apart as the leads, at which most of the names stand."""
    heads = span[0] + stretch * (np.linspace(*span, plan.columns + 1) - span[0])
    slots = [(name, row, column) for row, names in enumerate(plan.rows) for column, name in enumerate(names)]
    slots += [(name, len(plan.rows) + strip, 0) for strip, name in enumerate(plan.rhythm)]
    reach = _NAME_REACH * float(np.diff(zeros).min()) / PX_PER_MM if len(zeros) > 1 else -_DOWN_MM[0]
    pairs = []
    for number, (name, row, column) in enumerate(slots):
        for word in words:
            right = (word.left - heads[column]) / PX_PER_MM
            down = (word.bottom - zeros[row]) / PX_PER_MM
            fits = _RIGHT_MM[0] <= right <= _RIGHT_MM[1] and max(-reach, _DOWN_MM[0]) <= down <= min(reach, _DOWN_MM[1])
            if fits and (word.name == name):
                pairs.append((number, right, down, word))
    best: list[tuple[int, float, float, Word]] = []
    weight = 0.0
    for _, right, down, _ in pairs:
        near: dict[int, tuple[int, float, float, Word]] = {}
        for pair in pairs:
            apart = max(abs(pair[1] - right), abs(pair[2] - down))
            if apart <= SAME_PLACE_MM and (pair[0] not in near or pair[3].score > near[pair[0]][3].score):
                near[pair[0]] = pair
        total = sum(pair[3].score * name_weight(slots[pair[0]][0]) for pair in near.values())
        if total > weight:
            weight, best = total, list(near.values())
    right_mm, down_mm = (float(np.median([pair[way] for pair in best])) if best else 0.0 for way in (1, 2))
    whole = max(
        sum(name_weight(name) for name, _, _ in slots),
        sum(word.score for word in words if word.score > _SURE and name_weight(word.name) == 1),
    )
    names = {pair[3].name for pair in best}
    others = [word for word in words if word.score > _SURE and name_weight(word.name) == 1 and word.name not in names]
    stray = sum(
        word.score
        for word in others
        if span[0] < word.left < span[1]
        and np.abs((word.bottom - zeros) / PX_PER_MM - down_mm).min() < SAME_PLACE_MM
        and np.abs((word.left - heads[:-1]) / PX_PER_MM - right_mm).min() > SAME_PLACE_MM
    )
    return Fit(
        plan=plan,
        named=max(0.0, weight - stray) / whole,
        words=tuple(pair[3] for pair in best),
        columns=tuple(slots[pair[0]][2] for pair in best),
        right_mm=right_mm,
        down_mm=down_mm,
    )


def name_weight(name: str) -> float:
    """Bars are easily seen where none is printed; V and aV are not."""
    return {"I": 0.3, "II": 0.5, "III": 0.7}.get(name, 1.0)

"""Intervals by drawing groups: pages of one group are not independent, so they are drawn together."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

__all__ = [
    "DEFINED",
    "Figures",
    "Told",
    "all_or_nothing",
    "drawn_figures",
    "group_intervals",
    "interval",
    "share_interval",
]

DEFINED = 0.95
"""Share of the draws that must leave a figure defined."""

Figures = Callable[[NDArray[np.intp]], Mapping[str, float | NDArray[np.float64] | None]]
"""From how often each page is drawn, ``(pages,)``, to named figures, or to points of a curve with NaN for undefined."""

Told = Callable[[int, int], None]
"""Hears how many draws are done, of how many."""


def group_intervals(
    groups: NDArray[np.intp],
    figures: Figures,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap over groups (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).

    Args:
        groups: ``(pages,)``, group of each page.
        figures: Single figures of a draw.
        rng: Source of the draws.
        draws: How many.
        level: Of the interval.

    Returns:
        Lower and upper end by name; ``None`` where more than 5 % of the draws left the figure undefined, and of one
        group, which says nothing of others.
    """
    samples = drawn_figures(groups, figures, rng=rng, draws=draws)
    return {name: interval(values, level=level) for name, values in samples.items()}


def share_interval(
    groups: NDArray[np.intp], hits: NDArray[np.bool_], *, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float] | None:
    """95 % interval of the share of pages that hit: :func:`all_or_nothing`'s, or else that of the bootstrap.

    Args:
        groups: ``(pages,)``, group of each page.
        hits: ``(pages,)``.
        rng: Source of the draws.
        draws: How many.
    """

    def share(counts: NDArray[np.intp]) -> dict[str, float | None]:
        return {"share": float(counts @ hits / counts.sum())}

    return all_or_nothing(groups, hits) or group_intervals(groups, share, rng=rng, draws=draws)["share"]


def all_or_nothing(
    groups: NDArray[np.intp], hits: NDArray[np.bool_], *, level: float = 0.95
) -> tuple[float, float] | None:
    """Interval of a share when every page hits, or none does (Clopper and Pearson, DOI 10.1093/biomet/26.4.404).

    A bootstrap has nothing else to draw, and would be sure of it. A group counts once, however many pages it has.

    Args:
        groups: ``(pages,)``, group of each page that the share counts.
        hits: ``(pages,)``.
        level: Of the interval.

    Returns:
        Its ends; ``None`` of other shares, and of fewer than two groups.

    >>> [round(end, 3) for end in all_or_nothing(np.arange(3), np.ones(3, bool))]
    [0.292, 1.0]
    """
    number = len(np.unique(groups))
    if number < 2 or 0 < np.count_nonzero(hits) < len(hits):
        return None
    ends = binomtest(number if hits[0] else 0, number).proportion_ci(level, method="exact")
    return float(ends.low), float(ends.high)


def drawn_figures(
    groups: NDArray[np.intp],
    figures: Figures,
    *,
    rng: np.random.Generator,
    draws: int,
    told: Told | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Figures over pages of groups that are drawn with repetition.

    Args:
        groups: ``(pages,)``, group of each page.
        figures: Of a draw.
        rng: Source of the draws.
        draws: How many.
        told: Hears of each hundred draws.

    Returns:
        Values by name, ``(draws,)`` or ``(draws, points)``, NaN where a draw left the figure undefined; of one group,
        which says nothing of others, all of them.

    Raises:
        ValueError: There is no draw to make.
    """
    if draws < 1:
        raise ValueError(f"Expected at least one draw of the bootstrap, but got {draws}.")
    codes = np.unique(groups, return_inverse=True)[1]
    number = int(codes.max()) + 1
    samples: dict[str, list[NDArray[np.float64]]] = {}
    for draw in range(draws):
        drawn = rng.integers(0, number, number)
        for name, value in figures(np.bincount(drawn, minlength=number)[codes]).items():
            known = np.asarray(np.nan if value is None else value, dtype=np.float64)
            samples.setdefault(name, []).append(known if number > 1 else np.full_like(known, np.nan))
        if number < 2:
            break
        if told is not None and draw % 100 == 99:
            told(draw + 1, draws)
    return {name: np.array(values) for name, values in samples.items()}


def interval(values: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float] | None:
    """Ends between which the middle of the draws lies, ``None`` where more than 5 % of them are undefined.

    Args:
        values: ``(draws,)``, NaN where undefined.
        level: Share of the draws between the ends.
    """
    known = values[np.isfinite(values)]
    if len(known) < DEFINED * len(values):
        return None
    tail = (1 - level) / 2
    lower, upper = np.quantile(known, (tail, 1 - tail))
    return float(lower), float(upper)

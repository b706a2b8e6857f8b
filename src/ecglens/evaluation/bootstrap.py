"""Intervals by drawing groups: pages of one group are not independent, so they are drawn together."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEFINED", "drawn_figures", "group_intervals"]

DEFINED = 0.95
"""Share of the draws that must leave a figure defined."""


def group_intervals(
    groups: NDArray[np.intp],
    figure: Callable[[NDArray[np.intp]], Mapping[str, float | None]],
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap over groups (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).

    Args:
        groups: ``(pages,)``, group of each page.
        figure: From page indices, drawn with repetition, to named figures.
        rng: Source of the draws.
        draws: How many.
        level: Of the interval.

    Returns:
        Lower and upper end by name; ``None`` where more than 5 % of the draws left the figure undefined, and of one
        group, which says nothing of others.
    """
    if len(np.unique(groups)) < 2:
        return dict.fromkeys(figure(np.arange(len(groups))))
    tail = (1 - level) / 2
    return {
        name: (float(np.quantile(values, tail)), float(np.quantile(values, 1 - tail)))
        if len(values) >= DEFINED * draws
        else None
        for name, values in drawn_figures(groups, figure, rng=rng, draws=draws).items()
    }


def drawn_figures(
    groups: NDArray[np.intp],
    figure: Callable[[NDArray[np.intp]], Mapping[str, float | None]],
    *,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, NDArray[np.float64]]:
    """Figures over pages of groups that are drawn with repetition.

    Args:
        groups: ``(pages,)``, group of each page.
        figure: From page indices to named figures.
        rng: Source of the draws.
        draws: How many.

    Returns:
        Values by name, without the draws that left the figure undefined.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    samples: dict[str, list[float]] = {}
    for _ in range(draws):
        drawn = rng.integers(0, len(members), len(members))
        for name, value in figure(np.concatenate([members[index] for index in drawn])).items():
            samples.setdefault(name, [])
            if value is not None:
                samples[name].append(value)
    return {name: np.array(values) for name, values in samples.items()}

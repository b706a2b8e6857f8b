"""Intervals by resampling groups: pages of one group are not independent, so they are sampled together."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

__all__ = [
    "DEFINED",
    "Figures",
    "Progress",
    "all_or_nothing",
    "group_intervals",
    "interval",
    "resample_figures",
    "share_interval",
]

DEFINED = 0.95
"""Share of the resamples that must leave a figure defined."""

Figures = Callable[[NDArray[np.intp]], Mapping[str, float | NDArray[np.float64] | None]]
"""From how often each page is sampled, ``(pages,)``, to named figures, or points of a curve with NaN for undefined."""

Progress = Callable[[int, int], None]
"""Called with the number of resamples done and of all."""


def group_intervals(
    groups: NDArray[np.intp],
    figures: Figures,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> dict[str, tuple[float, float] | None]:
    """Compute percentile bootstrap intervals over groups.

    Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.

    Args:
        groups: ``(pages,)``, group of each page.
        figures: Single figures of a resample.
        rng: Random generator.
        draws: Number of resamples.
        level: Level of the interval.

    Returns:
        Lower and upper end by name; ``None`` where more than 5 % of the resamples left the figure undefined, and with
        one group, which says nothing about others.
    """
    samples = resample_figures(groups, figures, rng=rng, draws=draws)
    return {name: interval(values, level=level) for name, values in samples.items()}


def share_interval(
    groups: NDArray[np.intp], hits: NDArray[np.bool_], *, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float] | None:
    """Compute the 95 % interval of the share of hits: that of :func:`all_or_nothing`, or else that of the bootstrap.

    Args:
        groups: ``(pages,)``, group of each page.
        hits: ``(pages,)``, whether each page is a hit.
        rng: Random generator.
        draws: Number of resamples.
    """

    def share(counts: NDArray[np.intp]) -> dict[str, float | None]:
        return {"share": float(counts @ hits / counts.sum())}

    return all_or_nothing(groups, hits) or group_intervals(groups, share, rng=rng, draws=draws)["share"]


def all_or_nothing(
    groups: NDArray[np.intp], hits: NDArray[np.bool_], *, level: float = 0.95
) -> tuple[float, float] | None:
    """Compute the interval of a share when every page is a hit, or none is.

    Clopper and Pearson, DOI 10.1093/biomet/26.4.404. A bootstrap would give an interval without any width, as all its
    resamples are the same. A group counts once, however many pages it has.

    Args:
        groups: ``(pages,)``, group of each page that the share counts.
        hits: ``(pages,)``, whether each page is a hit.
        level: Level of the interval.

    Returns:
        Its ends; ``None`` for other shares, and for fewer than two groups.

    >>> [round(end, 3) for end in all_or_nothing(np.arange(3), np.ones(3, bool))]
    [0.292, 1.0]
    """
    number = len(np.unique(groups))
    if number < 2 or 0 < np.count_nonzero(hits) < len(hits):
        return None
    ends = binomtest(number if hits[0] else 0, number).proportion_ci(level, method="exact")
    return float(ends.low), float(ends.high)


def resample_figures(
    groups: NDArray[np.intp],
    figures: Figures,
    *,
    rng: np.random.Generator,
    draws: int,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Compute figures over pages of groups that are sampled with replacement.

    Args:
        groups: ``(pages,)``, group of each page.
        figures: Figures of a resample.
        rng: Random generator.
        draws: Number of resamples.
        progress: Called after each hundred resamples.

    Returns:
        Values by name, ``(draws,)`` or ``(draws, points)``, NaN where a resample left the figure undefined; with one
        group, which says nothing about others, NaN throughout.

    Raises:
        ValueError: ``draws`` is below one.
    """
    if draws < 1:
        raise ValueError(f"Expected at least one draw of the bootstrap, got {draws}.")
    codes = np.unique(groups, return_inverse=True)[1]
    number = int(codes.max()) + 1
    samples: dict[str, list[NDArray[np.float64]]] = {}
    for draw in range(draws):
        sample = rng.integers(0, number, number)
        for name, value in figures(np.bincount(sample, minlength=number)[codes]).items():
            array = np.asarray(np.nan if value is None else value, dtype=np.float64)
            samples.setdefault(name, []).append(array if number > 1 else np.full_like(array, np.nan))
        if number < 2:
            break
        if progress is not None and draw % 100 == 99:
            progress(draw + 1, draws)
    return {name: np.array(values) for name, values in samples.items()}


def interval(values: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float] | None:
    """Return the ends between which the middle of the resamples lies, ``None`` if more than 5 % are undefined.

    Args:
        values: ``(draws,)``, NaN where undefined.
        level: Share of the resamples between the ends.
    """
    defined = values[np.isfinite(values)]
    if len(defined) < DEFINED * len(values):
        return None
    tail = (1 - level) / 2
    lower, upper = np.quantile(defined, (tail, 1 - tail))
    return float(lower), float(upper)

"""Tests of the difference of two models on the same pages: paired bootstrap over groups, McNemar, DeLong, Holm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata

from ecglens.evaluation.bootstrap import Figures, Progress, interval, resample_figures

__all__ = ["delong", "holm", "mcnemar", "paired_bootstrap"]


_ROUNDING = 1e-12


def paired_bootstrap(
    groups: NDArray[np.intp],
    first: Figures,
    second: Figures,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
    progress: Progress | None = None,
) -> dict[str, tuple[float, float, float] | None]:
    """Compare two models' figures over the same resamples of groups.

    The p-value is twice the smaller share of resamples on either side of no difference, with one resample added to each
    so that it is never 0 (Davison and Hinkley, Bootstrap Methods and their Application, 4.2.3): the least that it can
    be is 2 / (draws + 1).

    Args:
        groups: ``(pages,)``, group of each page.
        first: Single figures of the first model on a resample.
        second: The same of the second.
        rng: Random generator.
        draws: Number of resamples.
        level: Level of the interval.
        progress: Called with the number of resamples done and of all.

    Returns:
        By name lower end, upper end and p-value of ``first - second``; ``None`` where more than 5 % of the resamples
        left a figure undefined, and with one group, which says nothing about others.
    """

    def difference(counts: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        one, other = first(counts), second(counts)
        return {name: _array(one[name]) - _array(other[name]) for name in one}

    tests: dict[str, tuple[float, float, float] | None] = {}
    for name, values in resample_figures(groups, difference, rng=rng, draws=draws, progress=progress).items():
        ends = interval(values, level=level)
        if ends is None:
            tests[name] = None
            continue
        defined = values[np.isfinite(values)]
        below = (np.count_nonzero(defined <= 0) + 1) / (len(defined) + 1)
        above = (np.count_nonzero(defined >= 0) + 1) / (len(defined) + 1)
        tests[name] = *ends, float(min(1.0, 2 * min(below, above)))
    return tests


def mcnemar(
    first_right: NDArray[np.bool_], second_right: NDArray[np.bool_], *, level: float = 0.95
) -> tuple[float, float, float]:
    """Test whether two models are right on the same pages equally often.

    The test is exact (McNemar, DOI 10.1007/BF02295996), the interval that of Wald with half a page more in each cell of
    the table of right and wrong (Agresti and Min, DOI 10.1002/sim.1781).

    Args:
        first_right: ``(pages,)``, whether the first model is right.
        second_right: ``(pages,)``, whether the second is.
        level: Level of the interval.

    Returns:
        Lower and upper end of the first model's accuracy minus the second's, and the p-value.

    >>> pages = np.arange(50)
    >>> [round(value, 3) for value in mcnemar(pages > 1, pages < 44)]
    [-0.034, 0.188, 0.289]
    """
    one = int(np.count_nonzero(first_right & ~second_right))
    alone = one + int(np.count_nonzero(second_right & ~first_right))
    apart, pages = 2 * one - alone, len(first_right) + 2
    reach = float(norm.isf((1 - level) / 2) * np.sqrt(alone + 1 - apart**2 / pages))
    p = float(binomtest(one, alone).pvalue) if alone else 1.0
    return max(-1.0, (apart - reach) / pages), min(1.0, (apart + reach) / pages), p


def delong(
    positive: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64], *, level: float = 0.95
) -> tuple[float, float, float] | None:
    """Test whether two correlated areas under the ROC curve differ.

    DeLong et al., DOI 10.2307/2531595, by ranks as in Sun and Xu, DOI 10.1109/LSP.2014.2337313. The test treats pages
    as independent of each other; where groups have several, trust the paired bootstrap.

    Args:
        positive: ``(pages,)``, whether a page has the label.
        first: ``(pages,)``, score of the first model.
        second: ``(pages,)``, score of the second.
        level: Level of the interval.

    Returns:
        Lower and upper end of the first area minus the second, and the two-sided p-value; ``None`` where pages of one
        kind are fewer than 2, or where the areas differ without any variance, such as 1 and 0.5.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return None
    scores = np.stack([first, second]).astype(np.float64)
    everything = rankdata(scores, axis=1)
    of_positive = (everything[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    of_negative = 1 - (everything[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    areas = of_positive.mean(axis=1)
    covariance = np.cov(of_positive) / m + np.cov(of_negative) / n
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    apart = float(areas[0] - areas[1])
    if variance < _ROUNDING:
        return (0.0, 0.0, 1.0) if abs(apart) < _ROUNDING else None
    reach = float(norm.isf((1 - level) / 2) * np.sqrt(variance))
    return apart - reach, apart + reach, float(2 * norm.sf(abs(apart) / np.sqrt(variance)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family so that a false one among them is as rare as each alone (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted.tolist()


def _array(value: float | NDArray[np.float64] | None) -> NDArray[np.float64]:
    return np.asarray(np.nan if value is None else value, dtype=np.float64)

"""Figures and calibration where several labels may hold for one recording, each with its own probability.

Temperatures are fitted label by label (Guo et al., arXiv 1706.04599). The sets of answers are conformal, with limits
for those who have the label and for those who do not (Vovk et al., DOI 10.1007/b106715, section 4.5): for either, the
set misses the truth no more often than stated, as long as new recordings are exchangeable with those of the fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ecglens.evaluation.bootstrap import group_intervals
from ecglens.evaluation.calibration import bins_of, calibration_gap
from ecglens.evaluation.ranking import Ranking, area

__all__ = [
    "Coverage",
    "calibration_error",
    "cover",
    "fit_limits",
    "fit_temperatures",
    "macro_auroc",
    "macro_auroc_interval",
    "sigmoid",
]

_MACRO = "macro"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of sets that hold the truth, and of sets with one answer alone.

    Attributes:
        truth: Share of answers whose set holds the truth.
        decided: Share of sets with one answer, the others have both.
    """

    truth: float
    decided: float


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logistic function of logits."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits, np.float64))))


def fit_temperatures(targets: NDArray[np.bool_], logits: NDArray[np.floating]) -> tuple[float, ...]:
    """Find the temperature of each label, in [0.05, 20], at which the log loss is least.

    Args:
        targets: ``(recordings, labels)``.
        logits: ``(recordings, labels)``, out of fold.
    """

    def fit(target: NDArray[np.bool_], column: NDArray[np.float64]) -> float:
        signed = np.where(target, column, -column)

        def loss(log_temperature: float) -> float:
            return float(np.logaddexp(0, -signed / np.exp(log_temperature)).mean())

        return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))

    return tuple(fit(target, column) for target, column in zip(targets.T, logits.T.astype(np.float64), strict=True))


def calibration_error(target: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Compute the expected calibration error of one label: mean gap between its probability and its share.

    >>> calibration_error(np.array([True, False]), np.array([0.75, 0.75]))
    0.25
    """
    return calibration_gap(bins_of(probability), target - probability) / len(target)


def macro_auroc(targets: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Compute the mean AUROC of the labels, or ``None`` where a label holds for all recordings or for none.

    >>> macro_auroc(np.array([[True], [False], [False]]), np.array([[0.9], [0.5], [0.1]]))
    1.0
    """
    return _mean(_areas(_rank(targets, scores), None))


def macro_auroc_interval(
    targets: NDArray[np.bool_],
    scores: NDArray[np.floating],
    groups: NDArray[np.intp],
    *,
    rng: np.random.Generator,
    draws: int = 500,
) -> tuple[float, float] | None:
    """Compute the 95 % interval of :func:`macro_auroc` by a bootstrap over groups."""
    rankings = _rank(targets, scores)

    def figures(counts: NDArray[np.intp]) -> Mapping[str, float | None]:
        return {_MACRO: _mean(_areas(rankings, counts))}

    return group_intervals(groups, figures, rng=rng, draws=draws)[_MACRO]


def fit_limits(
    target: NDArray[np.bool_], probability: NDArray[np.float64], *, coverage: float = 0.9
) -> tuple[float, float]:
    """Find the limits of a label's sets.

    Args:
        target: ``(recordings,)``, who has the label.
        probability: ``(recordings,)``, out of fold.
        coverage: Share of sets that are to hold the truth.

    Returns:
        The probability from which "yes" is in the set, and that up to which "no" is.
    """
    yes, no = np.sort(probability[target])[::-1], np.sort(probability[~target])
    return float(_rank_value(yes, coverage, worst=0.0)), float(_rank_value(no, coverage, worst=1.0))


def cover(target: NDArray[np.bool_], probability: NDArray[np.float64], limits: tuple[float, float]) -> Coverage:
    """Compute how often the sets of one label hold the truth; a set without an answer counts as one with both."""
    yes, no = probability >= limits[0], probability <= limits[1]
    decided = yes != no
    return Coverage(float((~decided | (yes == target)).mean()), float(decided.mean()))


def _rank_value(ordered: NDArray[np.float64], coverage: float, worst: float) -> float:
    """Return the value at the rank ceil((n + 1) coverage), the worst one where there are too few."""
    rank = int(np.ceil((len(ordered) + 1) * coverage))
    return float(ordered[rank - 1]) if rank <= len(ordered) else worst


def _rank(targets: NDArray[np.bool_], scores: NDArray[np.floating]) -> list[Ranking]:
    return [Ranking(np.asarray(score, np.float64), target) for target, score in zip(targets.T, scores.T, strict=True)]


def _areas(rankings: Sequence[Ranking], counts: NDArray[np.intp] | None) -> list[float | None]:
    return [area(*ranking(counts)) for ranking in rankings]


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined and len(defined) == len(values) else None

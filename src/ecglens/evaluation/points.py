"""Points of curves in plain types, for files that something else draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.classification import right_at_coverage

__all__ = ["at_coverages", "curve_points", "hits_and_alarms", "reliability"]

_COVERAGES = tuple(round(0.05 * step, 2) for step in range(2, 21))
"""Shares of pages, surest first."""

_DIGITS = 4


def curve_points(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], labels: Sequence[str]
) -> dict[str, Any]:
    """ROC of each label against the others, reliability and coverage.

    Args:
        targets: ``(pages,)``, index of the true label.
        probabilities: ``(pages, labels)``.
        labels: Names; those that no page has are left out.

    Returns:
        ``roc`` by label: false positive rate and recall; ``reliability``: pages, mean confidence and share right by bin
        of confidence; ``coverage``: share answered and share right.

    >>> curve_points(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ["normal", "mi"])["roc"]["mi"]
    [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    roc = {}
    for number, label in enumerate(labels):
        positive = targets == number
        if positive.any():
            hits, alarms = hits_and_alarms(positive, probabilities[:, number])
            rates = zip(alarms / max(1, int((~positive).sum())), hits / positive.sum(), strict=True)
            roc[label] = [[round(float(value), _DIGITS) for value in pair] for pair in rates]
    return {
        "roc": roc,
        "reliability": [
            [pages, round(confidence, _DIGITS), round(right, _DIGITS)]
            for pages, confidence, right in reliability(targets, probabilities)
        ],
        "coverage": [[share, round(right, _DIGITS)] for share, right in at_coverages(targets, probabilities)],
    }


def hits_and_alarms(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hits and false alarms as the threshold falls, from none to all, pages of one score together."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[ends]
    return np.insert(hits, 0, 0), np.insert(ends + 1 - hits, 0, 0)


def reliability(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], *, bins: int = 10
) -> tuple[tuple[int, float, float], ...]:
    """Pages, mean confidence and share right by bin of confidence; empty bins are left out.

    Args:
        targets: ``(pages,)``.
        probabilities: ``(pages, labels)``.
        bins: Of equal width over [0, 1], open below and closed above.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    return tuple(
        (int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
        for number in range(bins)
        if (here := place == number).any()
    )


def at_coverages(targets: NDArray[np.intp], probabilities: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Shares of pages, and the share of right answers among so many of the surest."""
    return tuple((share, right_at_coverage(targets, probabilities, coverage=share)) for share in _COVERAGES)

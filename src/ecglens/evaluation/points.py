"""Points of curves in plain types, for files that other programs plot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.calibration import BINS, bins_of
from ecglens.evaluation.classification import Scorer
from ecglens.evaluation.ranking import Ranking, precision_at_recall, recall_at_alarms, right_among

__all__ = [
    "COVERAGES",
    "SHARES",
    "THRESHOLDS",
    "at_coverages",
    "curve_points",
    "decision_curve",
    "hits_and_alarms",
    "reliability",
    "resample_curves",
]

COVERAGES = tuple(round(0.05 * step, 2) for step in range(2, 21))
"""Shares of pages, most confident first."""

SHARES = tuple(round(0.02 * step, 2) for step in range(51))
"""Shares of false alarms, or recalls, at which the bands around ROC and precision are computed."""

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 51))
"""Probabilities from which one may act."""

_DIGITS = 4


def curve_points(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], labels: Sequence[str]
) -> dict[str, Any]:
    """Compute the ROC curve of each label against the others, reliability and coverage.

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


def resample_curves(scorer: Scorer, counts: NDArray[np.intp] | None = None) -> Mapping[str, NDArray[np.float64]]:
    """Compute every curve at points that are the same for each resample of a bootstrap.

    Args:
        scorer: Scorer of the predictions.
        counts: ``(pages,)``, how often each page counts; once where it is ``None``.

    Returns:
        ``reliability`` (share right in each of the bins), ``coverage`` at :data:`COVERAGES`, and for each label
        ``roc/LABEL`` and ``precision_recall/LABEL`` at :data:`SHARES` and ``decision/LABEL`` at :data:`THRESHOLDS`; NaN
        where there is nothing to count.
    """
    counts = np.ones(len(scorer.right), dtype=np.intp) if counts is None else counts
    place = bins_of(scorer.confidence)
    held, right = np.bincount(place, counts, BINS), np.bincount(place, counts * scorer.right, BINS)
    curves = {
        "reliability": np.divide(right, held, out=np.full(BINS, np.nan), where=held > 0),
        "coverage": right_among(*scorer.by_confidence(counts), np.array(COVERAGES)),
    }
    for label, ranking in scorer.by_label.items():
        hits, everything = ranking(counts)
        curves[f"roc/{label}"] = recall_at_alarms(hits, everything, np.array(SHARES))
        curves[f"precision_recall/{label}"] = precision_at_recall(hits, everything, np.array(SHARES))
        curves[f"decision/{label}"] = _net_benefit(ranking, hits, everything, np.array(THRESHOLDS))
    return curves


def decision_curve(
    positive: NDArray[np.bool_], score: NDArray[np.float64], thresholds: Sequence[float] = THRESHOLDS
) -> tuple[tuple[float, float, float], ...]:
    """Compute the net benefit over threshold probabilities (Vickers and Elkin, DOI 10.1177/0272989X06295361).

    At threshold t a false alarm weighs t / (1 - t) times as much as a hit: TP / n - FP / n * t / (1 - t).

    Args:
        positive: ``(pages,)``, whether a page has the label.
        score: ``(pages,)``, the label's probability.
        thresholds: In (0, 1).

    Returns:
        For each threshold the net benefit of acting where the score is at least as high, and of acting on all pages.
    """
    ranking, at = Ranking(score, positive), np.array(thresholds)
    prevalence = float(positive.mean())
    everyone = prevalence - (1 - prevalence) * at / (1 - at)
    return tuple(zip(at.tolist(), _net_benefit(ranking, *ranking(), at).tolist(), everyone.tolist(), strict=True))


def _net_benefit(
    ranking: Ranking, hits: NDArray[np.intp], everything: NDArray[np.intp], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    acted_on = np.searchsorted(-ranking.scores, -thresholds, side="right")
    hit, acted = np.append(0, hits)[acted_on], np.append(0, everything)[acted_on]
    return np.asarray((hit - (acted - hit) * thresholds / (1 - thresholds)) / everything[-1], dtype=np.float64)


def hits_and_alarms(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count hits and false alarms as the threshold falls, from none to all, pages of one score together."""
    hits, everything = Ranking(score, positive)()
    return np.insert(hits, 0, 0), np.insert(everything - hits, 0, 0)


def reliability(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], *, bins: int = BINS
) -> tuple[tuple[int, float, float], ...]:
    """Compute pages, mean confidence and share right by bin of confidence; empty bins are left out.

    Args:
        targets: ``(pages,)``, index of the true label.
        probabilities: ``(pages, labels)``.
        bins: Number of bins of equal width over [0, 1].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = bins_of(confidence, bins)
    return tuple(
        (int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
        for number in range(bins)
        if (here := place == number).any()
    )


def at_coverages(targets: NDArray[np.intp], probabilities: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Compute the share right among each share of the most confident pages."""
    ranking = Ranking(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)
    return tuple(zip(COVERAGES, right_among(*ranking(), np.array(COVERAGES)).tolist(), strict=True))

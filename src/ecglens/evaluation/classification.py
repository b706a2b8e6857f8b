"""Figures of a classifier from its probabilities. Undefined is ``None``, never 0.

A bootstrap asks for all of them thousands of times, and a site that only reads pages has no scikit-learn: so they are
sums over one confusion matrix and one ranking a label. The tests hold each against scikit-learn's, and
``benchmarks/metrics.md`` has how near they are and how much faster.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.calibration import bins_of, calibration_gap
from ecglens.evaluation.ranking import Ranking, area, mean_precision, right_among

__all__ = ["COVERAGE", "Scorer", "cohen_kappa", "figures", "matthews"]

COVERAGE = 0.72
"""Share of pages, the most confident ones, on which ``right_at_coverage`` is computed."""


class Scorer:
    """Figures of one classifier on pages that each count as often as they are sampled.

    What is the same for all resamples, above all the ranking of the pages, is computed once.

    Args:
        targets: ``(pages,)``, index of the true label.
        probabilities: ``(pages, labels)``, rows sum to 1.
        labels: Names in the columns' order.

    Attributes:
        answers: ``(pages,)``, index of the top label.
        right: ``(pages,)``, whether it is the true one.
        confidence: ``(pages,)``, its probability.
        by_confidence: Pages by confidence.
        by_label: Pages by each label's probability.

    Raises:
        ValueError: There is no page.
    """

    def __init__(self, targets: NDArray[np.intp], probabilities: NDArray[np.float64], labels: Sequence[str]) -> None:
        if not len(targets):
            raise ValueError("Expected at least one page to score, got none.")
        self.answers = probabilities.argmax(axis=1)
        self.right = self.answers == targets
        self.confidence = probabilities.max(axis=1)
        self.by_confidence = Ranking(self.confidence, self.right)
        self.by_label = {name: Ranking(probabilities[:, n], targets == n) for n, name in enumerate(labels)}
        self._cells = targets * len(labels) + self.answers
        self._losses = np.log(1 / np.maximum(probabilities[np.arange(len(targets)), targets], 1e-15))
        self._squares = np.square(probabilities - np.eye(len(labels))[targets]).sum(axis=1)
        self._bins = bins_of(self.confidence)

    def figures(self, counts: NDArray[np.intp] | None = None) -> dict[str, Any]:
        """Compute every figure: macro figures, figures by label and the confusion matrix (rows are true labels).

        Args:
            counts: ``(pages,)``, how often each page counts; once where it is ``None``.
        """
        counts = np.ones(len(self.right), dtype=np.intp) if counts is None else counts
        pages, labels = int(counts.sum()), len(self.by_label)
        confusion = np.bincount(self._cells, counts, labels * labels).astype(np.intp).reshape(labels, labels)
        by_label = {
            name: _label_figures(confusion, index, *ranking(counts))
            for index, (name, ranking) in enumerate(self.by_label.items())
        }
        gap = calibration_gap(self._bins, counts * (self.right - self.confidence))
        return {
            "accuracy": float(confusion.trace() / pages),
            "balanced_accuracy": _mean(by_label, "recall"),
            "macro_precision": _mean(by_label, "precision"),
            "macro_specificity": _mean(by_label, "specificity"),
            "macro_f1": _mean(by_label, "f1"),
            "macro_auroc": _mean(by_label, "auroc"),
            "macro_average_precision": _mean(by_label, "average_precision"),
            "matthews": matthews(confusion),
            "cohen_kappa": cohen_kappa(confusion),
            "log_loss": float(self._losses @ counts / pages),
            "brier": float(self._squares @ counts / pages),
            "expected_calibration_error": gap / pages,
            "right_at_coverage": float(right_among(*self.by_confidence(counts), np.array([COVERAGE]))[0]),
            "coverage": COVERAGE,
            "by_label": by_label,
            "confusion": confusion.tolist(),
        }


def figures(targets: NDArray[np.intp], probabilities: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    """Compute every figure of one classifier on one set of pages, as :meth:`Scorer.figures` does."""
    return Scorer(targets, probabilities, labels).figures()


def matthews(confusion: NDArray[np.intp]) -> float | None:
    """Compute Matthews' correlation for several labels (Gorodkin, DOI 10.1016/j.compbiolchem.2004.09.006).

    Args:
        confusion: ``(labels, labels)``, rows are true labels.

    Returns:
        In [-1, 1], or ``None`` where all pages have, or got, one label.
    """
    true, answered = confusion.sum(axis=1).astype(np.float64), confusion.sum(axis=0).astype(np.float64)
    count = true.sum()
    spread = (count**2 - (true**2).sum()) * (count**2 - (answered**2).sum())
    return float((confusion.trace() * count - true @ answered) / np.sqrt(spread)) if spread else None


def cohen_kappa(confusion: NDArray[np.intp]) -> float | None:
    """Compute the agreement beyond chance (Cohen, DOI 10.1177/001316446002000104).

    Args:
        confusion: ``(labels, labels)``, rows are true labels.

    Returns:
        At most 1, or ``None`` where chance alone always agrees.
    """
    count = float(confusion.sum())
    chance = float(confusion.sum(axis=1) @ confusion.sum(axis=0)) / count**2
    return (float(confusion.trace()) / count - chance) / (1 - chance) if chance < 1 else None


def _label_figures(
    confusion: NDArray[np.intp], index: int, hits: NDArray[np.intp], all_pages: NDArray[np.intp]
) -> dict[str, float | int | None]:
    right = int(confusion[index, index])
    true, answered = int(confusion[index].sum()), int(confusion[:, index].sum())
    others = int(confusion.sum()) - true
    return {
        "pages": true,
        "precision": right / answered if answered else None,
        "recall": right / true if true else None,
        "specificity": (others - (answered - right)) / others if others else None,
        "f1": 2 * right / (true + answered) if true + answered else None,
        "auroc": area(hits, all_pages),
        "average_precision": mean_precision(hits, all_pages),
    }


def _mean(by_label: Mapping[str, Mapping[str, float | int | None]], key: str) -> float | None:
    values = [figure[key] for figure in by_label.values()]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if len(defined) == len(values) else None

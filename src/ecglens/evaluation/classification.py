"""Figures of a classifier from its probabilities. Undefined is ``None``, never 0.

A bootstrap asks for all of them thousands of times, and a site that only reads pages has no scikit-learn: so they are
sums over one confusion matrix and one ranking. The tests hold each against scikit-learn's, and
``benchmarks/metrics.md`` has how near they are and how much faster.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ecglens.evaluation.calibration import expected_calibration_error

__all__ = ["auroc", "average_precision", "cohen_kappa", "figures", "matthews", "right_at_coverage"]


def figures(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], labels: Sequence[str], *, coverage: float = 0.72
) -> dict[str, Any]:
    """Every figure of one classifier on one set of pages.

    Args:
        targets: ``(pages,)``, index of the true label.
        probabilities: ``(pages, labels)``, rows sum to 1.
        labels: Names in the columns' order.
        coverage: Share of pages, the surest ones, on which ``right_at_coverage`` is counted.

    Returns:
        Macro figures, figures by label and the confusion matrix (rows are true labels).

    Raises:
        ValueError: There is no page.
    """
    if not len(targets):
        raise ValueError("Expected at least one page to score, but got none.")
    answers = probabilities.argmax(axis=1)
    count = len(labels)
    confusion = np.bincount(targets * count + answers, minlength=count * count).reshape(count, count)
    by_label = {name: _label_figures(confusion, index, targets, probabilities) for index, name in enumerate(labels)}
    picked = probabilities[np.arange(len(targets)), targets]
    return {
        "accuracy": float(confusion.trace() / confusion.sum()),
        "balanced_accuracy": _mean(by_label, "recall"),
        "macro_precision": _mean(by_label, "precision"),
        "macro_specificity": _mean(by_label, "specificity"),
        "macro_f1": _mean(by_label, "f1"),
        "macro_auroc": _mean(by_label, "auroc"),
        "macro_average_precision": _mean(by_label, "average_precision"),
        "matthews": matthews(confusion),
        "cohen_kappa": cohen_kappa(confusion),
        "log_loss": float(np.log(1 / np.maximum(picked, 1e-15)).mean()),
        "brier": float(np.square(probabilities - np.eye(count)[targets]).sum(axis=1).mean()),
        "expected_calibration_error": expected_calibration_error(targets, probabilities),
        "right_at_coverage": right_at_coverage(targets, probabilities, coverage=coverage),
        "coverage": coverage,
        "by_label": by_label,
        "confusion": confusion.tolist(),
    }


def auroc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float | None:
    """Area under the ROC curve: how often a positive page scores above a negative one, ties counted half.

    Returns:
        In [0, 1], or ``None`` where one of the two kinds is missing.

    >>> auroc(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
    0.75
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float | None:
    """Mean precision over the positive pages as the threshold falls, pages of one score taken together.

    Returns:
        In (0, 1], or ``None`` where there is no positive page.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.6, 0.3])).__round__(4)
    0.8333
    """
    if not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.cumsum(positive[order])[ends]
    gained = np.diff(found, prepend=0)
    return float((gained * found / (ends + 1)).sum() / positive.sum())


def matthews(confusion: NDArray[np.intp]) -> float | None:
    """Matthews' correlation for several labels (Gorodkin, DOI 10.1016/j.compbiolchem.2004.09.006).

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
    """Agreement beyond chance (Cohen, DOI 10.1177/001316446002000104).

    Args:
        confusion: ``(labels, labels)``, rows are true labels.

    Returns:
        At most 1, or ``None`` where chance alone agrees always.
    """
    count = float(confusion.sum())
    chance = float(confusion.sum(axis=1) @ confusion.sum(axis=0)) / count**2
    return (float(confusion.trace()) / count - chance) / (1 - chance) if chance < 1 else None


def right_at_coverage(targets: NDArray[np.intp], probabilities: NDArray[np.float64], *, coverage: float) -> float:
    """Share of right answers among the ``coverage`` share of pages whose likeliest label is most probable.

    Pages that are as sure as the last of these count with the share of all such pages: their order says nothing.
    """
    kept = max(1, round(coverage * len(targets)))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    last = np.sort(confidence)[-kept]
    surer, tied = confidence > last, confidence == last
    return float((right[surer].sum() + (kept - surer.sum()) * right[tied].mean()) / kept)


def _label_figures(
    confusion: NDArray[np.intp], index: int, targets: NDArray[np.intp], probabilities: NDArray[np.float64]
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
        "auroc": auroc(targets == index, probabilities[:, index]),
        "average_precision": average_precision(targets == index, probabilities[:, index]),
    }


def _mean(by_label: Mapping[str, Mapping[str, float | int | None]], key: str) -> float | None:
    values = [figure[key] for figure in by_label.values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None

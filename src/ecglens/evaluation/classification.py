"""Figures of a classifier from its probabilities. Undefined is ``None``, never 0."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ecglens.evaluation.calibration import expected_calibration_error

__all__ = ["auroc", "figures", "right_at_coverage"]


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
        "macro_f1": _mean(by_label, "f1"),
        "macro_auroc": _mean(by_label, "auroc"),
        "log_loss": float(-np.log(np.maximum(picked, 1e-15)).mean()),
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


def right_at_coverage(targets: NDArray[np.intp], probabilities: NDArray[np.float64], *, coverage: float) -> float:
    """Share of right answers among the ``coverage`` share of pages whose likeliest label is most probable."""
    kept = max(1, round(coverage * len(targets)))
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")[:kept]
    return float((probabilities.argmax(axis=1) == targets)[surest].mean())


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
    }


def _mean(by_label: Mapping[str, Mapping[str, float | int | None]], key: str) -> float | None:
    values = [figure[key] for figure in by_label.values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None

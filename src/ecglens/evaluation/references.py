"""Controls that a model has to beat: the most common label, and the heart rate alone."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["majority", "nearest"]

_AT_ONCE = 256
"""Pages that are compared with all of training in one step: a table may have 200,000."""


def majority(train_targets: NDArray[np.intp], *, pages: int, labels: int) -> NDArray[np.float64]:
    """Predict the most common label of the training side for every page, ``(pages, labels)``."""
    label = int(np.bincount(train_targets, minlength=labels).argmax())
    return np.tile(np.eye(labels)[label], (pages, 1))


def nearest(
    train_values: NDArray[np.float64],
    train_targets: NDArray[np.intp],
    values: NDArray[np.float64],
    *,
    labels: int,
    neighbors: int = 15,
) -> NDArray[np.float64]:
    """Predict the shares of the labels among the nearest training pages; those equally far share the last votes.

    Args:
        train_values: ``(training pages,)``, such as the printed heart rate in bpm.
        train_targets: ``(training pages,)``, index of the label.
        values: ``(pages,)``.
        labels: Number of labels.
        neighbors: Number of pages that vote.

    Returns:
        ``(pages, labels)``, rows sum to 1.

    >>> nearest(np.array([60.0, 62, 120]), np.array([0, 0, 1]), np.array([61.0]), labels=2, neighbors=2)
    array([[1., 0.]])
    """
    voting = min(neighbors, len(train_values))
    one_hot = np.eye(labels)[train_targets]
    parts = [
        _votes(np.abs(values[first : first + _AT_ONCE, None] - train_values), voting) @ one_hot
        for first in range(0, len(values), _AT_ONCE)
    ]
    return np.asarray(np.concatenate(parts) / voting, dtype=np.float64)


def _votes(apart: NDArray[np.float64], voting: int) -> NDArray[np.float64]:
    """Return the weight of each training page's vote for each page."""
    last = np.partition(apart, voting - 1, axis=1)[:, voting - 1 : voting]
    nearer, tied = apart < last, apart == last
    return np.asarray(nearer + tied * (voting - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True))

"""What a model has to beat: the commonest label, and the heart rate alone."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["majority", "nearest"]


def majority(train_targets: NDArray[np.intp], *, pages: int, labels: int) -> NDArray[np.float64]:
    """The commonest label of the training side for every page, ``(pages, labels)``."""
    commonest = int(np.bincount(train_targets, minlength=labels).argmax())
    return np.tile(np.eye(labels)[commonest], (pages, 1))


def nearest(
    train_values: NDArray[np.float64],
    train_targets: NDArray[np.intp],
    values: NDArray[np.float64],
    *,
    labels: int,
    neighbours: int = 15,
) -> NDArray[np.float64]:
    """Shares of the labels among the training pages with the nearest values; those equally far share the last votes.

    Args:
        train_values: ``(training pages,)``, such as the printed heart rate in bpm.
        train_targets: ``(training pages,)``, index of the label.
        values: ``(pages,)``.
        labels: Number of labels.
        neighbours: How many pages vote.

    Returns:
        ``(pages, labels)``, rows sum to 1.

    >>> nearest(np.array([60.0, 62, 120]), np.array([0, 0, 1]), np.array([61.0]), labels=2, neighbours=2)
    array([[1., 0.]])
    """
    apart = np.abs(values[:, None] - train_values[None, :])
    voting = min(neighbours, len(train_values))
    last = np.partition(apart, voting - 1, axis=1)[:, voting - 1 : voting]
    nearer, tied = apart < last, apart == last
    votes = nearer + tied * (voting - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    return np.asarray(votes @ np.eye(labels)[train_targets] / voting, dtype=np.float64)

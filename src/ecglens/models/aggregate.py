"""Combine the predictions of a page's rows, such as its leads, into one prediction of the page."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Aggregation", "aggregate"]

Aggregation = Literal["mean_log", "majority"]


def aggregate(log_probabilities: NDArray[np.floating], method: Aggregation) -> NDArray[np.float64]:
    """Compute the probabilities of pages from those of their rows.

    ``mean_log`` is the softmax over the labels k of the mean over the rows r of log p_rk, the logarithmic opinion pool
    with equal weights (Genest and Zidek, DOI 10.1214/ss/1177013825). ``majority`` is the share of rows whose top
    label it is; among equally probable labels, a row votes for the first.

    Args:
        log_probabilities: ``(pages, rows, labels)``; a constant offset in a row has no effect on
            ``mean_log``, so logits can be passed as well.
        method: ``"mean_log"`` or ``"majority"``.

    Returns:
        ``(pages, labels)``, each page's probabilities sum to 1.

    >>> two_of_three = np.log([[[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]]])
    >>> aggregate(two_of_three, "majority").round(3).tolist()
    [[0.667, 0.333]]
    >>> aggregate(two_of_three, "mean_log").round(3).tolist()
    [[0.386, 0.614]]
    """
    values = np.asarray(log_probabilities, dtype=np.float64)
    if method == "majority":
        votes = values.argmax(axis=2)[..., None] == np.arange(values.shape[2])
        return np.asarray(votes.mean(axis=1), dtype=np.float64)
    mean = values.mean(axis=1)
    odds = np.exp(mean - mean.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)

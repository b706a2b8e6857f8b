"""Pages ranked by a score, and the figures that follow from how many of them are hits as a threshold falls.

A bootstrap computes areas and curves thousands of times, each page counted as often as it is sampled: the pages are
ranked once, and a resample is two sums along the ranks.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranking", "area", "mean_precision", "precision_at_recall", "recall_at_alarms", "right_among"]

Counts = NDArray[np.intp]


class Ranking:
    """Pages ranked by a score, those of one score together.

    Args:
        score: ``(pages,)``.
        positive: ``(pages,)``, which of them are hits.
    """

    def __init__(self, score: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._positive = positive[self._order]
        sorted_score = score[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(sorted_score)), len(score) - 1)
        self.scores: NDArray[np.float64] = sorted_score[self._ends]
        """The different scores, highest first."""

    def __call__(self, counts: Counts | None = None) -> tuple[Counts, Counts]:
        """Count hits, and all pages, with at least each of :attr:`scores`.

        Args:
            counts: ``(pages,)``, how often each page counts; once where it is ``None``.
        """
        if counts is None:
            return np.cumsum(self._positive, dtype=np.intp)[self._ends], self._ends + 1
        ordered = counts[self._order]
        return np.cumsum(ordered * self._positive)[self._ends], np.cumsum(ordered)[self._ends]


def area(hits: Counts, all_pages: Counts) -> float | None:
    """Compute the area under the ROC curve: how often a positive page scores above a negative one, ties counted half.

    Returns:
        In [0, 1], or ``None`` where one of the two kinds is missing.

    >>> area(*Ranking(np.array([0.9, 0.5, 0.5]), np.array([True, False, True]))())
    0.75
    """
    alarms = all_pages - hits
    pairs = int(hits[-1]) * int(alarms[-1])
    if not pairs:
        return None
    return float((np.diff(alarms, prepend=0) * (2 * hits - np.diff(hits, prepend=0))).sum() / (2 * pairs))


def mean_precision(hits: Counts, all_pages: Counts) -> float | None:
    """Compute the mean precision over the positive pages as the threshold falls, pages of one score together.

    Returns:
        In (0, 1], or ``None`` where there is no positive page.

    >>> mean_precision(*Ranking(np.array([0.9, 0.6, 0.3]), np.array([True, False, True]))()).__round__(4)
    0.8333
    """
    if not hits[-1]:
        return None
    return float((np.diff(hits, prepend=0) * hits / np.maximum(all_pages, 1)).sum() / hits[-1])


def right_among(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the share of hits among each share of the most confident pages.

    Pages as confident as the last of these count with the share of all such pages: their order means nothing.

    Args:
        hits: From a :class:`Ranking` by confidence.
        all_pages: From the same.
        shares: In (0, 1], of all pages; one page at least is counted.
    """
    count = np.maximum(1, np.rint(shares * all_pages[-1])).astype(np.intp)
    place = np.searchsorted(all_pages, count)
    hits_before, before = np.append(0, hits)[place], np.append(0, all_pages)[place]
    tied = (hits[place] - hits_before) / (all_pages[place] - before)
    return np.asarray((hits_before + (count - before) * tied) / count, dtype=np.float64)


def recall_at_alarms(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the height of the ROC curve at shares of false alarms; NaN where one of the two kinds is missing."""
    alarms = all_pages - hits
    if not hits[-1] or not alarms[-1]:
        return np.full(len(shares), np.nan)
    heights = np.interp(shares, np.append(0, alarms) / alarms[-1], np.append(0, hits) / hits[-1])
    return np.asarray(heights, dtype=np.float64)


def precision_at_recall(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the precision at the highest threshold with each recall; NaN where there is no positive page."""
    if not hits[-1]:
        return np.full(len(shares), np.nan)
    enough, any_page = np.searchsorted(hits / hits[-1], shares - 1e-12), np.searchsorted(all_pages, 1)
    place = np.maximum(enough, any_page)
    return np.asarray(hits[place] / all_pages[place], dtype=np.float64)

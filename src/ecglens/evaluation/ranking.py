"""Pages from the surest to the least sure, and what follows from how many of them hit as a threshold falls.

A bootstrap asks for areas and curves thousands of times, each page counted as often as it is drawn: the pages are
ranked once, and a draw is two sums along the ranks.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranking", "area", "mean_precision", "precision_at_recall", "recall_at_alarms", "right_among"]

Counts = NDArray[np.intp]


class Ranking:
    """Pages by one score, those of one score together.

    Args:
        score: ``(pages,)``.
        positive: ``(pages,)``, which of them hit.
    """

    def __init__(self, score: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._positive = positive[self._order]
        sorted_score = score[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(sorted_score)), len(score) - 1)
        self.scores: NDArray[np.float64] = sorted_score[self._ends]
        """The different scores, highest first."""

    def __call__(self, counts: Counts | None = None) -> tuple[Counts, Counts]:
        """Hits, and all pages, with at least each of :attr:`scores`.

        Args:
            counts: ``(pages,)``, how often each page counts; once where it is ``None``.
        """
        if counts is None:
            return np.cumsum(self._positive, dtype=np.intp)[self._ends], self._ends + 1
        drawn = counts[self._order]
        return np.cumsum(drawn * self._positive)[self._ends], np.cumsum(drawn)[self._ends]


def area(hits: Counts, all_pages: Counts) -> float | None:
    """Area under the ROC curve: how often a positive page scores above a negative one, ties counted half.

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
    """Mean precision over the positive pages as the threshold falls, pages of one score taken together.

    Returns:
        In (0, 1], or ``None`` where there is no positive page.

    >>> mean_precision(*Ranking(np.array([0.9, 0.6, 0.3]), np.array([True, False, True]))()).__round__(4)
    0.8333
    """
    if not hits[-1]:
        return None
    return float((np.diff(hits, prepend=0) * hits / np.maximum(all_pages, 1)).sum() / hits[-1])


def right_among(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of hits among so many of the surest pages.

    Pages that are as sure as the last of these count with the share of all such pages: their order says nothing.

    Args:
        hits: From a :class:`Ranking` by confidence.
        all_pages: From the same.
        shares: In (0, 1], of all pages; one page at least is counted.
    """
    kept = np.maximum(1, np.rint(shares * all_pages[-1])).astype(np.intp)
    place = np.searchsorted(all_pages, kept)
    hits_before, before = np.append(0, hits)[place], np.append(0, all_pages)[place]
    tied = (hits[place] - hits_before) / (all_pages[place] - before)
    return np.asarray((hits_before + (kept - before) * tied) / kept, dtype=np.float64)


def recall_at_alarms(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the ROC curve at shares of false alarms; NaN where one of the two kinds is missing."""
    alarms = all_pages - hits
    if not hits[-1] or not alarms[-1]:
        return np.full(len(shares), np.nan)
    heights = np.interp(shares, np.append(0, alarms) / alarms[-1], np.append(0, hits) / hits[-1])
    return np.asarray(heights, dtype=np.float64)


def precision_at_recall(hits: Counts, all_pages: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision at the highest threshold that finds so many of the positive pages; NaN where there are none."""
    if not hits[-1]:
        return np.full(len(shares), np.nan)
    enough, any_page = np.searchsorted(hits / hits[-1], shares - 1e-12), np.searchsorted(all_pages, 1)
    place = np.maximum(enough, any_page)
    return np.asarray(hits[place] / all_pages[place], dtype=np.float64)

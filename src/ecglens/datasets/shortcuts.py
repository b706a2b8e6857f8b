"""Measure how well something that is not the trace predicts the label, cross-validated over groups.

A plain classifier by nearest neighbors is enough to show a shortcut: it needs no tuning and no training framework.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ecglens.datasets.recordings import Recordings

__all__ = ["FOLDS", "Shortcut", "auroc_macro", "group_folds", "shortcuts"]

FOLDS = 5
"""Folds over groups."""

_NEIGHBORS = 15
_FEWEST = 2 * _NEIGHBORS
"""Recordings below which neighbors are not near, and nothing is measured."""
_DRAWS = 500
_COMPONENTS = 20
_MOST = 3000
"""Maximum number of recordings that are measured: whole groups sampled at random, which bounds the work."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut: something other than the trace that may predict the label.

    Attributes:
        name: Name of what was read.
        auroc: Macro mean of one label against the others; 0.5 is chance.
        low: Lower end of the 95 % interval by bootstrap over groups.
        high: Upper end.
        accuracy: Share of right labels.
        base: Share of the most common label.
        count: Number of recordings.
    """

    name: str
    auroc: float
    low: float
    high: float
    accuracy: float
    base: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, rounded."""
        figures = {name: round(float(getattr(self, name)), 4) for name in ("auroc", "low", "high", "accuracy", "base")}
        return {"name": self.name, **figures, "recordings": self.count}

    def to_row(self) -> str:
        """Return a row of a Markdown table."""
        return (
            f"| {self.name} | {self.auroc:.3f} | {self.low:.3f} to {self.high:.3f} | {self.accuracy:.3f} | "
            f"{self.base:.3f} | {self.count} |"
        )


def shortcuts(recordings: Recordings, probes: Mapping[str, NDArray[np.float64]], *, seed: int) -> tuple[Shortcut, ...]:
    """Measure each probe.

    Args:
        recordings: One row a recording.
        probes: ``(recordings, values)`` by name.
        seed: Random seed of folds and bootstrap.

    Returns:
        One for each probe, the most predictive first; none where there are fewer than 30 recordings,
        two labels or ten groups.
    """
    rng = np.random.default_rng(seed)
    labels, groups = recordings.codes("label"), recordings.codes("group")
    if len(labels) > _MOST:
        rows = _some(groups, rng)
        labels, groups = (np.unique(codes[rows], return_inverse=True)[1] for codes in (labels, groups))
        probes = {name: values[rows] for name, values in probes.items()}
    fold = group_folds(labels, groups, rng)
    if fold is None:
        return ()
    base = float(np.bincount(labels).max() / len(labels))
    results = []
    for name, values in probes.items():
        shares = _vote(values, labels, fold, rng)
        draws = [auroc_macro(shares[rows], labels[rows]) for rows in _draws(groups, rng)]
        low, high = np.nanpercentile(draws, [2.5, 97.5])
        right = float((shares.argmax(axis=1) == labels).mean())
        results.append(Shortcut(name, auroc_macro(shares, labels), float(low), float(high), right, base, len(labels)))
    return tuple(sorted(results, key=lambda item: -item.auroc))


def group_folds(
    labels: NDArray[np.intp], groups: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp] | None:
    """Assign each recording a fold at random, by group; ``None`` if there are too few recordings, labels or groups."""
    if len(labels) < _FEWEST or len(set(labels.tolist())) < 2 or len(set(groups.tolist())) < 2 * FOLDS:
        return None
    return np.asarray(rng.permutation(int(groups.max()) + 1)[groups] % FOLDS, dtype=np.intp)


def auroc_macro(scores: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Average over labels the area under the ROC curve of one against the others; NaN where none is defined.

    Args:
        scores: ``(n, labels)``.
        labels: ``(n,)`` index of each right label.
    """
    areas = []
    for label in range(scores.shape[1]):
        positive = labels == label
        count = int(positive.sum())
        if 0 < count < len(labels):
            ranks = rankdata(scores[:, label])
            areas.append((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(labels) - count)))
    return float(np.mean(areas)) if areas else float("nan")


def _vote(
    values: NDArray[np.float64], labels: NDArray[np.intp], fold: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the share of each label among the nearest recordings of the other folds; ties are broken at random."""
    shares = np.zeros((len(labels), int(labels.max()) + 1))
    for held in range(FOLDS):
        train, test = rng.permutation(np.flatnonzero(fold != held)), np.flatnonzero(fold == held)
        scaled_train, scaled_test = _scale(values[train], values[test])
        for row, point in zip(test, scaled_test, strict=True):
            near = np.argsort(((scaled_train - point) ** 2).sum(axis=1), kind="stable")[:_NEIGHBORS]
            shares[row] = np.bincount(labels[train[near]], minlength=shares.shape[1]) / len(near)
    return shares


def _some(groups: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the rows of groups sampled until they are enough."""
    order = rng.permutation(int(groups.max()) + 1)
    filled = np.cumsum(np.bincount(groups)[order])
    return np.flatnonzero(np.isin(groups, order[: max(1, int(np.searchsorted(filled, _MOST, "right")))]))


def _scale(train: NDArray[np.float64], test: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale both by the mean and spread of the first; many values become their principal components."""
    mean = train.mean(axis=0)
    if train.shape[1] > _COMPONENTS:
        _, _, axes = np.linalg.svd(train - mean, full_matrices=False)
        return (train - mean) @ axes[:_COMPONENTS].T, (test - mean) @ axes[:_COMPONENTS].T
    spread = train.std(axis=0) + 1e-9
    return (train - mean) / spread, (test - mean) / spread


def _draws(groups: NDArray[np.intp], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max()) + 1)]
    return [
        np.concatenate([members[group] for group in rng.integers(0, len(members), len(members))]) for _ in range(_DRAWS)
    ]

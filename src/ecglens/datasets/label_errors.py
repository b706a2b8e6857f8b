"""Files whose label the traces speak against: out-of-fold answers of a plain classifier on what the audit has read.

Each recording is judged by a multinomial logistic regression that has seen none of its group (Northcutt et al. 2021,
doi:10.1613/jair.1.12125, call such answers out-of-sample predicted probabilities). It sees where the ink of the traces
lies and how it repeats, and the beats. That is far from reading an ECG: a file is named to be looked at, not as wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.shortcuts import FOLDS, group_folds

__all__ = ["Doubt", "doubts", "label_answers", "trace_values"]

_UNLIKELY, _LIKELY = 0.05, 0.9
"""A file is named where its own label gets less than the first and another label more than the second."""

_BANDS = 4
_WAVES = 80
_COMPONENTS = 40
_RIDGE = 0.05
"""Penalty of the squared weights; of 0.01, 0.05 and 0.2 it gave the lowest log loss out of fold on 393 public pages."""

_MOST = 5000
"""Recordings from which one fold's classifier learns at most, drawn at random; all are judged."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A file to look at.

    Attributes:
        path: The file.
        label: What it is said to show.
        probability: What the classifier gives this label.
        likelier: The label that it takes for likeliest.
        its_probability: What it gives that one.
    """

    path: Path
    label: str
    probability: float
    likelier: str
    its_probability: float

    def to_dict(self) -> dict[str, Any]:
        """In plain types, probabilities rounded."""
        return {
            "file": self.path.name,
            "label": self.label,
            "probability": round(self.probability, 4),
            "likelier": self.likelier,
            "its_probability": round(self.its_probability, 4),
        }


def doubts(
    recordings: Recordings, signatures: Sequence[NDArray[np.uint8]], beats: NDArray[np.float64], *, seed: int
) -> tuple[Doubt, ...]:
    """Files that look mislabelled, the most doubtful first.

    Args:
        recordings: One row a recording.
        signatures: Of the traces, from ``ecglens.datasets.duplicates.signatures``.
        beats: ``(recordings,)`` beats across the page.
        seed: Of the folds.

    Returns:
        None where there are fewer than 30 recordings, two labels or ten groups.
    """
    labels, groups = recordings.codes("label"), recordings.codes("group")
    fold = group_folds(labels, groups, np.random.default_rng(seed))
    if fold is None:
        return ()
    answers = label_answers(trace_values(signatures, beats), labels, fold, seed=seed)
    own, best = answers[np.arange(len(labels)), labels], answers.argmax(axis=1)
    named = np.flatnonzero((own < _UNLIKELY) & (answers.max(axis=1) > _LIKELY))
    return tuple(
        Doubt(
            recordings[row].path,
            recordings[row].label,
            float(own[row]),
            recordings.labels[best[row]],
            float(answers[row, best[row]]),
        )
        for row in named[np.argsort(own[named], kind="stable")].tolist()
    )


def trace_values(
    signatures: Sequence[NDArray[np.uint8]], beats: NDArray[np.float64]
) -> tuple[NDArray[np.float32], ...]:
    """What the classifier sees: ink of each row by quarter of the page, its spectrum along four bands, the beats."""
    ink, waves = [], []
    for packed in signatures:
        image = np.unpackbits(packed)[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH).astype(np.float32)
        ink.append(image.reshape(HEIGHT, 4, WIDTH // 4).sum(axis=2).T.ravel())
        bands = image.reshape(_BANDS, HEIGHT // _BANDS, WIDTH).sum(axis=1)
        waves.append(np.log1p(np.abs(np.fft.rfft(bands, axis=1))[:, 1:_WAVES]).ravel())
    return np.stack(ink), np.stack(waves).astype(np.float32), beats[:, None].astype(np.float32)


def label_answers(
    values: Sequence[NDArray[np.float32]], labels: NDArray[np.intp], fold: NDArray[np.intp], *, seed: int
) -> NDArray[np.float64]:
    """Probability of each label for each recording, from the other folds alone.

    Args:
        values: ``(recordings, n)`` each.
        labels: ``(recordings,)`` index of each given label.
        fold: ``(recordings,)`` fold of each.
        seed: Of the draw where there are many recordings.

    Returns:
        ``(recordings, labels)``.
    """
    rng = np.random.default_rng(seed)
    count = int(labels.max()) + 1
    answers = np.zeros((len(labels), count))
    for held in range(FOLDS):
        train, test = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        train = np.sort(rng.permutation(train)[:_MOST])
        parts = [_components(value[train], value[test]) for value in values]
        known, asked = (np.hstack([part[side] for part in parts]) for side in (0, 1))
        answers[test] = _shares(asked, _logistic(known, labels[train], count))
    return answers


def _components(
    train: NDArray[np.float32], test: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both by the mean, main components and spread of the first."""
    mean = train.mean(axis=0)
    known, asked = (train - mean).astype(np.float64), (test - mean).astype(np.float64)
    if train.shape[1] > _COMPONENTS:
        axes = np.linalg.svd(known, full_matrices=False)[2][:_COMPONENTS].T
        known, asked = known @ axes, asked @ axes
    spread = known.std(axis=0) + 1e-9
    return known / spread, asked / spread


def _logistic(values: NDArray[np.float64], labels: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Weights ``(values + 1, labels)`` that minimise mean log loss + ridge / 2 * squared weights; the last is free."""
    right = np.eye(count)[labels]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(-1, count)
        shares = _shares(values, weights)
        cost = -np.log((shares * right).sum(axis=1) + 1e-300).mean() + _RIDGE / 2 * (weights[:-1] ** 2).sum()
        slope = (shares - right) / len(values)
        return float(cost), np.vstack([values.T @ slope + _RIDGE * weights[:-1], slope.sum(axis=0)]).ravel()

    start = np.zeros((values.shape[1] + 1) * count)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x, dtype=np.float64).reshape(-1, count)


def _shares(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = values @ weights[:-1] + weights[-1]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)

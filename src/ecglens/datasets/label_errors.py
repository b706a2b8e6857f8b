"""Files whose traces contradict their label, by out-of-fold predictions of a plain classifier on the audit's facts.

Each recording is judged by a multinomial logistic regression that was not trained on its group (Northcutt et al. 2021,
doi:10.1613/jair.1.12125, call such predictions out-of-sample predicted probabilities). Its inputs are where the ink of
the traces lies, how it repeats, and the beats. That is far from reading an ECG: a named file needs a look and is not
necessarily wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.shortcuts import FOLDS, group_folds
from ecglens.extras import require

__all__ = ["LabelError", "find_label_errors", "label_answers", "trace_values"]

_UNLIKELY, _LIKELY = 0.05, 0.9
"""A file is named where its own label gets less than the first and another label more than the second."""

_MAX_SHARE = 0.1
"""Share of recordings from which the classifier is taken to be wrong, and not the labels: on 40 public pages of four
labels, it contradicted 32 that are right."""

_BANDS = 4
_WAVES = 80
_COMPONENTS = 40
_RIDGE = 0.05
"""Penalty of the squared weights; of 0.01, 0.05 and 0.2 it gave the lowest log loss out of fold on 393 public pages."""

_MOST = 5000
"""Maximum number of recordings that one fold's classifier is trained on, sampled at random; all are judged."""


@dataclass(frozen=True, slots=True)
class LabelError:
    """A file whose label may be wrong.

    Attributes:
        path: The file.
        label: Label in the data set.
        probability: Probability of this label by the classifier.
        likelier: The classifier's top label.
        its_probability: Probability of that one.
    """

    path: Path
    label: str
    probability: float
    likelier: str
    its_probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the error in plain types, probabilities rounded."""
        return {
            "file": self.path.name,
            "label": self.label,
            "probability": round(self.probability, 4),
            "likelier": self.likelier,
            "its_probability": round(self.its_probability, 4),
        }


def find_label_errors(
    recordings: Recordings, signatures: Sequence[NDArray[np.uint8]], beats: NDArray[np.float64], *, seed: int
) -> tuple[LabelError, ...]:
    """Find files that look mislabeled, the most doubtful first.

    Args:
        recordings: One row a recording.
        signatures: Signatures of the traces, from ``ecglens.datasets.duplicates.signatures``.
        beats: ``(recordings,)`` beats across the page.
        seed: Random seed of the folds.

    Returns:
        The files; none where there are fewer than 30 recordings, two labels or ten groups, and none where so many look
        mislabeled that the classifier has not learned the labels.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    labels, groups = recordings.codes("label"), recordings.codes("group")
    fold = group_folds(labels, groups, np.random.default_rng(seed))
    if fold is None:
        return ()
    answers = label_answers(trace_values(signatures, beats), labels, fold, seed=seed)
    own, best = answers[np.arange(len(labels)), labels], answers.argmax(axis=1)
    named = np.flatnonzero((own < _UNLIKELY) & (answers.max(axis=1) > _LIKELY))
    if len(named) > _MAX_SHARE * len(labels):
        return ()
    return tuple(
        LabelError(
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
    """Return the classifier's inputs: ink of each row by quarter of the page, its spectrum in four bands, the beats."""
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
    """Predict the probability of each label for each recording, with a classifier fitted to the other folds alone.

    Args:
        values: ``(recordings, n)`` each.
        labels: ``(recordings,)`` index of the label of each.
        fold: ``(recordings,)`` fold of each.
        seed: Random seed of the sample where there are many recordings.

    Returns:
        ``(recordings, labels)``.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    rng = np.random.default_rng(seed)
    answers = np.zeros((len(labels), int(labels.max()) + 1))
    for held in range(FOLDS):
        train, test = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        train = np.sort(rng.permutation(train)[:_MOST])
        if not len(test):
            continue
        present = np.unique(labels[train])
        if len(present) == 1:  # nothing to distinguish
            answers[test, present[0]] = 1.0
            continue
        parts = [_scale(value[train].astype(np.float64), value[test].astype(np.float64)) for value in values]
        train_values, test_values = (np.hstack([part[side] for part in parts]) for side in (0, 1))
        answers[np.ix_(test, present)] = _classify(train_values, labels[train], test_values, len(present))
    return answers


def _scale(train: NDArray[np.float64], test: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reduce both to the principal components of the first, if there are many values, and standardize them."""
    steps = [require("sklearn.preprocessing", extra="train").StandardScaler()]
    if train.shape[1] > _COMPONENTS:
        decomposition = require("sklearn.decomposition", extra="train")
        steps.insert(0, decomposition.PCA(min(_COMPONENTS, len(train)), svd_solver="full"))
    pipeline = require("sklearn.pipeline", extra="train").make_pipeline(*steps)
    return pipeline.fit_transform(train), pipeline.transform(test)


def _classify(
    train: NDArray[np.float64], labels: NDArray[np.intp], test: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    # With two labels scikit-learn fits one vector of weights, the difference of the two of the multinomial form: half
    # the penalty makes the two forms the same.
    penalty = _RIDGE * len(train) / (2 if count == 2 else 1)
    model = require("sklearn.linear_model", extra="train").LogisticRegression(C=1 / penalty, max_iter=1000)
    return np.asarray(model.fit(train, labels).predict_proba(test), dtype=np.float64)

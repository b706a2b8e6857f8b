import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH
from ecglens.datasets.label_errors import find_label_errors, label_answers, trace_values
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.shortcuts import group_folds
from ecglens.errors import MissingExtraError

COUNT = 120
SWAPPED = (17, 58)


def signature(beats: int, rng: np.random.Generator) -> np.ndarray:
    """Make four traces with so many spikes, at places and heights of their own."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(4):
        foot = 24 + 28 * line
        cv2.line(ink, (0, foot), (WIDTH - 1, foot), 1, 1)
        for column in np.linspace(rng.uniform(2, 18), WIDTH - 3, beats).astype(int).tolist():
            cv2.line(ink, (column, foot), (column, foot - int(rng.integers(8, 20))), 1, 1)
    return np.packbits(ink > 0)


@pytest.fixture(scope="module")
def pages() -> tuple[Recordings, list[np.ndarray], np.ndarray]:
    """Make slow and quick hearts, two recordings a group; two have the other's label."""
    rng = np.random.default_rng(0)
    rows, signatures, beats = [], [], []
    for number in range(COUNT):
        quick = number % 4 >= 2
        beats.append(float(rng.integers(17, 20) if quick else rng.integers(9, 12)))
        signatures.append(signature(int(beats[-1]), rng))
        label = "quick" if quick != (number in SWAPPED) else "slow"
        rows.append(Recording(Path(f"{number}.png"), label, str(number), f"g{number // 2:02d}"))
    return Recordings(tuple(rows)), signatures, np.array(beats)


@pytest.mark.slow
def test_the_files_under_the_wrong_label_are_named_and_no_other(pages):
    errors = find_label_errors(*pages, seed=0)
    assert {item.path.stem for item in errors} == {str(number) for number in SWAPPED}
    assert all(item.probability < 0.05 and item.its_probability > 0.9 for item in errors)
    assert [item.probability for item in errors] == sorted(item.probability for item in errors)
    assert errors == find_label_errors(*pages, seed=0)


@pytest.mark.slow
def test_no_answer_depends_on_the_labels_of_its_own_fold(pages):
    recordings, signatures, beats = pages
    labels, groups = recordings.codes("label"), recordings.codes("group")
    fold = group_folds(labels, groups, np.random.default_rng(0))
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in range(groups.max() + 1))
    values = trace_values(signatures, beats)
    before = label_answers(values, labels, fold, seed=0)
    held = fold == 2
    after = label_answers(values, np.where(held, 1 - labels, labels), fold, seed=0)
    np.testing.assert_array_equal(before[held], after[held])
    np.testing.assert_allclose(before.sum(axis=1), 1)


def test_nothing_is_named_where_there_is_one_label_or_few_groups(pages):
    recordings, signatures, beats = pages
    assert find_label_errors(recordings.subset(range(16)), signatures[:16], beats[:16], seed=0) == ()
    slow = [index for index, row in enumerate(recordings) if row.label == "slow"]
    assert find_label_errors(recordings.subset(slow), [signatures[i] for i in slow], beats[slow], seed=0) == ()


def test_labels_cannot_be_judged_without_scikit_learn(pages, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.preprocessing", None)
    with pytest.raises(MissingExtraError, match=r"needs sklearn, .* pip install 'ecglens\[train\]'"):
        find_label_errors(*pages, seed=0)


def test_a_fold_trained_on_one_label_predicts_that_label():
    labels, fold = np.array([0, 0, 0, 0, 1]), np.arange(5)
    answers = label_answers([np.arange(5.0)[:, None].astype(np.float32)], labels, fold, seed=0)
    assert answers[4].tolist() == [1.0, 0.0]


def test_a_classifier_that_has_not_learned_the_labels_accuses_nobody(pages, monkeypatch):
    recordings, signatures, beats = pages
    wrong = 1 - recordings.codes("label")
    answers = np.where(np.eye(2)[wrong] > 0, 0.99, 0.01)
    monkeypatch.setattr("ecglens.datasets.label_errors.label_answers", lambda *_, **__: answers)
    assert find_label_errors(recordings, signatures, beats, seed=0) == ()

"""Points of curves against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from ecglens.evaluation.classification import Scorer
from ecglens.evaluation.points import SHARES, at_coverages, curve_points, decision_curve, drawn_points, reliability

LABELS = ("a", "b", "c")


@pytest.fixture
def answers():
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 3, 200)
    return targets, rng.dirichlet((1, 1, 1), 200) * 0.6 + 0.4 * np.eye(3)[targets]


def test_roc_is_that_of_scikit_learn(answers):
    targets, probabilities = answers
    made = curve_points(targets, probabilities, LABELS)["roc"]
    for number, label in enumerate(LABELS):
        alarms, hits, _ = roc_curve(targets == number, probabilities[:, number], drop_intermediate=False)
        np.testing.assert_allclose(made[label], np.stack([alarms, hits], axis=1), atol=5e-5)


def test_a_label_that_no_page_has_has_no_curve():
    assert set(curve_points(np.array([0, 1]), np.full((2, 3), 1 / 3), LABELS)["roc"]) == {"a", "b"}


def test_coverage_and_reliability_count_every_page(answers):
    made = curve_points(*answers, LABELS)

    assert made["coverage"][-1] == [1.0, round(float((answers[1].argmax(axis=1) == answers[0]).mean()), 4)]
    assert sum(row[0] for row in made["reliability"]) == 200
    assert dict(at_coverages(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])))[0.5] == 1.0


def test_drawn_points_lie_on_the_curves_of_the_pages_that_are_drawn(answers):
    targets, probabilities = answers
    counts = np.random.default_rng(1).integers(0, 4, 200)
    rows = np.repeat(np.arange(200), counts)
    drawn = drawn_points(Scorer(targets, probabilities, LABELS), counts)
    standing = drawn_points(Scorer(targets[rows], probabilities[rows], LABELS))
    for name, values in standing.items():
        np.testing.assert_allclose(drawn[name], values)
    true, score = targets[rows] == 1, probabilities[rows, 1]
    assert standing["decision/b"].tolist() == [net for _, net, _ in decision_curve(true, score)]
    precision, recall, _ = precision_recall_curve(true, score)
    for share, found in zip(SHARES, standing["precision_recall/b"], strict=True):
        assert found == precision[np.flatnonzero(recall >= share - 1e-12)[-1]] or share == 0
    by_coverage = [right for _, right in at_coverages(targets[rows], probabilities[rows])]
    assert standing["coverage"].tolist() == pytest.approx(by_coverage)
    bins = {at: right for _, at, right in reliability(targets[rows], probabilities[rows])}
    assert sorted(bins.values()) == pytest.approx(sorted(standing["reliability"][np.isfinite(standing["reliability"])]))


def test_curves_of_a_label_that_is_always_or_never_true_are_undefined():
    found = drawn_points(Scorer(np.zeros(3, np.intp), np.full((3, 2), 0.5), ("a", "b")))
    assert np.isnan(found["roc/a"]).all()
    assert np.isnan(found["roc/b"]).all()
    assert np.isnan(found["precision_recall/b"]).all()
    assert found["precision_recall/a"].tolist() == [1.0] * 51

"""Points of curves against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from ecglens.evaluation.classification import Scorer
from ecglens.evaluation.points import SHARES, at_coverages, curve_points, decision_curve, reliability, resample_curves

LABELS = ("a", "b", "c")


@pytest.fixture
def answers():
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 3, 200)
    return targets, rng.dirichlet((1, 1, 1), 200) * 0.6 + 0.4 * np.eye(3)[targets]


def test_roc_is_that_of_scikit_learn(answers):
    targets, probabilities = answers
    curves = curve_points(targets, probabilities, LABELS)["roc"]
    for number, label in enumerate(LABELS):
        alarms, hits, _ = roc_curve(targets == number, probabilities[:, number], drop_intermediate=False)
        np.testing.assert_allclose(curves[label], np.stack([alarms, hits], axis=1), atol=5e-5)


def test_a_label_that_no_page_has_has_no_curve():
    assert set(curve_points(np.array([0, 1]), np.full((2, 3), 1 / 3), LABELS)["roc"]) == {"a", "b"}


def test_coverage_and_reliability_count_every_page(answers):
    curves = curve_points(*answers, LABELS)

    assert curves["coverage"][-1] == [1.0, round(float((answers[1].argmax(axis=1) == answers[0]).mean()), 4)]
    assert sum(row[0] for row in curves["reliability"]) == 200
    assert dict(at_coverages(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])))[0.5] == 1.0


def test_resampled_points_lie_on_the_curves_of_the_pages_that_are_sampled(answers):
    targets, probabilities = answers
    counts = np.random.default_rng(1).integers(0, 4, 200)
    rows = np.repeat(np.arange(200), counts)
    sampled = resample_curves(Scorer(targets, probabilities, LABELS), counts)
    repeated = resample_curves(Scorer(targets[rows], probabilities[rows], LABELS))
    for name, values in repeated.items():
        np.testing.assert_allclose(sampled[name], values)
    true, score = targets[rows] == 1, probabilities[rows, 1]
    assert repeated["decision/b"].tolist() == [net for _, net, _ in decision_curve(true, score)]
    precision, recall, _ = precision_recall_curve(true, score)
    for share, curves in zip(SHARES, repeated["precision_recall/b"], strict=True):
        assert curves == precision[np.flatnonzero(recall >= share - 1e-12)[-1]] or share == 0
    by_coverage = [right for _, right in at_coverages(targets[rows], probabilities[rows])]
    assert repeated["coverage"].tolist() == pytest.approx(by_coverage)
    bins = {at: right for _, at, right in reliability(targets[rows], probabilities[rows])}
    assert sorted(bins.values()) == pytest.approx(sorted(repeated["reliability"][np.isfinite(repeated["reliability"])]))


def test_curves_of_a_label_that_is_always_or_never_true_are_undefined():
    curves = resample_curves(Scorer(np.zeros(3, np.intp), np.full((3, 2), 0.5), ("a", "b")))
    assert np.isnan(curves["roc/a"]).all()
    assert np.isnan(curves["roc/b"]).all()
    assert np.isnan(curves["precision_recall/b"]).all()
    assert curves["precision_recall/a"].tolist() == [1.0] * 51

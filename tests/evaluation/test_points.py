"""Points of curves against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from ecglens.evaluation.points import at_coverages, curve_points

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

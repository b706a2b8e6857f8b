import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from ecglens.evaluation.ranking import Ranking, area, mean_precision, right_among


def auroc(positive, score):
    return area(*Ranking(score, positive)())


def average_precision(positive, score):
    return mean_precision(*Ranking(score, positive)())


def right_at_coverage(targets, probabilities, *, coverage):
    ranking = Ranking(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)
    return right_among(*ranking(), np.array([coverage]))[0]


@given(
    positive=arrays(np.bool_, 30),
    score=arrays(np.float64, 30, elements=st.sampled_from([0.0, 0.1, 0.1000000001, 0.5, 1.0])),
)
def test_auroc_counts_ties_half_as_scikit_learn_does(positive, score):
    if positive.all() or not positive.any():
        assert auroc(positive, score) is None
    else:
        assert auroc(positive, score) == pytest.approx(metrics.roc_auc_score(positive, score))


@given(
    positive=arrays(np.bool_, 30),
    score=arrays(np.float64, 30, elements=st.sampled_from([0.0, 0.1, 0.1000000001, 0.5, 1.0])),
)
def test_average_precision_takes_ties_together_as_scikit_learn_does(positive, score):
    if positive.any():
        assert average_precision(positive, score) == pytest.approx(metrics.average_precision_score(positive, score))
    else:
        assert average_precision(positive, score) is None


def test_right_at_coverage_counts_the_most_confident_pages_only():
    probabilities = np.array([[0.99, 0.01], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    targets = np.array([0, 0, 0, 0])
    assert right_at_coverage(targets, probabilities, coverage=0.5) == 1.0
    assert right_at_coverage(targets, probabilities, coverage=0.75) == pytest.approx(2 / 3)
    assert right_at_coverage(targets, probabilities, coverage=1.0) == 0.5
    assert right_at_coverage(targets, probabilities, coverage=0.01) == 1.0


def test_pages_that_are_equally_sure_count_whatever_their_order():
    targets, probabilities = np.array([0, 0, 0, 1]), np.tile([0.8, 0.2], (4, 1))
    assert right_at_coverage(targets, probabilities, coverage=0.5) == 0.75
    assert right_at_coverage(targets[::-1], probabilities, coverage=0.5) == 0.75


def test_right_at_full_coverage_is_the_accuracy():
    rng = np.random.default_rng(0)
    targets, probabilities = rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    accuracy = metrics.accuracy_score(targets, probabilities.argmax(axis=1))
    assert right_at_coverage(targets, probabilities, coverage=1.0) == pytest.approx(accuracy)

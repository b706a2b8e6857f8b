import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecglens.evaluation.several_labels import (
    calibration_error,
    cover,
    fit_limits,
    fit_temperatures,
    macro_auroc,
    macro_auroc_interval,
    sigmoid,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def make_answers(rng: np.random.Generator, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    logits = rng.normal(0, 2, (rows, 2))
    return rng.random((rows, 2)) < expit(logits), logits


def test_the_macro_auroc_is_the_mean_of_scikit_learn_s(rng):
    targets, logits = make_answers(rng, 200)
    expected = np.mean([roc_auc_score(targets[:, label], logits[:, label]) for label in range(2)])
    assert macro_auroc(targets, logits) == pytest.approx(expected)


def test_a_label_that_nobody_has_leaves_the_macro_auroc_undefined(rng):
    targets, logits = make_answers(rng, 50)
    targets[:, 1] = False
    assert macro_auroc(targets, logits) is None


def test_the_interval_of_the_macro_auroc_holds_it(rng):
    targets, logits = make_answers(rng, 300)
    low, high = macro_auroc_interval(targets, logits, np.arange(300) // 2, rng=rng, draws=100)
    assert low < macro_auroc(targets, logits) < high
    assert high - low < 0.2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperatures_are_found_label_by_label(rng, temperature):
    targets, logits = make_answers(rng)
    fitted = fit_temperatures(targets, logits * [temperature, 1.0])
    reference = LogisticRegression(C=np.inf, fit_intercept=False).fit(logits[:, :1] * temperature, targets[:, 0])
    assert fitted[0] == pytest.approx(1 / reference.coef_[0, 0], rel=1e-3)
    assert fitted == pytest.approx((temperature, 1.0), rel=0.15)


def test_the_calibration_error_of_true_probabilities_is_small_and_of_others_large(rng):
    targets, logits = make_answers(rng)
    assert calibration_error(targets[:, 0], sigmoid(logits[:, 0])) < 0.03
    assert calibration_error(targets[:, 0], sigmoid(5 * logits[:, 0])) > 0.08


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_hold_the_truth_as_often_as_stated_for_those_with_the_label_and_without(rng, coverage):
    targets, logits = make_answers(rng)
    target, probability = targets[:, 0], sigmoid(logits[:, 0])
    limits = fit_limits(target[::2], probability[::2], coverage=coverage)
    for side in (True, False):
        rows = target[1::2] == side
        assert cover(target[1::2][rows], probability[1::2][rows], limits).truth > coverage - 0.04


def test_sets_of_a_few_recordings_hold_both_answers():
    target, probability = np.array([True, False]), np.array([0.9, 0.1])
    assert fit_limits(target, probability) == (0.0, 1.0)
    assert cover(target, probability, (0.0, 1.0)).decided == 0


def test_an_empty_set_counts_as_one_with_both_answers():
    covered = cover(np.array([True, True]), np.array([0.5, 0.9]), (0.8, 0.2))
    assert (covered.truth, covered.decided) == (1.0, 0.5)

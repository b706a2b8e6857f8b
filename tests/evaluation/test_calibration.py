import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from ecglens.evaluation.calibration import BINS, bins_of, calibration_gap, cross_fit, fit_temperature


def expected_calibration_error(targets, probabilities, bins=BINS):
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    return calibration_gap(bins_of(confidence, bins), right - confidence, bins) / len(targets)


def by_hand(targets, probabilities, bins=15):
    """Compute the error by its definition, page by page, with exact bin edges."""
    gap = 0.0
    for number in range(bins):
        low, high = Fraction(number, bins), Fraction(number + 1, bins)
        inside = [
            (max(row), row.index(max(row)) == target)
            for row, target in zip(probabilities.tolist(), targets.tolist(), strict=True)
            if low < Fraction(max(row)) <= high
        ]
        if inside:
            confidence = sum(item[0] for item in inside) / len(inside)
            accuracy = sum(item[1] for item in inside) / len(inside)
            gap += len(inside) / len(targets) * abs(accuracy - confidence)
    return gap


def two_labels(confidence):
    """Answers for label 0 with these confidences, every one of at least a half."""
    confidence = np.asarray(confidence, dtype=np.float64)
    return np.stack([confidence, 1 - confidence], axis=1)


@given(
    st.lists(st.tuples(st.floats(0.5, 1.0), st.integers(0, 1)), min_size=1, max_size=40), st.sampled_from([1, 5, 15])
)
def test_calibration_error_is_the_one_counted_by_hand(pages, bins):
    # Away from the edges: there the product with the number of bins rounds; the edges are pinned below.
    pages = [(confidence, target) for confidence, target in pages if abs(confidence * 15 % 1 - 0.5) < 0.499]
    if not pages:
        return
    probabilities = two_labels([confidence for confidence, _ in pages])
    targets = np.array([target for _, target in pages])
    mine = expected_calibration_error(targets, probabilities, bins=bins)
    assert mine == pytest.approx(by_hand(targets, probabilities, bins), abs=1e-12)


def test_a_confidence_of_exactly_1_falls_into_the_last_bin():
    certain = two_labels([1.0, 1.0, 0.95])
    # One bin, (14/15, 1]: confidence 2.95 / 3, right 2 / 3.
    assert expected_calibration_error(np.array([0, 1, 0]), certain) == pytest.approx(2.95 / 3 - 2 / 3)
    assert expected_calibration_error(np.array([0, 0]), two_labels([1.0, 1.0])) == 0.0


def test_bins_are_closed_above():
    # 0.75 belongs to (0.5, 0.75], not to (0.75, 1]: there 0.7 and 0.75 balance each other.
    pages = two_labels([0.75, 0.7])
    assert expected_calibration_error(np.array([0, 1]), pages, bins=4) == pytest.approx(abs(0.5 - 0.725))
    apart = two_labels([0.7500001, 0.7])
    assert expected_calibration_error(np.array([0, 1]), apart, bins=4) == pytest.approx((0.25 + 0.7) / 2, abs=1e-6)


def test_empty_bins_and_a_single_class_cost_nothing():
    pages = two_labels([0.6] * 5 + [1.0] * 5)
    assert expected_calibration_error(np.array([0, 0, 0, 1, 1] + [0] * 5), pages) == pytest.approx(0.0)
    assert expected_calibration_error(np.zeros(3, np.intp), np.ones((3, 1))) == 0.0


@pytest.mark.parametrize("truth", [0.3, 1.0, 2.5])
def test_a_known_temperature_is_recovered(truth):
    rng = np.random.default_rng(0)
    calibrated = rng.normal(0, 2, (20_000, 4))
    targets = np.array([rng.choice(4, p=row) for row in softmax(calibrated, axis=1)])
    assert fit_temperature(targets, (calibrated * truth).astype(np.float32)) == pytest.approx(truth, rel=0.05)


def test_the_fitted_temperature_has_the_least_log_loss_of_all():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (400, 3)).astype(np.float32)
    targets = rng.integers(0, 3, 400)
    losses = {t: log_loss(targets, softmax(logits / t, axis=1)) for t in np.geomspace(0.05, 20, 400)}
    fitted = fit_temperature(targets, logits)
    assert log_loss(targets, softmax(logits / fitted, axis=1)) <= min(losses.values()) + 1e-6


def test_temperature_stays_within_its_bounds():
    logits = np.array([[0.5, 0.0]] * 4, dtype=np.float32)
    assert fit_temperature(np.zeros(4, np.intp), logits) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(np.ones(4, np.intp), logits) == pytest.approx(20, rel=0.01)


@pytest.fixture
def out_of_fold():
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 4, 200)
    logits = (rng.normal(0, 1, (200, 4)) + 3 * np.eye(4)[targets]).astype(np.float32)
    return targets, logits, rng.integers(0, 5, 200)


def test_a_fold_s_own_targets_never_touch_its_probabilities(out_of_fold):
    targets, logits, folds = out_of_fold
    before = cross_fit(targets, logits, folds)
    for fold in range(5):
        here = folds == fold
        changed = np.where(here, (targets + 1) % 4, targets)
        after = cross_fit(changed, logits, folds)
        np.testing.assert_array_equal(after[here], before[here])
        assert (np.abs(after[~here] - before[~here]) > 1e-6).any()


def test_each_fold_has_the_temperature_of_the_others(out_of_fold):
    targets, logits, folds = out_of_fold
    mine = cross_fit(targets, logits, folds)
    for fold in range(5):
        others = fit_temperature(targets[folds != fold], logits[folds != fold])
        np.testing.assert_allclose(
            mine[folds == fold], softmax(logits[folds == fold].astype(float) / others, axis=1), rtol=1e-12
        )
    np.testing.assert_allclose(mine.sum(axis=1), 1, rtol=1e-12)
    assert all(math.isfinite(value) for value in mine.ravel())


def test_one_fold_alone_cannot_be_calibrated_by_others(out_of_fold):
    targets, logits, _ = out_of_fold
    with pytest.raises(ValueError, match="Expected predictions of at least two folds, got 1"):
        cross_fit(targets, logits, np.zeros(200, np.intp))

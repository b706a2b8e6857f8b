import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from ecglens.models.aggregate import aggregate

LOGITS = arrays(np.float64, (3, 5, 4), elements=st.floats(-30, 30))


@given(LOGITS)
def test_mean_log_is_the_softmax_of_the_mean_of_the_log_probabilities(logits):
    expected = softmax(log_softmax(logits, axis=2).mean(axis=1), axis=1)
    np.testing.assert_allclose(aggregate(logits, "mean_log"), expected, atol=1e-12)


@given(LOGITS)
def test_both_are_probabilities_and_take_no_order_of_the_rows(logits):
    for method in ("mean_log", "majority"):
        result = aggregate(logits, method)
        np.testing.assert_allclose(result.sum(axis=1), 1)
        np.testing.assert_allclose(aggregate(logits[:, ::-1], method), result, atol=1e-12)


def test_majority_is_the_share_of_rows():
    rows = np.log([[[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.3, 0.7]]])
    np.testing.assert_allclose(aggregate(rows, "majority"), [[0.25, 0.75]])


def test_a_row_in_doubt_votes_for_its_first_label():
    np.testing.assert_array_equal(aggregate(np.zeros((1, 3, 2)), "majority"), [[1.0, 0.0]])


def test_one_row_keeps_its_own_probabilities():
    logits = np.array([[[1.0, 3.0, -2.0]]])
    np.testing.assert_allclose(aggregate(logits, "mean_log")[0], softmax(logits[0, 0]))


@pytest.mark.parametrize("method", ["mean_log", "majority"])
def test_huge_logits_do_not_overflow(method):
    np.testing.assert_array_equal(aggregate(np.array([[[1e300, -1e300]]]), method), [[1.0, 0.0]])

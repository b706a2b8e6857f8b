import threading

import numpy as np
import pytest
import torch

from ecglens.models.train.samples import Samples, batches, order_rows, prefetch

TARGETS = np.array([0] * 12 + [1] * 5 + [2] * 3)


def test_a_batch_is_scaled_and_in_the_order_that_was_asked_for():
    stored = np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2)
    mean, std = np.full((1, 1, 1), 2, np.float32), np.full((1, 1, 1), 4, np.float32)
    samples = Samples((stored,), ((mean, std),), np.array([5, 0, 3]), np.array([2, 0, 1]))
    (pages,), targets = samples.batch(np.array([2, 0]), torch.device("cpu"))
    np.testing.assert_array_equal(pages.numpy(), (stored[[3, 5]].astype(np.float32) - 2) / 4)
    assert pages.dtype == torch.float32
    assert targets.tolist() == [1, 2]
    assert samples.counts(4).tolist() == [1, 1, 1, 0]


def test_each_row_is_shown_once_where_nothing_is_balanced():
    order = order_rows(TARGETS, "none", np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(20))
    assert order.tolist() != sorted(order.tolist())


def test_sampling_draws_every_label_as_often():
    order = order_rows(np.tile(TARGETS, 200), "sampling", np.random.default_rng(0))
    shares = np.bincount(np.tile(TARGETS, 200)[order]) / len(order)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)


def test_repeating_shows_every_row_and_each_label_equally_often():
    order = order_rows(TARGETS, "repeat", np.random.default_rng(0))
    assert np.bincount(TARGETS[order]).tolist() == [12, 12, 12]
    uses = np.bincount(order, minlength=20)
    assert uses.min() >= 1
    for label in range(3):
        of_label = uses[label == TARGETS]
        assert of_label.max() - of_label.min() <= 1


@pytest.mark.parametrize(("rows", "size", "counts"), [(20, 8, [7, 7, 6]), (17, 16, [9, 8]), (8, 8, [8]), (3, 8, [3])])
def test_no_batch_is_much_smaller_than_the_others(rows, size, counts):
    assert [len(part) for part in batches(np.arange(rows), size)] == counts


def test_the_next_thing_is_made_while_the_last_is_used():
    computed = threading.Event()

    def make(number):
        if number == 1:
            computed.set()
        return 10 * number

    results = prefetch(make, range(3))
    assert next(results) == 0
    assert computed.wait(5)
    assert list(results) == [10, 20]


def test_what_fails_ahead_is_raised_where_it_is_used():
    def make(number):
        if number == 1:
            raise ValueError("torn")
        return number

    results = prefetch(make, range(3))
    assert next(results) == 0
    with pytest.raises(ValueError, match="torn"):
        next(results)

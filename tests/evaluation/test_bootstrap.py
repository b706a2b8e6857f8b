from functools import partial

import numpy as np
import pytest

from ecglens.evaluation.bootstrap import group_intervals

RNG = partial(np.random.default_rng, 7)


def mean_of(values):
    return lambda counts: {"mean": float(values @ counts / counts.sum())}


def test_copies_of_a_page_make_no_interval_narrower():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, 60).astype(float)
    once = group_intervals(np.arange(60), mean_of(values), rng=RNG(), draws=400)
    copied = group_intervals(np.repeat(np.arange(60), 9), mean_of(np.repeat(values, 9)), rng=RNG(), draws=400)
    assert copied == {"mean": pytest.approx(once["mean"])}
    alone = group_intervals(np.arange(540), mean_of(np.repeat(values, 9)), rng=RNG(), draws=400)
    width = {key: np.ptp(result["mean"]) for key, result in {"copied": copied, "alone": alone}.items()}
    assert width["copied"] > 2 * width["alone"]


def test_groups_are_drawn_whole():
    groups = np.array([5, 5, 5, 9, 9, 2])
    samples = []

    def figure(counts):
        samples.append(counts)
        return {"pages": float(counts.sum())}

    group_intervals(groups, figure, rng=RNG(), draws=50)
    for counts in samples:
        assert counts[0] == counts[1] == counts[2]
        assert counts[3] == counts[4]
        assert counts[0] + counts[3] + counts[5] == 3
    assert len({counts.sum() for counts in samples}) > 3


def test_the_interval_is_the_normal_one_where_that_is_known():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 400)
    low, high = group_intervals(np.arange(400), mean_of(values), rng=RNG(), draws=2000)["mean"]
    half = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)


def test_a_lower_level_gives_a_narrower_interval():
    values = np.random.default_rng(3).normal(0, 1, 50)
    wide, narrow = (
        group_intervals(np.arange(50), mean_of(values), rng=RNG(), draws=500, level=level)["mean"]
        for level in (0.95, 0.5)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(("undefined", "defined"), [(0, True), (5, True), (6, False), (100, False)])
def test_a_figure_undefined_in_more_than_one_of_twenty_draws_has_no_interval(undefined, defined):
    numbers = iter(range(100))
    intervals = group_intervals(
        np.arange(4), lambda counts: {"auroc": None if next(numbers) < undefined else 0.5}, rng=RNG(), draws=100
    )
    assert intervals == {"auroc": (0.5, 0.5) if defined else None}


def test_the_same_generator_gives_the_same_interval():
    values = np.arange(30.0)
    first, second = (group_intervals(np.arange(30), mean_of(values), rng=RNG(), draws=100) for _ in range(2))
    assert first == second

import numpy as np
import pytest
from scipy.stats import chi2, multinomial, norm

from ecglens.evaluation.significance import delong, holm, mcnemar, paired_bootstrap


def accuracy(right):
    return lambda counts: {"accuracy": float(right @ counts / counts.sum())}


def test_a_model_compared_with_itself_does_not_differ():
    right = np.random.default_rng(0).random(60) < 0.8
    groups = np.arange(60) // 2
    rng = np.random.default_rng(1)
    lower, upper, p = paired_bootstrap(groups, accuracy(right), accuracy(right), rng=rng, draws=50)["accuracy"]
    assert (lower, upper, p) == (0.0, 0.0, 1.0)


def test_pages_of_one_group_say_nothing_of_a_difference():
    right, wrong = np.ones(5, bool), np.zeros(5, bool)
    rng = np.random.default_rng(0)
    assert paired_bootstrap(np.zeros(5, int), accuracy(right), accuracy(wrong), rng=rng) == {"accuracy": None}


def test_a_better_model_differs_and_the_interval_is_around_the_difference():
    rng = np.random.default_rng(0)
    good, bad = rng.random(400) < 0.9, rng.random(400) < 0.7
    tests = paired_bootstrap(np.arange(400), accuracy(good), accuracy(bad), rng=np.random.default_rng(1), draws=500)
    lower, upper, p = tests["accuracy"]
    apart = good.mean() - bad.mean()
    assert lower < apart < upper
    assert upper - lower == pytest.approx(4 * np.sqrt(np.var(good * 1.0 - bad) / 400), rel=0.2)
    assert p == pytest.approx(2 / 501, rel=1e-9)
    swapped = paired_bootstrap(np.arange(400), accuracy(bad), accuracy(good), rng=np.random.default_rng(1), draws=500)
    assert swapped["accuracy"][:2] == (pytest.approx(-upper), pytest.approx(-lower))


def test_groups_with_the_same_answers_widen_the_interval():
    good = np.repeat(np.random.default_rng(0).random(50) < 0.9, 8)
    bad = np.repeat(np.random.default_rng(2).random(50) < 0.7, 8)
    widths = {}
    for name, groups in (("apart", np.arange(400)), ("together", np.repeat(np.arange(50), 8))):
        tests = paired_bootstrap(groups, accuracy(good), accuracy(bad), rng=np.random.default_rng(1), draws=400)
        widths[name] = tests["accuracy"][1] - tests["accuracy"][0]
    assert widths["together"] > 2 * widths["apart"]


def test_a_figure_that_is_often_undefined_is_not_compared():
    undefined = paired_bootstrap(
        np.arange(9),
        lambda counts: {"auroc": None},
        lambda counts: {"auroc": 0.5},
        rng=np.random.default_rng(0),
        draws=20,
    )
    assert undefined == {"auroc": None}


def test_mcnemar_is_the_exact_binomial_test_of_the_pages_on_which_one_is_right():
    first, second = np.array([1, 1, 1, 1, 0, 0, 1, 0], bool), np.array([0, 0, 0, 0, 1, 0, 1, 0], bool)
    assert mcnemar(first, second)[2] == mcnemar(second, first)[2] == pytest.approx(0.375)
    assert mcnemar(first, first) == pytest.approx((-0.196, 0.196, 1.0), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("b", "c"), [(0.05, 0.05), (0.3, 0.3), (0.2, 0.02), (0.5, 0.1)])
def test_the_interval_of_mcnemar_holds_the_true_difference_in_95_of_100_tables(b, c):
    """Over every table of 40 pages, weighed by how likely it is."""
    held = 0.0
    for one, other in ((i, j) for i in range(41) for j in range(41 - i)):
        first, second = np.arange(40) < one, (np.arange(40) >= one) & (np.arange(40) < one + other)
        lower, upper, _ = mcnemar(first, second)
        held += (lower <= b - c <= upper) * multinomial.pmf([one, other, 40 - one - other], 40, [b, c, 1 - b - c])
    assert 0.94 < held < 0.99


def test_mcnemar_agrees_with_its_chi_square_on_many_pages():
    rng = np.random.default_rng(0)
    first, second = rng.random(4000) < 0.85, rng.random(4000) < 0.83
    b, c = (first & ~second).sum(), (second & ~first).sum()
    statistic = (abs(b - c) - 1) ** 2 / (b + c)
    assert mcnemar(first, second)[2] == pytest.approx(chi2.sf(statistic, 1), rel=0.05)


def test_delong_is_the_covariance_of_structural_components_written_out():
    rng = np.random.default_rng(3)
    positive = rng.random(40) < 0.4
    scores = [np.round(rng.normal(positive * shift, 1.0), 1) for shift in (1.2, 0.6)]  # ties
    kernels = []
    for score in scores:
        difference = score[positive][:, None] - score[~positive][None, :]
        kernels.append((difference > 0) + 0.5 * (difference == 0))
    m, n = kernels[0].shape
    s10 = np.cov([kernel.mean(axis=1) for kernel in kernels])
    s01 = np.cov([kernel.mean(axis=0) for kernel in kernels])
    whole = s10 / m + s01 / n
    variance = whole[0, 0] + whole[1, 1] - 2 * whole[0, 1]
    apart = kernels[0].mean() - kernels[1].mean()
    reach = 1.959963984540054 * np.sqrt(variance)
    chance = 2 * norm.sf(abs(apart) / np.sqrt(variance))
    assert delong(positive, *scores) == pytest.approx((apart - reach, apart + reach, chance))


def test_delong_needs_two_pages_of_each_kind():
    scores = np.arange(4.0)
    assert delong(np.array([True, False, False, False]), scores, scores) is None
    assert delong(np.array([True, True, False, False]), scores, scores) == (0.0, 0.0, 1.0)


def test_delong_says_nothing_of_areas_without_any_spread():
    positive = np.array([True, True, False, False])
    assert delong(positive, positive.astype(float), np.zeros(4)) is None
    # Each positive page scores above one more negative page, and the sums leave a variance of rounding.
    steps = np.arange(0, 10, 2.0)
    first, second = np.append(steps + 1.5, steps), np.append(steps - 0.5, steps)
    assert delong(np.arange(10) < 5, first, second) is None


def test_holm_is_monotone_never_below_the_raw_value_and_never_above_one():
    raw = [0.2, 0.001, 0.04, 0.9]
    adjusted = holm(raw)
    assert adjusted == [pytest.approx(0.4), pytest.approx(0.004), pytest.approx(0.12), pytest.approx(0.9)]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []

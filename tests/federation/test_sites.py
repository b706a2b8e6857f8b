import numpy as np
import pytest

from ecglens.errors import TrainingError
from ecglens.federation.sites import SitePlan, make_sites, parse_site_plan

LABELS = ["mi", "normal"] * 30
GROUPS = [f"g{number // 3}" for number in range(60)]
ROWS = np.arange(60)


def divide(plan, *, groups=GROUPS, columns=None, seed=0, rows=ROWS):
    return make_sites(plan, LABELS, groups, (columns or {}).__getitem__, rows=rows, seed=seed)


def test_a_plan_is_a_column_or_label_skew_with_a_number_of_sites():
    assert parse_site_plan("batch") == SitePlan("batch")
    assert parse_site_plan("label-skew:0.3") == SitePlan(None, 0.3, 5)
    assert parse_site_plan("label-skew:0.3:10") == SitePlan(None, 0.3, 10)
    assert str(parse_site_plan("label-skew:0.3:10")) == "label-skew:0.3:10"


@pytest.mark.parametrize("text", ["label-skew", "label-skew:much", "label-skew:0", "label-skew:nan", "label-skew:1:1"])
def test_label_skew_without_usable_numbers_is_refused(text):
    with pytest.raises(TrainingError, match=r"label-skew:0\.3 or label-skew:0\.3:10"):
        parse_site_plan(text)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 100.0])
def test_label_skew_puts_each_row_and_each_group_at_one_site(alpha):
    sites = divide(SitePlan(None, alpha, 4))
    assert sorted(np.concatenate([site.rows for site in sites]).tolist()) == ROWS.tolist()
    for site in sites:
        others = {GROUPS[row] for row in ROWS if row not in site.rows}
        assert not others & {GROUPS[row] for row in site.rows}


def test_a_small_alpha_is_more_skewed_than_a_large_one():
    def skew(alpha):
        shares = []
        for seed in range(20):
            for site in divide(SitePlan(None, alpha, 4), seed=seed, groups=[f"g{row}" for row in ROWS]):
                share = np.mean([LABELS[row] == "mi" for row in site.rows])
                shares.append(abs(share - 0.5))
        return np.mean(shares)

    assert skew(0.1) > 0.3
    assert skew(100.0) < 0.1


def test_label_skew_depends_on_the_seed_alone():
    first, again, other = (divide(SitePlan(None, 0.5, 4), seed=seed) for seed in (0, 0, 1))
    assert [site.rows.tolist() for site in first] == [site.rows.tolist() for site in again]
    assert [site.rows.tolist() for site in first] != [site.rows.tolist() for site in other]


def test_a_column_makes_a_site_of_each_value_for_the_given_rows():
    months = ["2019-11"] * 21 + ["2020-08"] * 39
    sites = divide(SitePlan("month"), columns={"month": months}, rows=ROWS[15:])
    assert [site.name for site in sites] == ["2019-11", "2020-08"]
    assert sites[0].rows.tolist() == list(range(15, 21))


def test_a_group_at_two_sites_is_refused():
    months = ["2019-11"] * 20 + ["2020-08"] * 40
    with pytest.raises(TrainingError, match="1 are at several sites by 'month', such as 'g6'"):
        divide(SitePlan("month"), columns={"month": months})


def test_one_site_alone_is_refused():
    with pytest.raises(TrainingError, match="at least two sites"):
        divide(SitePlan("month"), columns={"month": ["2019-11"] * 60})

"""Conditions on chosen measurements: limits, errors, and the figures that decide."""

import pytest
from chosen_measurements import make_measurements

from ecglens.criteria.evaluation import World, evaluate_condition
from ecglens.criteria.expressions import Vocabulary, parse_condition
from ecglens.criteria.figures import LEAD_NAMES, RECORD_NAMES
from ecglens.criteria.truth import BORDERLINE, NO, UNKNOWN, YES, Truth
from ecglens.layouts import STANDARD_LEADS
from ecglens.statements import Person

WORDS = Vocabulary({*RECORD_NAMES, "age"}, LEAD_NAMES, STANDARD_LEADS, {}, ())
NOBODY = Person()


def find(text: str, values: dict[str, float | None], *, error: float = 0.0, person: Person = NOBODY):
    """Return the finding of a condition."""
    pairs = (("V1", "V2"), ("V2", "V3"))
    world = World(make_measurements(values, error=error), person, {}.__getitem__, pairs)
    return evaluate_condition(parse_condition(text, WORDS), world)


@pytest.mark.parametrize(
    ("value", "error", "truth"),
    [
        (119.9, 0.0, NO),
        (120.0, 0.0, YES),
        (120.1, 0.0, YES),
        (114.9, 5.0, NO),
        (115.0, 5.0, BORDERLINE),
        (120.0, 5.0, BORDERLINE),
        (125.0, 5.0, BORDERLINE),
        (125.1, 5.0, YES),
        (None, 0.0, UNKNOWN),
    ],
)
def test_a_limit_within_one_error_bar_is_borderline(value: float | None, error: float, truth: Truth) -> None:
    assert find("qrs_ms >= 120", {"qrs_ms": value}, error=error).truth == truth


def test_errors_of_a_sum_and_of_a_product_add_as_those_of_independent_figures() -> None:
    values = {"s_mv[V1]": 2.0, "r_mv[V5]": 1.0, "qrs_ms": 100.0}
    (total,) = find("s_mv[V1] + r_mv[V5] > 1", values, error=0.3).values
    assert (total.value, total.unit, total.title) == (3.0, "mV", "S in V1 + R in V5")
    assert total.error == pytest.approx(0.3 * 2**0.5)
    (product,) = find("qrs_ms * s_mv[V1] > 1", values, error=0.3).values
    assert (product.value, product.unit) == (200.0, "mV ms")
    assert product.error == pytest.approx(0.3 * (100**2 + 2**2) ** 0.5)


def test_only_two_contiguous_leads_fulfil_a_condition_together() -> None:
    text = "contiguous(st_j_mv >= 0.1)"
    apart = {"st_j_mv[V1]": 0.3, "st_j_mv[V2]": 0.0, "st_j_mv[V3]": 0.3}
    assert find(text, apart).truth == NO
    finding = find(text, {**apart, "st_j_mv[V2]": 0.2})
    assert finding.truth == YES
    assert [value.lead for value in finding.values] == ["V1", "V2", "V3"]


def test_a_missing_lead_matters_only_where_it_could_decide() -> None:
    text = "contiguous(st_j_mv >= 0.1)"
    assert find(text, {"st_j_mv[V1]": 0.3, "st_j_mv[V2]": 0.3}).truth == YES
    assert find(text, {"st_j_mv[V1]": 0.3, "st_j_mv[V2]": 0.0}).truth == NO
    unknown = find(text, {"st_j_mv[V1]": 0.0, "st_j_mv[V2]": 0.3})
    assert unknown.truth == UNKNOWN
    assert unknown.missing == ("ST at the J point in V3",)


def test_what_is_borderline_beside_an_unknown_figure_lists_its_own() -> None:
    finding = find("qrs_ms >= 120 or pr_ms > 200", {"qrs_ms": 118.0, "pr_ms": None}, error=5.0)
    assert finding.truth == Truth(1, 2)
    assert [value.title for value in finding.values] == ["QRS"]


def test_the_figures_that_decide_are_listed_and_no_others() -> None:
    values = {"qrs_ms": 100.0, "pr_ms": 250.0}
    assert [value.title for value in find("qrs_ms >= 120 and pr_ms > 200", values).values] == ["QRS"]
    assert [value.title for value in find("qrs_ms >= 120 or pr_ms > 200", values).values] == ["PR"]


@pytest.mark.parametrize(("sex", "truth"), [("female", YES), ("male", NO), (None, UNKNOWN)])
def test_a_condition_may_ask_for_the_sex(sex: str | None, truth: Truth) -> None:
    finding = find("sex == female and qrs_ms >= 120", {"qrs_ms": 130.0}, person=Person(sex=sex))
    assert finding.truth == truth
    assert finding.missing == (("sex",) if sex is None else ())

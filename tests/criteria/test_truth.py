"""The logic of conditions against all cases of its four truths."""

from itertools import product

import pytest

from ecglens.criteria.truth import BORDERLINE, NO, UNKNOWN, YES, Truth
from ecglens.statements import Outcome

TRUTHS = (NO, BORDERLINE, YES, UNKNOWN, Truth(0, 1), Truth(1, 2))


def degrees(truth: Truth) -> set[int]:
    """Return the degrees that are possible."""
    return set(range(truth.low, truth.high + 1))


@pytest.mark.parametrize(("one", "two"), list(product(TRUTHS, TRUTHS)))
def test_and_and_or_give_exactly_the_degrees_that_their_parts_allow(one: Truth, two: Truth) -> None:
    pairs = list(product(degrees(one), degrees(two)))
    assert degrees(one & two) == {min(pair) for pair in pairs}
    assert degrees(one | two) == {max(pair) for pair in pairs}
    assert ~(one & two) == ~one | ~two


@pytest.mark.parametrize("truth", TRUTHS)
def test_not_turned_twice_is_the_same(truth: Truth) -> None:
    assert ~~truth == truth


def test_an_unknown_part_matters_only_where_it_could_change_the_result() -> None:
    assert UNKNOWN & NO == NO
    assert UNKNOWN | YES == YES
    assert (UNKNOWN & YES).outcome is Outcome.CANNOT_BE_EVALUATED
    assert (UNKNOWN | BORDERLINE).outcome is Outcome.BORDERLINE
    assert (UNKNOWN & BORDERLINE).outcome is Outcome.CANNOT_BE_EVALUATED


def test_each_known_truth_has_its_outcome() -> None:
    assert [truth.outcome for truth in (NO, BORDERLINE, YES)] == [Outcome.NOT_MET, Outcome.BORDERLINE, Outcome.MET]

"""The grammar of conditions: what it reads, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.criteria.expressions import (
    Arithmetic,
    Comparison,
    Contiguous,
    EachLead,
    Figure,
    IsLead,
    IsSex,
    Joined,
    Negation,
    Number,
    Reference,
    Vocabulary,
    parse_condition,
    walk,
)
from ecglens.errors import DatasetError

WORDS = Vocabulary(
    figures=("qrs_ms", "age"),
    lead_figures=("r_mv", "s_mv"),
    leads=("I", "V1", "V5"),
    groups={"chest": ("V1", "V5")},
    criteria=("earlier",),
)
WIDE = Comparison(Figure("qrs_ms"), ">=", Number(120.0))
TALL = Comparison(Figure("r_mv"), ">", Number(0.5))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("qrs_ms >= 120", WIDE),
        ("(qrs_ms >= 120)", WIDE),
        ("qrs_ms > -1.5", Comparison(Figure("qrs_ms"), ">", Number(-1.5))),
        ("not not earlier", Negation(Negation(Reference("earlier")))),
        (
            "earlier or earlier and qrs_ms >= 120",
            Joined("any", (Reference("earlier"), Joined("all", (Reference("earlier"), WIDE)))),
        ),
        ("sex == female", IsSex("female")),
        ("any(I, chest: r_mv > 0.5)", EachLead("any", ("I", "V1", "V5"), TALL)),
        ("contiguous(lead in (V1, V5) and r_mv > 0.5)", Contiguous(Joined("all", (IsLead(("V1", "V5")), TALL)))),
        (
            "s_mv[V1] + r_mv[V5] > 3.5",
            Comparison(Arithmetic("+", Figure("s_mv", "V1"), Figure("r_mv", "V5")), ">", Number(3.5)),
        ),
        (
            "qrs_ms * (s_mv[V1] + 1) < 2",
            Comparison(
                Arithmetic("*", Figure("qrs_ms"), Arithmetic("+", Figure("s_mv", "V1"), Number(1.0))), "<", Number(2.0)
            ),
        ),
    ],
)
def test_a_condition_is_read_as_written(text: str, condition: object) -> None:
    assert parse_condition(text, WORDS) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected a figure or a number in '', got its end"),
        ("qrs_ms", "Expected '<' in 'qrs_ms', got its end"),
        ("qrs_ms >= 120 120", "Expected its end"),
        ("qrs_ms >= unheard", "Expected a figure or a number .* got 'unheard'"),
        ("r_mv > 1", "Expected a lead in brackets"),
        ("r_mv[V9] > 1", "Expected names of leads .* got 'V9'"),
        ("sex == both", "Expected 'female' .* got 'both'"),
        ("any(V1 r_mv > 1)", "Expected ':'"),
        ("qrs_ms >= 120; import os", "Expected a condition .* got '; import os'"),
        ("__import__ >= 1", "got '__import__'"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_condition(text, WORDS)


@given(st.text(alphabet="qrs_ms r_mv[V1]()<>=+-*:,andornotany 0123456789", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        condition = parse_condition(text, WORDS)
    except DatasetError:
        return
    assert condition in list(walk(condition))

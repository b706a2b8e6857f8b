"""Statements of the criteria of the package on chosen measurements."""

import pytest
from chosen_measurements import HEALTHY, make_measurements
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.criteria import Outcome, Statement, evaluate_criteria
from ecglens.records import Measurements


def outcome(
    name: str, changes: dict[str, float | None], *, error: float = 0.0, age: float | None = 60, sex: str | None = "male"
) -> Outcome:
    """Return the outcome of a criterion on a healthy person's measurements with some changes."""
    return statement(name, changes, error=error, age=age, sex=sex).outcome


def statement(
    name: str, changes: dict[str, float | None], *, error: float = 0.0, age: float | None = 60, sex: str | None = "male"
) -> Statement:
    """Return a statement on a healthy person's measurements with some changes."""
    measurements = make_measurements({**HEALTHY, **changes}, error=error)
    every = evaluate_criteria(measurements, age=age, sex=sex, include_weak=True)
    return next(each for each in every if each.name == name)


RIGHT_BUNDLE = {"r2_mv[V1]": 0.4, "s_ms[I]": 60, "s_ms[V6]": 60}
LEFT_BUNDLE = {"r_peak_ms[V5]": 80, "r_peak_ms[V6]": 80}

MET: dict[str, dict[str, float | None]] = {
    "pacing_spikes": {"spikes": 10},
    "sinus_rhythm": {},
    "bradycardia": {"rate_bpm": 50},
    "tachycardia": {"rate_bpm": 110},
    "irregular_rhythm": {"irregularity": 0.2},
    "atrial_fibrillation": {"irregularity": 0.2, "p_share": 0.1},
    "narrow_extrasystoles": {"premature_narrow": 1},
    "broad_extrasystoles": {"premature_broad": 2},
    "pause": {"longest_rr_ms": 3200},
    "pr_prolonged": {"pr_estimate_ms": 240},
    "pr_short": {"pr_ms": 100},
    "qrs_prolonged": {"qrs_estimate_ms": 125},
    "complete_rbbb": {"qrs_estimate_ms": 140, **RIGHT_BUNDLE},
    "complete_lbbb": {"qrs_estimate_ms": 150, **LEFT_BUNDLE},
    "incomplete_rbbb": {"qrs_estimate_ms": 115, **RIGHT_BUNDLE},
    "incomplete_lbbb": {"qrs_estimate_ms": 115, **LEFT_BUNDLE},
    "left_anterior_fascicular_block": {"axis_deg": -60, "q_mv[aVL]": 0.1, "r_peak_ms[aVL]": 50},
    "left_posterior_fascicular_block": {
        **{"axis_deg": 110, "r_mv[I]": 0.2, "s_mv[I]": 0.6, "r_mv[aVL]": 0.1, "s_mv[aVL]": 0.8},
        **{"q_mv[III]": 0.1, "q_mv[aVF]": 0.1},
    },
    "nonspecific_conduction_delay": {"qrs_estimate_ms": 130},
    "left_axis": {"axis_deg": -40},
    "right_axis": {"axis_deg": 110},
    "extreme_axis": {"axis_deg": -120},
    "qtc_prolonged": {"qtc_fridericia_ms": 480},
    "qtc_short": {"qtc_fridericia_ms": 370},
    "low_voltage_limb": {f"qrs_span_mv[{lead}]": 0.4 for lead in ("I", "II", "III", "aVL", "aVF")},
    "low_voltage_precordial": {f"qrs_span_mv[V{number}]": 0.8 for number in range(1, 7)},
    "lvh_sokolow_lyon": {"s_mv[V1]": 2.0, "r_mv[V5]": 2.0},
    "lvh_cornell_voltage": {"s_mv[V3]": 1.8, "r_mv[aVL]": 1.2},
    "lvh_cornell_product": {"s_mv[V3]": 1.8, "r_mv[aVL]": 1.2},
    "right_ventricular_hypertrophy": {"axis_deg": 110, "r_mv[V1]": 1.0, "s_mv[V1]": 0.2},
    "left_atrial_enlargement": {"p_ms": 135},
    "right_atrial_enlargement": {"p_mv[II]": 0.3},
    "st_elevation": {"st_j_mv[II]": 0.2, "st_j_mv[aVF]": 0.2},
    "st_depression": {f"{name}[{lead}]": -0.15 for name in ("st_j_mv", "st_j60_mv") for lead in ("V5", "V6")},
    "t_inversion": {"t_mv[V5]": -0.3, "t_mv[V6]": -0.3},
    "pathological_q": {"q_mv[II]": 0.3, "q_ms[II]": 45, "q_mv[aVF]": 0.3, "q_ms[aVF]": 45},
    "poor_r_progression": {"r_mv[V3]": 0.2},
}
"""Changes of a healthy person's measurements with which each criterion is met."""


def test_every_criterion_has_an_example() -> None:
    assert [each.name for each in evaluate_criteria(Measurements(), include_weak=True)] == list(MET)


@pytest.mark.parametrize("name", MET)
def test_each_outcome_of_each_criterion_can_be_reached(name: str) -> None:
    assert outcome(name, MET[name]) is Outcome.MET
    if name != "sinus_rhythm":
        assert outcome(name, {}) is Outcome.NOT_MET
    # With errors this large, every limit lies within one error bar.
    assert outcome(name, {**MET[name], "spikes": 0}, error=1e4) is Outcome.BORDERLINE
    empty = evaluate_criteria(Measurements(), include_weak=True)
    unknown = next(each for each in empty if each.name == name)
    assert unknown.outcome is Outcome.CANNOT_BE_EVALUATED
    assert unknown.reason.startswith("Not measured: ")
    assert unknown.reason.endswith(".")


def test_sinus_rhythm_is_not_met_without_p_waves() -> None:
    assert outcome("sinus_rhythm", {"p_share": 0.1}) is Outcome.NOT_MET


@pytest.mark.parametrize(
    ("sex", "age", "level_mv", "expected"),
    [
        ("female", 60, 0.14, Outcome.NOT_MET),
        ("female", 60, 0.15, Outcome.MET),
        ("male", 60, 0.19, Outcome.NOT_MET),
        ("male", 60, 0.20, Outcome.MET),
        ("male", 40, 0.20, Outcome.MET),
        ("male", 39, 0.20, Outcome.NOT_MET),
        ("male", 39, 0.25, Outcome.MET),
        ("male", None, 0.25, Outcome.MET),
        ("male", None, 0.20, Outcome.CANNOT_BE_EVALUATED),
        (None, None, 0.25, Outcome.MET),
        (None, None, 0.14, Outcome.NOT_MET),
        (None, 60, 0.17, Outcome.CANNOT_BE_EVALUATED),
    ],
)
def test_st_elevation_in_v2_and_v3_depends_on_sex_and_age(
    sex: str | None, age: float | None, level_mv: float, expected: Outcome
) -> None:
    changes = {"st_j_mv[V2]": level_mv, "st_j_mv[V3]": level_mv}
    assert outcome("st_elevation", changes, sex=sex, age=age) is expected


def test_a_limit_that_depends_on_an_unknown_sex_is_the_reason() -> None:
    result = statement("qtc_prolonged", {"qtc_fridericia_ms": 455}, sex=None)
    assert result.outcome is Outcome.CANNOT_BE_EVALUATED
    assert result.reason == "The limit depends on sex, which is unknown."
    assert outcome("qtc_prolonged", {"qtc_fridericia_ms": 480}, sex=None) is Outcome.MET
    assert outcome("qtc_prolonged", {"qtc_fridericia_ms": 420}, sex=None) is Outcome.NOT_MET


def test_limits_of_adults_are_not_used_for_a_child() -> None:
    result = statement("tachycardia", {"rate_bpm": 130}, age=5)
    assert (result.outcome, result.reason) == (
        Outcome.CANNOT_BE_EVALUATED,
        "The limits of this criterion hold for adults.",
    )
    assert outcome("irregular_rhythm", {"irregularity": 0.3}, age=5) is Outcome.MET


def test_criteria_that_a_bundle_branch_block_invalidates_say_so() -> None:
    result = statement("st_elevation", {**MET["complete_lbbb"], **MET["st_elevation"]})
    assert result.outcome is Outcome.CANNOT_BE_EVALUATED
    assert result.reason == "The criterion does not hold beside: Left bundle branch block, complete."


def test_a_statement_lists_the_leads_and_figures_that_decided() -> None:
    result = statement("st_elevation", MET["st_elevation"])
    assert result.leads == ("II", "aVF")
    assert {(value.lead, value.relation, value.limit) for value in result.values} == {
        ("II", ">=", 0.1),
        ("aVF", ">=", 0.1),
    }


def test_statements_come_back_from_plain_types() -> None:
    for error in (0.0, 5.0):
        for each in evaluate_criteria(make_measurements(HEALTHY, error=error)):
            again = Statement.from_dict(each.to_dict())
            assert (again.outcome, again.source, again.leads) == (each.outcome, each.source, each.leads)


def test_an_unknown_word_for_the_sex_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected 'female' or 'male' as the sex, got 'f'; correct it"):
        evaluate_criteria(Measurements(), sex="f")


VALUES = st.one_of(st.none(), st.floats(-500, 500))


@settings(max_examples=60, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(HEALTHY)), VALUES, max_size=40),
    error=st.sampled_from([0.0, 0.02, 8.0]),
    age=st.one_of(st.none(), st.floats(0, 110)),
    sex=st.sampled_from([None, "female", "male"]),
)
def test_no_measurements_raise_and_no_outcomes_contradict(
    changes: dict[str, float | None], error: float, age: float | None, sex: str | None
) -> None:
    measurements = make_measurements({**HEALTHY, **changes}, error=error)
    statements = {each.name: each for each in evaluate_criteria(measurements, age=age, sex=sex, include_weak=True)}
    met = {name for name, each in statements.items() if each.outcome is Outcome.MET}
    for names in (
        {"complete_rbbb", "incomplete_rbbb"},
        {"complete_lbbb", "incomplete_lbbb"},
        {"complete_rbbb", "complete_lbbb"},
        {"complete_rbbb", "nonspecific_conduction_delay"},
        {"complete_lbbb", "nonspecific_conduction_delay"},
        {"bradycardia", "tachycardia"},
        {"left_axis", "right_axis"},
        {"left_axis", "extreme_axis"},
        {"qtc_prolonged", "qtc_short"},
        {"pr_prolonged", "pacing_spikes"},
    ):
        assert not names <= met
    for each in statements.values():
        assert bool(each.reason) == (each.outcome is Outcome.CANNOT_BE_EVALUATED)
        assert each.outcome is Outcome.CANNOT_BE_EVALUATED or each.values


@given(sex=st.sampled_from(["female", "male"]), age=st.floats(18, 100), level=st.floats(-0.3, 0.5))
@settings(max_examples=40, deadline=None)
def test_what_holds_for_everyone_holds_for_each_person(sex: str, age: float, level: float) -> None:
    changes = {"st_j_mv[V2]": level, "st_j_mv[V3]": level, "qtc_fridericia_ms": 380 + 300 * level}
    for name in ("st_elevation", "qtc_prolonged"):
        everyone = outcome(name, changes, sex=None, age=None)
        if everyone is not Outcome.CANNOT_BE_EVALUATED:
            assert outcome(name, changes, sex=sex, age=age) is everyone

"""Statements as text for people."""

from chosen_measurements import HEALTHY, make_measurements

from ecglens.criteria import ComparedFigure, evaluate_criteria
from ecglens.criteria.presentation import describe_figure, find_label_conflict, list_statements, list_unknown
from ecglens.records import Measurements

FIBRILLATION = {**HEALTHY, "irregularity": 0.2, "p_share": 0.0}


def test_statements_that_are_met_come_before_borderline_ones() -> None:
    statements = evaluate_criteria(make_measurements({**HEALTHY, "qrs_estimate_ms": 112.0}, error=0.0))
    borderline = evaluate_criteria(make_measurements({**HEALTHY, "qrs_estimate_ms": 112.0}, error=5.0))
    assert [each.title for each in list_statements(statements)][:1] == ["Sinus rhythm"]
    outcomes = [each.is_met for each in list_statements(borderline)]
    assert outcomes == sorted(outcomes, reverse=True)


def test_a_figure_is_described_with_its_error_and_limit() -> None:
    axis = ComparedFigure("axis", None, -50.4, 4.0, "deg", "<", -30.0)
    assert describe_figure(axis) == "axis −50 ± 4°, below −30°"
    count = ComparedFigure("pacing spikes", None, 8.0, 0.0, "1", ">=", 3.0)
    assert describe_figure(count) == "pacing spikes 8, at least 3"


def test_a_normal_label_beside_fibrillation_is_reported() -> None:
    statements = evaluate_criteria(make_measurements(FIBRILLATION))
    (sentence,) = find_label_conflict("normal", statements)
    assert "Atrial fibrillation suspected" in sentence
    assert find_label_conflict("abnormal_heartbeat", statements) == ()
    assert find_label_conflict(None, statements) == ()
    assert find_label_conflict("normal", evaluate_criteria(make_measurements(HEALTHY))) == ()


def test_criteria_that_cannot_be_evaluated_are_listed() -> None:
    assert "QRS prolonged" in list_unknown(evaluate_criteria(Measurements()))
    assert list_statements(evaluate_criteria(Measurements())) == ()

import pytest

from ecglens.models.abstention import withdraw_contradicted
from ecglens.records import Prediction


def make_prediction(label: str | None) -> Prediction:
    return Prediction(label, {"normal": 0.9, "mi": 0.1}, "page", "1.0")


def make_beside(**holds: bool | None) -> Prediction:
    return Prediction("NORM", {"NORM": 0.9, "MI": 0.1}, "signals", "1.0", holds=holds)


@pytest.mark.parametrize(
    ("label", "holds", "says"),
    [
        ("normal", {"NORM": False, "MI": None}, "no Normal ECG"),
        ("normal", {"NORM": True, "MI": True}, "Myocardial infarction, new or old"),
        ("mi", {"NORM": None, "MI": False}, "no Myocardial infarction, new or old"),
        ("history_mi", {"NORM": True, "MI": False}, "no Myocardial infarction, new or old"),
    ],
)
def test_a_label_that_the_signals_exclude_is_withdrawn_with_both_answers(label, holds, says):
    prediction = withdraw_contradicted(make_prediction(label), make_beside(**holds))
    assert prediction.label is None
    assert prediction.abstention.kind == "uncertain"
    assert f"signals says {says}" in prediction.abstention.reason
    assert prediction.probabilities == {"normal": 0.9, "mi": 0.1}


@pytest.mark.parametrize(
    ("label", "holds"),
    [
        ("normal", {"NORM": None, "MI": None}),
        ("normal", {"NORM": True, "MI": False}),
        ("mi", {"NORM": True, "MI": None}),
        ("abnormal_heartbeat", {"NORM": True, "MI": True}),
        (None, {"NORM": False, "MI": True}),
    ],
)
def test_a_label_that_the_signals_allow_stays(label, holds):
    prediction = make_prediction(label)
    assert withdraw_contradicted(prediction, make_beside(**holds)) is prediction


def test_a_signal_model_without_sets_contradicts_nothing():
    prediction = make_prediction("normal")
    assert withdraw_contradicted(prediction, Prediction(None, None, "signals", "1.0")) is prediction

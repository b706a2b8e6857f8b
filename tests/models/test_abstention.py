import numpy as np
import pytest

from ecglens.layouts import STANDARD_LEADS
from ecglens.models.abstention import implausible_signals, withdraw_contradicted
from ecglens.records import EcgRecord, Prediction


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


def make_ecg(scale=1.0):
    """Return two leads of regular beats, 1 mV high times a scale."""
    time = np.arange(2500) / 250
    beats = sum(np.exp(-(((time - at) / 0.015) ** 2)) for at in np.arange(0.5, 10, 0.8))
    return EcgRecord(np.stack([beats, 0.7 * beats]).astype(np.float32) * np.float32(scale), 250.0, ("I", "II"))


@pytest.mark.parametrize(("scale", "span"), [(100.0, "85"), (0.01, "0.0085")])
def test_signals_of_another_unit_get_no_label(scale, span):
    abstention = implausible_signals(make_ecg(scale))
    assert abstention.reason == (
        f"The model reads ECGs in mV, whose leads span 0.25 to 6.5 mV, and these span {span} mV; check their unit."
    )


def test_noise_gets_no_label_and_beats_do():
    noise = np.random.default_rng(0).normal(0, 0.3, (12, 2500)).astype(np.float32)
    abstention = implausible_signals(EcgRecord(noise, 250.0, STANDARD_LEADS))
    assert abstention.reason == "No beats of one shape stand out from the signals, so the model has no answer."
    assert implausible_signals(make_ecg()) is None


def test_a_scale_that_is_not_known_is_no_reason():
    assert implausible_signals(make_ecg(0.1), is_scale_known=False) is None

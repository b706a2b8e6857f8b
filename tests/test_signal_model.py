"""The signal model that ships: its folder, its size and time, and its answers on pages of other recorders."""

import time
from pathlib import Path

import pytest

import ecglens
from ecglens.formats.csv import read_csv
from ecglens.labels import SUPERCLASSES
from ecglens.models.cards import ModelCard
from ecglens.models.registry import SHIPPED, SIGNAL_MODEL, find_model, list_models
from ecglens.reading import load_runtime, predict_record

DATA = Path(__file__).resolve().parent / "data"
RECORD = DATA / "ptbxl_00001.csv"


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return find_model(SIGNAL_MODEL)


def test_it_ships_beside_the_page_model_and_is_small(card):
    assert card.folder == SHIPPED / SIGNAL_MODEL
    assert (card.folder / "model.onnx").stat().st_size <= 4_000_000
    assert card.labels == tuple(SUPERCLASSES)
    assert len(card.label_temperatures) == len(card.set_limits) == len(SUPERCLASSES)


def test_its_card_says_what_it_is_not_and_which_command_made_it(card):
    text = (card.folder / "card.md").read_text(encoding="utf-8")
    assert "not a medical device" in text
    assert "`ecglens train-signals " in text
    assert card.trained_on in text


def test_it_is_listed_like_any_model():
    assert SIGNAL_MODEL in {card.name for card in list_models()}


def test_a_record_takes_60_ms_at_most():
    record, runtime = read_csv(RECORD), load_runtime(SIGNAL_MODEL)
    runtime.predict_record(record)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        runtime.predict_record(record)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.06


def test_a_normal_record_is_normal():
    prediction = predict_record(read_csv(RECORD))
    assert prediction.label == "NORM"
    assert set(prediction.holds) == set(SUPERCLASSES)


def test_a_page_of_another_recorder_gets_probabilities_and_auto_takes_them():
    page = DATA / "00009_hr.pdf"
    assert ecglens.read(page, model="compact_cnn").abstention.kind == "unfamiliar"
    alone, auto = (ecglens.read(page, model=model) for model in (SIGNAL_MODEL, "auto"))
    assert set(alone.probabilities) == set(SUPERCLASSES)
    assert auto.probabilities == alone.probabilities
    assert auto.model == SIGNAL_MODEL

"""A model as an object."""

from pathlib import Path

import numpy as np
import pytest

import ecglens
from ecglens.errors import EcgReadError, ModelError
from ecglens.formats.csv import read_csv

DATA = Path(__file__).resolve().parent / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_a_model_is_loaded_by_name_or_folder():
    model = ecglens.load_model("compact_cnn")
    assert repr(model).startswith("Model(compact_cnn 1")
    assert ecglens.Model.from_pretrained(model.folder).card.graph_sha256 == model.card.graph_sha256
    assert ecglens.load_model().labels == model.labels
    with pytest.raises(ModelError, match="neither"):
        ecglens.load_model("nothing")


def test_the_choice_between_two_models_is_no_model():
    with pytest.raises(ModelError, match="Expected one model, got 'auto'"):
        ecglens.load_model("auto")


def test_it_reads_pages_as_the_library_does():
    model = ecglens.load_model("compact_cnn")
    page = DATA / "MI_26.jpg"
    assert model.read(page) == ecglens.read(page, model="compact_cnn")
    assert model.examine(page, measure=True).measurements is not None
    with pytest.raises(EcgReadError, match="found nothing at that path"):
        model.read("missing.jpg")


def test_probabilities_are_rows_in_the_order_of_the_labels():
    model = ecglens.load_model("compact_cnn")
    blank = np.full((900, 1200, 3), 255, np.uint8)
    rows = model.predict_proba([DATA / "MI_26.jpg", blank])
    assert rows.shape == (2, 4)
    assert rows[0].sum() == pytest.approx(1)
    assert model.labels[int(rows[0].argmax())] == "mi"
    assert np.isnan(rows[1]).all()
    assert model.predict_proba([]).shape == (0, 4)
    with pytest.raises(TypeError, match="put it into a list"):
        model.predict_proba("MI_26.jpg")


def test_a_model_of_signals_reads_records():
    model = ecglens.load_model("any_recorder")
    assert model.read_record(RECORD).label == "NORM"
    assert model.predict_proba([RECORD])[0, model.labels.index("NORM")] > 0.5
    with pytest.raises(ModelError, match="reads pages"):
        ecglens.load_model("compact_cnn").predict_proba([RECORD])


def test_paths_of_digital_ecgs_are_read_too():
    model, path = ecglens.load_model("any_recorder"), DATA / "ptbxl_00001.csv"
    assert model.read(str(path)).probabilities == model.read(RECORD).probabilities
    np.testing.assert_array_equal(*model.predict_proba([path, RECORD]))
    with pytest.raises(ModelError, match="which reads pages"):
        ecglens.load_model("compact_cnn").read(path)

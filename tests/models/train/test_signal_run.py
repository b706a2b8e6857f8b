from itertools import pairwise

import numpy as np
import pytest
import torch

from ecglens.datasets.ptbxl import PtbxlRecord
from ecglens.errors import TrainingError
from ecglens.evaluation.several_labels import macro_auroc
from ecglens.layouts import STANDARD_LEADS
from ecglens.models.cards import load_card
from ecglens.models.inputs import make_beat_array
from ecglens.models.runtime import Runtime
from ecglens.models.train.cut_beats import BeatCutter
from ecglens.models.train.digitized import DigitizedPage, load_page, save_page
from ecglens.models.train.signal_model import FitSettings, fit_signal_model
from ecglens.models.train.signal_run import (
    FOLDS,
    RECIPE,
    answer_out_of_fold,
    export_signal_model,
    load_pages,
    train_folds,
)
from ecglens.models.train.signal_set import SIGNALS, SignalSet, assign_folds, make_signal_set
from ecglens.records import EcgRecord

NAMES = ("NORM", "MI", "STTC", "CD", "HYP")


def make_record(number: int, rng: np.random.Generator) -> PtbxlRecord:
    """Make a record of which each superclass shows in a lead of its own."""
    superclasses = frozenset(name for place, name in enumerate(NAMES) if number >> place & 1)
    seconds = np.arange(2500) / 250.0
    beats = np.exp(-0.5 * (((seconds - 0.3) % 0.8 - 0.4) / 0.03) ** 2)
    heights = np.where([name in superclasses for name in NAMES], -1.0, 1.0)
    signals = rng.normal(0, 0.02, (12, 2500)) + beats
    signals[6:11] *= heights[:, None]
    record = EcgRecord(signals.astype(np.float32), 250.0, STANDARD_LEADS)
    is_in_mv = number % 4 != 3
    return PtbxlRecord(number, record, is_in_mv, superclasses, group=f"patient {number // 2}")


@pytest.fixture(scope="module")
def data() -> SignalSet:
    rng = np.random.default_rng(0)
    return make_signal_set(make_record(number, rng) for number in range(160))


def test_a_record_that_comes_twice_is_taken_once():
    record = make_record(1, np.random.default_rng(0))
    assert len(make_signal_set([record, record])) == 1


def test_folds_keep_patients_together_and_records_without_amplitudes_only_train(data):
    folds = assign_folds(data)
    assert set(folds[data.is_in_mv].tolist()) == set(range(FOLDS))
    by_group = sorted(zip(data.groups.tolist(), folds.tolist(), strict=True))
    assert all(one[1] == other[1] for one, other in pairwise(by_group) if one[0] == other[0])
    alone = SignalSet(**{name: getattr(data, name) for name in data.__slots__} | {"groups": data.ecg_ids.astype(str)})
    assert (assign_folds(alone)[~data.is_in_mv] == -1).all()


def test_a_page_comes_back_as_it_was_stored(tmp_path):
    signals = np.array([[0.5, np.nan, -1.0]], np.float32)
    save_page(DigitizedPage(EcgRecord(signals, 250.0, ("I",), (0.0,), (0.9,)), "1x1"), tmp_path / "7.npz")
    save_page(DigitizedPage(None, "3x4"), tmp_path / "8.npz")
    page, refused = load_page(tmp_path / "7.npz"), load_page(tmp_path / "8.npz")
    np.testing.assert_array_equal(page.record.signals_mv, signals)
    assert (page.record.leads, page.record.start_s, page.record.quality) == (("I",), (0.0,), (0.9,))
    assert (refused.record, refused.layout) == (None, "3x4")
    arrays, layouts = load_pages(tmp_path, np.array([7, 8, 9]))
    assert layouts == ("1x1", "refused", None)
    assert not arrays[1:].any()


def test_a_run_is_trained_continued_and_exported(tmp_path, data):
    run, lines = tmp_path / "run", []
    records = [EcgRecord(signals, SIGNALS.fs_hz, SIGNALS.leads) for signals in data.signals]
    pages = np.stack([make_beat_array(record, RECIPE) for record in records])
    pages[0] = 0
    settings = FitSettings(epochs=6, batch=16, learning_rate=1e-2, averaging=0.9)
    train_folds(data, run, pages=pages, settings=settings, only=[0], report=lines.append)
    assert lines[0].startswith("fold 1 of 5, epoch 1 of 6: loss ")
    with pytest.raises(TrainingError, match="Expected 5 finished folds in .*, but fold 2 is missing"):
        answer_out_of_fold(data, run)
    before = (run / "fold-0.pt").stat().st_mtime_ns
    train_folds(data, run, pages=pages, settings=settings)
    assert (run / "fold-0.pt").stat().st_mtime_ns == before
    answers = answer_out_of_fold(data, run, pages=pages)
    assert sorted(answers.rows.tolist()) == np.flatnonzero(data.is_in_mv).tolist()
    assert np.isnan(answers.page).any(axis=1).sum() == 1
    assert macro_auroc(data.targets[answers.rows] > 0, answers.whole) > 0.9

    folder = tmp_path / "signals"
    export_signal_model(data, answers, run, folder, command="ecglens train-signals", version="1.0")
    assert "whole recordings of 10 s: macro AUROC" in (folder / "card.md").read_text(encoding="utf-8")
    card = load_card(folder)
    assert (card.labels, card.several) == (NAMES, True)
    assert len(card.label_temperatures) == len(card.set_limits) == 5
    runtime = Runtime(card)
    record = make_record(2, np.random.default_rng(9))
    prediction = runtime.predict_record(record.record)
    assert prediction.label == "MI"
    np.testing.assert_array_equal(prediction.inputs["signal"][0], make_beat_array(record.record, RECIPE))


def test_fewer_records_than_a_batch_are_one_step():
    rng = np.random.default_rng(0)
    few = make_signal_set(make_record(number, rng) for number in range(6))
    cutter = BeatCutter(few, RECIPE, rng=rng, variants=1)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(27 * 75, len(NAMES)))
    before = network[1].weight.detach().clone()
    fit_signal_model(network, few, cutter, np.arange(6), settings=FitSettings(epochs=2))
    assert not torch.equal(network[1].weight, before)

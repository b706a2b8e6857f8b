"""Training the two networks for a few steps: what they are trained on, and the graphs that are written."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from synthetic_ecgs import synthesize_ecg
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.errors import TrainingError
from ecglens.vision.lead_names import NAMES, OTHER, WINDOW
from ecglens.vision.training import train
from ecglens.vision.training.pages import CLASSES, draw_training_page
from ecglens.vision.training.pool import SamplePool
from ecglens.vision.training.words import draw_word

ROOT = Path(__file__).resolve().parents[2]
TRACE, GRID = CLASSES.index("trace"), CLASSES.index("grid")


def run(*words):
    return CliRunner().invoke(app, ["vision", *map(str, words)])


def answer_of(graph, name, planes):
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {name: planes})
    return logits


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_mask_of_the_traces_lies_on_the_ink_of_a_training_page(seed):
    page = draw_training_page([synthesize_ecg()], np.random.default_rng(seed))
    assert page.masks.shape == (*page.pixels.shape[:2], len(CLASSES))
    gray = page.pixels.mean(axis=2)
    covered = page.masks[..., TRACE] > 200
    assert covered.sum() > 500
    away = np.roll(covered, 12, axis=0) & ~covered
    assert gray[covered].mean() < gray[away].mean() - 20


def test_training_pages_depend_on_their_seed_alone():
    record = synthesize_ecg()
    first, again, other = (draw_training_page([record], np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.masks, again.masks)
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(first.pixels, other.pixels)


def test_words_are_names_and_other_print():
    rng = np.random.default_rng(1)
    words = [draw_word(rng, train.find_fonts()) for _ in range(300)]
    names = {name for _, name in words}
    assert names == {*range(len(NAMES)), OTHER}
    assert {window.shape for window, _ in words} == {WINDOW}
    assert np.median([window.max() for window, _ in words]) == 255


def test_new_samples_replace_the_oldest_ones():
    pool = SamplePool(iter(range(10)), size=3)
    pool.add(3)
    assert pool.samples == [0, 1, 2]
    pool.add(4)
    assert sorted(pool.samples) == [4, 5, 6]


def test_the_learning_rate_rises_and_then_falls():
    plan = train.TrainingPlan(1000, rate=1e-3)
    rates = [plan.learning_rate(step) for step in (1, 50, 500, 1000)]
    assert rates[0] < rates[2] < rates[1]
    assert rates[3] < 0.01 * rates[1]


@pytest.mark.nightly
def test_a_short_training_of_pixel_classes_writes_a_graph_for_any_page(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_PAGE_POOL_SIZE", 8)
    monkeypatch.setattr(train, "_HELD_PAGES", 1)
    graph = tmp_path / "classes.onnx"
    result = run("pixel-classes", ROOT / "tests" / "data" / "accuracy" / "ptbxl", "--out", graph, "--steps", 10)
    assert result.exit_code == 0, result.output
    assert re.search(r"On held-out pages: trace [\d.]+, print [\d.]+, grid [\d.]+, pulse [\d.]+", result.output)
    for height, width in ((64, 96), (160, 128)):
        planes = np.zeros((1, 3, height, width), np.float32)
        assert answer_of(graph, "pixels", planes).shape == (1, len(CLASSES), height, width)


@pytest.mark.nightly
def test_a_short_training_of_lead_names_learns_and_writes_a_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_HELD_WORDS", 400)
    plan = train.TrainingPlan(60, rate=2e-3, every=20)
    losses = []
    graph = tmp_path / "names.onnx"
    scores = train.train_lead_names(graph, plan, lambda step, figures: losses.append(figures["loss"]))
    assert losses[2] < losses[0] < np.log(OTHER + 1) + 0.5
    assert set(scores) == {"names", "other print"}
    assert answer_of(graph, "windows", np.zeros((3, 1, *WINDOW), np.float32)).shape == (3, OTHER + 1)


def test_a_folder_without_records_is_refused_in_one_sentence(tmp_path):
    answer = run("pixel-classes", tmp_path, "--out", tmp_path / "a.onnx")
    assert isinstance(answer.exception, TrainingError)
    assert str(answer.exception) == f"Expected a folder with WFDB records, found none in '{tmp_path}'."

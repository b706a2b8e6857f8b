"""A run from the first fold to the model folder, on a handful of pages and a small canvas."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import ecg_page, write_graph

import ecglens
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import ModelError, TrainingError
from ecglens.leads import find_layout
from ecglens.models import export as exporting
from ecglens.models.cards import load_card
from ecglens.models.export import evaluate_run, export
from ecglens.models.inputs import TraceCanvas, make_input
from ecglens.models.runtime import Runtime
from ecglens.models.train import run as running
from ecglens.models.train.fit import logits_of
from ecglens.models.train.recipe import Optimization, Recipe
from ecglens.models.train.run import cross_validate, fit_all, load_out_of_fold, load_run, start_run
from ecglens.pages import read_page

LABELS = ("mi", "normal")
RECIPE = Recipe(
    model="compact_cnn",
    title="Tiny",
    labels=LABELS,
    input=TraceCanvas(width=96, height=64),
    optimization=Optimization(epochs=2, batch_size=4, bfloat16=False),
)
ORDERED = {"version": "0.1", "trained_on": "Eight made-up pages.", "licence": "Apache-2.0", "seeds": [0]}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    folder = tmp_path_factory.mktemp("pages")
    rows = []
    for number in range(8):
        label = LABELS[number % 2]
        path = folder / f"{label}{number}.png"
        Image.fromarray(ecg_page(number, st_mv=0.3 * (label == "mi")).pixels).save(path)
        rows.append(Recording(path, label, path.stem, path.stem))
    rows.append(Recording(rows[0].path, "mi", rows[0].recording, rows[0].group))  # a copy
    return Recordings(tuple(rows))


@pytest.fixture(scope="module")
def finished(recordings: Recordings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    start_run(recordings, RECIPE, out)
    cross_validate(recordings, RECIPE, out, seeds=[0], folds=2)
    fit_all(recordings, RECIPE, out, seed=0)
    return out


@pytest.fixture(scope="module")
def evaluation(recordings: Recordings, finished: Path) -> dict:
    return evaluate_run(recordings, finished, seeds=[0], command="ecglens export tiny", draws=20)


@pytest.fixture(scope="module")
def exported(recordings: Recordings, finished: Path, evaluation: dict, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    export(recordings, finished, folder, evaluation=evaluation, notes=("Made-up pages.",), **ORDERED)
    return folder


@pytest.fixture
def copy_of_run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def no_training(*arguments, **options):
    raise AssertionError("trained again")


def test_every_recording_is_answered_once_by_a_model_that_has_not_seen_it(recordings, finished):
    rows, logits, folds = load_out_of_fold(recordings, finished, seed=0)
    assert rows.tolist() == list(range(8))
    assert logits.shape == (8, 2)
    assert np.bincount(folds).tolist() == [4, 4]


def test_what_is_finished_is_not_trained_again(recordings, copy_of_run, monkeypatch):
    monkeypatch.setattr(running, "fit", no_training)
    monkeypatch.setattr(running, "read_page", no_training)
    start_run(recordings, RECIPE, copy_of_run)
    cross_validate(recordings, RECIPE, copy_of_run, seeds=[0], folds=2)
    fit_all(recordings, RECIPE, copy_of_run, seed=0)


def test_a_run_that_was_stopped_trains_only_what_is_missing_and_comes_to_the_same_answers(recordings, copy_of_run):
    _, before, _ = load_out_of_fold(recordings, copy_of_run, seed=0)
    kept = (copy_of_run / "seed0" / "fold0.npz").stat().st_mtime_ns
    (copy_of_run / "seed0" / "fold1.npz").unlink()
    lines = []
    cross_validate(recordings, RECIPE, copy_of_run, seeds=[0], folds=2, progress=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("seed 0, fold 2 of 2: ")
    assert (copy_of_run / "seed0" / "fold0.npz").stat().st_mtime_ns == kept
    np.testing.assert_array_equal(load_out_of_fold(recordings, copy_of_run, seed=0)[1], before)


def test_another_recipe_or_table_is_refused_in_the_folder_of_a_run(recordings, copy_of_run):
    with pytest.raises(TrainingError, match="holds a run with another recipe; choose another folder"):
        start_run(recordings, RECIPE.model_copy(update={"title": "Other"}), copy_of_run)
    with pytest.raises(TrainingError, match="holds a run with another recordings; choose another folder"):
        start_run(recordings.subset(range(7)), RECIPE, copy_of_run)
    with pytest.raises(TrainingError, match="was made from other recordings"):
        load_run(recordings.subset(range(7)), copy_of_run)
    with pytest.raises(TrainingError, match="Expected a run folder of ecglens train, but '.*nothing' cannot be read"):
        load_run(recordings, copy_of_run / "nothing")


def test_an_unfinished_run_is_not_scored(recordings, copy_of_run):
    with pytest.raises(TrainingError, match="has no finished folds of seed 1"):
        evaluate_run(recordings, copy_of_run, seeds=[1], command="")
    (copy_of_run / "seed0" / "fold1.npz").unlink()
    with pytest.raises(TrainingError, match="answer 4 times, 4 of 8 recordings; finish the run"):
        evaluate_run(recordings, copy_of_run, seeds=[0], command="")


def test_folds_of_two_splits_are_not_scored_together(recordings, copy_of_run):
    cross_validate(recordings, RECIPE, copy_of_run, seeds=[0], folds=3)
    with pytest.raises(TrainingError, match="of 8 recordings; finish the run with the number of folds"):
        evaluate_run(recordings, copy_of_run, seeds=[0], command="")


def test_a_page_without_leads_or_a_label_unknown_to_the_recipe_stops_a_run(recordings, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (900, 700), "white").save(blank)
    rows = tuple(Recording(blank, label, f"{label}{n}", f"{label}{n}") for label in LABELS for n in range(2))
    with pytest.raises(TrainingError, match=r"The leads of 'blank.png' were not found, .*grid"):
        fit_all(Recordings(rows), RECIPE, tmp_path, seed=0)
    other = tuple(Recording(row.path, "other", row.recording, row.group) for row in recordings.rows[:2])
    with pytest.raises(TrainingError, match="The recordings have the label other, which the recipe does not name"):
        fit_all(Recordings(other), RECIPE, tmp_path, seed=0)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_evaluation_names_its_command_data_and_every_seed(evaluation):
    assert evaluation["protocol"] == "honest"
    assert evaluation["command"] == "ecglens export tiny"
    assert evaluation["data"] == {"files": 9, "recordings": 8, "groups": 8, "labels": {"mi": 4, "normal": 4}}
    scored = evaluation["seeds"]["seed 0"]
    assert scored["accuracy"] == evaluation["summary"]["accuracy"]["mean"]
    assert set(scored["intervals"]) == set(evaluation["summary"])
    assert scored["confusion"] == json.loads(json.dumps(evaluation))["seeds"]["seed 0"]["confusion"]


def test_an_exported_folder_reads_a_page(exported, recordings):
    answer = ecglens.read(recordings[0].path, model=exported)
    assert answer.model == "tiny"
    assert answer.warnings[-1] == "Made-up pages."
    assert set(answer.probabilities) == set(LABELS)
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_an_exported_folder_is_complete(exported, evaluation):
    assert sorted(path.name for path in exported.iterdir()) == [
        "card.md",
        "evaluation.json",
        "model.json",
        "model.onnx",
    ]
    card = load_card(exported)
    assert (card.labels, card.parameters, card.version) == (LABELS, 208_036, "0.1")
    written = json.loads((exported / "evaluation.json").read_text())
    calibration = written.pop("calibration")
    assert written == json.loads(json.dumps(evaluation))
    assert (calibration["temperature"], calibration["abstain_below"]) == (card.temperature, card.abstain_below)
    assert 0 < calibration["answered"] <= 1
    text = (exported / "card.md").read_text()
    assert f"| accuracy | {evaluation['summary']['accuracy']['mean']:.3f} |" in text
    assert "not a medical device" in text
    assert sorted(path.name for path in exported.parent.iterdir()) == ["tiny"]


def test_torch_and_onnx_answer_alike(exported, finished, recordings):
    runtime = Runtime(load_card(exported))
    model = exporting._trained(RECIPE, finished)
    pages = [read_page(row.path) for row in recordings]
    arrays = np.concatenate([make_input(page, find_layout(page), runtime.recipe)["page"] for page in pages])
    answers = runtime.logits({"page": arrays})
    np.testing.assert_allclose(answers, logits_of(model, torch.from_numpy(arrays)), atol=1e-4)
    np.testing.assert_allclose(runtime.logits({"page": arrays[:1]}), answers[:1], atol=1e-5)


def wrong_graph(model, shapes, path):
    write_graph(path, (5.0, 0.0), shape=shapes["page"])


def test_a_graph_that_answers_otherwise_is_not_exported(recordings, finished, evaluation, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "write_graph", wrong_graph)
    with pytest.raises(ModelError, match="graph differs from the trained model by .*; at most 0.0001 is allowed"):
        export(recordings, finished, tmp_path / "tiny", evaluation=evaluation, **ORDERED)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_older_model_as_it_was(
    recordings, finished, evaluation, exported, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(exported, tmp_path / "tiny"))
    monkeypatch.setattr(exporting, "write_graph", wrong_graph)
    with pytest.raises(ModelError, match="differs from the trained model"):
        export(recordings, finished, folder, evaluation=evaluation, **ORDERED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in exported.iterdir()
    }


def test_a_run_without_its_final_model_is_not_exported(recordings, copy_of_run, evaluation, tmp_path):
    (copy_of_run / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="has no model.safetensors; finish the run with --fit"):
        export(recordings, copy_of_run, tmp_path / "tiny", evaluation=evaluation, **ORDERED)
    assert not (tmp_path / "tiny").exists()


def test_a_graph_tells_nothing_of_the_machine_that_made_it(exported):
    graph = (exported / "model.onnx").read_bytes()
    assert b".py" not in graph
    assert str(Path.home()).encode() not in graph

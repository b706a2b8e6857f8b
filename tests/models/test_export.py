"""A run from the first fold to the model folder, on a handful of pages and a small canvas."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import write_graph
from tiny_runs import LABELS, RECIPE, finish_run, write_recordings

import ecglens
from ecglens.datasets.recordings import Recordings
from ecglens.errors import ModelError, TrainingError
from ecglens.leads import find_layout
from ecglens.models import export as exporting
from ecglens.models.cards import load_card
from ecglens.models.export import evaluate_run, export
from ecglens.models.inputs import LeadCrops, make_input
from ecglens.models.runtime import Runtime
from ecglens.models.train.folder import Plan, start_run
from ecglens.models.train.run import load_final
from ecglens.pages import read_page

ORDERED = {"version": "0.1", "trained_on": "Eight made-up pages.", "license": "Apache-2.0", "seeds": [0]}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return write_recordings(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def finished_run(recordings: Recordings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish_run(recordings, RECIPE, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def evaluation(recordings: Recordings, finished_run: Path) -> dict:
    return evaluate_run(recordings, finished_run, seeds=[0], command="ecglens export tiny", draws=20)


@pytest.fixture(scope="module")
def exported_model(recordings: Recordings, finished_run: Path, evaluation: dict, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    export(recordings, finished_run, folder, evaluation=evaluation, notes=("Made-up pages.",), **ORDERED)
    return folder


@pytest.fixture
def copy_of_run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def test_the_evaluation_names_its_command_data_and_every_seed(evaluation):
    assert evaluation["protocol"] == "honest"
    assert evaluation["command"] == "ecglens export tiny"
    assert evaluation["data"] == {"files": 9, "recordings": 8, "groups": 8, "labels": {"mi": 4, "normal": 4}}
    scored = evaluation["seeds"]["seed 0"]
    assert scored["accuracy"] == evaluation["summary"]["accuracy"]["mean"]
    assert set(scored["intervals"]) > set(evaluation["summary"])
    assert scored["confusion"] == json.loads(json.dumps(evaluation))["seeds"]["seed 0"]["confusion"]


def test_an_exported_folder_reads_a_page(exported_model, recordings):
    answer = ecglens.read(recordings[0].path, model=exported_model)
    assert answer.model == "tiny"
    assert answer.warnings[-1] == "Made-up pages."
    assert set(answer.probabilities) == set(LABELS)
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_an_exported_folder_is_complete(exported_model, evaluation):
    assert sorted(path.name for path in exported_model.iterdir()) == [
        "card.md",
        "data.md",
        "evaluation.json",
        "model.json",
        "model.onnx",
        "training_pages.npz",
    ]
    card = load_card(exported_model)
    assert (card.labels, card.parameters, card.version) == (LABELS, 208_036, "0.1")
    written = json.loads((exported_model / "evaluation.json").read_text())
    calibration = written.pop("calibration")
    assert written == json.loads(json.dumps(evaluation))
    assert (calibration["temperature"], calibration["abstain_below"]) == (card.temperature, card.abstain_below)
    assert 0 < calibration["answered"] <= 1
    text = (exported_model / "card.md").read_text()
    assert f"| accuracy | {evaluation['summary']['accuracy']['mean']:.3f} |" in text
    assert "not a medical device" in text
    assert sorted(path.name for path in exported_model.parent.iterdir()) == ["tiny"]


def test_torch_and_onnx_answer_alike(exported_model, finished_run, recordings):
    runtime = Runtime(load_card(exported_model))
    model = load_final(RECIPE, finished_run)
    pages = [read_page(row.path) for row in recordings]
    arrays = np.concatenate([make_input(page, find_layout(page), runtime.recipe)["page"] for page in pages])
    answers = runtime.logits({"page": arrays})
    with torch.inference_mode():
        np.testing.assert_allclose(answers, model(torch.from_numpy(arrays)).numpy(), atol=1e-4)
    np.testing.assert_allclose(runtime.logits({"page": arrays[:1]}), answers[:1], atol=1e-5)


def wrong_graph(model, shapes, path):
    write_graph(path, (5.0, 0.0), shape=shapes["page"])


def test_a_graph_that_answers_otherwise_is_not_exported(recordings, finished_run, evaluation, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "write_graph", wrong_graph)
    with pytest.raises(ModelError, match="graph differs from the trained model by .*; at most 0.0001 is allowed"):
        export(recordings, finished_run, tmp_path / "tiny", evaluation=evaluation, **ORDERED)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_older_model_as_it_was(
    recordings, finished_run, evaluation, exported_model, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(exported_model, tmp_path / "tiny"))
    monkeypatch.setattr(exporting, "write_graph", wrong_graph)
    with pytest.raises(ModelError, match="differs from the trained model"):
        export(recordings, finished_run, folder, evaluation=evaluation, **ORDERED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in exported_model.iterdir()
    }


def test_a_run_without_its_final_model_is_not_exported(recordings, copy_of_run, evaluation, tmp_path):
    (copy_of_run / "final" / "last.safetensors").unlink()
    with pytest.raises(
        TrainingError, match="has no model that was fitted on all recordings; finish the run with --fit"
    ):
        export(recordings, copy_of_run, tmp_path / "tiny", evaluation=evaluation, **ORDERED)
    assert not (tmp_path / "tiny").exists()


def test_a_graph_has_no_trace_of_the_machine_that_made_it(exported_model):
    graph = (exported_model / "model.onnx").read_bytes()
    assert b".py" not in graph
    assert str(Path.home()).encode() not in graph


@pytest.mark.parametrize("aggregate", ["mean_log", "majority"])
def test_a_model_of_leads_is_scored_and_exported_by_its_pages(recordings, tmp_path, aggregate):
    crops = LeadCrops(width=64, height=64, channels=1, steps=("gray",), leads=("I", "II", "V1"), aggregate=aggregate)
    run = finish_run(recordings, RECIPE.model_copy(update={"input": crops}), tmp_path / "run")
    evaluation = evaluate_run(recordings, run, seeds=[0], command="", draws=5)
    assert np.sum(evaluation["seeds"]["seed 0"]["confusion"]) == 8
    export(recordings, run, tmp_path / "leads", evaluation=evaluation, **ORDERED)
    answer = ecglens.read(recordings[0].path, model=tmp_path / "leads")
    assert set(answer.lead_probabilities) == {"I", "II", "V1"}
    if aggregate == "majority":
        assert load_card(tmp_path / "leads").temperature == 1.0
        assert all(share * 3 == pytest.approx(round(share * 3)) for share in answer.probabilities.values())


def test_a_run_under_another_protocol_is_not_exported(recordings, tmp_path):
    start_run(recordings, RECIPE, tmp_path, Plan("as-published"))
    with pytest.raises(TrainingError, match="Expected a run under the protocol honest, .* under as-published"):
        evaluate_run(recordings, tmp_path, seeds=[0], command="")

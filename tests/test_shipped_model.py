"""The model that ships: its folder, its labels' order against real pages, its bars."""

import json
import runpy
from pathlib import Path

import pytest

import ecglens
from ecglens.labels import LABELS
from ecglens.models.cards import ModelCard
from ecglens.models.registry import SHIPPED, find_model

DATA = Path(__file__).resolve().parent / "data"
ORIGINALS = Path(__file__).resolve().parents[2] / "shared" / "data" / "mendeley" / "originals"
TRUTH = {"Normal_1.jpg": "normal", "HB_1.jpg": "abnormal_heartbeat", "MI_26.jpg": "mi", "PMI_18.jpg": "history_mi"}
BY_PREFIX = {"Normal": "normal", "HB": "abnormal_heartbeat", "MI": "mi", "PMI": "history_mi"}


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return find_model("compact_cnn")


@pytest.fixture(scope="module")
def evaluation(card: ModelCard) -> dict:
    return json.loads((card.folder / "evaluation.json").read_text(encoding="utf-8"))


def test_the_shipped_model_is_the_package_s_own_and_answers_by_default(card):
    assert card.folder == SHIPPED / "compact_cnn"
    assert ecglens.read(DATA / "MI_26.jpg").model == card.name == "compact_cnn"


def test_its_labels_are_the_vocabulary(card, evaluation):
    assert sorted(card.labels) == sorted(LABELS)
    assert tuple(evaluation["labels"]) == card.labels


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_page_is_answered_with_its_own_label_or_not_at_all(name):
    prediction = ecglens.read(DATA / name)
    assert prediction.label in {TRUTH[name], None}
    assert prediction.label or prediction.abstention.kind == "uncertain"
    assert max(prediction.probabilities, key=prediction.probabilities.get) == TRUTH[name]


def test_graph_and_weights_are_small(card):
    assert (card.folder / "model.onnx").stat().st_size <= 2_000_000
    assert card.parameters == 211_496
    assert card.parameters <= 423_000


def test_the_folder_is_complete_and_says_what_it_is_not(card):
    names = {path.name for path in card.folder.iterdir()}
    whole = {"card.md", "data.md", "evaluation.json", "model.json", "model.onnx", "training_pages.npz"}
    assert names - {"explanations.json", "as_published.json"} == whole
    text = (card.folder / "card.md").read_text(encoding="utf-8")
    assert "not a medical device" in text
    assert card.license in text
    assert card.trained_on in text
    assert 0 < card.abstain_below < 1
    assert 0.05 < card.temperature < 20


def test_the_card_has_the_figures_of_the_evaluation(card, evaluation):
    text = (card.folder / "card.md").read_text(encoding="utf-8")
    assert evaluation["protocol"] == "honest"
    assert f"`{evaluation['command']}`" in text
    assert len(evaluation["seeds"]) >= 3
    for name, value in evaluation["summary"].items():
        row = f"| {name.replace('_', ' ')} | {value['mean']:.3f} | {value['least']:.3f} to {value['most']:.3f} |"
        assert row in text
        seeds = [scored[name] for scored in evaluation["seeds"].values()]
        assert value["mean"] == pytest.approx(sum(seeds) / len(seeds))
        assert (value["least"], value["most"]) == (min(seeds), max(seeds))


def test_the_measured_figures_reach_their_bars(evaluation):
    mean = {name: value["mean"] for name, value in evaluation["summary"].items()}
    assert mean["accuracy"] >= 0.93
    assert mean["macro_f1"] >= 0.89
    assert mean["macro_auroc"] >= 0.98
    assert mean["expected_calibration_error"] <= 0.05
    assert mean["right_at_coverage"] >= 0.98
    assert {scored["coverage"] for scored in evaluation["seeds"].values()} == {0.72}


@pytest.mark.shared
def test_no_original_is_refused_and_at_most_two_are_answered_wrongly():
    if not ORIGINALS.is_dir():
        pytest.skip("the public pages are not beside the repository")
    answers = {path.name: ecglens.read(path) for path in sorted(ORIGINALS.glob("*.jpg"))}
    assert len(answers) == 48
    refused = [name for name, answer in answers.items() if answer.abstention and answer.abstention.kind == "no_layout"]
    assert refused == []
    wrong = [name for name, answer in answers.items() if answer.label not in {None, BY_PREFIX[name.partition("_")[0]]}]
    assert len(wrong) <= 2


def test_its_cards_say_what_its_evaluation_says(card, evaluation):
    texts = pytest.importorskip("ecglens.models.card_text")
    written = (card.folder / "card.md").read_text(encoding="utf-8")
    assert written.startswith(texts.model_card(card, evaluation))
    assert (card.folder / "data.md").read_text(encoding="utf-8") == texts.data_card(card, evaluation)
    head = pytest.importorskip("huggingface_hub").ModelCard(written).data
    accuracy = next(result for result in head.eval_results if result.metric_type == "accuracy")
    assert accuracy.metric_value == round(evaluation["summary"]["accuracy"]["mean"], 4)
    assert head.license == "cc-by-4.0"


def flat(value, name=""):
    """Return everything in a JSON value by its path."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: leaf for key, part in parts for path, leaf in flat(part, f"{name}/{key}").items()}
    return {name: value}


def test_the_figures_as_published_are_those_of_the_answers_in_docs(card):
    written = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "make_as_published.py"))["as_published"]()
    stored = json.loads((card.folder / "as_published.json").read_text(encoding="utf-8"))

    ours, theirs = flat(json.loads(written)), flat(stored)
    assert list(ours) == list(theirs)
    numbers = [path for path, value in theirs.items() if isinstance(value, float)]
    assert [ours[path] for path in ours if path not in numbers] == [
        theirs[path] for path in ours if path not in numbers
    ]
    assert [ours[path] for path in numbers] == pytest.approx([theirs[path] for path in numbers], rel=1e-9, nan_ok=True)
    assert stored["protocol"] == "as-published"

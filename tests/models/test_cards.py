import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tiny_models import write_graph, write_model

from ecglens.errors import ModelError
from ecglens.models.cards import GRAPH_FILE, load_card, save_card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny", warnings=("Look at the page yourself.",), temperature=1.7, abstain_below=0.6)
    return tmp_path / "tiny"


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_card_comes_back_as_it_was_written(folder):
    card = load_card(folder)
    assert card.labels == ("normal", "mi")
    assert card.warnings == ("Look at the page yourself.",)
    assert (card.temperature, card.abstain_below) == (1.7, 0.6)
    before = (folder / "model.json").read_bytes()
    save_card(card, folder)
    assert (folder / "model.json").read_bytes() == before
    assert load_card(folder) == card
    assert "folder" not in json.loads(before)


def test_a_folder_that_moved_is_the_same_model(folder, tmp_path):
    card = load_card(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert load_card(moved) == replace(card, folder=moved)


@pytest.mark.parametrize("name", ["model.json", "model.onnx"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"with model.json and model.onnx, but {name} cannot be read in '.*tiny'"):
        load_card(folder)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="but model.json cannot be read in"):
        load_card(tmp_path / "nothing")


def test_a_graph_that_the_card_does_not_describe_is_refused(folder):
    write_graph(folder / GRAPH_FILE, (1.0, 0.0))
    with pytest.raises(ModelError, match="model.onnx in '.*' is not the graph that its card describes; export"):
        load_card(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is damaged or no JSON; export the model again"),
        (b"", "it is damaged or no JSON"),
        (b"[1, 2]", "expected a table of fields, got \\[1, 2\\]"),
        (b"null", "expected a table of fields, got nothing"),
        (b"\xff\xfe\xfa\x00", "it is damaged or no JSON"),
        (b"{}", "name, version, title, .*, graph_sha256 are missing"),
        (b'{"name": "\xff"}', "it is damaged or no JSON"),
    ],
)
def test_a_card_that_is_no_card_is_refused(folder, content, reason):
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=f"The card model.json in '.*' cannot be used: .*({reason})"):
        load_card(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ["mi", "mi"]}, "labels must differ from each other"),
        ({"labels": ["mi"]}, "labels: expected a list of at least 2, each a text that is not blank, got"),
        ({"labels": ["mi", ""]}, 'each a text that is not blank, got \\["mi", ""\\]'),
        ({"labels": ["mi", " \t"]}, "each a text that is not blank"),
        (
            {"label_temperatures": [1.0, 1.0]},
            "label_temperatures must be empty, or one for each label of a model of several",
        ),
        (
            {"several": True, "set_limits": [{"yes_from": 0.1, "no_to": 0.2}]},
            "set_limits must be empty, or one for each",
        ),
        ({"color": "red"}, "there is no 'color', expected one of name, version"),
        ({"label": ["mi"]}, "there is no 'label', did you mean 'labels'\\?"),
        ({"temperature": 0}, "temperature: expected a number of at least 0.01 and at most 100, got 0"),
        ({"temperature": 1e-300}, "temperature: expected a number of at least 0.01 and at most 100, got 1e-300"),
        ({"temperature": float("inf")}, "it is damaged or no JSON"),
        ({"temperature": float("nan")}, "it is damaged or no JSON"),
        ({"abstain_below": 1.1}, "abstain_below: expected a number of at least 0 and at most 1, got 1.1"),
        ({"abstain_below": float("nan")}, "it is damaged or no JSON"),
        ({"name": "../other"}, "name: expected letters, digits, .*, a letter or digit first, got '../other'"),
        ({"graph_sha256": None}, "graph_sha256: expected text, got nothing"),
        ({"input": "gray"}, "input: expected a table, got 'gray'"),
        ({"parameters": -5}, "parameters: expected a whole number of at least 0, got -5"),
        ({"title": ""}, "title: expected a text that is not blank, got ''"),
        ({"license": "  "}, "license: expected a text that is not blank, got '  '"),
        ({"trained_on": ""}, "trained_on: expected a text that is not blank, got ''"),
        ({"version": ""}, "version: expected a text that is not blank, got ''"),
        (
            {"feature_maps": [{"features": "relu"}]},
            r"feature_maps\[0\].weights, feature_maps\[0\].step, .* are missing",
        ),
    ],
)
def test_a_value_that_cannot_be_is_named(folder, changes, reason):
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=f"The card model.json in '.*' cannot be used: .*({reason})"):
        load_card(folder)


def test_a_list_of_models_is_short(folder):
    card = load_card(folder)
    assert repr([card]) == f"[ModelCard({card.name} {card.version}: {', '.join(card.labels)})]"


def test_a_card_of_the_first_edition_spells_license_in_british(folder):
    document = json.loads((folder / "model.json").read_text())
    document["licence"] = document.pop("license")  # codespell:ignore licence
    (folder / "model.json").write_text(json.dumps(document))
    assert load_card(folder).license == "Apache-2.0"

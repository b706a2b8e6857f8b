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
        (b"{", "Input data was truncated"),
        (b"", "Input data was truncated"),
        (b"[1, 2]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"\xff\xfe\xfa\x00", "invalid character"),
        (b"{}", "missing required field `name`"),
        (b'{"name": "\xff"}', "utf-8"),
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
        ({"labels": ["mi"]}, "length >= 2 - at `\\$.labels`"),
        ({"color": "red"}, "unknown field `color`"),
        ({"temperature": 0}, "Expected `float` > 0.0 - at `\\$.temperature`"),
        ({"temperature": float("inf")}, "JSON is malformed: invalid character"),
        ({"temperature": float("nan")}, "JSON is malformed: invalid character"),
        ({"abstain_below": 1.1}, "Expected `float` <= 1.0 - at `\\$.abstain_below`"),
        ({"abstain_below": float("nan")}, "JSON is malformed: invalid character"),
        ({"name": "../other"}, "Expected `str` matching regex .* - at `\\$.name`"),
        ({"graph_sha256": None}, "Expected `str`, got `null` - at `\\$.graph_sha256`"),
        ({"input": "gray"}, "Expected `object`, got `str` - at `\\$.input`"),
    ],
)
def test_a_value_that_cannot_be_is_named(folder, changes, reason):
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=f"The card model.json in '.*' cannot be used: .*({reason})"):
        load_card(folder)


def test_a_card_of_the_first_edition_spells_license_in_british(folder):
    document = json.loads((folder / "model.json").read_text())
    document["licence"] = document.pop("license")  # codespell:ignore licence
    (folder / "model.json").write_text(json.dumps(document))
    assert load_card(folder).license == "Apache-2.0"

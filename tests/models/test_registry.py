from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import write_model

from ecglens.errors import ModelError
from ecglens.models import registry
from ecglens.models.registry import explain_unusable, find_model, list_models
from ecglens.settings import load_settings


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A folder of shipped models and one of the user's, both empty."""
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("ECGLENS_MODELS_DIR", str(tmp_path / "mine"))
    monkeypatch.delenv("ECGLENS_MODEL", raising=False)
    load_settings.cache_clear()
    yield tmp_path
    load_settings.cache_clear()


def test_a_shipped_model_is_found_by_name(roots):
    card = write_model(roots / "shipped" / "tiny")
    assert find_model("tiny") == card


def test_a_model_of_the_models_folder_is_found_by_name(roots):
    write_model(roots / "shipped" / "tiny")
    mine = write_model(roots / "mine" / "own")
    assert find_model("own") == mine
    assert [card.name for card in list_models()] == ["tiny", "own"]


def test_any_folder_is_found_by_its_path(roots):
    card = write_model(roots / "anywhere" / "tiny")
    assert find_model(roots / "anywhere" / "tiny") == card
    assert find_model(str(roots / "anywhere" / "tiny")) == card


def test_a_shipped_model_comes_before_a_user_s_of_its_name(roots):
    write_model(roots / "mine" / "tiny", version="2.0")
    write_model(roots / "shipped" / "tiny", version="1.0")
    assert find_model("tiny").version == "1.0"
    assert [card.version for card in list_models()] == ["1.0"]


def test_the_settings_name_the_model_where_the_caller_does_not(roots, monkeypatch):
    write_model(roots / "mine" / "own")
    monkeypatch.setenv("ECGLENS_MODEL", "own")
    load_settings.cache_clear()
    assert find_model().name == "own"


def test_an_unknown_name_is_answered_with_the_names_that_there_are(roots):
    with pytest.raises(ModelError, match="'nothing' is neither; installed models: none"):
        find_model("nothing")
    write_model(roots / "shipped" / "tiny")
    write_model(roots / "mine" / "own")
    with pytest.raises(ModelError, match="name or folder, but 'nothing' is neither; installed models: tiny, own"):
        find_model("nothing")


def test_a_broken_folder_is_not_listed_but_an_error_by_name(roots):
    write_model(roots / "shipped" / "tiny")
    (roots / "shipped" / "tiny" / "model.onnx").write_bytes(b"changed")
    write_model(roots / "mine" / "own")
    assert [card.name for card in list_models()] == ["own"]
    (roots / "mine" / "cut").mkdir()
    (roots / "mine" / "cut" / "model.onnx").touch()
    assert ["is not the graph" in reason or "model.json cannot be read" in reason for reason in explain_unusable()] == [
        True,
        True,
    ]
    with pytest.raises(ModelError, match="is not the graph that its card describes"):
        find_model("tiny")

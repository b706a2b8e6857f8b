"""Every recipe of the repository trains."""

from pathlib import Path

import pytest
from tiny_runs import LABELS, LineListener, run_context, write_recordings

from ecglens.models.train.folder import start_run
from ecglens.models.train.recipe import Recipe, change_recipe, load_recipe
from ecglens.models.train.run import fit_all

RECIPES = sorted((Path(__file__).resolve().parents[3] / "recipes").glob("*.toml"))
WORKS = {
    "efficientnet_b0",
    "efficientnet_b0_lstm",
    "mobilenet_v1",
    "mobilenet_v1_lstm",
    "densenet121",
    "cnn_224",
    "compact_cnn_384",
    "resnet50",
    "mobilenet_v2",
    "vgg16",
    "cnn_lead",
    "crnn_lead",
    "crnn_lead_repeated",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def recordings(data: Path):
    return write_recordings(data, pages=12)


def small(path: Path) -> Recipe:
    """Return the recipe with one epoch, two labels and small images."""
    recipe = load_recipe(path)
    changes = {"labels": list(LABELS), "optimization.epochs": 1, "optimization.batch_size": 6, "phases": []}
    if recipe.input.kind in {"page_image", "lead_crops"}:
        changes |= {"input.width": 64, "input.height": 64}
    return change_recipe(recipe, changes)


def test_there_is_a_recipe_for_every_model_of_the_works():
    assert {path.stem for path in RECIPES} >= WORKS


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains_an_epoch(path, recordings, data, tmp_path):
    recipe, heard = small(path), LineListener()
    start_run(recordings, recipe, tmp_path / "run")
    fit_all(recordings, recipe, tmp_path / "run", seed=0, context=run_context(data / "run", heard))
    assert heard.epochs == [1]
    assert (tmp_path / "run" / "final" / "last.safetensors").stat().st_size > 100_000

from pathlib import Path

import pytest

from ecglens.errors import TrainingError
from ecglens.models.train.recipe import load_recipe
from ecglens.models.zoo import ZOO

RECIPES = sorted((Path(__file__).resolve().parents[3] / "recipes").glob("*.toml"))
GOOD = 'model = "compact_cnn"\ntitle = "Tiny"\nlabels = ["normal", "mi"]\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "tiny.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_can_be_used(path):
    assert load_recipe(path).model in ZOO


def test_a_recipe_says_what_it_says_and_has_defaults_for_the_rest(tmp_path):
    recipe = load_recipe(write(tmp_path, GOOD + "[optimization]\nepochs = 3\n[input]\nwidth = 64\n"))
    assert recipe.labels == ("normal", "mi")
    assert (recipe.optimization.epochs, recipe.optimization.batch_size) == (3, 16)
    assert recipe.input.shapes["page"] == (1, 304, 64)
    assert recipe.augmentation.noise == 0


def test_all_faults_are_told_at_once(tmp_path):
    text = 'model = "compact_cnn"\nlabels = ["mi"]\n[input]\nwidth = 1\n[optimization]\nepochs = 0\nspeed = 2\n'
    with pytest.raises(TrainingError, match="The recipe 'tiny.toml' cannot be used") as caught:
        load_recipe(write(tmp_path, text + "[augmentation]\nshear = 7\n"))
    message = str(caught.value)
    for name in ("title:", "labels:", "input.width:", "optimization.epochs:", "optimization.speed:"):
        assert name in message
    assert "augmentation.shear:" in message


@pytest.mark.parametrize("text", ["model = ", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, text):
    with pytest.raises(TrainingError, match="The recipe 'tiny.toml' is not TOML: "):
        load_recipe(write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="Expected a recipe file, but '.*none.toml' cannot be read"):
        load_recipe(tmp_path / "none.toml")

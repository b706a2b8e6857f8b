from pathlib import Path

import pytest

from ecglens.errors import TrainingError
from ecglens.models.inputs import LeadCrops
from ecglens.models.train.recipe import Phase, load_recipe

GOOD = 'model = "compact_cnn"\ntitle = "Tiny"\nlabels = ["normal", "mi"]\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "tiny.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_recipe_says_what_it_says_and_has_defaults_for_the_rest(tmp_path):
    recipe = load_recipe(
        write(tmp_path, GOOD + "[optimization]\nepochs = 3\n[input]\nkind = 'trace_canvas'\nwidth = 64\n")
    )
    assert recipe.labels == ("normal", "mi")
    assert (recipe.optimization.epochs, recipe.optimization.batch_size) == (3, 16)
    assert recipe.input.shapes["page"] == (1, 304, 64)
    assert recipe.augmentation.noise == 0


def test_all_faults_are_reported_at_once(tmp_path):
    text = 'model = "compact_cnn"\nlabels = ["mi"]\n[input]\nkind = "trace_canvas"\nwidth = 1\n'
    text += "[optimization]\nepochs = 0\nspeed = 2\n"
    with pytest.raises(TrainingError, match="The recipe 'tiny.toml' cannot be used") as caught:
        load_recipe(write(tmp_path, text + "[augmentation]\nshear = 7\n"))
    message = str(caught.value)
    for name in (
        "title: it is missing",
        "labels:",
        "input: width: expected a whole number of at least 32",
        "optimization.epochs:",
        "optimization.speed:",
    ):
        assert name in message
    assert "augmentation.shear:" in message


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (
            '["mi", "normal", "mi"]',
            "labels: expected labels that differ from each other, got 'mi' twice; leave one out",
        ),
        ('["mi", " "]', "labels: expected labels that are not blank, got one that is"),
    ],
)
def test_labels_that_do_not_differ_or_are_blank_are_faults_of_the_recipe(tmp_path, labels, reason):
    with pytest.raises(TrainingError, match=f"The recipe 'tiny.toml' cannot be used: {reason}"):
        load_recipe(write(tmp_path, GOOD), changes=[f"labels={labels}"])


@pytest.mark.parametrize("text", ["model = ", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, text):
    with pytest.raises(TrainingError, match="The recipe 'tiny.toml' cannot be read as TOML: "):
        load_recipe(write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="Expected a recipe file, but '.*none.toml' cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_values_can_be_changed_from_the_command_line(tmp_path):
    path = write(tmp_path, GOOD)
    changes = [
        "optimization.epochs=7",
        "title=A title",
        'input.kind="lead_crops"',
        "input.width=150",
        "options.dropout=0.1",
    ]
    recipe = load_recipe(path, changes=changes)
    assert (recipe.optimization.epochs, recipe.title, recipe.options) == (7, "A title", {"dropout": 0.1})
    assert isinstance(recipe.input, LeadCrops)
    with pytest.raises(TrainingError, match="optimization.epochs: expected a number of at least 1, got 0"):
        load_recipe(path, changes=["optimization.epochs=0"])
    with pytest.raises(TrainingError, match="Expected a change as KEY=VALUE, such as optimization.epochs=5, got 'x'"):
        load_recipe(path, changes=["x"])
    with pytest.raises(TrainingError, match="Expected sections before 'x' in 'title.x', but 'title' is a value"):
        load_recipe(path, changes=["title.x=1"])


def test_a_course_is_its_phases_or_one(tmp_path):
    assert load_recipe(write(tmp_path, GOOD + "[optimization]\nepochs = 3\n")).course == (Phase(epochs=3),)
    two = GOOD + "[[phases]]\nepochs = 1\ntrunk = 0\n[[phases]]\nepochs = 2\nlearning_rate = 1e-4\n"
    assert [phase.epochs for phase in load_recipe(write(tmp_path, two)).course] == [1, 2]


def test_choosing_needs_pages_to_choose_by_and_damage_a_known_kind(tmp_path):
    with pytest.raises(TrainingError, match="selection: .* need a fraction above 0"):
        load_recipe(write(tmp_path, GOOD + "[selection]\npatience = 3\n"))
    with pytest.raises(TrainingError, match="damage.kinds: .*expected kinds out of rotation, .* got burns"):
        load_recipe(write(tmp_path, GOOD + '[damage]\nkinds = ["burns"]\n'))


def test_a_key_that_does_not_exist_is_reported_with_the_most_similar_one(tmp_path):
    text = (
        GOOD + '[input]\nkind = "page_image"\nwidht = 3\n[optimization]\nspeed = 3\n[[phases]]\ntrunc = 1\nepochs = 1\n'
    )
    with pytest.raises(TrainingError) as caught:
        load_recipe(write(tmp_path, text))
    assert "input: there is no field 'widht'; the most similar one is width" in str(caught.value)
    assert "phases.0.trunc: there is no such key; did you mean trunk?" in str(caught.value)
    assert "optimization.speed: expected one of optimizer, schedule, epochs" in str(caught.value)

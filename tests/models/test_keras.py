"""Keras files of today and of Keras 2 become model folders that answer as Keras itself does."""

import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from tiny_models import ecg_page

from ecglens.errors import ModelError
from ecglens.leads import find_layout
from ecglens.models.cards import load_card
from ecglens.models.inputs import make_input, scale_input
from ecglens.models.keras import _keras, import_keras
from ecglens.models.runtime import Runtime

DATA = Path(__file__).resolve().parents[1] / "data"
LABELS = ("normal", "mi", "history_mi", "abnormal_heartbeat")
PLAIN = {"kind": "page_image"}
DESCRIPTION = {"title": "From elsewhere", "license": "CC0"}


# Keras' own arrays do not know the argument that NumPy 2 gives them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def keras():
    return _keras()


def classifier(keras, *, last="softmax", outputs=4, size=(32, 40, 3)):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(size),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(outputs, activation=last, kernel_initializer=keras.initializers.RandomNormal(stddev=3.0)),
        ]
    )


def save_model(model, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls its own HDF5 form legacy
        model.save(path)
    return path


def pixels(rows=3, shape=(3, 32, 40)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (rows, *shape)).astype(np.uint8)


def answers(folder: Path, stored: np.ndarray) -> np.ndarray:
    runtime = Runtime(load_card(folder))
    return softmax(runtime.logits(scale_input({"page": stored}, runtime.recipe)), axis=1)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_folder_answers_as_keras_does(keras, tmp_path, suffix):
    model = classifier(keras)
    file = save_model(model, tmp_path / f"own{suffix}")
    recipe = {**PLAIN, "mean": 0.5, "std": (0.5, 0.25, 0.2)}
    card = import_keras(file, tmp_path / "own", labels=LABELS, recipe=recipe, notes=("One hospital.",), **DESCRIPTION)
    inputs = (pixels().transpose(0, 2, 3, 1) / 255 - 0.5) / np.array([0.5, 0.25, 0.2])
    np.testing.assert_allclose(answers(tmp_path / "own", pixels()), model.predict(inputs, verbose=0), atol=1e-5)
    assert card == load_card(tmp_path / "own")
    assert (card.name, card.labels, card.parameters) == ("own", LABELS, model.count_params())
    assert card.warnings[0] == "One hospital."
    assert "did not evaluate or calibrate" in card.warnings[1]
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["card.md", "model.json", "model.onnx"]
    assert "Imported from the Keras file own" in (tmp_path / "own" / "card.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", file.name]


def test_a_file_of_keras_2_answers_as_it_did_there(keras, tmp_path):
    """The file nests a model and holds arguments of layers that Keras 3 refuses; see make_keras2.py."""
    expected = json.loads((DATA / "keras2.json").read_text(encoding="utf-8"))
    recipe = {**PLAIN, "std": 1 / 255}
    import_keras(DATA / "keras2.h5", tmp_path / "old", labels=LABELS, recipe=recipe, **DESCRIPTION)
    sampled = np.random.default_rng(expected["seed"]).integers(0, 256, (3, 32, 40, 3)).astype(np.uint8)
    np.testing.assert_allclose(answers(tmp_path / "old", sampled.transpose(0, 3, 1, 2)), expected["answers"], atol=1e-5)


def test_a_page_is_read_by_an_imported_model(keras, tmp_path):
    import_keras(
        save_model(classifier(keras), tmp_path / "own.keras"),
        tmp_path / "own",
        labels=LABELS,
        recipe=PLAIN,
        **DESCRIPTION,
    )
    page = ecg_page()
    prediction = Runtime(load_card(tmp_path / "own")).predict(page, find_layout(page))
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.lead_probabilities is None


def test_a_model_of_lead_crops_answers_for_each_lead(keras, tmp_path):
    file = save_model(classifier(keras), tmp_path / "own.keras")
    recipe = {"kind": "lead_crops", "steps": ["gray", "gaussian", "otsu"], "aggregate": "majority"}
    import_keras(file, tmp_path / "own", labels=LABELS, recipe=recipe, **DESCRIPTION)
    page = ecg_page()
    prediction = Runtime(load_card(tmp_path / "own")).predict(page, find_layout(page))
    assert len(prediction.lead_probabilities) == 13


@pytest.mark.parametrize("last", ["linear", "softmax"])
def test_logits_and_probabilities_are_distinguished(keras, tmp_path, last):
    model = classifier(keras, last=last)
    import_keras(
        save_model(model, tmp_path / "own.keras"), tmp_path / "own", labels=LABELS, recipe=PLAIN, **DESCRIPTION
    )
    own = model.predict(pixels().transpose(0, 2, 3, 1) / 255, verbose=0)
    expected = softmax(own, axis=1) if last == "linear" else own
    np.testing.assert_allclose(answers(tmp_path / "own", pixels()), expected, atol=1e-5)


def test_one_sigmoid_is_the_second_of_two_labels(keras, tmp_path):
    model = classifier(keras, last="sigmoid", outputs=1)
    import_keras(
        save_model(model, tmp_path / "own.keras"),
        tmp_path / "own",
        labels=("normal", "mi"),
        recipe=PLAIN,
        **DESCRIPTION,
    )
    own = model.predict(pixels().transpose(0, 2, 3, 1) / 255, verbose=0)
    np.testing.assert_allclose(answers(tmp_path / "own", pixels()), np.hstack([1 - own, own]), atol=1e-5)


def test_blue_comes_first_where_the_model_wants_it(keras, tmp_path):
    model = classifier(keras)
    file = save_model(model, tmp_path / "own.keras")
    recipe = {**PLAIN, "mean": (0.1, 0.2, 0.3)}
    import_keras(file, tmp_path / "own", labels=LABELS, recipe=recipe, flip_colors=True, **DESCRIPTION)
    inputs = (pixels().transpose(0, 2, 3, 1) / 255 - (0.1, 0.2, 0.3))[..., ::-1]
    np.testing.assert_allclose(answers(tmp_path / "own", pixels()), model.predict(inputs, verbose=0), atol=1e-5)


def test_a_gray_model_of_open_size_takes_the_recipe_s(keras, tmp_path):
    model = classifier(keras, size=(None, None, 1))
    recipe = {**PLAIN, "width": 48, "height": 36, "steps": ["gray"]}
    card = import_keras(
        save_model(model, tmp_path / "own.keras"), tmp_path / "own", labels=LABELS, recipe=recipe, **DESCRIPTION
    )
    assert Runtime(card).recipe.shapes == {"page": (1, 36, 48)}
    page = ecg_page()
    assert make_input(page, find_layout(page), Runtime(card).recipe)["page"].shape == (1, 1, 36, 48)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_refused_and_not_run(keras, tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 40, 3)),
            layers.Lambda(lambda x: (open("ran", "w").close(), 2 * x)[1], output_shape=(32, 40, 3), name="own_code"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    file = save_model(model, tmp_path / f"code{suffix}")
    (tmp_path / "ran").unlink(missing_ok=True)
    with pytest.raises(ModelError, match=rf"'code{suffix}' contains its own code \(Lambda 'own_code'\), .* not run"):
        import_keras(file, tmp_path / "own", labels=LABELS, recipe=PLAIN, **DESCRIPTION)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("module", ["os", "keras.src.utils.file_utils", "builtins_of_mine", "keras_of_mine.layers"])
def test_classes_from_elsewhere_are_refused(keras, tmp_path, module):
    file = save_model(classifier(keras), tmp_path / "own.keras")
    changed = tmp_path / "changed.keras"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "config.json":
                config = json.loads(text)
                config["config"]["layers"][1].update(module=module, class_name="system")
                text = json.dumps(config)
            new.writestr(name, text)
    with pytest.raises(ModelError, match=r"'changed.keras' contains its own code \(system '"):
        import_keras(changed, tmp_path / "own", labels=LABELS, recipe=PLAIN, **DESCRIPTION)


@pytest.mark.parametrize(
    ("labels", "recipe", "reason"),
    [
        (LABELS[:3], PLAIN, "one label for each of the model's 4 outputs, got 3 labels"),
        (
            LABELS,
            {**PLAIN, "width": 64},
            "reads width 40, height 32, channels 3, but the input recipe produces width 64",
        ),
        (LABELS, {"kind": "trace_canvas"}, "input recipe cannot be used: there is no field 'channels'"),
        (
            LABELS,
            {**PLAIN, "steps": ["blur"]},
            "input recipe cannot be used: steps: expected a list, each one of gray, .*, got",
        ),
        (("a", "a", "b", "c"), PLAIN, "Expected labels that differ, got a, a, b, c"),
    ],
)
def test_what_does_not_fit_the_model_is_reported_and_nothing_written(keras, tmp_path, labels, recipe, reason):
    file = save_model(classifier(keras), tmp_path / "own.keras")
    with pytest.raises(ModelError, match=reason):
        import_keras(file, tmp_path / "own", labels=labels, recipe=recipe, **DESCRIPTION)
    assert [path.name for path in tmp_path.iterdir()] == ["own.keras"]


def test_files_that_are_no_classifier_are_reported_in_one_sentence(keras, tmp_path):
    layers = keras.layers
    (tmp_path / "noise.h5").write_bytes(b"noise")
    (tmp_path / "noise.keras").write_bytes(b"noise")
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("nothing.txt", "")
    classifier(keras).save_weights(tmp_path / "own.weights.h5")
    save_model(keras.Sequential([keras.Input((250, 12)), layers.Flatten(), layers.Dense(4)]), tmp_path / "signal.keras")
    save_model(keras.Sequential([keras.Input((32, 40, 3)), layers.Conv2D(4, 3)]), tmp_path / "map.keras")
    for name, reason in {
        "noise.h5": "Expected a model that Keras saved, but 'noise.h5' cannot be read as one",
        "noise.keras": "Expected a model that Keras saved, but 'noise.keras' cannot be read as one",
        "noise.onnx": r"Expected a Keras file \(.keras, .h5, .hdf5\), got 'noise.onnx'",
        "empty.keras": "Expected a model that Keras saved, but 'empty.keras' cannot be read as one",
        "none.h5": "Expected a model that Keras saved, but 'none.h5' cannot be read as one",
        "own.weights.h5": "'own.weights.h5' contains weights without their model; save the whole model",
        "signal.keras": "Expected a model of one image of 1 or 3 channels, but 'signal.keras' reads",
        "map.keras": r"Expected a classifier with one output per label, but the outputs have shape \(4, 30, 38, 4\)",
    }.items():
        with pytest.raises(ModelError, match=reason):
            import_keras(tmp_path / name, tmp_path / "own", labels=LABELS, recipe=PLAIN, **DESCRIPTION)
    assert not (tmp_path / "own").exists()


def test_a_model_that_keras_cannot_build_is_reported_with_its_reason(keras, tmp_path):
    file = save_model(classifier(keras), tmp_path / "own.keras")
    broken = tmp_path / "broken.keras"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"filters": 4', b'"filters": -4'))
    with pytest.raises(
        ModelError, match="Expected a model that Keras 3.* can load, but 'broken.keras' cannot be loaded: .*filters"
    ):
        import_keras(broken, tmp_path / "own", labels=LABELS, recipe=PLAIN, **DESCRIPTION)

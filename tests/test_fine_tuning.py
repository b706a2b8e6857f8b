"""Fine-tuning on pages of one's own."""

import shutil
from pathlib import Path

import pytest
import torch

import ecglens
from ecglens.errors import ModelError, TrainingError
from ecglens.fine_tuning import make_recipe
from ecglens.models.train.run import build_model

DATA = Path(__file__).resolve().parent / "data"


@pytest.fixture
def own_pages(tmp_path):
    """Copies of sample pages that differ by a pixel, with labels of a site's own."""
    from PIL import Image

    for label, name in (("sinus", "Normal_1.jpg"), ("other", "HB_1.jpg")):
        (tmp_path / "own" / label).mkdir(parents=True)
        page = Image.open(DATA / name)
        for number in range(4):
            page.putpixel((number, 0), (200, 0, 0))
            page.save(tmp_path / "own" / label / f"{label}{number}.png")
    return tmp_path / "own"


@pytest.mark.slow
def test_the_last_layers_learn_other_labels_and_the_others_stay(own_pages, tmp_path):
    model = ecglens.fine_tune("compact_cnn", own_pages, tmp_path / "out", epochs=3, folds=2, device="cpu")
    assert set(model.labels) == {"sinus", "other"}
    assert model.folder == tmp_path / "out" / "model"
    assert model.card.name == ecglens.load_model(tmp_path / "out").card.name == "out"
    card = (model.folder / "card.md").read_text()
    assert "Fine-tuned from compact_cnn" in card
    assert "8 of the files had trained compact_cnn too, so all figures are too good" in card
    assert model.predict_proba([DATA / "Normal_1.jpg"]).shape == (1, 2)
    shipped = ecglens.create_model("compact_cnn", pretrained=True).state_dict()
    from safetensors.torch import load_file

    tuned = load_file(tmp_path / "out" / "run" / "final" / "last.safetensors")
    frozen = "place.features.0.weight"
    assert torch.allclose(tuned[frozen], shipped[frozen])


def test_a_recipe_starts_from_the_shipped_weights():
    recipe = make_recipe("compact_cnn", ("a", "b"))
    model = build_model(recipe, seed=0).state_dict()
    shipped = ecglens.create_model("compact_cnn", pretrained=True).state_dict()
    assert torch.equal(model["presence.features.0.weight"], shipped["presence.features.0.weight"])
    assert model["place.classify.1.weight"].shape[0] == 2


def test_what_cannot_be_fine_tuned_is_said(own_pages, tmp_path):
    with pytest.raises(ModelError, match="Expected a model with the network compact_cnn, got 'any_recorder'"):
        ecglens.fine_tune("any_recorder", own_pages, tmp_path / "out")
    with pytest.raises(TrainingError, match="Expected the run that trained the model"):
        ecglens.fine_tune("compact_cnn", own_pages, tmp_path / "out", all_layers=True)
    with pytest.raises(TrainingError, match="at least 1 epoch and 2 folds, got 0 and 5"):
        ecglens.fine_tune("compact_cnn", own_pages, tmp_path / "out", epochs=0)
    shutil.rmtree(own_pages / "other")
    with pytest.raises(TrainingError, match="at least two labels, got 1"):
        ecglens.fine_tune("compact_cnn", own_pages, tmp_path / "out")

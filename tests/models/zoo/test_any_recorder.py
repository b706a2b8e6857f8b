import numpy as np
import onnxruntime
import pytest
import torch

from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import LeadBeats
from ecglens.models.zoo.any_recorder import MeanOfNetworks, any_recorder

SHAPE = LeadBeats().shapes["signal"]
SMALL = (8, 12)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return any_recorder(channels=SMALL).eval()


@pytest.fixture
def signal() -> torch.Tensor:
    array = torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (3, *SHAPE)).astype(np.float32))
    array[:, 12:24] = 1
    return array


def test_a_record_of_unknown_scale_gives_the_same_answer_at_any_scale(network, signal):
    signal[:, 12:24] = 0.5
    larger = signal.clone()
    larger[:, :12] *= 3
    torch.testing.assert_close(network(signal), network(larger), atol=1e-4, rtol=1e-4)
    larger[:, 12:24] = 1
    assert (network(larger) - network(signal)).abs().max() > 1e-3


def test_an_empty_record_gives_numbers(network):
    assert network(torch.zeros(1, *SHAPE)).isfinite().all()


def test_every_weight_has_a_gradient():
    network = any_recorder(channels=SMALL)
    network(torch.randn(4, *SHAPE)).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_five_networks_fit_into_4_mb():
    assert 5 * 4 * sum(weight.numel() for weight in any_recorder().parameters()) < 4_000_000


def test_the_mean_of_networks_is_one_graph_with_equal_answers(tmp_path, signal):
    networks = [any_recorder(channels=SMALL).eval() for _ in range(2)]
    mean = MeanOfNetworks(networks).eval()
    torch.testing.assert_close(mean(signal), (networks[0](signal) + networks[1](signal)) / 2)
    write_graph(mean, {"signal": SHAPE}, tmp_path / "model.onnx")
    check_graph(mean, tmp_path / "model.onnx", {"signal": signal.numpy()})
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert session.run(["logits"], {"signal": signal.numpy()[:1]})[0].shape == (1, 5)

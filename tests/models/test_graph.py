import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from ecglens.errors import ModelError
from ecglens.models.graph import check_graph, measure_difference, write_graph

SHAPES = {"page": (1, 6, 4), "signal": (2, 5)}


class Both(nn.Module):
    """Tells its inputs apart."""

    def __init__(self) -> None:
        super().__init__()
        self.page, self.signal = nn.Linear(24, 3), nn.Linear(10, 3)

    def forward(self, page: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
        return self.page(page.flatten(1)) - self.signal(signal.flatten(1))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Both().eval()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    write_graph(model, SHAPES, path)
    return path


def arrays(rows):
    rng = np.random.default_rng(rows)
    return {name: rng.normal(size=(rows, *shape)).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_graph_answers_as_its_module_for_any_number_of_rows(model, path, rows):
    check_graph(model, path, arrays(rows))
    assert measure_difference(model, path, arrays(rows)) < 1e-5


def test_a_graph_has_the_names_of_its_ends(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert {end.name: end.shape for end in session.get_inputs()} == {
        "page": ["rows", 1, 6, 4],
        "signal": ["rows", 2, 5],
    }
    assert [end.name for end in session.get_outputs()] == ["logits"]


def test_a_graph_of_other_weights_is_not_accepted_as_the_module_s(path):
    torch.manual_seed(1)
    with pytest.raises(ModelError, match="graph differs from the trained model by .*; at most 0.0001 is allowed"):
        check_graph(Both().eval(), path, arrays(3))


def test_an_answer_that_is_no_number_is_a_difference(model, path):
    broken = {**arrays(1), "page": np.full((1, 1, 6, 4), np.nan, np.float32)}
    with pytest.raises(ModelError, match="differs from the trained model by nan"):
        check_graph(model, path, broken)


def test_a_graph_has_no_trace_of_the_machine_that_made_it(path):
    content = path.read_bytes()
    assert b".py" not in content
    assert b"/" + b"home" not in content

"""Export a torch module as an ONNX graph and check that both give the same outputs (extra ``train``)."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from ecglens.errors import ModelError

__all__ = ["check_graph", "measure_difference", "write_graph"]

_AGREEMENT = 1e-4
_OUTPUT = "logits"


def write_graph(model: torch.nn.Module, shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Write a module in evaluation mode as an ONNX graph for any number of rows.

    Args:
        model: Module that takes one array for each input, in the order of ``shapes``, and returns logits
            ``(rows, labels)``.
        shapes: Shape of one row of each input, by the input's name.
        path: File to write.
    """
    examples = tuple(torch.zeros(2, *shape) for shape in shapes.values())
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            examples,
            str(path),
            input_names=list(shapes),
            output_names=[_OUTPUT],
            dynamic_shapes=tuple({0: rows} for _ in examples),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(path)
    _remove_metadata(graph.graph)
    onnx.save(graph, path)


def measure_difference(model: torch.nn.Module, path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> float:
    """Measure the largest difference between the logits of a module and of its graph.

    Args:
        model: Module in evaluation mode.
        path: Graph that :func:`write_graph` wrote.
        arrays: By the graph's input, ``(rows, ...)`` float32.

    Returns:
        The largest absolute difference, relative to the module's logit where that is above 1.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (graph,) = session.run([_OUTPUT], dict(arrays))
    with torch.inference_mode():
        own = model(*(torch.from_numpy(array) for array in arrays.values())).numpy()
    return float((np.abs(own - graph) / np.maximum(1.0, np.abs(own))).max())


def check_graph(model: torch.nn.Module, path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that a module and its graph give the same logits.

    Args:
        model: Module in evaluation mode.
        path: Graph that :func:`write_graph` wrote.
        arrays: By the graph's input, ``(rows, ...)`` float32.

    Raises:
        ModelError: Their logits differ by more than 1e-4.
    """
    difference = measure_difference(model, path, arrays)
    if not difference <= _AGREEMENT:
        raise ModelError(
            f"The exported graph differs from the trained model by {difference:.1e}; at most {_AGREEMENT} is allowed."
        )


def _remove_metadata(graph: Any) -> None:
    """Remove the exporter's metadata: its stack traces contain folder names of the machine that exported the graph."""
    graph.doc_string = ""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.metadata_props[:]

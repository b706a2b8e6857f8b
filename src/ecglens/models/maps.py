"""Add the last feature maps to a graph's outputs, so that class maps need no training framework (extra ``train``).

Many networks are linear after their last feature map: the map is averaged over cells (or over its full area, as in
Zhou et al., DOI 10.1109/CVPR.2016.319), its maximum may be read too, and one linear layer follows. The map and the
weights of that layer then determine the logits. The head is located in the graph by going back from the logits, and
the result is compared with the graph's logits on random inputs. Maps can therefore be added to a graph of any origin,
and its weights do not change by a single bit.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
from msgspec.structs import replace
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ecglens.errors import ModelError
from ecglens.models.cards import GRAPH_FILE, FeatureMap, ModelCard, load_card, save_card, sha256_of
from ecglens.models.runtime import compute_class_map

__all__ = ["add_feature_maps", "write_with_maps"]

_LOGITS = "logits"
_POOLING = {
    *("AveragePool", "Concat", "Dropout", "Flatten", "Gather", "GatherND", "GlobalAveragePool", "GlobalMaxPool"),
    *("Identity", "ReduceMax", "ReduceMean", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
}
"""Operations allowed between a feature map and its linear layer; the comparison of logits detects all others."""
_WINDOWED = {"AveragePool", "Conv", "MaxPool"}
_AGREEMENT = 1e-3
_ROWS = 2


@dataclass(frozen=True, slots=True)
class _Head:
    """Linear layer and its factor in the logits; ``is_transposed`` if its weights are ``(inputs, labels)``."""

    data: str
    weights: str
    is_transposed: bool
    inputs: int
    factor: float


def add_feature_maps(folder: Path) -> ModelCard:
    """Add the feature maps to a model folder's graph, and to its card together with the graph's new hash.

    Args:
        folder: Model folder; weights, labels, calibration and version do not change.

    Returns:
        The new card.

    Raises:
        ModelError: The folder cannot be used, or its model does not end in pooling and one linear layer.
    """
    card = load_card(folder)
    with TemporaryDirectory(dir=folder, prefix=".maps-") as name:
        path = Path(name) / GRAPH_FILE
        shapes = {end.name: tuple(_shape(end)[1:]) for end in onnx.load(folder / GRAPH_FILE).graph.input}
        maps = write_with_maps(folder / GRAPH_FILE, shapes, path)
        if not maps:
            raise ModelError(
                f"Model '{card.name}' does not end in pooling of a feature map and one linear layer, so it "
                "has no class map; explain it by occlusion, or by Grad-CAM from its run."
            )
        changed = replace(card, feature_maps=maps, graph_sha256=sha256_of(path))
        os.replace(path, folder / GRAPH_FILE)
    save_card(changed, folder)
    return changed


def write_with_maps(path: Path, shapes: Mapping[str, tuple[int, ...]], out: Path) -> tuple[FeatureMap, ...]:
    """Write a graph that also outputs its last feature maps, if it ends in pooling and one linear layer.

    Args:
        path: Graph with the output ``logits``.
        shapes: Shape of one row of each input, by the input's name.
        out: File to write; nothing is written if no map was found.

    Returns:
        One feature map for each branch of the network; empty if none was found.
    """
    model = onnx.load(path)
    graph = _Graph(model, shapes)
    heads = list(graph.heads(_LOGITS, 1.0))
    maps: list[FeatureMap] = []
    for number, head in enumerate(heads):
        feature_map = graph.feature_map(head, number)
        if feature_map is None:
            return ()
        maps.append(feature_map)
    if not maps or "page" not in shapes:
        return ()
    with_outputs = graph.add_outputs(maps, heads)
    if not _logits_match(with_outputs, maps, shapes):
        return ()
    onnx.save(with_outputs, out)
    return tuple(maps)


class _Graph:
    """Graph that can be searched from its outputs to its inputs."""

    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.model = model
        self.maker = {output: node for node in model.graph.node for output in node.output}
        self.constants = {part.name: part for part in model.graph.initializer}
        self.tensors = _tensors(model, shapes)

    def heads(self, name: str, factor: float) -> Iterator[_Head]:
        """Yield the linear layers whose sum, each times its factor, is a tensor up to a constant."""
        node = self.maker.get(name)
        if node is None:
            return
        if node.op_type in {"Add", "Sum"}:
            for part in node.input:
                yield from self.heads(part, factor)
        elif node.op_type in {"Div", "Mul"} and self._number(node.input[1]) is not None:
            number = self._number(node.input[1]) or 1.0
            yield from self.heads(node.input[0], factor / number if node.op_type == "Div" else factor * number)
        elif node.op_type == "Identity":
            yield from self.heads(node.input[0], factor)
        elif node.op_type in {"Gemm", "MatMul"} and node.input[1] in self.constants:
            attributes = {part.name: helper.get_attribute_value(part) for part in node.attribute}
            dims, is_transposed = self.constants[node.input[1]].dims, not attributes.get("transB")
            inputs = dims[0] if is_transposed else dims[1]
            yield _Head(node.input[0], node.input[1], is_transposed, inputs, factor * attributes.get("alpha", 1.0))

    def feature_map(self, head: _Head, number: int) -> FeatureMap | None:
        """Describe the feature map that a linear layer reads: its pooling and the position of its units."""
        for name in self._list_sources(head.data):
            if name not in self.tensors or self.tensors[name].ndim != 4:
                continue
            _, channels, height, width = self.tensors[name].shape
            pooled = _infer_pooling(head.inputs, channels, height, width)
            position = self._locate_units(name)
            if pooled is not None and position is not None:
                cells, maximum = pooled
                return FeatureMap(
                    features=name,
                    weights=f"{name}.weights.{number}",
                    cells=cells,
                    maximum=maximum,
                    factor=head.factor,
                    step=(position[0], position[2]),
                    start=(position[1], position[3]),
                )
        return None

    def add_outputs(self, maps: list[FeatureMap], heads: list[_Head]) -> Any:
        """Return the graph with maps and weights as further outputs."""
        with_outputs = onnx.ModelProto()
        with_outputs.CopyFrom(self.model)
        outputs = {end.name for end in with_outputs.graph.output}
        for feature_map, head in zip(maps, heads, strict=True):
            with_outputs.graph.node.append(
                helper.make_node(
                    "Transpose" if head.is_transposed else "Identity", [head.weights], [feature_map.weights]
                )
            )
            dims = list(self.constants[head.weights].dims)
            ends = (
                (feature_map.features, ["rows", *self.tensors[feature_map.features].shape[1:]]),
                (feature_map.weights, dims[::-1] if head.is_transposed else dims),
            )
            for name, dims in ends:
                if name not in outputs:
                    with_outputs.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims))
                    outputs.add(name)
        return with_outputs

    def _list_sources(self, name: str) -> list[str]:
        """List the tensors from which this one results by pooling alone, the most distant first."""
        node = self.maker.get(name)
        if node is None or node.op_type not in _POOLING:
            return [name]
        return [*self._list_sources(node.input[0]), name]

    def _locate_units(self, name: str) -> tuple[float, float, float, float] | None:
        """Return step and start of a map's rows, then of its columns, in pixels of the input.

        The center of unit u is at start + step u, measured from the center of the first pixel (Araujo et al., DOI
        10.23915/distill.00021). ``None`` if there are operations other than windows between the input and the map.
        """
        if name == "page":
            return 1.0, 0.0, 1.0, 0.0
        node = self.maker.get(name)
        if node is None or name not in self.tensors or self.tensors[name].ndim != 4:
            return None
        positions = (self._locate_units(feature_map) for feature_map in node.input if feature_map not in self.constants)
        source = next((position for position in positions if position is not None), None)
        if source is None or node.op_type not in _WINDOWED | {"Pad"}:
            same = source is not None and self.tensors[node.input[0]].shape[2:] == self.tensors[name].shape[2:]
            return source if same else None
        before, steps = self._window(node)
        return (
            source[0] * steps[0],
            source[1] + source[0] * before[0],
            source[2] * steps[1],
            source[3] + source[2] * before[1],
        )

    def _window(self, node: Any) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return the center of the first window, relative to the first pixel, and the step; both down and across."""
        attributes = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        if node.op_type == "Pad":
            pads = numpy_helper.to_array(self.constants[node.input[1]])
            return (-float(pads[2]), -float(pads[3])), (1, 1)
        sizes = attributes.get("kernel_shape") or self.constants[node.input[1]].dims[2:]
        pads, steps = attributes.get("pads", (0, 0, 0, 0)), attributes.get("strides", (1, 1))
        spread = attributes.get("dilations", (1, 1))
        centers = [(sizes[axis] - 1) * spread[axis] / 2 - pads[axis] for axis in (0, 1)]
        return (centers[0], centers[1]), (int(steps[0]), int(steps[1]))

    def _number(self, name: str) -> float | None:
        constant = self.constants.get(name)
        values = None if constant is None else numpy_helper.to_array(constant)
        return float(values.reshape(-1)[0]) if values is not None and values.size == 1 else None


def _infer_pooling(inputs: int, channels: int, height: int, width: int) -> tuple[tuple[int, int], bool] | None:
    """Infer over how many cells a map is averaged for a layer with ``inputs`` inputs, and whether maxima follow."""
    if inputs == channels:
        return (1, 1), False
    if inputs == 2 * channels:
        return (1, 1), True
    if inputs == channels * height * width:
        return (height, width), False
    cells = round(np.sqrt(inputs / channels))
    return ((cells, cells), False) if channels * cells**2 == inputs and cells <= min(height, width) else None


def _tensors(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Compute every float tensor in the graph, for inputs of zeros."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    outputs = {end.name for end in extended.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in outputs:
                extended.graph.output.append(onnx.ValueInfoProto(name=name))
    feed = {name: np.zeros((_ROWS, *shape), np.float32) for name, shape in shapes.items()}
    session = _session(extended)
    names = [end.name for end in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _logits_match(model: Any, maps: list[FeatureMap], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether the sums of the class maps equal the logits up to a constant, on random inputs."""
    session = _session(model)
    rng = np.random.default_rng(0)
    feed = {name: rng.normal(size=(_ROWS + 1, *shape)).astype(np.float32) for name, shape in shapes.items()}
    names = [_LOGITS, *(name for feature_map in maps for name in (feature_map.features, feature_map.weights))]
    logits, *tensors = session.run(names, feed)
    summed = sum(
        feature_map.factor * compute_class_map(features, weights, feature_map).sum(axis=(2, 3))
        for feature_map, features, weights in zip(maps, tensors[::2], tensors[1::2], strict=True)
    )
    difference = np.ptp(summed - logits, axis=0).max()
    return bool(difference <= _AGREEMENT * max(1.0, float(np.ptp(logits, axis=0).max())))


def _session(model: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _shape(end: Any) -> list[int]:
    return [part.dim_value for part in end.type.tensor_type.shape.dim]

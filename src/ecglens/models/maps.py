"""Last feature maps as further outputs of a graph, so that class maps need no training framework (extra ``train``).

From its last feature map on, many a network is linear: the map is averaged over cells (over all of it, as in Zhou et
al., DOI 10.1109/CVPR.2016.319), its maximum may stand beside, and one linear layer follows. Then map and weights say
all. The head is found in the graph itself, going back from the logits, and what was found has to answer as the graph
does on made-up inputs; so a graph of any origin can be given its maps, and its weights stay as they are, bit by bit.
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
"""What may stand between a feature map and its linear layer; that nothing else was done is seen in the answers."""
_WINDOWED = {"AveragePool", "Conv", "MaxPool"}
_AGREEMENT = 1e-3
_ROWS = 2


@dataclass(frozen=True, slots=True)
class _Head:
    """A linear layer and its part in the logits; ``turned`` where its weights are ``(inputs, labels)``."""

    data: str
    weights: str
    turned: bool
    inputs: int
    factor: float


def add_feature_maps(folder: Path) -> ModelCard:
    """Add a model folder's feature maps to its graph, and to its card with the graph's new hash.

    Args:
        folder: Model folder; its weights, labels, calibration and version stay.

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
                f"Model '{card.name}' does not end in pooling of a feature map and one linear layer, so its graph "
                "tells no class map; explain it by occlusion, or by Grad-CAM from its run."
            )
        changed = card.model_copy(update={"feature_maps": maps, "graph_sha256": sha256_of(path)})
        os.replace(path, folder / GRAPH_FILE)
    save_card(changed, folder)
    return changed


def write_with_maps(path: Path, shapes: Mapping[str, tuple[int, ...]], out: Path) -> tuple[FeatureMap, ...]:
    """Write a graph that also tells its last feature maps, where it ends in pooling and one linear layer.

    Args:
        path: Graph with the output ``logits``.
        shapes: Shape of one row by the graph's input.
        out: File to write; nothing is written where no map was found.

    Returns:
        What was found, one for each branch of the network; empty where there is none.
    """
    model = onnx.load(path)
    graph = _Graph(model, shapes)
    heads = list(graph.heads(_LOGITS, 1.0))
    found: list[FeatureMap] = []
    for number, head in enumerate(heads):
        one = graph.feature_map(head, number)
        if one is None:
            return ()
        found.append(one)
    if not found or "page" not in shapes:
        return ()
    made = graph.written(found, heads)
    if not _answers_alike(made, found, shapes):
        return ()
    onnx.save(made, out)
    return tuple(found)


class _Graph:
    """A graph that can be walked against its arrows."""

    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.model = model
        self.maker = {output: node for node in model.graph.node for output in node.output}
        self.constants = {part.name: part for part in model.graph.initializer}
        self.tensors = _tensors(model, shapes)

    def heads(self, name: str, factor: float) -> Iterator[_Head]:
        """Linear layers whose sum, each times its factor and but for constants, is a tensor."""
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
            given = {part.name: helper.get_attribute_value(part) for part in node.attribute}
            dims, turned = self.constants[node.input[1]].dims, not given.get("transB")
            inputs = dims[0] if turned else dims[1]
            yield _Head(node.input[0], node.input[1], turned, inputs, factor * given.get("alpha", 1.0))

    def feature_map(self, head: _Head, number: int) -> FeatureMap | None:
        """The map that a linear layer reads, how it is pooled, and how it lies over the input."""
        for name in self._behind(head.data):
            if name not in self.tensors or self.tensors[name].ndim != 4:
                continue
            _, channels, height, width = self.tensors[name].shape
            pooled = _pooled(head.inputs, channels, height, width)
            place = self._place(name)
            if pooled is not None and place is not None:
                cells, maximum = pooled
                return FeatureMap(
                    features=name,
                    weights=f"{name}.weights.{number}",
                    cells=cells,
                    maximum=maximum,
                    factor=head.factor,
                    step=(place[0], place[2]),
                    start=(place[1], place[3]),
                )
        return None

    def written(self, maps: list[FeatureMap], heads: list[_Head]) -> Any:
        """The graph with maps and weights as further outputs."""
        made = onnx.ModelProto()
        made.CopyFrom(self.model)
        outputs = {end.name for end in made.graph.output}
        for one, head in zip(maps, heads, strict=True):
            made.graph.node.append(
                helper.make_node("Transpose" if head.turned else "Identity", [head.weights], [one.weights])
            )
            dims = list(self.constants[head.weights].dims)
            ends = (
                (one.features, ["rows", *self.tensors[one.features].shape[1:]]),
                (one.weights, dims[::-1] if head.turned else dims),
            )
            for name, dims in ends:
                if name not in outputs:
                    made.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims))
                    outputs.add(name)
        return made

    def _behind(self, name: str) -> list[str]:
        """Tensors from the farthest to the nearest that pooling alone leads to this one from."""
        node = self.maker.get(name)
        if node is None or node.op_type not in _POOLING:
            return [name]
        return [*self._behind(node.input[0]), name]

    def _place(self, name: str) -> tuple[float, float, float, float] | None:
        """Step and start of a map's rows, then of its columns, in pixels of the input.

        The centre of unit u lies at start + step u, from the centre of the first pixel (Araujo et al., DOI
        10.23915/distill.00021). ``None`` where the way back to the input is not one of windows.
        """
        if name == "page":
            return 1.0, 0.0, 1.0, 0.0
        node = self.maker.get(name)
        if node is None or name not in self.tensors or self.tensors[name].ndim != 4:
            return None
        ways = (self._place(one) for one in node.input if one not in self.constants)
        behind = next((way for way in ways if way is not None), None)
        if behind is None or node.op_type not in _WINDOWED | {"Pad"}:
            same = behind is not None and self.tensors[node.input[0]].shape[2:] == self.tensors[name].shape[2:]
            return behind if same else None
        before, steps = self._window(node)
        return (
            behind[0] * steps[0],
            behind[1] + behind[0] * before[0],
            behind[2] * steps[1],
            behind[3] + behind[2] * before[1],
        )

    def _window(self, node: Any) -> tuple[tuple[float, float], tuple[int, int]]:
        """Centre of the first window from the first pixel, and the step, down and across."""
        given = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        if node.op_type == "Pad":
            pads = numpy_helper.to_array(self.constants[node.input[1]])
            return (-float(pads[2]), -float(pads[3])), (1, 1)
        sizes = given.get("kernel_shape") or self.constants[node.input[1]].dims[2:]
        pads, steps = given.get("pads", (0, 0, 0, 0)), given.get("strides", (1, 1))
        spread = given.get("dilations", (1, 1))
        centres = [(sizes[axis] - 1) * spread[axis] / 2 - pads[axis] for axis in (0, 1)]
        return (centres[0], centres[1]), (int(steps[0]), int(steps[1]))

    def _number(self, name: str) -> float | None:
        constant = self.constants.get(name)
        values = None if constant is None else numpy_helper.to_array(constant)
        return float(values.reshape(-1)[0]) if values is not None and values.size == 1 else None


def _pooled(inputs: int, channels: int, height: int, width: int) -> tuple[tuple[int, int], bool] | None:
    """By how many cells a map of this shape is averaged before a layer of so many inputs, and whether maxima follow."""
    if inputs == channels:
        return (1, 1), False
    if inputs == 2 * channels:
        return (1, 1), True
    if inputs == channels * height * width:
        return (height, width), False
    cells = round(np.sqrt(inputs / channels))
    return ((cells, cells), False) if channels * cells**2 == inputs and cells <= min(height, width) else None


def _tensors(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Every tensor of floats in the graph, for inputs of zeros."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    known = {end.name for end in whole.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in known:
                whole.graph.output.append(onnx.ValueInfoProto(name=name))
    feed = {name: np.zeros((_ROWS, *shape), np.float32) for name, shape in shapes.items()}
    session = _session(whole)
    names = [end.name for end in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _answers_alike(model: Any, maps: list[FeatureMap], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the maps' sums differ between inputs exactly as the logits do."""
    session = _session(model)
    rng = np.random.default_rng(0)
    feed = {name: rng.normal(size=(_ROWS + 1, *shape)).astype(np.float32) for name, shape in shapes.items()}
    names = [_LOGITS, *(name for one in maps for name in (one.features, one.weights))]
    logits, *rest = session.run(names, feed)
    summed = sum(
        one.factor * compute_class_map(features, weights, one).sum(axis=(2, 3))
        for one, features, weights in zip(maps, rest[::2], rest[1::2], strict=True)
    )
    apart = np.ptp(summed - logits, axis=0).max()
    return bool(apart <= _AGREEMENT * max(1.0, float(np.ptp(logits, axis=0).max())))


def _session(model: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _shape(end: Any) -> list[int]:
    return [part.dim_value for part in end.type.tensor_type.shape.dim]

"""Hostile model folders and Keras files."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hostile.kinds import Kind, draw_depth

__all__ = ["KINDS"]

_DATA = Path(__file__).resolve().parents[2] / "data"
_SHAPE = (1, 48, 64)


def _graph(nodes: list[Any], constants: list[Any], outputs: int = 2) -> bytes:
    """Return a graph from the input ``page`` to ``logits``."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("page", TensorProto.FLOAT, ["pages", *_SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pages", outputs])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@cache
def _weights() -> Any:
    return numpy_helper.from_array(np.zeros((int(np.prod(_SHAPE)), 2), np.float32), "weights")


def _flat_product(source: str = "page") -> list[Any]:
    flatten = helper.make_node("Flatten", [source], ["flat"])
    return [flatten, helper.make_node("MatMul", ["flat", "weights"], ["logits"])]


@cache
def _plain_graph() -> bytes:
    return _graph(_flat_product(), [_weights()])


def _folder(graph: bytes, **card: Any) -> dict[str, bytes]:
    """Return a model folder whose card has these fields in place of the right ones."""
    document = {
        "name": "hostile", "version": "1.0", "title": "A few numbers", "labels": ["normal", "mi"],
        "input": {"kind": "trace_canvas", "width": 64, "height": 48}, "temperature": 1.0, "abstain_below": 0.0,
        "parameters": 2, "trained_on": "nothing", "license": "Apache-2.0",
        "graph_sha256": hashlib.sha256(graph).hexdigest(), **card,
    }  # fmt: skip
    return {"model.json": json.dumps(document).encode(), "model.onnx": graph}


def card_of_great_depth(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card whose input recipe is nested up to thousands of times."""
    depth = draw_depth(random)
    folder = _folder(_plain_graph(), input={"kind": 0})
    return {
        **folder,
        "model.json": folder["model.json"].replace(b'"kind": 0', b'"kind": ' + b"[" * depth + b"]" * depth),
    }


def card_of_odd_values(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card whose fields have other types, or numbers that no field can hold."""
    odd = (
        {"input": {"kind": ["trace_canvas"]}}, {"input": {"kind": {}}}, {"input": []},
        {"input": {"kind": "trace_canvas", "width": "w"}}, {"temperature": 1e-300}, {"temperature": float("nan")},
        {"labels": "normal"}, {"name": "../../etc"},
        {"labels": ["normal"] * 2}, {"parameters": 10**400}, {"warnings": "w"}, {"feature_maps": [{}]},
        {"input": {"kind": "page_image", "layouts": [[]]}}, {"input": {"kind": "lead_signals", "fs_hz": 1e400}},
        {"feature_maps": [{"features": "a", "weights": "b", "cells": [10**9, 10**9], "step": [1, 1], "start": [0, 0]}]},
    )  # fmt: skip
    return _folder(_plain_graph(), **odd[int(random.integers(len(odd)))])


def card_with_thousands_of_labels(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card of many labels, warnings and feature maps."""
    count = int(random.integers(20_000, 60_000))
    return _folder(_plain_graph(), labels=[f"l{number}" for number in range(count)], warnings=["w"] * count)


def card_of_50_mb(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card of 50 MB of spaces and one long title."""
    folder = _folder(_plain_graph(), title="t" * 25_000_000)
    return {**folder, "model.json": folder["model.json"] + b" " * 25_000_000}


def card_that_is_no_card(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a folder whose card is no table, no JSON or no text."""
    odd = (
        b"[]",
        b"5",
        b"",
        b"null",
        b"\xff\xfe{}",
        b"{" * 500,
        b'{"name": "a", "name": "b"}',
        b'"' + b"\\ud800" * 9 + b'"',
    )
    return {**_folder(_plain_graph()), "model.json": odd[int(random.integers(len(odd)))]}


def card_of_many_unknown_fields(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card of thousands of fields that no card has."""
    return _folder(_plain_graph(), **{f"field{number}": number for number in range(int(random.integers(2000, 6000)))})


def canvas_of_the_largest_size(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a card whose input is as large as a recipe allows, for a graph of another size."""
    kind = ("trace_canvas", "page_image", "lead_crops")[int(random.integers(3))]
    return _folder(_plain_graph(), input={"kind": kind, "width": 4096, "height": 4096})


def graph_of_noise(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph with bytes of noise."""
    graph = bytearray(_plain_graph())
    for place in random.integers(0, 300, 30):
        graph[place] = int(random.integers(256))
    return _folder(bytes(graph))


def weights_of_elsewhere(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph whose weights are in a file outside of the folder."""
    weights = onnx.TensorProto()
    weights.name, weights.data_type = "weights", TensorProto.FLOAT
    weights.dims.extend([int(np.prod(_SHAPE)), 2])
    weights.data_location = TensorProto.EXTERNAL
    location = ("/dev/zero", "../../../../../../../etc/passwd", "/etc/passwd", "model.json")[int(random.integers(4))]
    entries = {"location": location, "offset": "0", "length": str(4 * int(np.prod(weights.dims)))}
    for key, value in entries.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return _folder(_graph(_flat_product(), [weights]))


def weights_larger_than_the_file(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph whose weights state trillions of numbers, or a negative count."""
    weights = onnx.TensorProto()
    weights.name, weights.data_type = "weights", TensorProto.FLOAT
    weights.dims.extend([(2**40, 2**62, -5)[int(random.integers(3))], 2])
    weights.raw_data = bytes(1000)
    return _folder(_graph(_flat_product(), [weights]))


def _fill_constant(size: int) -> list[Any]:
    """Return nodes that fill a constant of so many numbers, sum it up, and add it to the page."""
    filled = helper.make_node("ConstantOfShape", ["size"], ["filled"])
    total = helper.make_node("ReduceSum", ["filled"], ["total"], keepdims=0)
    return [filled, total, helper.make_node("Add", ["page", "total"], ["sum"]), *_flat_product("sum")]


def constant_of_gigabytes(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph that fills a constant of gigabytes while it is loaded."""
    size = int(random.integers(5 * 10**8, 2 * 10**9))
    return _folder(
        _graph(_fill_constant(size), [_weights(), numpy_helper.from_array(np.array([size], np.int64), "size")])
    )


def loop_that_never_ends(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph of a loop of 2**62 steps."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Sin", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    constants = [
        _weights(), numpy_helper.from_array(np.array(2**62, np.int64), "steps"),
        numpy_helper.from_array(np.array(True), "yes"),
        numpy_helper.from_array(np.zeros(_SHAPE, np.float32)[None], "zero"),
    ]  # fmt: skip
    is_constant = bool(random.integers(2))
    loop = helper.make_node("Loop", ["steps", "yes", "zero" if is_constant else "page"], ["looped"], body=body)
    join = helper.make_node("Add", ["page", "looped"], ["sum"])
    return _folder(_graph([loop, join, *_flat_product("sum")], constants))


def nodes_by_the_ten_thousand(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph of a chain of thousands of nodes."""
    count = int(random.integers(3000, 8000))
    names = ["page", *(f"n{number}" for number in range(count))]
    chain = [helper.make_node("Sin", [names[number]], [names[number + 1]]) for number in range(count)]
    return _folder(_graph([*chain, *_flat_product(names[-1])], [_weights()]))


def graph_in_a_ring(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph of nodes that read each other, or of operators that nobody has."""
    ring = [helper.make_node("Sin", ["b"], ["a"]), helper.make_node("Sin", ["a"], ["b"])]
    unknown = [helper.make_node("Shell", ["page"], ["b"], domain="evil", command="id")]
    return _folder(_graph([*(ring if random.integers(2) else unknown), *_flat_product("b")], [_weights()]))


def outputs_of_another_size(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a graph whose logits are larger than they state, or are no numbers."""
    if random.integers(2):
        nodes = [helper.make_node("Log", ["page"], ["logs"]), *_flat_product("logs")]
        return _folder(_graph(nodes, [_weights()]))
    pair = helper.make_node("Flatten", ["page"], ["logits"])
    return _folder(_graph([pair], []))


def _keras_zip(config: object) -> bytes:
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", text)
            archive.writestr("metadata.json", '{"keras_version": "3.0.0", "date_saved": "2024-01-01@00:00:00"}')
            archive.writestr("model.weights.h5", b"")
            archive.writestr("../" * 20 + "tmp/hostile", b"out of the folder")
        return stream.getvalue()


def _layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    start = _layer("InputLayer", batch_shape=[None, 64, 64, 3], dtype="float32", name="in")
    config = {"name": "hostile", "trainable": True, "layers": [start, *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


_FLAT = _layer("Flatten", name="flat")


def config_that_unpacks_to_gigabytes(random: np.random.Generator) -> bytes:
    """Return a Keras file whose configuration unpacks to hundreds of MB."""
    return _keras_zip(b'{"class_name": "' + b"a" * int(random.integers(60, 95)) * 1_000_000 + b'"}')


def config_of_great_depth(random: np.random.Generator) -> bytes:
    """Return a Keras file whose configuration is nested up to thousands of times."""
    depth = draw_depth(random)
    return _keras_zip(b'{"class_name": ' + b"[" * depth + b"]" * depth + b"}")


def layers_of_code(random: np.random.Generator) -> bytes:
    """Return a Keras file with a layer of code, or of another package."""
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    odd = (
        _layer("Lambda", name="code", function=code),
        {"module": "os", "class_name": "system", "config": {"command": "id"}, "registered_name": None},
        {"module": "keras.src.utils.file_utils", "class_name": "get_file", "config": "x", "registered_name": None},
        {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2, "activation": code}},
    )
    return _keras_zip(_sequential(_FLAT, odd[int(random.integers(len(odd)))]))


def layer_of_gigabytes(random: np.random.Generator) -> bytes:
    """Return a Keras file of a layer whose weights take gigabytes."""
    return _keras_zip(_sequential(_FLAT, _layer("Dense", name="dense", units=int(random.integers(50_000, 200_000)))))


def padding_of_gigabytes(random: np.random.Generator) -> bytes:
    """Return a Keras file of a layer without weights whose output takes gigabytes."""
    side = int(random.integers(200, 600))
    layer = _layer("UpSampling2D", name="up", size=[side, side])
    return _keras_zip(_sequential(layer, _layer("GlobalAveragePooling2D", name="mean")))


def layers_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a Keras file of thousands of layers."""
    layers = [
        _layer("Activation", name=f"a{number}", activation="relu") for number in range(int(random.integers(2000, 5000)))
    ]
    return _keras_zip(_sequential(*layers, _FLAT))


def values_of_other_types(random: np.random.Generator) -> bytes:
    """Return a Keras file whose configuration has other types, or is no JSON."""
    odd: tuple[object, ...] = (
        b"[]", b"5", b"{", b"\xff\xfe", b'{"class_name": "Sequential"}', _sequential(_layer("Dense", units=-5)),
        _sequential(_layer("Dense", units="many")), {"class_name": "Sequential", "config": [1, 2]}, b"null",
        {"class_name": "Functional", "config": {"layers": [], "input_layers": 5, "output_layers": [[]]}},
        {"class_name": "Sequential", "module": 5, "config": {"layers": "x"}}, b'"' + b"a" * 500 + b'"',
    )  # fmt: skip
    return _keras_zip(odd[int(random.integers(len(odd)))])


def hdf5_of_noise(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return an HDF5 file of Keras with bytes of noise."""
    data = bytearray((_DATA / "keras2.h5").read_bytes())
    for place in random.integers(8, len(data), 200):
        data[place] = int(random.integers(256))
    return {"model.h5": bytes(data)}


KINDS = (
    Kind(
        "Model card",
        "model",
        "",
        (
            card_of_odd_values,
            card_of_great_depth,
            card_with_thousands_of_labels,
            card_of_50_mb,
            card_that_is_no_card,
            card_of_many_unknown_fields,
            canvas_of_the_largest_size,
        ),
    ),
    Kind(
        "Model graph",
        "model",
        "",
        (
            graph_of_noise,
            weights_of_elsewhere,
            weights_larger_than_the_file,
            constant_of_gigabytes,
            loop_that_never_ends,
            nodes_by_the_ten_thousand,
            graph_in_a_ring,
            outputs_of_another_size,
        ),
    ),
    Kind(
        "Keras file",
        "keras",
        "model.keras",
        (
            layer_of_gigabytes,
            config_that_unpacks_to_gigabytes,
            config_of_great_depth,
            layers_of_code,
            padding_of_gigabytes,
            layers_by_the_thousand,
            values_of_other_types,
            hdf5_of_noise,
        ),
    ),
)

"""Model folders with a tiny ONNX graph, and pages of synthetic recordings, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ecglens.models.cards import GRAPH_FILE, ModelCard, save_card, sha256_of
from ecglens.records import EcgRecord, Page
from ecglens.render import render_page

RECIPE = {"kind": "trace_canvas", "width": 64, "height": 48}
LABELS = ("normal", "mi")


def write_graph(
    path: Path,
    logits: tuple[float, ...] = (0.0, 0.0),
    *,
    shape: tuple[int, ...] = (1, 48, 64),
    ends: tuple[str, str] = ("page", "logits"),
    slope: float = 0.0,
) -> None:
    """Write a graph with constant ``logits``, plus ``slope`` times the sum of the input for the last label."""
    weights = np.zeros((int(np.prod(shape)), len(logits)), np.float32)
    weights[:, -1] = slope
    nodes = [
        helper.make_node("Flatten", [ends[0]], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], [ends[1]]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(ends[0], TensorProto.FLOAT, ["pages", *shape])],
        [helper.make_tensor_value_info(ends[1], TensorProto.FLOAT, ["pages", len(logits)])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array(logits, np.float32), "bias"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def write_model(folder: Path, logits: tuple[float, ...] = (0.0, 0.0), *, graph: Any = None, **card: Any) -> ModelCard:
    """Write a model folder; ``graph`` are options of :func:`write_graph`, all others are fields of its card."""
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(folder / GRAPH_FILE, logits, **(graph or {}))
    fields: dict[str, Any] = {
        "name": folder.name,
        "version": "1.0",
        "title": "A few numbers",
        "labels": LABELS,
        "input": RECIPE,
        "temperature": 1.0,
        "abstain_below": 0.0,
        "parameters": 2,
        "trained_on": "nothing",
        "license": "Apache-2.0",
        "graph_sha256": sha256_of(folder / GRAPH_FILE),
        "folder": folder,
    }
    model_card = ModelCard(**{**fields, **card})
    save_card(model_card, folder)
    return model_card


def ecg_page(seed: int = 0, *, st_mv: float = 0.0, dpi: float = 110, **style: Any) -> Page:
    """Render a page whose leads can be located; the rate and height of its beats depend on the seed.

    Args:
        seed: Random seed.
        st_mv: Elevation of the ST segment.
        dpi: Dots per inch.
        **style: Further options of ``render_page``.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(2500) / 250.0
    phase = (t * rng.uniform(0.9, 1.4) + rng.random()) % 1

    def wave(center: float, width: float) -> np.ndarray:
        return np.exp(-0.5 * ((phase - center) / width) ** 2)

    beat = 0.12 * wave(0.2, 0.025) + wave(0.38, 0.011) - 0.2 * wave(0.405, 0.01) + 0.25 * wave(0.65, 0.045)
    beat = rng.uniform(0.9, 1.1) * beat + st_mv * ((phase > 0.41) & (phase < 0.6))
    heights = dict(
        zip(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), (0.6, 1, -0.6, -0.5, 0.6, 1.1, 1.2, 0.9), strict=True)
    )
    signals = np.array([height * beat for height in heights.values()], np.float32)
    record = EcgRecord(signals, 250.0, tuple(heights))
    return render_page(record, style="dotted-report", dpi=dpi, **style).page

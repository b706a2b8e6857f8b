"""Shuffle the weights of a graph layer by layer, from the logits to the input (extra ``train``).

A map that does not change while the model loses what it has learned shows the page and not the model (Adebayo et al.,
arXiv 1810.03292).
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from msgspec.structs import replace

from ecglens.extras import require
from ecglens.models.cards import GRAPH_FILE, ModelCard, sha256_of
from ecglens.models.runtime import Runtime

__all__ = ["shuffle_layers"]


def shuffle_layers(card: ModelCard, rng: np.random.Generator) -> Iterator[tuple[int, Runtime]]:
    """Yield models with the weights of the last layers shuffled, one more layer each time.

    Args:
        card: Card of a model folder.
        rng: Random generator; weights are shuffled within a layer, so their distribution does not change.

    Yields:
        Number of shuffled layers, and the model. Layers of parallel branches at the same distance from the logits count
        as one.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    onnx = require("onnx", extra="train")
    numpy_helper = require("onnx.numpy_helper", extra="train")
    model = onnx.load(card.folder / GRAPH_FILE)
    depths = _depths(model.graph)
    for layer in sorted(set(depths.values())):
        for part in model.graph.initializer:
            if depths.get(part.name) == layer:
                values = np.array(numpy_helper.to_array(part))
                shuffled = rng.permutation(values.reshape(-1)).reshape(values.shape)
                part.CopyFrom(numpy_helper.from_array(shuffled, part.name))
        with TemporaryDirectory() as name:
            folder = Path(name)
            onnx.save(model, folder / GRAPH_FILE)
            changed = replace(card, folder=folder, graph_sha256=sha256_of(folder / GRAPH_FILE))
            yield layer + 1, Runtime(changed)


def _depths(graph: Any) -> dict[str, int]:
    """Return, for weights with two or more axes, the number of layers with weights between them and the logits."""
    weights = {part.name for part in graph.initializer if len(part.dims) >= 2 and part.data_type == 1}
    maker = {output: node for node in graph.node for output in node.output}
    depths: dict[str, int] = {}
    pending = [("logits", 0)]
    visited: dict[str, int] = {}
    while pending:
        name, depth = pending.pop()
        node = maker.get(name)
        if node is None or visited.get(name, -1) >= depth:
            continue
        visited[name] = depth
        own = [one for one in node.input if one in weights]
        for one in own:
            depths[one] = max(depths.get(one, 0), depth)
        pending += [(one, depth + bool(own)) for one in node.input if one not in weights]
    return depths

"""The same graph with more and more of its weights shuffled, from the answer down (extra ``train``).

A map that stays as it was while the model forgets what it has learned shows the page and not the model (Adebayo et al.,
arXiv 1810.03292).
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ecglens.extras import require
from ecglens.models.cards import GRAPH_FILE, ModelCard, sha256_of
from ecglens.models.runtime import Runtime

__all__ = ["shuffle_layers"]


def shuffle_layers(card: ModelCard, rng: np.random.Generator) -> Iterator[tuple[int, Runtime]]:
    """Models with the weights of the last layers shuffled, one layer more each time.

    Args:
        card: Of a model folder.
        rng: Shuffles the weights of a layer among themselves, so that their distribution stays.

    Yields:
        How many layers were shuffled, and the model. Layers of parallel branches that are as far from the answer count
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
            changed = {"folder": folder, "graph_sha256": sha256_of(folder / GRAPH_FILE)}
            yield layer + 1, Runtime(card.model_copy(update=changed))


def _depths(graph: Any) -> dict[str, int]:
    """Weights with two or more axes, and how many layers with weights lie between them and the logits."""
    weights = {part.name for part in graph.initializer if len(part.dims) >= 2 and part.data_type == 1}
    maker = {output: node for node in graph.node for output in node.output}
    found: dict[str, int] = {}
    ahead = [("logits", 0)]
    seen: dict[str, int] = {}
    while ahead:
        name, depth = ahead.pop()
        node = maker.get(name)
        if node is None or seen.get(name, -1) >= depth:
            continue
        seen[name] = depth
        own = [one for one in node.input if one in weights]
        for one in own:
            found[one] = max(found.get(one, 0), depth)
        ahead += [(one, depth + bool(own)) for one in node.input if one not in weights]
    return found

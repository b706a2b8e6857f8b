"""A page and a model whose explanation is known for each place, for tests of explanations."""

import numpy as np

from ecglens.leads import find_layout
from ecglens.models.cards import ModelCard
from ecglens.models.explain.scene import Scene
from ecglens.models.inputs import parse_recipe
from ecglens.records import Layout

LABELS = ("normal", "mi")


class Linear:
    """A model with logits of 0, and of the weighted sum of its input plus ``more``; it counts its rows."""

    def __init__(self, recipe, weights):
        self.recipe = parse_recipe(recipe)
        self.card = ModelCard(
            name="linear",
            version="1.0",
            title="",
            labels=LABELS,
            input=recipe,
            temperature=1.0,
            abstain_below=0.0,
            parameters=1,
            trained_on="",
            license="",
            graph_sha256="",
        )
        self.weights = weights
        self.more = 0.0
        self.row_count = 0

    def logits(self, arrays):
        (array,) = arrays.values()
        self.row_count += len(array)
        score = (array * self.weights).reshape(len(array), -1).sum(axis=1) + self.more
        return np.stack([np.zeros_like(score), score], axis=1).astype(np.float32)


def layout_of(page) -> Layout:
    layout = find_layout(page)
    assert isinstance(layout, Layout), layout
    return layout


def weighing(page, layout, lead, *, recipe=None, value=0.01) -> Scene:
    """Return a scene whose model sums the ink of one lead and ignores everything else."""
    recipe = recipe or {"kind": "trace_canvas", "width": 256, "height": 152}
    model = Linear(recipe, 0.0)
    scene = Scene.of(page, layout, model, "mi")
    numbers = [number for number, stretch in enumerate(scene.stretches) if stretch.lead == lead]
    mask = np.isin(scene.regions["page"], numbers)[0]
    model.weights = value * mask[None]
    return scene

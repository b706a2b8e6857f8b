"""A page and a model whose answer is known place by place, for tests of explanations."""

import numpy as np

from ecglens.leads import find_layout
from ecglens.models.cards import ModelCard
from ecglens.models.explain.scene import Scene
from ecglens.models.inputs import parse_recipe
from ecglens.records import Layout

LABELS = ("normal", "mi")


class Linear:
    """Answers 0, and ``weights`` times its input and ``more``; ``asked`` counts its rows."""

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
        self.asked = 0

    def logits(self, arrays):
        (array,) = arrays.values()
        self.asked += len(array)
        score = (array * self.weights).reshape(len(array), -1).sum(axis=1) + self.more
        return np.stack([np.zeros_like(score), score], axis=1).astype(np.float32)


def layout_of(page) -> Layout:
    found = find_layout(page)
    assert isinstance(found, Layout), found
    return found


def weighing(page, layout, lead, *, recipe=None, value=0.01) -> Scene:
    """A scene whose model adds up the ink of one lead and looks at nothing else."""
    recipe = recipe or {"kind": "trace_canvas", "width": 256, "height": 152}
    model = Linear(recipe, 0.0)
    scene = Scene.of(page, layout, model, "mi")
    numbers = [number for number, stretch in enumerate(scene.stretches) if stretch.lead == lead]
    mask = np.isin(scene.regions["page"], numbers)[0]
    model.weights = value * mask[None]
    return scene

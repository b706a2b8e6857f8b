"""Class activation map from the graph's own last feature maps, without gradients.

What each unit of the last maps adds to the label's log-odds, less what it would add on bare paper. Where the model is
linear behind its last map this is the class activation map of Zhou et al. (DOI 10.1109/CVPR.2016.319), and what
Grad-CAM without its ReLU (Selvaraju et al., DOI 10.1109/ICCV.2017.74) comes to where the map is averaged over its
whole; with cells and maxima it is the product of activation and gradient unit by unit (Draelos and Carin, arXiv
2011.08891). Its sum is, to first order in the other labels' odds, the log-odds of the page less those of bare paper.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecglens.errors import ModelError
from ecglens.models.cards import FeatureMap
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.runtime import Runtime

__all__ = ["class_map", "compute_slope", "spread_map"]

_STROKE_MM = 1.5
"""Deviation of the strokes that heat is drawn with: as wide as a text marker's, so that it can be seen on a trace."""
_LEAST_INK = 1e-3
"""Of the most that a unit of the page sees; a unit with less sees none."""


def class_map(scene: Scene) -> Planes:
    """Heat of the class activation map.

    Raises:
        ModelError: The model's graph tells no feature map.
    """
    model = scene.model
    if not isinstance(model, Runtime) or not model.card.feature_maps:
        raise ModelError(
            f"The graph of model '{model.card.name}' tells no class map; use the method occlusion_lead, or let "
            "'ecglens models add-maps' look for its last feature map."
        )
    both = {name: np.concatenate([scene.arrays[name], scene.paper[name]]) for name in scene.arrays}
    rows = len(scene.arrays["page"])
    logits, found = model.class_maps(both)
    slope = compute_slope(logits[:rows].mean(axis=0) / model.card.temperature, scene.index)
    slope /= model.card.temperature * rows
    planes, ink = scene.planes(), _ink(scene)
    for described, maps in zip(model.card.feature_maps, found, strict=True):
        spoken = np.einsum("rlyx,l->ryx", maps[:rows] - maps[rows:], slope)
        planes["page"] += np.stack(
            [spread_map(one, described, here.shape, ink=here) for one, here in zip(spoken, ink, strict=True)]
        )
    return planes


def spread_map(
    units: NDArray[np.float32],
    described: FeatureMap,
    size: tuple[int, ...],
    *,
    ink: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """A map's units at the size of the input: each a pyramid around its place, its sum kept.

    Args:
        units: ``(height, width)``.
        described: Where the units lie.
        size: Height and width of the input.
        ink: Of this size; each pyramid is weighed by it, where there is any.
    """
    down, across = (
        _hats(count, described.start[axis], described.step[axis], length)
        for axis, (count, length) in enumerate(zip(units.shape, size, strict=True))
    )
    if ink is None:
        return np.asarray(down.T @ units @ across, dtype=np.float32)
    there = down @ ink @ across.T
    inked = there > _LEAST_INK * there.max(initial=0.0)
    on_ink = down.T @ (np.where(inked, units, 0.0) / np.where(inked, there, 1.0)) @ across
    return np.asarray(ink * on_ink + down.T @ np.where(inked, 0.0, units) @ across, dtype=np.float32)


def _ink(scene: Scene) -> NDArray[np.float32]:
    """How much the page differs from bare paper around each place of its array, ``(rows, height, width)``."""
    blacker = np.abs(scene.arrays["page"] - scene.paper["page"]).mean(axis=1)
    view = scene.views["page"][0]
    sigma = [
        _STROKE_MM * scale / float(np.hypot(*view.to_page[:, 1 - axis]))
        for axis, scale in enumerate(scene.layout.px_per_mm)
    ]
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigmaX=sigma[1], sigmaY=sigma[0]) for one in blacker])


def _hats(count: int, start: float, step: float, length: int) -> NDArray[np.float32]:
    """``(count, length)``: triangles as wide as two steps, each with a sum of 1."""
    centres = start + step * np.arange(count)
    hats = np.maximum(0.0, 1.0 - np.abs(np.arange(length) - centres[:, None]) / step)
    return np.asarray(hats / np.maximum(hats.sum(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def compute_slope(logits: NDArray[np.floating], label: int) -> NDArray[np.float32]:
    """How a label's log-odds change with each logit, ``(labels,)``: 1 with its own, -1 with the others' together."""
    others = np.delete(np.arange(len(logits)), label)
    slope = np.ones(len(logits), np.float32)
    slope[others] = -softmax(logits[others].astype(np.float64))
    return slope

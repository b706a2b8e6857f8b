"""Class activation map from the graph's last feature maps, without gradients.

The heat is what each unit of the last maps adds to the label's log-odds, minus what it would add on bare paper. If the
model is linear after its last map, this is the class activation map of Zhou et al. (DOI 10.1109/CVPR.2016.319). If the
map is averaged over its full area, it equals Grad-CAM without its ReLU (Selvaraju et al., DOI 10.1109/ICCV.2017.74).
With cells and maxima it is the product of activation and gradient of each unit (Draelos and Carin, arXiv 2011.08891).
To first order in the other labels' odds, its sum is the log-odds of the page minus those of bare paper.
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
"""Standard deviation of the blur around ink: as wide as a highlighter, so that heat is visible on a trace."""
_LEAST_INK = 1e-3
"""Share of the largest amount of ink in a unit; a unit with less ink counts as having none."""


def class_map(scene: Scene) -> Planes:
    """Compute the heat of the class activation map.

    Raises:
        ModelError: The model's graph does not output a feature map.
    """
    model = scene.model
    if not isinstance(model, Runtime) or not model.card.feature_maps:
        raise ModelError(
            f"The graph of model '{model.card.name}' has no class map; use the method occlusion_lead, or add its last "
            "feature map with 'ecglens models add-maps'."
        )
    both = {name: np.concatenate([scene.arrays[name], scene.paper[name]]) for name in scene.arrays}
    rows = len(scene.arrays["page"])
    logits, class_maps = model.class_maps(both)
    slope = compute_slope(logits[:rows].mean(axis=0) / model.card.temperature, scene.index)
    slope /= model.card.temperature * rows
    planes, ink = scene.planes(), _ink(scene)
    for described, maps in zip(model.card.feature_maps, class_maps, strict=True):
        contributions = np.einsum("rlyx,l->ryx", maps[:rows] - maps[rows:], slope)
        planes["page"] += np.stack(
            [
                spread_map(one, described, page_ink.shape, ink=page_ink)
                for one, page_ink in zip(contributions, ink, strict=True)
            ]
        )
    return planes


def spread_map(
    units: NDArray[np.float32],
    described: FeatureMap,
    size: tuple[int, ...],
    *,
    ink: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Resize a map to the input: each unit becomes a pyramid around its position with the same sum.

    Args:
        units: ``(height, width)``.
        described: Positions of the units.
        size: Height and width of the input.
        ink: ``(height, width)`` of the input; each pyramid is weighted by the ink in it, if there is any.

    Returns:
        ``(height, width)`` of the input, float32.
    """
    down, across = (
        _hats(count, described.start[axis], described.step[axis], length)
        for axis, (count, length) in enumerate(zip(units.shape, size, strict=True))
    )
    if ink is None:
        return np.asarray(down.T @ units @ across, dtype=np.float32)
    ink_of_units = down @ ink @ across.T
    has_ink = ink_of_units > _LEAST_INK * ink_of_units.max(initial=0.0)
    on_ink = down.T @ (np.where(has_ink, units, 0.0) / np.where(has_ink, ink_of_units, 1.0)) @ across
    return np.asarray(ink * on_ink + down.T @ np.where(has_ink, 0.0, units) @ across, dtype=np.float32)


def _ink(scene: Scene) -> NDArray[np.float32]:
    """Compute how much the page differs from bare paper around each place, ``(rows, height, width)``."""
    blacker = np.abs(scene.arrays["page"] - scene.paper["page"]).mean(axis=1)
    view = scene.views["page"][0]
    sigma = [
        _STROKE_MM * scale / float(np.hypot(*view.to_page[:, 1 - axis]))
        for axis, scale in enumerate(scene.layout.px_per_mm)
    ]
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigmaX=sigma[1], sigmaY=sigma[0]) for one in blacker])


def _hats(count: int, start: float, step: float, length: int) -> NDArray[np.float32]:
    """Return triangles as wide as two steps, each with a sum of 1, as ``(count, length)``."""
    centers = start + step * np.arange(count)
    hats = np.maximum(0.0, 1.0 - np.abs(np.arange(length) - centers[:, None]) / step)
    return np.asarray(hats / np.maximum(hats.sum(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def compute_slope(logits: NDArray[np.floating], label: int) -> NDArray[np.float32]:
    """Compute the derivative of a label's log-odds with respect to each logit.

    Returns:
        ``(labels,)``: 1 for the label's own logit; the others sum to -1.
    """
    others = np.delete(np.arange(len(logits)), label)
    slope = np.ones(len(logits), np.float32)
    slope[others] = -softmax(logits[others].astype(np.float64))
    return slope

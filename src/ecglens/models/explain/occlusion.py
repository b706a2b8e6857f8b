"""Occlusion: what the answer loses when a part of what the model reads is taken away.

Zeiler and Fergus, DOI 10.1007/978-3-319-10590-1_53. It asks the model itself, so it works with every model.

A part is replaced by bare paper after the leads were found: what the model reads loses the lead's ink, its name and
its separators, and nothing else. ``benchmarks/explain.md`` has what other ways of replacing came to.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecglens.models.explain.scene import Planes, Scene

__all__ = ["occlusion_lead", "occlusion_patch"]

_PATCH_MM = 10.0
"""As wide as a QRS complex with its ST segment (0.4 s) and as high as 1 mV."""
_LEAST_INK = 0.2
"""Of the blackest; what is left of a grid is fainter."""


def occlusion_lead(scene: Scene) -> Planes:
    """Heat of each lead: the log-odds that its absence costs, spread evenly over the lead."""
    number = {lead: index for index, lead in enumerate(scene.leads)}
    lead_of = np.array([number[stretch.lead] for stretch in scene.stretches] + [-1])
    masks = [
        {name: lead_of[part] == index for name, part in scene.regions.items()} for index in range(len(scene.leads))
    ]
    lost = scene.own_log_odds() - scene.log_odds(masks)
    sizes = np.bincount(lead_of[:-1], minlength=len(lost))
    return scene.spread((lost / sizes)[lead_of[:-1]])


def occlusion_patch(scene: Scene) -> Planes:
    """Heat of squares of 10 mm in steps of 5 mm: the log-odds that each one's absence costs, shared by its places.

    Squares that hold nothing but paper cost nothing and are not asked for.
    """
    masks, planes = list(_patches(scene)), scene.planes()
    if not masks:
        return planes
    lost = scene.own_log_odds() - scene.log_odds([{name: mask} for name, mask in masks])
    times = {name: np.zeros_like(plane) for name, plane in planes.items()}
    for (name, mask), value in zip(masks, lost.tolist(), strict=True):
        planes[name][mask] += value / mask.sum()
        times[name][mask] += 1
    return {name: (plane / np.maximum(1, times[name])).astype(np.float32) for name, plane in planes.items()}


def _patches(scene: Scene) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    half = [_PATCH_MM / 2 * scale for scale in scene.layout.px_per_mm]
    for name, parts in scene.views.items():
        ink = np.abs(scene.arrays[name] - scene.paper[name])
        ink = ink.max(axis=1) if name == "page" else ink
        seen = ink > _LEAST_INK * ink.max()
        for view in parts:
            down = max(1, round(half[0] / np.hypot(*view.to_page[:, 1])))
            across = max(1, round(half[1] / np.hypot(*view.to_page[:, 0])))
            for top in range(view.top, view.top + view.height, down):
                for left in range(view.left, view.left + view.width, across):
                    mask = np.zeros(seen.shape, np.bool_)
                    bottom = min(top + 2 * down, view.top + view.height)
                    mask[view.row, top:bottom, left : min(left + 2 * across, view.left + view.width)] = True
                    if seen[mask].any():
                        yield name, mask

"""Occlusion: how the log-odds change when a part of the model's input is replaced by bare paper.

Zeiler and Fergus, DOI 10.1007/978-3-319-10590-1_53. It only needs the model's output, so it works with every model.

A part is replaced after the leads were located: the input loses the lead's ink, its name and its separators, and
nothing else. ``benchmarks/explain.md`` compares other ways of replacing.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecglens.models.explain.scene import Planes, Scene

__all__ = ["occlusion_lead", "occlusion_patch"]

_PATCH_MM = 10.0
"""As wide as a QRS complex with its ST segment (0.4 s) and as high as 1 mV."""
_LEAST_INK = 0.2
"""Share of the darkest ink above which a place counts as ink; the remains of a grid are fainter."""


def occlusion_lead(scene: Scene) -> Planes:
    """Compute the heat of each lead: the drop of the log-odds without it, spread evenly over the lead."""
    number = {lead: index for index, lead in enumerate(scene.leads)}
    lead_of = np.array([number[stretch.lead] for stretch in scene.stretches] + [-1])
    masks = [
        {name: lead_of[part] == index for name, part in scene.regions.items()} for index in range(len(scene.leads))
    ]
    drop = scene.own_log_odds() - scene.log_odds(masks)
    sizes = np.bincount(lead_of[:-1], minlength=len(drop))
    return scene.spread((drop / sizes)[lead_of[:-1]])


def occlusion_patch(scene: Scene) -> Planes:
    """Compute the heat of 10 mm squares in steps of 5 mm: the drop of the log-odds without each, shared by its places.

    Squares without ink have no effect and are skipped.
    """
    masks, planes = list(_patches(scene)), scene.planes()
    if not masks:
        return planes
    drop = scene.own_log_odds() - scene.log_odds([{name: mask} for name, mask in masks])
    times = {name: np.zeros_like(plane) for name, plane in planes.items()}
    for (name, mask), value in zip(masks, drop.tolist(), strict=True):
        planes[name][mask] += value / mask.sum()
        times[name][mask] += 1
    return {name: (plane / np.maximum(1, times[name])).astype(np.float32) for name, plane in planes.items()}


def _patches(scene: Scene) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    half = [_PATCH_MM / 2 * scale for scale in scene.layout.px_per_mm]
    for name, parts in scene.views.items():
        ink = np.abs(scene.arrays[name] - scene.paper[name])
        ink = ink.max(axis=1) if name == "page" else ink
        has_ink = ink > _LEAST_INK * ink.max()
        for view in parts:
            down = max(1, round(half[0] / np.hypot(*view.to_page[:, 1])))
            across = max(1, round(half[1] / np.hypot(*view.to_page[:, 0])))
            for top in range(view.top, view.top + view.height, down):
                for left in range(view.left, view.left + view.width, across):
                    mask = np.zeros(has_ink.shape, np.bool_)
                    bottom = min(top + 2 * down, view.top + view.height)
                    mask[view.row, top:bottom, left : min(left + 2 * across, view.left + view.width)] = True
                    if has_ink[mask].any():
                        yield name, mask

"""Project heat from a model's arrays onto the page, and sum it for each lead."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.inputs import View
from ecglens.records import Segment

__all__ = ["PageHeat", "project"]

_CELL_MM = 1.0
_MOST_SEGMENTS = 8
_LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class PageHeat:
    """Heat on the page: the fields of :class:`ecglens.records.Explanation` of the same names."""

    heat: NDArray[np.float32]
    shares: dict[str, float]
    elsewhere: float
    segments: tuple[Segment, ...]


def project(scene: Scene, planes: Planes) -> PageHeat:
    """Project heat onto the unrotated page, in cells of about 1 mm, and sum it for each lead and stretch.

    Args:
        scene: The page and its model.
        planes: Heat in the model's arrays.

    Returns:
        The heat on the page with the shares of leads and stretches, whose absolute values sum to 1.
    """
    sums = np.zeros(len(scene.stretches) + 1)
    for name, plane in planes.items():
        sums += np.bincount(scene.regions[name].ravel() + 1, weights=plane.ravel(), minlength=len(sums))
    outside, sums = sums[0], sums[1:]
    by_lead = dict.fromkeys(scene.leads, 0.0)
    for stretch, value in zip(scene.stretches, sums.tolist(), strict=True):
        by_lead[stretch.lead] += value
    total = float(sum(map(abs, by_lead.values())) + abs(outside)) or 1.0
    segments = sorted(_segments(scene, (sums / total).tolist()), key=lambda segment: -abs(segment.share))
    return PageHeat(
        heat=_on_page(scene, planes),
        shares={lead: value / total for lead, value in by_lead.items()},
        elsewhere=float(abs(outside) / total),
        segments=tuple(segment for segment in segments[:_MOST_SEGMENTS] if abs(segment.share) >= _LEAST_SHARE),
    )


def _segments(scene: Scene, shares: list[float]) -> list[Segment]:
    """Return the stretches with their shares; neighbors with equal shares are merged."""
    segments: list[Segment] = []
    last_share = 0.0
    for stretch, share in zip(scene.stretches, shares, strict=True):
        last = segments[-1] if segments else None
        if (
            last is not None
            and last.lead == stretch.lead
            and math.isclose(last_share, share, rel_tol=1e-3, abs_tol=1e-6)
        ):
            segments[-1] = replace(last, end_s=stretch.end_s, share=last.share + share)
        else:
            segments.append(Segment(stretch.lead, stretch.start_s, stretch.end_s, share))
        last_share = share
    return segments


def _on_page(scene: Scene, planes: Planes) -> NDArray[np.float32]:
    page, layout = scene.page, scene.layout
    cell = _CELL_MM * math.sqrt(layout.px_per_mm[0] * layout.px_per_mm[1])
    rows, columns = max(1, round(page.height / cell)), max(1, round(page.width / cell))
    half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    to_upright = half @ np.vstack([np.array(layout.to_upright), [0.0, 0.0, 1.0]]) @ np.linalg.inv(half)
    to_cells = np.diag([columns / page.width, rows / page.height, 1.0]) @ np.linalg.inv(to_upright)
    heat = np.zeros((rows, columns), np.float32)
    for name, plane in planes.items():
        for view in scene.views[name]:
            part = plane[view.row, view.top : view.top + view.height, view.left : view.left + view.width]
            if part.any():
                heat += _project_part(part, view, to_cells, (columns, rows))
    return heat


def _project_part(
    part: NDArray[np.float32], view: View, to_cells: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Project a part of a plane onto the page's cells with the same sum: first resize it, then move and rotate it."""
    total = (to_cells @ np.vstack([view.to_page, [0.0, 0.0, 1.0]]))[:2]
    total[:, 2] += total[:, :2] @ [view.left, view.top]
    across, down = np.hypot(*total[:, 0]), np.hypot(*total[:, 1])
    target_size = max(1, round(view.width * across)), max(1, round(view.height * down))
    small = cv2.resize(np.ascontiguousarray(part), target_size, interpolation=cv2.INTER_AREA)
    back = np.array([view.width / target_size[0], view.height / target_size[1]])
    small *= back[0] * back[1]
    total[:, :2] *= back
    total[:, 2] += total[:, :2] @ [0.5, 0.5] - 0.5
    scale = abs(float(np.linalg.det(total[:, :2])))
    projected = cv2.warpAffine(small, total, size, flags=cv2.INTER_LINEAR)
    return np.asarray(projected / scale, dtype=np.float32)

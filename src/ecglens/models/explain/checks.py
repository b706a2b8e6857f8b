"""Check an explanation on its own page.

*Deletion*: places are removed in descending order of heat; with a good map the label's log-odds fall sooner than with a
random one. *Insertion*: the same places are restored on bare paper in the same order; with a good map the log-odds rise
sooner (Petsiuk et al., arXiv 1806.07421). Both values are areas under curves over the share of places. *Location*: heat
should lie on the traces, neither on the paper between them nor outside the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import turn_upright
from ecglens.models.explain.scene import Planes, Scene
from ecglens.records import Check
from ecglens.tracing.ink import extract_trace_ink

__all__ = [
    "Curves",
    "Location",
    "check_location",
    "check_order",
    "compute_curves",
    "locate_heat",
    "make_ink_map",
    "make_random_map",
]

SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Shares of the places that are removed or restored, in addition to none and all."""
NEAR_MM = 5.0
LEAST_NEAR, MOST_OUTSIDE = 0.6, 0.02
_BLOCK_PX = 16
_BLOCKS_OF_SIGNAL = 10
_RANDOM_MAPS = 4


@dataclass(frozen=True, slots=True)
class Curves:
    """Mean log-odds of the label while places are removed and while they are restored."""

    deletion: float
    insertion: float


@dataclass(frozen=True, slots=True)
class Location:
    """Shares of the absolute heat within 5 mm of a trace and outside the area of all traces."""

    near: float
    outside: float


def check_order(scene: Scene, planes: Planes, rng: np.random.Generator) -> tuple[Check, Check]:
    """Compare deletion and insertion with the mean of four random maps on this page.

    Args:
        scene: The page and its model.
        planes: Heat to check.
        rng: Random generator for the random maps.
    """
    own = compute_curves(scene, planes)
    random_curves = [compute_curves(scene, make_random_map(scene, rng)) for _ in range(_RANDOM_MAPS)]
    deletion, insertion = (
        float(np.mean([getattr(one, name) for one in random_curves])) for name in ("deletion", "insertion")
    )
    return (
        Check(
            "deletion",
            own.deletion < deletion,
            f"While the hottest places are removed, the label's mean log-odds are {own.deletion:.2f}; with random maps "
            f"they are {deletion:.2f}. They should be lower.",
            {"map": own.deletion, "random": deletion},
        ),
        Check(
            "insertion",
            own.insertion > insertion,
            f"While the hottest places are restored, the label's mean log-odds are {own.insertion:.2f}; with random "
            f"maps they are {insertion:.2f}. They should be higher.",
            {"map": own.insertion, "random": insertion},
        ),
    )


def check_location(scene: Scene, heat: NDArray[np.float32]) -> Check:
    """Check that the heat lies near the traces of this page, and not outside the grid."""
    location = locate_heat(scene, heat)
    return Check(
        "location",
        location.near >= LEAST_NEAR and location.outside <= MOST_OUTSIDE,
        f"{location.near:.0%} of the heat lies within {NEAR_MM:g} mm of a trace; at least {LEAST_NEAR:.0%} should. "
        f"{location.outside:.1%} lies outside the grid; at most {MOST_OUTSIDE:.0%} should.",
        {"near_trace": location.near, "outside_grid": location.outside},
    )


def compute_curves(scene: Scene, planes: Planes) -> Curves:
    """Compute the areas under the deletion and insertion curves of a map.

    Args:
        scene: The page and its model.
        planes: Heat by which places are ordered, the hottest first; equal ones are in reading order.
    """
    blocks, count = _number_blocks(scene)
    heat_sums = sum(
        np.bincount(part.ravel(), weights=planes[name].ravel(), minlength=count) for name, part in blocks.items()
    )
    rank = np.empty(count, np.intp)
    rank[np.argsort(-np.asarray(heat_sums), kind="stable")] = np.arange(count)
    removed_masks = [rank < round(share * count) for share in (0.0, *SHARES, 1.0)]
    masks = [*removed_masks, *(~away for away in removed_masks[1:-1])]
    answers = scene.log_odds([{name: away[part] for name, part in blocks.items()} for away in masks])
    down = answers[: len(removed_masks)]
    up = np.concatenate([down[-1:], answers[len(removed_masks) :], down[:1]])
    shares = np.array([0.0, *SHARES, 1.0])
    return Curves(_mean(down, shares), _mean(up, shares))


def make_random_map(scene: Scene, rng: np.random.Generator) -> Planes:
    """Make a map with a random value for each stretch of a lead, which is as coarse as a class map."""
    return scene.spread(rng.normal(size=len(scene.stretches)))


def make_ink_map(scene: Scene) -> Planes:
    """Make a map of the ink, which depends on the page and not on the model."""
    ink_planes: Planes = {}
    for name, array in scene.arrays.items():
        ink = np.abs(array - scene.paper[name])
        ink_planes[name] = ink.mean(axis=1) if name == "page" else ink
    return ink_planes


def locate_heat(scene: Scene, heat: NDArray[np.float32]) -> Location:
    """Compute the shares of the heat near traces and outside the grid.

    Args:
        scene: The page and its model.
        heat: ``(rows, columns)``, as :class:`ecglens.records.Explanation` has it.
    """
    strength = np.abs(heat)
    whole = float(strength.sum()) or 1.0
    near, inside = _near_traces(scene, heat.shape)
    return Location(float(strength[near].sum()) / whole, float(strength[~inside].sum()) / whole)


def _near_traces(scene: Scene, shape: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of the unrotated page's cells: within 5 mm of a trace's ink, and in the area of all traces."""
    layout, page = scene.layout, scene.page
    ink = extract_trace_ink(page, layout)
    boxed = np.zeros_like(ink.black)
    for stretch in scene.stretches:
        edges = [ink.row(stretch.box.top), ink.row(stretch.box.bottom)]
        sides = [ink.column(stretch.box.left), ink.column(stretch.box.right)]
        top, bottom, left, right = (max(0, round(float(edge))) for edge in (*edges, *sides))
        boxed[top:bottom, left:right] = ink.black[top:bottom, left:right]
    per_mm = [scale / ink.shrink for scale in layout.px_per_mm]
    reach = [2 * round(NEAR_MM * scale) + 1 for scale in per_mm]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach[1], reach[0]))
    near = cv2.dilate(boxed.astype(np.uint8), disc)
    whole = np.zeros(turn_upright(page, layout).shape[:2], np.uint8)
    box = layout.trace_area
    area = whole.copy()
    area[max(0, round(box.top)) : round(box.bottom), max(0, round(box.left)) : round(box.right)] = 1
    large = cv2.resize(near, None, fx=ink.shrink, fy=ink.shrink, interpolation=cv2.INTER_NEAREST)
    top, left = int(ink.top), int(ink.left)
    fitting = whole[top : top + large.shape[0], left : left + large.shape[1]]
    fitting[:] = large[: fitting.shape[0], : fitting.shape[1]]
    return _to_unrotated_cells(whole, scene, shape), _to_unrotated_cells(area, scene, shape)


def _to_unrotated_cells(mask: NDArray[np.uint8], scene: Scene, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Transform a mask of the upright page into the cells of the unrotated page."""
    matrix = np.array(scene.layout.to_upright)
    size = (scene.page.width, scene.page.height)
    turned = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    cells = cv2.resize(turned.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cells >= 0.5)


def _number_blocks(scene: Scene) -> tuple[dict[str, NDArray[np.intp]], int]:
    """Number the blocks that are removed together (squares of a page, tenths of a signal), and count them."""
    numbers: dict[str, NDArray[np.intp]] = {}
    count = 0
    for name, part in scene.regions.items():
        rows, height, width = part.shape
        if name == "page":
            down, across = np.arange(height) // _BLOCK_PX, np.arange(width) // _BLOCK_PX
        else:
            down, across = np.arange(height) % (height // 2), np.arange(width) * _BLOCKS_OF_SIGNAL // width
        each = (int(down.max()) + 1) * (int(across.max()) + 1)
        one = down[:, None] * (int(across.max()) + 1) + across
        numbers[name] = count + one + each * np.arange(rows)[:, None, None]
        count += rows * each
    return numbers, count


def _mean(values: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    return float(np.trapezoid(values, shares))

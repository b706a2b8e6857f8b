"""Tests that an explanation has to pass on its own page.

*Deletion*: places are taken away, those with the most heat first; a map that knows costs the label its log-odds sooner
than a random one. *Insertion*: the same places are put back on bare paper in the same order; a map that knows gives
them sooner (Petsiuk et al., arXiv 1806.07421). Both areas are means over the share of places. *Location*: heat belongs
to traces, not to the paper between them and not outside of the grid.
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
    "check_order",
    "check_location",
    "compute_curves",
    "make_ink_map",
    "locate_heat",
    "make_random_map",
]

SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Of the places that are taken away or put back, beside none and all."""
NEAR_MM = 5.0
LEAST_NEAR, MOST_OUTSIDE = 0.6, 0.02
_BLOCK_PX = 16
_BLOCKS_OF_SIGNAL = 10
_RANDOM_MAPS = 4


@dataclass(frozen=True, slots=True)
class Curves:
    """Mean log-odds of the label while places go, and while they come."""

    deletion: float
    insertion: float


@dataclass(frozen=True, slots=True)
class Location:
    """Shares of the heat without signs: within 5 mm of a trace, and outside of the area that holds all traces."""

    near: float
    outside: float


def check_order(scene: Scene, planes: Planes, rng: np.random.Generator) -> tuple[Check, Check]:
    """Deletion and insertion against the mean of four random maps on this page.

    Args:
        scene: The page and its model.
        planes: Heat to be checked.
        rng: Draws the random maps.
    """
    own = compute_curves(scene, planes)
    drawn = [compute_curves(scene, make_random_map(scene, rng)) for _ in range(_RANDOM_MAPS)]
    deletion, insertion = (float(np.mean([getattr(one, name) for one in drawn])) for name in ("deletion", "insertion"))
    return (
        Check(
            "deletion",
            own.deletion < deletion,
            f"While the warmest places go, the label's mean log-odds are {own.deletion:.2f}; while those of random "
            f"maps go, {deletion:.2f}. It should be less.",
            {"map": own.deletion, "random": deletion},
        ),
        Check(
            "insertion",
            own.insertion > insertion,
            f"While the warmest places come, the label's mean log-odds are {own.insertion:.2f}; while those of random "
            f"maps come, {insertion:.2f}. It should be more.",
            {"map": own.insertion, "random": insertion},
        ),
    )


def check_location(scene: Scene, heat: NDArray[np.float32]) -> Check:
    """Where the heat lies on this page."""
    found = locate_heat(scene, heat)
    return Check(
        "location",
        found.near >= LEAST_NEAR and found.outside <= MOST_OUTSIDE,
        f"{found.near:.0%} of the heat lies within {NEAR_MM:g} mm of a trace and {found.outside:.1%} outside of the "
        f"grid. At least {LEAST_NEAR:.0%} and at most {MOST_OUTSIDE:.0%} should.",
        {"near_trace": found.near, "outside_grid": found.outside},
    )


def compute_curves(scene: Scene, planes: Planes) -> Curves:
    """Areas under both curves for places in the order of their heat.

    Args:
        scene: The page and its model.
        planes: Heat; of equally warm places the first in reading order goes first.
    """
    blocks, count = _blocks(scene)
    warmth = sum(
        np.bincount(part.ravel(), weights=planes[name].ravel(), minlength=count) for name, part in blocks.items()
    )
    rank = np.empty(count, np.intp)
    rank[np.argsort(-np.asarray(warmth), kind="stable")] = np.arange(count)
    gone = [rank < round(share * count) for share in (0.0, *SHARES, 1.0)]
    masks = [*gone, *(~away for away in gone[1:-1])]
    answers = scene.log_odds([{name: away[part] for name, part in blocks.items()} for away in masks])
    down = answers[: len(gone)]
    up = np.concatenate([down[-1:], answers[len(gone) :], down[:1]])
    shares = np.array([0.0, *SHARES, 1.0])
    return Curves(_mean(down, shares), _mean(up, shares))


def make_random_map(scene: Scene, rng: np.random.Generator) -> Planes:
    """A random value for each stretch of a lead: as coarse as a class map, and knows nothing."""
    return scene.spread(rng.normal(size=len(scene.stretches)))


def make_ink_map(scene: Scene) -> Planes:
    """The ink itself: a map that knows the page and not the model."""
    found: Planes = {}
    for name, array in scene.arrays.items():
        ink = np.abs(array - scene.paper[name])
        found[name] = ink.mean(axis=1) if name == "page" else ink
    return found


def locate_heat(scene: Scene, heat: NDArray[np.float32]) -> Location:
    """Where heat on the page lies.

    Args:
        scene: The page and its model.
        heat: ``(rows, columns)``, as :class:`ecglens.records.Explanation` has it.
    """
    strength = np.abs(heat)
    whole = float(strength.sum()) or 1.0
    near, inside = _near_traces(scene, heat.shape)
    return Location(float(strength[near].sum()) / whole, float(strength[~inside].sum()) / whole)


def _near_traces(scene: Scene, shape: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells of the page as it came that lie within 5 mm of a trace's ink, and in the area of all traces."""
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
    return _as_it_came(whole, scene, shape), _as_it_came(area, scene, shape)


def _as_it_came(mask: NDArray[np.uint8], scene: Scene, shape: Sequence[int]) -> NDArray[np.bool_]:
    """A mask of the upright page in the cells of the page as it came."""
    matrix = np.array(scene.layout.to_upright)
    size = (scene.page.width, scene.page.height)
    turned = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    cells = cv2.resize(turned.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cells >= 0.5)


def _blocks(scene: Scene) -> tuple[dict[str, NDArray[np.intp]], int]:
    """Places that go and come together: squares of the arrays, tenths of a signal; numbers and count."""
    found: dict[str, NDArray[np.intp]] = {}
    count = 0
    for name, part in scene.regions.items():
        rows, height, width = part.shape
        if name == "page":
            down, across = np.arange(height) // _BLOCK_PX, np.arange(width) // _BLOCK_PX
        else:
            down, across = np.arange(height) % (height // 2), np.arange(width) * _BLOCKS_OF_SIGNAL // width
        each = (int(down.max()) + 1) * (int(across.max()) + 1)
        one = down[:, None] * (int(across.max()) + 1) + across
        found[name] = count + one + each * np.arange(rows)[:, None, None]
        count += rows * each
    return found, count


def _mean(values: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    return float(np.trapezoid(values, shares))

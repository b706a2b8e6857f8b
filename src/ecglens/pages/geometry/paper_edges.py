"""Photographs of paper rectified by the edges of the paper, as if taken from straight above."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import describe_value
from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.geometry.paper_map import SourceView
from ecglens.pages.preprocessing import reduce_picture
from ecglens.records import Page

__all__ = ["LIMITS", "Corners", "PaperEdgeLimits", "find_paper_corners", "rectify", "rectify_by_edges"]


@dataclass(frozen=True)
class PaperEdgeLimits:
    """Thresholds of finding the edges of paper in a photograph."""

    work_px: int = threshold(
        640,
        "px",
        "Longest side to which photographs are reduced.",
        low="Corners are inexact.",
        high="Finding takes longer.",
    )
    min_share: float = threshold(
        0.3,
        "1",
        "Least share of the picture that the paper covers.",
        low="Bright objects look like paper.",
        high="Distant pages are not found.",
    )
    max_area_difference: float = threshold(
        0.07,
        "1",
        "Largest relative difference of the area of the paper and of its four corners.",
        low="Paper with a curled edge is not used.",
        high="Shapes without four sides are used.",
    )
    min_step: int = threshold(
        20,
        "gray levels",
        "Least difference of brightness across the edge.",
        low="Shadows look like edges.",
        high="Edges on bright tables are not found.",
    )
    step_px: int = threshold(
        6,
        "px",
        "Distance from the edge at which the brightness is compared.",
        low="Blurred edges are not found.",
        high="Objects beside the paper count.",
    )
    min_edge_share: float = threshold(
        0.8,
        "1",
        "Least share of the sides with such a step: light that fades has none.",
        low="Fading light looks like an edge.",
        high="Paper under a hand is not found.",
    )
    min_area_px: int = threshold(
        10_000,
        "px",
        "Least area of corners that are given.",
        low="Corners in one place are accepted.",
        high="Small pictures are refused.",
    )
    edge_px: float = threshold(
        3.0,
        "px",
        "Distance from the corners of the picture below which the picture ends, not the paper.",
        low="Pictures without a border are transformed.",
        high="Paper that fills the picture is not found.",
    )


LIMITS = PaperEdgeLimits()


Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

_ROUNDINGS = np.linspace(0.01, 0.08, 8)
"""Shares of the outline's length by which it may be simplified until it has four corners."""


def rectify_by_edges(page: Page) -> tuple[Page, SourceView] | None:
    """Rectify a photograph by the corners of the paper, with a warning; ``None`` where they are not found.

    Args:
        page: A photograph of a sheet on something darker, turned by less than 45 degrees.

    Returns:
        The page from straight above, and the picture that it was resampled from.
    """
    corners = find_paper_corners(page)
    if corners is None:
        return None
    warning = "The page was photographed at an angle; it was rectified by the edges of the paper."
    view, matrix = _rectify(page, corners)
    return replace(view, warnings=(*page.warnings, warning)), SourceView(
        page.pixels, np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    )


def rectify(page: Page, corners: Sequence[tuple[float, float]]) -> Page:
    """Rectify the part of a page inside four corners, as if seen from straight above.

    Args:
        page: Page as it was decoded.
        corners: ``(column, row)`` of the paper's corners in px: top left, top right, bottom right, bottom left.

    Raises:
        EcgReadError: The corners are not a quadrangle on the page.
    """
    return _rectify(page, corners)[0]


def _rectify(page: Page, corners: Sequence[tuple[float, float]]) -> tuple[Page, NDArray[np.float64]]:
    points = _parse_corners(corners)
    inside = points.shape == (4, 2) and (points >= -0.5).all() and (points <= (page.width, page.height)).all()
    if (
        not inside
        or not cv2.isContourConvex(points[:, None])
        or cv2.contourArea(points, oriented=True) < LIMITS.min_area_px
    ):
        raise EcgReadError(
            f"Expected four corners on a page of {page.width} x {page.height} px, clockwise from the top left, "
            f"got {describe_value(corners)}.",
            code="invalid_argument",
        )
    sides = np.linalg.norm(points - np.roll(points, -1, axis=0), axis=1)
    width, height = round(float(max(sides[0], sides[2]))), round(float(max(sides[1], sides[3])))
    target = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(points, target)
    pixels = cv2.warpPerspective(page.pixels, matrix, (width, height), flags=cv2.INTER_CUBIC)
    view = replace(page, pixels=np.asarray(pixels, dtype=np.uint8), curves=(), texts=())
    return view, np.asarray(matrix, dtype=np.float64)


def _parse_corners(corners: object) -> NDArray[np.float32]:
    """Return the corners of an argument as an array; an empty one where it is none of numbers."""
    try:
        return np.array(corners, dtype=np.float32)
    except (TypeError, ValueError):
        return np.empty(0, dtype=np.float32)


def find_paper_corners(page: Page) -> Corners | None:
    """Find the corners of the paper; ``None`` where they are not visible.

    Args:
        page: As for :func:`rectify_by_edges`.
    """
    shrink = min(1.0, LIMITS.work_px / max(page.height, page.width))
    size = max(1, round(page.width * shrink)), max(1, round(page.height * shrink))
    small = reduce_picture(page.pixels, *size)
    bright = np.asarray(cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (5, 5), 0), dtype=np.uint8)
    _, paper = cv2.threshold(bright, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    paper = cv2.morphologyEx(paper, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    outlines, _ = cv2.findContours(paper, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    if cv2.contourArea(outline) < LIMITS.min_share * paper.size:
        return None
    corners = _simplify_to_four(np.asarray(cv2.convexHull(outline), dtype=np.int32))
    if corners is None or abs(cv2.contourArea(outline) / cv2.contourArea(corners) - 1) > LIMITS.max_area_difference:
        return None
    height, width = paper.shape
    ends = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], dtype=np.float32)
    placed = _order_clockwise(corners)
    if (np.abs(placed - ends) < LIMITS.edge_px).all() or _edge_share(bright, placed) < LIMITS.min_edge_share:
        return None
    limits = (page.width - 1, page.height - 1)
    first, second, third, fourth = (
        (float(np.clip(column / shrink, 0, limits[0])), float(np.clip(row / shrink, 0, limits[1])))
        for column, row in placed
    )
    return first, second, third, fourth


def _simplify_to_four(hull: NDArray[np.int32]) -> NDArray[np.float32] | None:
    length = cv2.arcLength(hull, closed=True)
    for rounding in _ROUNDINGS:
        polygon = cv2.approxPolyDP(hull, float(rounding * length), closed=True)
        if len(polygon) == 4:
            return np.asarray(polygon[:, 0], dtype=np.float32)
    return None


def _edge_share(bright: NDArray[np.uint8], corners: NDArray[np.float32]) -> float:
    """Share of the places along the sides at which it is darker outside; those at the picture's end are left out."""
    along = np.linspace(0.05, 0.95, 40)[:, None]
    height, width = bright.shape
    inner = []
    for first, second in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        places = first + along * (second - first)
        right = (second - first) / max(float(np.linalg.norm(second - first)), 1e-6)
        outward = np.array([right[1], -right[0]]) * LIMITS.step_px
        sides = [np.rint(places + way * outward).astype(np.intp) for way in (1, -1)]
        there = np.all([(s >= 0).all(axis=1) & (s < (width, height)).all(axis=1) for s in sides], axis=0)
        outside, inside = (bright[side[there, 1], side[there, 0]].astype(np.intp) for side in sides)
        inner += (inside - outside >= LIMITS.min_step).tolist()
    return float(np.mean(inner)) if inner else 0.0


def _order_clockwise(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """From the top left, in the direction of the clock as rows go down."""
    around = corners - corners.mean(axis=0)
    turned = corners[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return np.roll(turned, -int(turned.sum(axis=1).argmin()), axis=0)

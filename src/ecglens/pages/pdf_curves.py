"""Curves that a PDF holds as paths, in pixels of its drawn page: exact where pixels are not."""

import ctypes
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from ecglens.limits import threshold

__all__ = ["LIMITS", "CurveLimits", "find_curves"]


@dataclass(frozen=True)
class CurveLimits:
    """Thresholds of reading traces from the paths of a PDF."""

    min_points: int = threshold(
        60,
        "points",
        "Least number of points of a trace.",
        low="Frames and letters count as traces.",
        high="Coarse traces are not read.",
    )
    max_points: int = threshold(
        200_000,
        "points",
        "Largest number of points of a page.",
        low="Long recordings are read from pixels.",
        high="Hostile files take long.",
    )
    max_paths: int = threshold(
        20_000,
        "paths",
        "Largest number of paths of a page.",
        low="Pages with a vector grid are read from pixels.",
        high="Hostile files take long.",
    )
    min_forward: float = threshold(
        0.98,
        "1",
        "Least share of steps that do not go back in time; outlines of letters and frames do.",
        low="Letters count as traces.",
        high="Traces with rounded points are not read.",
    )
    min_ink: float = threshold(
        0.9,
        "1",
        "Least share of a path that is visible as ink.",
        low="Hidden paths count as traces.",
        high="Traces under others are not read.",
    )
    dark: int = threshold(
        160,
        "gray levels",
        "Brightness below which a pixel is ink.",
        low="Gray traces are not read.",
        high="Colored grids count as ink.",
    )


LIMITS = CurveLimits()


def find_curves(page: pdfium.PdfPage, pixels: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.float32], ...]:
    """Find every path of many points that runs from left to right and lies on ink.

    Args:
        page: An open page.
        pixels: The page as it was drawn, ``(height, width, 3)`` uint8 RGB.
        scale: Pixels per point of the page.

    Returns:
        ``(points, 2)`` float32 each, column and row of pixel centers. Empty where paths lie elsewhere than
        their ink, as on pages that are turned or nested in a way that is not understood.
    """
    dark = pixels.min(axis=2) < LIMITS.dark
    _, page_height = page.get_size()
    curves: list[NDArray[np.float32]] = []
    budget = LIMITS.max_points
    for number, path in enumerate(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_PATH], max_depth=1)):
        count = int(pdfium_c.FPDFPath_CountSegments(path))
        budget -= count
        if number > LIMITS.max_paths or budget < 0:
            return ()
        if count < LIMITS.min_points:
            continue
        points = _points(path, count) * scale
        points[:, 1] = page_height * scale - points[:, 1]
        curve = np.asarray(points - 0.5, dtype=np.float32)
        if np.mean(np.diff(curve[:, 0]) >= 0) >= LIMITS.min_forward and _on_ink(curve, dark):
            curves.append(curve)
    return tuple(curves)


def _points(path: pdfium.PdfObject, count: int) -> NDArray[np.float64]:
    """The path's points on the page, in points from its lower left corner."""
    x, y = ctypes.c_float(), ctypes.c_float()
    points = np.empty((count, 2))
    for index in range(count):
        segment = pdfium_c.FPDFPath_GetPathSegment(path, index)
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        points[index] = x.value, y.value
    matrix = path.get_matrix()
    across = matrix.a * points[:, 0] + matrix.c * points[:, 1] + matrix.e
    up = matrix.b * points[:, 0] + matrix.d * points[:, 1] + matrix.f
    return np.stack([across, up], axis=1)


def _on_ink(curve: NDArray[np.float32], dark: NDArray[np.bool_]) -> bool:
    """Return whether the middles of a curve's steps are on dark pixels."""
    column, row = np.rint((curve[:-1] + curve[1:]) / 2).astype(np.intp).T
    inside = (row >= 1) & (row < dark.shape[0] - 1) & (column >= 0) & (column < dark.shape[1])
    if not inside.any():
        return False
    row, column = row[inside], column[inside]
    near = dark[row, column] | dark[row - 1, column] | dark[row + 1, column]
    return bool(near.mean() >= LIMITS.min_ink)

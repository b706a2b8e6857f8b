"""Refining a map by the grid."""

import numpy as np
import pytest

from ecglens.pages.geometry.grid_refinement import LIMITS, GridPicture, extend_smoothly, refine_map
from ecglens.pages.geometry.paper_map import NODE_MM, PaperMap

PX_PER_MM = 6.0
SIZE_MM = (120.0, 160.0)


def grid_picture(hidden: slice | None = None) -> GridPicture:
    """Return lines at every millimeter, stronger at every fifth, with a hidden band of rows."""
    height, width = (round(size * PX_PER_MM) for size in SIZE_MM)
    profiles = []
    for length in (height, width):
        mm = np.arange(length) / PX_PER_MM
        fine, strong = (np.abs(mm / step - np.rint(mm / step)) * step for step in (1.0, 5.0))
        profiles.append(20 * np.exp(-((fine / 0.15) ** 2)) + 60 * np.exp(-((strong / 0.2) ** 2)))
    lines = np.maximum(profiles[0][:, None], profiles[1][None]).astype(np.float32)
    visible = np.ones_like(lines)
    if hidden is not None:
        visible[hidden] = 0
        lines[hidden] = 200
    return GridPicture(lines, visible, step=1)


def bent_map(bend_mm: float) -> tuple[PaperMap, np.ndarray]:
    """Return a map that is wrong by a smooth bend, and its nodes without that."""
    columns, rows = np.meshgrid(np.arange(0, SIZE_MM[1] + 1, NODE_MM), np.arange(0, SIZE_MM[0] + 1, NODE_MM))
    true = np.stack([columns, rows], axis=-1) * PX_PER_MM
    bend = bend_mm * np.stack([np.sin(columns / 40) * np.cos(rows / 30), np.cos(columns / 35)], axis=-1) * PX_PER_MM
    return PaperMap((true + bend).astype(np.float32)), true


def error_mm(paper: PaperMap, true: np.ndarray) -> float:
    """Compute the largest deviation from the true nodes in mm inside the page, without a shift of the whole."""
    apart = (paper.nodes - true)[6:-6, 6:-6] / PX_PER_MM
    apart -= np.median(apart.reshape(-1, 2), axis=0)
    return float(np.abs(apart).max())


@pytest.mark.parametrize("bend_mm", [0.2, 0.8])
def test_a_bent_map_becomes_square(bend_mm: float) -> None:
    paper, true = bent_map(bend_mm)
    assert error_mm(paper, true) > 0.15
    refined = refine_map(grid_picture(), paper)
    assert error_mm(refined.paper, true) < 0.06 + 0.1 * (bend_mm > 0.5)
    assert refined.residual_mm < 0.06


def test_hidden_lines_do_not_pull() -> None:
    paper, true = bent_map(0.2)
    refined = refine_map(grid_picture(hidden=np.s_[300:330]), paper)
    assert error_mm(refined.paper, true) < 0.06


def test_a_crease_beside_the_lines_does_not_pull() -> None:
    picture = grid_picture()
    lines = picture.lines.copy()
    crease = round(62.4 * PX_PER_MM)
    lines[:, crease - 4 : crease + 4] = 80
    paper, true = bent_map(0.2)
    refined = refine_map(GridPicture(lines, picture.is_visible, step=1), paper)
    assert error_mm(refined.paper, true) < 0.06


def test_a_picture_without_a_grid_leaves_a_residual() -> None:
    noise = np.random.default_rng(0).normal(20, 10, (720, 960)).astype(np.float32)
    refined = refine_map(GridPicture(noise, np.ones_like(noise), 1), bent_map(0.2)[0])
    assert refined.residual_mm > 0.1


def test_windows_become_smaller() -> None:
    assert list(LIMITS.windows_mm) == sorted(LIMITS.windows_mm, reverse=True)


def test_places_that_are_shifted_by_a_square_are_not_settled() -> None:
    paper, _ = bent_map(0.0)
    shifted = paper.nodes.copy()
    shifted[:, 55:, 0] += 5 * PX_PER_MM
    refined = refine_map(grid_picture(), PaperMap(shifted))
    assert refined.is_settled[10:-10, 8:40].all()
    assert not refined.is_settled[:, 60:].any()


def test_hidden_parts_without_a_grid_are_not_settled() -> None:
    refined = refine_map(grid_picture(hidden=np.s_[:360]), bent_map(0.1)[0])
    assert not refined.is_settled[5:20, 10:-10].any()
    assert refined.is_settled[40:-8, 10:-10].all()


def test_places_without_evidence_continue_the_plane_of_those_with_it() -> None:
    paper, true = bent_map(0.0)
    wrong = paper.nodes.copy()
    wrong[:, :12] += np.float32(2.0 * PX_PER_MM)
    weight = np.ones(paper.nodes.shape[:2], np.float32)
    weight[:, :14] = 0
    extended = extend_smoothly(PaperMap(wrong), weight)
    assert np.abs(extended.nodes - true).max() < 0.05 * PX_PER_MM


def test_a_map_without_evidence_is_left_as_it_is() -> None:
    paper, _ = bent_map(0.2)
    assert extend_smoothly(paper, np.zeros(paper.nodes.shape[:2], np.float32)) is paper

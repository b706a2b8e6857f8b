"""Maps from paper to a picture."""

import cv2
import numpy as np

from ecglens.pages.geometry.paper_map import NODE_MM, PaperMap

PX_PER_MM = 6.0
HEIGHT_MM, WIDTH_MM = 60.0, 80.0


def flat_map(slope: float = 0.0) -> PaperMap:
    """Return a map to a picture of flat paper, whose rows rise to the right by a slope."""
    columns, rows = np.meshgrid(np.arange(0, WIDTH_MM + 1, NODE_MM), np.arange(0, HEIGHT_MM + 1, NODE_MM))
    return PaperMap(np.stack([columns * PX_PER_MM, (rows + slope * columns) * PX_PER_MM], axis=-1).astype(np.float32))


def picture() -> np.ndarray:
    y, x = np.mgrid[: int(HEIGHT_MM * PX_PER_MM), : int(WIDTH_MM * PX_PER_MM)]
    return np.asarray(127 + 100 * np.sin(x / 20) * np.cos(y / 25), dtype=np.uint8)


def test_a_map_of_flat_paper_changes_nothing_but_half_a_pixel() -> None:
    flat = flat_map().resample(picture(), PX_PER_MM, kernel=cv2.INTER_LINEAR, border=cv2.BORDER_REPLICATE)
    assert flat.shape == picture().shape
    between = picture().astype(float)
    between = (between[:-1] + between[1:])[:, :-1] / 4 + (between[:-1] + between[1:])[:, 1:] / 4
    assert np.abs(flat[5:-5, 5:-5] - between[5:-4, 5:-4]).max() < 2


def test_the_size_is_in_millimeters() -> None:
    assert flat_map().size_mm == (HEIGHT_MM, WIDTH_MM)
    columns, rows = flat_map().places(3.0, slice(10, 12))
    assert columns.shape == (2, 240)
    assert np.allclose(rows[0], 10.5 / 3 * PX_PER_MM, atol=1e-3)


def test_moves_on_paper_are_moves_along_the_picture() -> None:
    paper = flat_map(0.1)
    shape = paper.nodes.shape[:2]
    moved = paper.move(np.full(shape, 0.5, np.float32), np.full(shape, -0.25, np.float32))
    assert np.allclose(moved.nodes[..., 0] - paper.nodes[..., 0], 0.5 * PX_PER_MM, atol=1e-3)
    assert np.allclose(moved.nodes[..., 1] - paper.nodes[..., 1], (0.05 - 0.25) * PX_PER_MM, atol=1e-3)


def test_a_homography_leads_to_the_picture_that_a_view_came_from() -> None:
    matrix = np.array([[2.0, 0.0, 5.0], [0.0, 2.0, 7.0], [0.0, 0.0, 1.0]])
    projected = flat_map().project(matrix)
    assert np.allclose(projected.nodes, flat_map().nodes * 2 + (5, 7))


def test_a_large_picture_is_resampled_in_strips_as_at_once() -> None:
    paper = flat_map(0.02)
    whole = paper.resample(picture(), 10.0, kernel=cv2.INTER_CUBIC, border=cv2.BORDER_REPLICATE)
    columns, rows = paper.places(10.0, slice(0, whole.shape[0]))
    at_once = cv2.remap(picture(), columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert whole.shape[0] > 512
    assert np.array_equal(whole, at_once)

"""A map from places on paper, in mm, to a picture of it: composed of any number of steps, resampled once.

The map is stored at nodes that are 2 mm of paper apart, and is bilinear between them. A picture that is resampled once
with a sharp kernel keeps the thin tips of complexes; each further resampling blurs them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE_MM", "PaperMap", "SourceView"]

NODE_MM = 2.0
"""Distance of the nodes on paper."""

_STRIP_PX = 256


@dataclass(frozen=True, slots=True, eq=False)
class SourceView:
    """A picture that a page was resampled from.

    Attributes:
        pixels: Of the picture.
        to_source: Homography from pixels of the page to those of the picture, ``(3, 3)``.
    """

    pixels: NDArray[np.uint8]
    to_source: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PaperMap:
    """A map from paper to a picture.

    Attributes:
        nodes: ``(rows, columns, 2)`` float32, ``(column, row)`` of the picture at places on paper ``NODE_MM`` apart.
    """

    nodes: NDArray[np.float32]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the paper between the first and the last node."""
        rows, columns = self.nodes.shape[:2]
        return (rows - 1) * NODE_MM, (columns - 1) * NODE_MM

    def move(self, across_mm: NDArray[np.float32], down_mm: NDArray[np.float32]) -> "PaperMap":
        """Return the map whose places are those of this map, moved on paper.

        Args:
            across_mm: ``(rows, columns)``, to the right, at the nodes; short distances.
            down_mm: The same, downwards.
        """
        across = np.gradient(self.nodes, axis=1) * (across_mm / NODE_MM)[..., None]
        down = np.gradient(self.nodes, axis=0) * (down_mm / NODE_MM)[..., None]
        return PaperMap(np.asarray(self.nodes + across + down, dtype=np.float32))

    def project(self, matrix: NDArray[np.float64]) -> "PaperMap":
        """Return the map to another picture, in which the places of this one are moved by a homography."""
        places = self.nodes.reshape(1, -1, 2).astype(np.float64)
        projected = cv2.perspectiveTransform(places, matrix).reshape(self.nodes.shape)
        return PaperMap(np.asarray(projected, dtype=np.float32))

    def places(self, px_per_mm: float, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return columns and rows of the picture for some rows of flat paper at a resolution."""
        width = round(self.size_mm[1] * px_per_mm)
        step = np.float32(1 / (px_per_mm * NODE_MM))
        columns, lines = np.meshgrid(
            (np.arange(width, dtype=np.float32) + np.float32(0.5)) * step,
            (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5)) * step,
        )
        across, down = (cv2.remap(self.nodes[..., axis], columns, lines, cv2.INTER_LINEAR) for axis in (0, 1))
        return np.asarray(across, dtype=np.float32), np.asarray(down, dtype=np.float32)

    def resample(
        self, pixels: NDArray[np.uint8] | NDArray[np.float32], px_per_mm: float, *, kernel: int, border: int
    ) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Resample a picture as flat paper.

        It works in strips, because the positions of all pixels take ten times the memory of the picture.

        Args:
            pixels: The picture, ``(height, width)`` or with channels.
            px_per_mm: Resolution of the flat paper.
            kernel: Interpolation of OpenCV.
            border: What is beside the picture, as a border type of OpenCV.
        """
        height, width = (round(size * px_per_mm) for size in self.size_mm)
        flat = np.empty((height, width, *pixels.shape[2:]), dtype=pixels.dtype)
        for top in range(0, height, _STRIP_PX):
            strip = slice(top, min(top + _STRIP_PX, height))
            across, down = self.places(px_per_mm, strip)
            cv2.remap(pixels, across, down, kernel, dst=flat[strip], borderMode=border)
        return flat

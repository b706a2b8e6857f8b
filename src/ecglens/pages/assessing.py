"""Assess the picture of a page before it is read: sharp enough, bright enough, the whole page, close enough.

It takes less than a tenth of a second, so that a person who holds the phone still can take the picture again. Nothing
is measured by it, and a page that it finds fault with may still be read.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.geometry.paper_edges import Corners, find_paper_corners
from ecglens.pages.grid import find_grid_lines
from ecglens.pages.preprocessing import color_extremes, estimate_skew_from, extract_ink_from, extract_tint_from, gray
from ecglens.pages.read import Source, read_page
from ecglens.records import NotFound, Page
from ecglens.settings import load_settings

__all__ = ["LIMITS", "Assessment", "AssessmentLimits", "assess", "assess_page", "describe_hints"]

_EVIDENCE = (
    "`python -m pytest tests/pages/test_assessing.py`, and the photographs of `shared/data`, looked at one by one"
)


@dataclass(frozen=True)
class AssessmentLimits:
    """Thresholds of the hints for photographs."""

    work_width_px: int = threshold(
        1100,
        "px",
        "Width to which a picture is reduced for finding the grid.",
        low="Fine grids are lost.",
        high="Assessing takes longer than a person waits.",
    )
    min_paper_share: float = threshold(
        0.25,
        "1",
        "Share of the picture that its largest bright part covers, which is the page.",
        low="Pages far away get no hint.",
        high="Pages in a shadow are called too far.",
        evidence=_EVIDENCE,
    )
    max_bright_border: float = threshold(
        0.1,
        "1",
        "Share of the picture's border that may be bright where the page is far away.",
        low="Pages far away on a table with a bright corner get no hint.",
        high="Pages that fill the picture are called too far.",
        evidence=_EVIDENCE,
    )
    min_px_per_mm: float = threshold(
        3.5,
        "px/mm",
        "Least resolution of the paper: below it tips of complexes are lost.",
        low="Pictures that cannot be read get no hint.",
        high="Pictures that can be read are called too far.",
        evidence=_EVIDENCE,
    )
    max_edge_mm: float = threshold(
        0.75,
        "mm",
        "Largest width of the edge of a stroke.",
        low="Sharp pictures of thick strokes are called blurred.",
        high="Blurred pictures get no hint.",
        evidence=_EVIDENCE,
    )
    min_edge_px: float = threshold(
        4.0,
        "px",
        "Width of an edge up to which a picture is always sharp: 2.5 to 3.3 px on pictures of any resolution.",
        low="Sharp pictures of a low resolution are called blurred.",
        high="Blurred pictures of a low resolution get no hint.",
        evidence=_EVIDENCE,
    )
    max_edge_px: float = threshold(
        5.0,
        "px",
        "The same where the scale is unknown.",
        low="Large sharp pictures are called blurred.",
        high="Blurred pictures get no hint.",
        evidence=_EVIDENCE,
    )
    min_paper: int = threshold(
        80,
        "gray levels",
        "Least brightness of the paper.",
        low="Dark pictures get no hint.",
        high="Pictures in the evening are called dark.",
        evidence=_EVIDENCE,
    )
    min_contrast: float = threshold(
        0.3,
        "1",
        "Least difference of the ink from the paper, as a part of the paper's brightness.",
        low="Pale pictures get no hint.",
        high="Pale prints are called too pale.",
        evidence=_EVIDENCE,
    )
    strokes: tuple[int, int] = threshold(
        (3, 15),
        "strokes",
        "Numbers of strokes that leave the picture at one side with which a part of the page is outside.",
        low="Rules at the edge look like cut traces.",
        high="The lines of a dark grid look like cut traces.",
        evidence=_EVIDENCE,
    )
    run_share: float = threshold(
        0.015,
        "1",
        "Width beside the edge, as a part of the picture's, over which a stroke that is cut runs level.",
        low="Specks at the edge look like cut traces.",
        high="Cut complexes get no hint.",
        evidence=_EVIDENCE,
    )
    run_cover: float = threshold(
        0.3,
        "1",
        "Share of that width that the stroke covers in each of its rows, thin strokes blurred over three rows.",
        low="Dirt at the edge looks like cut traces.",
        high="Cut traces that are not level get no hint.",
        evidence=_EVIDENCE,
    )
    max_stroke_share: float = threshold(
        0.012,
        "1",
        "Largest thickness of a stroke, as a part of the picture's height.",
        low="Blurred traces that are cut get no hint.",
        high="Tables beside the page look like cut traces.",
        evidence=_EVIDENCE,
    )
    tile_px: int = threshold(
        192,
        "px",
        "Side of the parts of the picture in which strokes are looked at.",
        low="Parts without a stroke decide.",
        high="Assessing takes longer.",
    )
    tiles: int = threshold(
        5,
        "tiles",
        "Number of such parts each way.",
        low="Parts without a stroke decide.",
        high="Assessing takes longer.",
    )


LIMITS = AssessmentLimits()

_CLOSER = "Move closer, until the page fills the picture."
_STILL = "Hold the phone still and tap on the page to focus."
_BRIGHTER = "Use more light."
_CONTRAST = "Avoid glare, and let the light fall from the side."
_WHOLE = "Show all four corners of the page."


@dataclass(frozen=True, slots=True)
class Assessment:
    """Result of looking at the picture of a page before it is read.

    Attributes:
        width_px: Width of the picture.
        height_px: Height of the picture.
        px_per_mm: Pixels per millimeter of paper by the grid, or ``None`` where no grid was found.
        edge_px: Width of the edges of the sharpest strokes, or ``None`` where there are no strokes.
        paper: Brightness of the paper, 0 to 255.
        contrast: Difference of the ink from the paper, as a part of the paper's brightness.
        corners: Corners of the paper where they are visible, ``(column, row)`` clockwise from the top left.
        is_close: Whether the resolution of the paper is high enough; true where it is unknown.
        is_sharp: Whether strokes are sharp.
        is_bright: Whether paper and ink are bright and dark enough.
        is_whole: Whether the traces end inside the picture.
        hints: What to do for a better picture, one sentence each.
    """

    width_px: int
    height_px: int
    px_per_mm: float | None
    edge_px: float | None
    paper: int
    contrast: float
    corners: Corners | None
    is_close: bool
    is_sharp: bool
    is_bright: bool
    is_whole: bool
    hints: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether there is no hint."""
        return not self.hints

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {
            "width_px": self.width_px,
            "height_px": self.height_px,
            "px_per_mm": None if self.px_per_mm is None else round(self.px_per_mm, 2),
            "edge_px": None if self.edge_px is None else round(self.edge_px, 2),
            "paper": self.paper,
            "contrast": round(self.contrast, 2),
            "corners": None if self.corners is None else [[round(x, 1), round(y, 1)] for x, y in self.corners],
            "is_close": self.is_close,
            "is_sharp": self.is_sharp,
            "is_bright": self.is_bright,
            "is_whole": self.is_whole,
            "is_good": self.is_good,
            "hints": list(self.hints),
        }


def assess(source: Source, *, page: int = 1) -> Assessment:
    """Assess the picture of a page before it is read.

    Args:
        source: As for :func:`ecglens.read`.
        page: Number of the page in the file, from 1.

    Raises:
        EcgReadError: The file is not a page that can be decoded.
    """
    return assess_page(read_page(source, page=page, max_megapixels=load_settings().max_megapixels))


def assess_page(page: Page) -> Assessment:
    """Assess a page that was decoded before.

    Args:
        page: From :func:`ecglens.pages.read.read_page`.
    """
    work = _reduce(page.pixels)
    brightest, lowest = color_extremes(work)
    dark = extract_ink_from(brightest)
    luma = gray(work)
    middle = luma[luma.shape[0] // 4 : -luma.shape[0] // 4 or None, luma.shape[1] // 4 : -luma.shape[1] // 4 or None]
    paper = int(np.percentile(middle, 80))
    contrast = float(np.percentile(dark, 99.5)) / 255
    px_per_mm = _find_scale(lowest, dark, page.width / work.shape[1])
    edge_px = _find_edge(page.pixels)
    limit = LIMITS.max_edge_px if px_per_mm is None else max(LIMITS.min_edge_px, LIMITS.max_edge_mm * px_per_mm)
    is_close = _find_paper_share(luma) >= LIMITS.min_paper_share
    is_close &= px_per_mm is None or px_per_mm >= LIMITS.min_px_per_mm
    is_sharp = edge_px is None or edge_px <= limit
    has_light, has_contrast = paper >= LIMITS.min_paper, contrast >= LIMITS.min_contrast
    corners = find_paper_corners(page)
    is_whole = corners is not None or not _is_cut(dark)
    checks = (
        (is_close, _CLOSER),
        (is_sharp, _STILL),
        (has_light, _BRIGHTER),
        (has_contrast, _CONTRAST),
        (is_whole, _WHOLE),
    )
    return Assessment(
        width_px=page.width,
        height_px=page.height,
        px_per_mm=px_per_mm,
        edge_px=edge_px,
        paper=paper,
        contrast=contrast,
        corners=corners,
        is_close=is_close,
        is_sharp=is_sharp,
        is_bright=has_light and has_contrast,
        is_whole=is_whole,
        hints=tuple(hint for is_good, hint in checks if not is_good),
    )


def describe_hints(page: Page) -> str:
    """Return what to do for a better picture of a page that was refused, as sentences after a space; often nothing.

    Args:
        page: As it was decoded; one with text or curves in its file was not photographed.
    """
    hints = () if page.texts or page.curves else assess_page(page).hints
    return "".join(f" {hint}" for hint in hints)


def _reduce(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    step = max(1, round(width / LIMITS.work_width_px))
    if step == 1:
        return pixels
    part = pixels[: height // step * step, : width // step * step]
    return np.asarray(cv2.resize(part, (width // step, height // step), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _find_paper_share(luma: NDArray[np.uint8]) -> float:
    """Share of the picture that the box around its largest bright part covers; 1 unless all around is dark."""
    small = cv2.resize(luma, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    _, bright = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    around = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    if around.mean() > LIMITS.max_bright_border:
        return 1.0
    _, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    boxes = stats[1:, cv2.CC_STAT_WIDTH].astype(np.float64) * stats[1:, cv2.CC_STAT_HEIGHT]
    return float(boxes.max(initial=0.0)) / small.size if boxes.size else 1.0


def _find_scale(lowest: NDArray[np.uint8], dark: NDArray[np.uint8], step: float) -> float | None:
    """Pixels per millimeter of the whole picture by its grid."""
    lines = extract_tint_from(lowest, dark)
    height, width = lines.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), estimate_skew_from(lowest), 1.0)
    upright = np.asarray(cv2.warpAffine(lines, turn, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
    grid = find_grid_lines(upright)
    return None if isinstance(grid, NotFound) else float(np.mean(grid.px_per_mm)) * step


def _find_edge(pixels: NDArray[np.uint8]) -> float | None:
    """Width of the edges of the sharpest strokes in px: their contrast over their steepest slope."""
    height, width = pixels.shape[:2]
    size = min(LIMITS.tile_px, height, width)
    widths = []
    for top in np.linspace(0, height - size, LIMITS.tiles + 2).round().astype(int)[1:-1]:
        for left in np.linspace(0, width - size, LIMITS.tiles + 2).round().astype(int)[1:-1]:
            tile = gray(np.ascontiguousarray(pixels[top : top + size, left : left + size]))
            smooth = cv2.GaussianBlur(tile, (0, 0), 0.8).astype(np.float32)
            contrast = float(np.percentile(smooth, 80) - smooth.min())
            if contrast < LIMITS.min_contrast * 255 / 2:
                continue
            slopes = (cv2.Sobel(smooth, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
            steepest = float(np.percentile(cv2.magnitude(*slopes), 99.8))
            widths.append(contrast / max(steepest, 1e-3))
    return float(np.percentile(widths, 25)) if widths else None


def _is_cut(dark: NDArray[np.uint8]) -> bool:
    """Return whether several thin dark strokes run out of the picture at its left or right side."""
    height, width = dark.shape
    black = (dark > 0.5 * max(1.0, float(np.percentile(dark, 99.5)))).astype(np.float32)
    reach = max(4, round(LIMITS.run_share * width))
    for band in (black[:, :reach], black[:, -reach:]):
        runs = np.concatenate([[False], cv2.blur(band, (1, 3)).mean(axis=1) > LIMITS.run_cover, [False]])
        edges = np.flatnonzero(np.diff(runs.astype(np.int8)))
        thickness = edges[1::2] - edges[::2]
        strokes = int((thickness <= max(3, LIMITS.max_stroke_share * height)).sum())
        if LIMITS.strokes[0] <= strokes <= LIMITS.strokes[1]:
            return True
    return False

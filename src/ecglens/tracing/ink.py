"""The ink of a page's traces at full resolution, without grid dots and separators."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import turn_map_upright, turn_upright
from ecglens.limits import threshold
from ecglens.pages.preprocessing import estimate_edge_level, extract_ink
from ecglens.records import Layout, Page

__all__ = ["LIMITS", "InkLimits", "TraceInk", "add_pale_strokes", "extract_trace_ink"]


_REAL_PAGES = (
    "`python benchmarks/real_pages.py`: page_013 of benchmarks/real_pages.md; no figure of `make accuracy` falls"
)


@dataclass(frozen=True)
class InkLimits:
    """Thresholds that tell traces from specks and separators."""

    work_px_per_mm: float = threshold(
        8.0,
        "px/mm",
        "Resolution down to which pixels are averaged before traces are followed.",
        low="Thin R peaks of high-resolution scans are blurred.",
        high="Tracing takes more time and memory.",
    )
    min_separator_mm: float = threshold(
        30.0,
        "mm",
        "Length from which an upright line near a border of leads is a separator.",
        low="Tall QRS complexes at the border are removed.",
        high="Separators are followed as traces.",
    )
    min_separator_elsewhere_mm: float = threshold(
        60.0,
        "mm",
        "The same away from the borders, where tall complexes are.",
        low="Tall QRS complexes are removed.",
        high="Frames and fold lines are followed as traces.",
    )
    border_mm: float = threshold(
        3.0,
        "mm",
        "Distance from a border of leads that counts as near.",
        low="Separators beside the border are followed as traces.",
        high="Tall complexes beside the border are removed.",
    )
    max_dash_gap_mm: float = threshold(
        1.2,
        "mm",
        "Longest gap in a dashed separator.",
        low="Dashed separators are followed as traces.",
        high="QRS complexes above each other look like one separator.",
    )
    max_complex_mm: float = threshold(
        45.0,
        "mm",
        "Height above the first zero line in which complexes are searched that leave the trace area at its top.",
        low="The tips of very tall complexes are cut.",
        high="Print in the header is followed as a trace.",
    )
    max_speck_mm: float = threshold(
        0.6,
        "mm",
        "Largest extent of a speck, such as a grid dot, that is removed.",
        low="Grid dots are followed as traces.",
        high="Pieces of broken traces are removed.",
    )
    pale_stroke: float = threshold(
        0.35,
        "1",
        "Ink of a pale stroke beyond that of the grid, as a part of the level.",
        low="Noise and the grid are added to gaps.",
        high="Thin flanks of scans and pictures of the web stay hidden.",
        evidence=_REAL_PAGES,
    )
    min_stroke_mm: float = threshold(
        0.6,
        "mm",
        "Least height of a pale stroke.",
        low="Dots of the grid are added to gaps.",
        high="Only tall complexes are completed.",
        evidence=_REAL_PAGES,
    )
    classified_level: float = threshold(
        80.0,
        "share of 255",
        "Share of a pixel that its trace covers from which it is followed, where pixels were classified: thin tips of "
        "tall complexes cover a third of a pixel.",
        low="Traces look wider than they are.",
        high="Thin strokes are lost.",
    )
    unsharp_share: float = threshold(
        1.5,
        "1",
        "Share of the unsharp mask of blurred strokes.",
        low="Blurred tips stay low.",
        high="Noise is followed as traces.",
        evidence="`python benchmarks/photographed.py`: blur and phone in benchmarks/photographed.md",
    )
    sharp_level: float = threshold(
        0.94,
        "1",
        "Ink of thin strokes of a sharp page, as a part of its blackest places.",
        low="The pen looks sharper than it is, and traces begin early.",
        high="The pen looks blurred, and traces begin late.",
    )


LIMITS = InkLimits()


@dataclass(frozen=True, slots=True, eq=False)
class TraceInk:
    """Ink of the trace area of the upright page, and where its pixels are.

    Attributes:
        pixels: ``(height, width)`` uint8.
        black: ``(height, width)``, ink that may be a trace.
        separators: ``(width,)``, columns in which a separator was removed.
        level: Ink at the edge of a stroke.
        shrink: Pixels of the page in one of these.
        top: Row of the page at which they begin.
        left: Column of the page at which they begin.
        is_classified: Whether the ink is the share of each pixel that traces cover, which no blur makes wider.
    """

    pixels: NDArray[np.uint8]
    black: NDArray[np.bool_]
    separators: NDArray[np.bool_]
    level: float
    shrink: int
    top: float
    left: float
    is_classified: bool

    @property
    def edge_share(self) -> float:
        """Number of pixels between black and paper for each black one."""
        is_between = (self.pixels > 0.25 * self.level) & (self.pixels < 1.2 * self.level)
        return float(is_between.sum() / max(1, int(self.black.sum())))

    @property
    def sharpness(self) -> float:
        """Ink of strokes relative to the blackest places, in (0, 1]: blur makes thin strokes pale and wider."""
        if self.is_classified:
            return 1.0
        blackest = int(cv2.erode(self.pixels, np.ones((1, 2), np.uint8)).max(initial=1))
        return min(1.0, 2 * self.level / blackest / LIMITS.sharp_level)

    def row(self, page_row: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the row of this ink for a row of the upright page."""
        return np.asarray((page_row - self.top + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def column(self, page_column: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the column of this ink for a column of the upright page."""
        return np.asarray((page_column - self.left + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def page_row(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the row of the upright page for a row of this ink."""
        return np.asarray((row + 0.5) * self.shrink - 0.5 + self.top, dtype=np.float64)

    def page_column(self, column: float) -> float:
        """Return the column of the upright page for a column of this ink."""
        return (column + 0.5) * self.shrink - 0.5 + self.left


def extract_trace_ink(page: Page, layout: Layout, *, level_share: float = 1.0, blur_px: float = 0.0) -> TraceInk:
    """Extract the ink of the trace area of the upright page.

    Args:
        page: View on which the layout was located.
        layout: Positions of the leads.
        level_share: Share of the edge's level from which ink may be a trace.
        blur_px: Standard deviation of the blur of its strokes, which is undone in part by an unsharp mask.
    """
    upright = turn_upright(page, layout) if page.classes is None else turn_map_upright(page.classes.trace, layout)
    box = layout.trace_area
    top, left = max(0, int(box.top)), max(0, int(box.left))
    bottom, right = int(np.ceil(box.bottom)), int(np.ceil(box.right))
    area_ink, level = _cut_ink(upright[top:bottom, left:right])
    highest = min(lead.baseline_px for lead in layout.leads) - LIMITS.max_complex_mm * layout.px_per_mm[0]
    if highest < top and (area_ink[0] >= level).any():  # complexes leave the trace area at its top
        top = max(0, int(highest))
        area_ink, level = _cut_ink(upright[top:bottom, left:right])
    px_per_mm = float(np.sqrt(layout.px_per_mm[0] * layout.px_per_mm[1]))
    shrink = max(1, int(px_per_mm / LIMITS.work_px_per_mm))
    if shrink > 1:
        size = area_ink.shape[1] // shrink, area_ink.shape[0] // shrink
        whole = np.ascontiguousarray(area_ink[: size[1] * shrink, : size[0] * shrink])
        area_ink = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        level = estimate_edge_level(area_ink) if page.classes is None else level
    if blur_px > 0:
        area_ink = _sharpen(area_ink, blur_px)
        level = estimate_edge_level(area_ink)
    sides = {side for lead in layout.leads for side in (lead.box.left, lead.box.right)}
    borders = np.array([(side - left + 0.5) / shrink - 0.5 for side in sorted(sides)])
    strong = area_ink >= level_share * level
    black, separators = _remove_specks_and_separators(strong, px_per_mm / shrink, borders)
    return TraceInk(area_ink, black, separators, level, shrink, top, left, page.classes is not None)


def _sharpen(ink: NDArray[np.uint8], blur_px: float) -> NDArray[np.uint8]:
    blurred = cv2.GaussianBlur(ink, (0, 0), blur_px)
    share = LIMITS.unsharp_share
    return np.asarray(cv2.addWeighted(ink, 1 + share, blurred, -share, 0), dtype=np.uint8)


def _cut_ink(area: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Ink of a part of the page, or of the share that traces cover, and the ink at the edge of a stroke."""
    if area.ndim == 2:
        return np.ascontiguousarray(area), LIMITS.classified_level
    ink = extract_ink(np.ascontiguousarray(area))
    return ink, estimate_edge_level(ink)


def add_pale_strokes(ink: TraceInk, gaps: NDArray[np.bool_], px_per_mm: float) -> TraceInk:
    """Add upright strokes that are paler than the level where a trace is hidden: thin flanks mix with the paper.

    Args:
        ink: Ink that was followed.
        gaps: ``(width,)``, columns in which a line is hidden.
        px_per_mm: Resolution of the ink, downward.

    Returns:
        The ink with the strokes that stand out from the grid lines of their column and rows and touch black ink.
    """
    grid = np.maximum(np.median(ink.pixels, axis=0)[None, :], np.median(ink.pixels, axis=1)[:, None])
    is_pale = (ink.pixels - grid >= LIMITS.pale_stroke * ink.level) & gaps
    length = max(3, round(LIMITS.min_stroke_mm * px_per_mm))
    upright = cv2.morphologyEx(is_pale.astype(np.uint8), cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    strokes = np.asarray(ink.black | (upright > 0), dtype=np.uint8)
    _, labels = cv2.connectedComponents(strokes, connectivity=8)
    touching = np.unique(labels[ink.black])
    return replace(ink, black=np.isin(labels, touching))


def _remove_specks_and_separators(
    black: NDArray[np.bool_], px_per_mm: float, borders: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Ink without specks, such as grid dots, and without long upright lines, such as separators.

    Args:
        black: ``(height, width)``, the ink.
        px_per_mm: Resolution of the ink.
        borders: Columns at which leads begin and end.

    Returns:
        The ink, and the columns in which there were such lines.
    """
    strokes = np.asarray(black, dtype=np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    is_large = np.asarray(extent > max(2.0, LIMITS.max_speck_mm * px_per_mm), dtype=np.uint8)
    is_large[0] = 0
    strokes = is_large[np.asarray(labels, dtype=np.intp)]
    separators = np.zeros_like(strokes)
    columns = np.arange(strokes.shape[1])
    is_near = np.abs(columns[:, None] - borders).min(axis=1, initial=np.inf) < LIMITS.border_mm * px_per_mm
    ink_px = strokes.sum(axis=0, dtype=np.int32)
    closing = np.ones((round(LIMITS.max_dash_gap_mm * px_per_mm) | 1, 1), np.uint8)
    for length_mm, mask in ((LIMITS.min_separator_mm, is_near), (LIMITS.min_separator_elsewhere_mm, ~is_near)):
        length = round(length_mm * px_per_mm)
        candidates = np.flatnonzero(mask & (ink_px >= 0.5 * length))
        if not candidates.size:
            continue
        joined = cv2.morphologyEx(np.ascontiguousarray(strokes[:, candidates]), cv2.MORPH_CLOSE, closing)
        separators[:, candidates] = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    if separators.any():
        separators = np.asarray(cv2.dilate(separators, np.ones((1, 3), np.uint8)), dtype=np.uint8)
        strokes[separators > 0] = 0
    return np.asarray(strokes > 0), np.asarray(separators.any(axis=0))

"""The ink of a page's traces at full resolution, without grid dots and separators."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import upright
from ecglens.pages.preprocessing import edge_level, ink
from ecglens.records import Layout, Page

__all__ = ["TraceInk", "trace_ink"]

_WORK_PX_PER_MM = 8.0
_RULE_MM, _LONG_RULE_MM, _BORDER_MM = 30.0, 60.0, 3.0
"""Length of a separator near a border of leads and of one elsewhere, where tall complexes stand, and what near is."""
_DASH_GAP_MM = 1.2
_TALLEST_MM = 45.0
"""How far above the first zero line complexes are looked for that leave the traces' part at its top."""
_SPECK_MM = 0.6
_SHARP = 0.94
"""How black thin strokes of a sharp page are, as a part of its blackest places."""


@dataclass(frozen=True, slots=True, eq=False)
class TraceInk:
    """Ink of the traces' part of the upright page, and what its pixels are there.

    Attributes:
        pixels: ``(height, width)`` uint8.
        black: ``(height, width)``, ink that may be a trace.
        rules: ``(width,)``, columns in which a separator was taken out.
        level: Ink at the edge of a stroke.
        shrink: Pixels of the page in one of these.
        top: Row of the page at which they begin.
        left: Column of the page.
    """

    pixels: NDArray[np.uint8]
    black: NDArray[np.bool_]
    rules: NDArray[np.bool_]
    level: float
    shrink: int
    top: float
    left: float

    @property
    def edge_share(self) -> float:
        """How many pixels are neither black nor paper, for each black one."""
        between = (self.pixels > 0.25 * self.level) & (self.pixels < 1.2 * self.level)
        return float(between.sum() / max(1, int(self.black.sum())))

    @property
    def sharpness(self) -> float:
        """How black strokes are beside the blackest places, in (0, 1]: blur makes thin ones pale, and as much wider."""
        blackest = int(cv2.erode(self.pixels, np.ones((1, 2), np.uint8)).max(initial=1))
        return min(1.0, 2 * self.level / blackest / _SHARP)

    def row(self, page_row: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Row here of a row of the upright page."""
        return np.asarray((page_row - self.top + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def column(self, page_column: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Column here of a column of the upright page."""
        return np.asarray((page_column - self.left + 0.5) / self.shrink - 0.5, dtype=np.float64)

    def page_row(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Row of the upright page of a row here."""
        return np.asarray((row + 0.5) * self.shrink - 0.5 + self.top, dtype=np.float64)

    def page_column(self, column: float) -> float:
        """Column of the upright page of a column here."""
        return (column + 0.5) * self.shrink - 0.5 + self.left


def trace_ink(page: Page, layout: Layout, *, followed: float = 1.0) -> TraceInk:
    """The traces' part of the upright page's ink, pixels taken together down to about ``_WORK_PX_PER_MM``.

    Args:
        page: As it was read.
        layout: Where its leads stand.
        followed: From which share of the edge's level ink may be a trace.
    """
    pixels = upright(page, layout)
    box = layout.trace_area
    top, left = max(0, int(box.top)), max(0, int(box.left))
    bottom, right = int(np.ceil(box.bottom)), int(np.ceil(box.right))
    dark = ink(np.ascontiguousarray(pixels[top:bottom, left:right]))
    highest = min(lead.baseline_px for lead in layout.leads) - _TALLEST_MM * layout.px_per_mm[0]
    if highest < top and (dark[0] >= edge_level(dark)).any():  # complexes stand out above the traces' part
        top = max(0, int(highest))
        dark = ink(np.ascontiguousarray(pixels[top:bottom, left:right]))
    mean = float(np.sqrt(layout.px_per_mm[0] * layout.px_per_mm[1]))
    shrink = max(1, int(mean / _WORK_PX_PER_MM))
    if shrink > 1:
        size = dark.shape[1] // shrink, dark.shape[0] // shrink
        whole = np.ascontiguousarray(dark[: size[1] * shrink, : size[0] * shrink])
        dark = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    level = edge_level(dark)
    sides = {side for lead in layout.leads for side in (lead.box.left, lead.box.right)}
    borders = np.array([(side - left + 0.5) / shrink - 0.5 for side in sorted(sides)])
    black, rules = _traces_alone(dark >= followed * level, mean / shrink, borders)
    return TraceInk(dark, black, rules, level, shrink, top, left)


def _traces_alone(
    black: NDArray[np.bool_], px_per_mm: float, borders: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Ink without specks, such as the dots of a grid, and without long upright lines, such as separators.

    Args:
        black: ``(height, width)``, the ink.
        px_per_mm: Of the ink.
        borders: Columns at which leads begin and end.

    Returns:
        The ink, and the columns in which there were such lines.
    """
    drawn = np.asarray(black, dtype=np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    large = np.asarray(extent > max(2.0, _SPECK_MM * px_per_mm), dtype=np.uint8)
    large[0] = 0
    drawn = large[np.asarray(labels, dtype=np.intp)]
    rules = np.zeros_like(drawn)
    columns = np.arange(drawn.shape[1])
    near = np.abs(columns[:, None] - borders).min(axis=1, initial=np.inf) < _BORDER_MM * px_per_mm
    inked = drawn.sum(axis=0, dtype=np.int32)
    for length_mm, where in ((_RULE_MM, near), (_LONG_RULE_MM, ~near)):
        length = round(length_mm * px_per_mm)
        suspects = np.flatnonzero(where & (inked >= 0.5 * length))
        if not suspects.size:
            continue
        part = np.ascontiguousarray(drawn[:, suspects])
        joined = cv2.morphologyEx(part, cv2.MORPH_CLOSE, np.ones((round(_DASH_GAP_MM * px_per_mm) | 1, 1), np.uint8))
        rules[:, suspects] = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    if rules.any():
        rules = np.asarray(cv2.dilate(rules, np.ones((1, 3), np.uint8)), dtype=np.uint8)
        drawn[rules > 0] = 0
    return np.asarray(drawn > 0), np.asarray(rules.any(axis=0))

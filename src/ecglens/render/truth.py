"""A rendered page and its exact truth.

Pixel coordinates are those of OpenCV: whole numbers are pixel centers. Arrays of points have ``(column, row)``, and
``Box`` has rows before columns. Boxes and baselines are given on the *clean* page; :meth:`PageTruth.on_page` maps its
points to the current page, after all damage.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.records import Box, EcgRecord, Page

__all__ = ["LeadTruth", "Mesh", "PageTruth", "RenderedPage", "TextTruth"]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Map from the clean page to the damaged page.

    Attributes:
        nodes: ``(rows, columns, 2)`` float64, ``(column, row)`` on the damaged page of each node of the clean page.
        step_px: Distance between nodes on the clean page; node ``[0, 0]`` is its point ``(0, 0)``.
    """

    nodes: NDArray[np.float64]
    step_px: float

    @classmethod
    def identity(cls, height: int, width: int, step_px: float = 16.0) -> "Mesh":
        """Return a mesh over a clean page of this size that moves nothing."""
        rows = np.arange(int(np.ceil(height / step_px)) + 1) * step_px
        columns = np.arange(int(np.ceil(width / step_px)) + 1) * step_px
        return cls(np.stack(np.meshgrid(columns, rows), axis=-1), step_px)

    def points(self, clean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points of the clean page to the damaged page by bilinear interpolation.

        Args:
            clean: ``(..., 2)``, ``(column, row)`` on the clean page.

        Returns:
            The points on the damaged page, in the same shape.
        """
        limits = np.array([self.nodes.shape[1] - 2, self.nodes.shape[0] - 2])
        position = np.asarray(clean, dtype=np.float64) / self.step_px
        corner = np.clip(np.floor(np.nan_to_num(position)), 0, limits).astype(np.intp)
        part = position - corner
        x, y = part[..., :1], part[..., 1:]
        column, row = corner[..., 0], corner[..., 1]
        upper = self.nodes[row, column] * (1 - x) + self.nodes[row, column + 1] * x
        lower = self.nodes[row + 1, column] * (1 - x) + self.nodes[row + 1, column + 1] * x
        moved: NDArray[np.float64] = upper * (1 - y) + lower * y
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class LeadTruth:
    """One segment of one lead on the page.

    Attributes:
        lead: Name such as ``aVR``.
        rhythm: Whether it is a rhythm strip.
        start_s: Start of the segment, in s from the start of the record.
        signal_mv: ``(samples,)`` float32 at ``fs_hz`` of the page; NaN where nothing is drawn or the page is cut off.
        x0_px: Column of the first sample on the clean page.
        baseline_px: Row of 0 mV on the clean page.
        box: Area of the segment on the clean page.
    """

    lead: str
    rhythm: bool
    start_s: float
    signal_mv: NDArray[np.float32]
    x0_px: float
    baseline_px: float
    box: Box

    def to_dict(self) -> dict[str, Any]:
        """Return the segment in plain types; missing samples are ``None``."""
        return {
            "lead": self.lead,
            "rhythm": self.rhythm,
            "start_s": round(self.start_s, 6),
            "x0_px": round(self.x0_px, 3),
            "baseline_px": round(self.baseline_px, 3),
            "box": self.box.to_dict(),
            "signal_mv": [None if np.isnan(value) else round(float(value), 4) for value in self.signal_mv],
        }


@dataclass(frozen=True, slots=True)
class TextTruth:
    """A piece of print with its role and its box.

    Attributes:
        text: Printed text.
        role: ``"header"``, ``"footer"``, ``"lead"`` or ``"handwriting"``.
        box: Box of the ink on the clean page.
    """

    text: str
    role: str
    box: Box

    def to_dict(self) -> dict[str, Any]:
        """Return the text, role and box in plain types."""
        return {"text": self.text, "role": self.role, "box": self.box.to_dict()}


@dataclass(frozen=True, slots=True, eq=False)
class PageTruth:
    """The truth of a rendered page.

    Attributes:
        layout: Name of the layout.
        fs_hz: Sampling rate of the signals.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        dpi: Dots per inch of the clean page.
        grid: Name of the grid style; ``custom`` for a style that has no name.
        leads: Segments row by row, rhythm strips last.
        pulses: Boxes of the calibration pulses on the clean page, top to bottom.
        texts: All pieces of print.
        trace_area: Box around all traces and pulses on the clean page, without header and footer.
        clean_size_px: ``(height, width)`` of the clean page.
        mesh: Map from the clean page to the current page, or ``None`` if nothing has moved.
        damage: Kind, strength and seed of each damage, in the order of application.
    """

    layout: str
    fs_hz: float
    speed_mm_s: float
    gain_mm_mv: float
    dpi: float
    grid: str
    leads: tuple[LeadTruth, ...]
    pulses: tuple[Box, ...]
    texts: tuple[TextTruth, ...]
    trace_area: Box
    clean_size_px: tuple[int, int]
    mesh: Mesh | None = None
    damage: tuple[tuple[str, float, int], ...] = ()

    @property
    def px_per_mm(self) -> float:
        """Pixels per millimeter of paper on the clean page."""
        return self.dpi / 25.4

    @property
    def px_per_mv(self) -> float:
        """Pixels per millivolt on the clean page."""
        return self.px_per_mm * self.gain_mm_mv

    @property
    def px_per_s(self) -> float:
        """Pixels per second on the clean page."""
        return self.px_per_mm * self.speed_mm_s

    def on_page(self, clean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points ``(..., 2)`` of the clean page, ``(column, row)``, to the current page."""
        return np.array(clean, dtype=np.float64) if self.mesh is None else self.mesh.points(clean)

    def corners(self, box: Box) -> NDArray[np.float64]:
        """Return the corners of a clean box on the current page, ``(4, 2)``, clockwise from the top left."""
        corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
        return self.on_page(np.array(corners))

    def box_on_page(self, box: Box) -> Box:
        """Return the upright box around a clean box on the current page."""
        (left, top), (right, bottom) = self.corners(box).min(axis=0), self.corners(box).max(axis=0)
        return Box(float(top), float(left), float(bottom), float(right))

    def trace(self, segment: LeadTruth) -> NDArray[np.float64]:
        """Return the center line of a segment on the current page, ``(samples, 2)``: column and row, NaN if missing."""
        seconds = np.arange(len(segment.signal_mv)) / self.fs_hz
        columns = segment.x0_px + seconds * self.px_per_s
        return self.on_page(np.stack([columns, segment.baseline_px - segment.signal_mv * self.px_per_mv], axis=1))

    def record(self) -> EcgRecord:
        """Return the signals of the page as a record: each lead of the rows once, then rhythm strips of other leads.

        Leads that are shorter than the longest are filled with NaN; ``start_s`` contains the start of each.
        """
        best: dict[str, LeadTruth] = {}
        for segment in self.leads:
            best.setdefault(segment.lead, segment)
        length = max(len(segment.signal_mv) for segment in best.values())
        signals = np.full((len(best), length), np.nan, dtype=np.float32)
        for row, segment in zip(signals, best.values(), strict=True):
            row[: len(segment.signal_mv)] = segment.signal_mv
        return EcgRecord(signals, self.fs_hz, tuple(best), tuple(segment.start_s for segment in best.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the truth in plain types, with signals and mesh."""
        return {
            "layout": self.layout,
            "fs_hz": self.fs_hz,
            "speed_mm_s": self.speed_mm_s,
            "gain_mm_mv": self.gain_mm_mv,
            "dpi": self.dpi,
            "px_per_mm": round(self.px_per_mm, 6),
            "grid": self.grid,
            "clean_size_px": list(self.clean_size_px),
            "trace_area": self.trace_area.to_dict(),
            "leads": [segment.to_dict() for segment in self.leads],
            "pulses": [box.to_dict() for box in self.pulses],
            "texts": [text.to_dict() for text in self.texts],
            "damage": [{"kind": kind, "strength": strength, "seed": seed} for kind, strength, seed in self.damage],
            "mesh": None
            if self.mesh is None
            else {"step_px": self.mesh.step_px, "nodes": np.round(self.mesh.nodes, 2).tolist()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class RenderedPage:
    """A rendered page with its truth.

    Attributes:
        page: The page.
        truth: Truth about the page.
    """

    page: Page
    truth: PageTruth

    def to_dict(self) -> dict[str, Any]:
        """Return the page without its pixels, and the truth, in plain types."""
        return {**self.page.to_dict(), "truth": self.truth.to_dict()}

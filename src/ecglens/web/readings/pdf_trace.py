"""The digitized leads on paper of 1 mm, for the PDF: 25 mm/s and 10 mm/mV, true to scale when printed at full size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.platypus import Flowable

from ecglens.records import EcgRecord
from ecglens.web.readings.offsets import remove_offset

__all__ = ["MM_PER_MV", "MM_PER_S", "TraceDrawing", "arrange_rows"]

MM_PER_S, MM_PER_MV = 25.0, 10.0
_MARGIN_MM = 2.0
_SAME_TIME_S = 0.02
"""Overlap of two strips that still follow each other in one row."""
_POOR = 0.5
"""Quality below which a lead failed its own checks, see ``EcgRecord.quality``."""
_FINE, _BOLD = colors.HexColor("#f6d5d3"), colors.HexColor("#e9a9a5")
_INK, _DOUBTFUL = colors.HexColor("#16202c"), colors.HexColor("#b35a00")


@dataclass(frozen=True, slots=True)
class Strip:
    """A lead in a row.

    Attributes:
        row: Position of the lead in the record.
        start_s: Where it begins, in s from the beginning of all rows.
        first: Its first sample that is valid.
        last: Its last sample that is valid.
    """

    row: int
    start_s: float
    first: int
    last: int


def arrange_rows(record: EcgRecord) -> tuple[tuple[Strip, ...], ...]:
    """Arrange the leads of a record as on its page: those that follow each other in time share a row.

    Args:
        record: The record; leads without a valid sample are left out.
    """
    starts = record.start_s or (0.0,) * len(record.leads)
    strips = []
    for number, signal in enumerate(record.signals_mv):
        places = np.flatnonzero(~np.isnan(signal))
        if len(places):
            first, last = int(places[0]), int(places[-1])
            strips.append(Strip(number, starts[number] + first / record.fs_hz, first, last))
    begin = min((strip.start_s for strip in strips), default=0.0)
    rows: list[tuple[float, list[Strip]]] = []
    for strip in strips:
        moved = Strip(strip.row, strip.start_s - begin, strip.first, strip.last)
        end = moved.start_s + (moved.last - moved.first) / record.fs_hz
        place = next((n for n, (reached, _) in enumerate(rows) if reached <= moved.start_s + _SAME_TIME_S), None)
        if place is None:
            rows.append((end, [moved]))
        else:
            rows[place] = (end, [*rows[place][1], moved])
    return tuple(tuple(row) for _, row in rows)


class TraceDrawing(Flowable):  # type: ignore[misc]  # reportlab ships no types
    """A drawing of a record; what is longer than the paper is cut off.

    Args:
        record: The record.
        width_mm: Width of the paper.
        height_mm: Its height, which the rows share.
        poor: Word beside the name of a lead of low quality.
    """

    def __init__(self, record: EcgRecord, width_mm: float, height_mm: float, poor: str) -> None:
        super().__init__()
        self._record, self._poor = record, poor
        self._size_mm = width_mm, height_mm
        self.width, self.height = width_mm * mm, height_mm * mm

    def draw(self) -> None:
        """Draw the grid and the leads."""
        canvas, (width, height) = self.canv, self._size_mm
        canvas.saveState()
        canvas.scale(mm, mm)
        clip = canvas.beginPath()
        clip.rect(0, 0, width, height)
        canvas.clipPath(clip, stroke=0)
        _draw_grid(canvas, width, height)
        rows = arrange_rows(self._record)
        for number, row in enumerate(rows):
            zero = height - (number + 0.55) * height / len(rows)
            for strip in row:
                self._draw_strip(canvas, strip, zero)
        canvas.restoreState()

    def _draw_strip(self, canvas: Any, strip: Strip, zero: float) -> None:
        record = self._record
        is_poor = bool(record.quality) and record.quality[strip.row] < _POOR
        left = _MARGIN_MM + strip.start_s * MM_PER_S
        visible = round((self._size_mm[0] - left) / MM_PER_S * record.fs_hz) + 1
        signal = remove_offset(record.signals_mv[strip.row][strip.first : strip.last + 1])[: max(0, visible)]
        across = left + np.arange(len(signal)) / record.fs_hz * MM_PER_S
        canvas.setStrokeColor(_DOUBTFUL if is_poor else _INK)
        canvas.setLineWidth(0.25)
        canvas.setLineJoin(1)
        canvas.drawPath(_make_path(canvas, across, zero + signal * MM_PER_MV), stroke=1, fill=0)
        name = record.leads[strip.row]
        canvas.setFillColor(_DOUBTFUL if is_poor else _INK)
        canvas.setFont("Helvetica-Bold", 3.2)
        canvas.drawString(left + 0.8, zero + 9, f"{name}, {self._poor}" if is_poor else name)


def _make_path(canvas: Any, across: NDArray[np.float64], up: NDArray[np.floating]) -> Any:
    path, is_down = canvas.beginPath(), False
    for x, y in zip(across.tolist(), up.tolist(), strict=True):
        if y != y:  # NaN: the pen is up
            is_down = False
        elif is_down:
            path.lineTo(x, y)
        else:
            path.moveTo(x, y)
            is_down = True
    return path


def _draw_grid(canvas: Any, width: float, height: float) -> None:
    for step, color, line in ((1, _FINE, 0.08), (5, _BOLD, 0.15)):
        canvas.setStrokeColor(color)
        canvas.setLineWidth(line)
        canvas.lines(_list_lines(step, width, height))


def _list_lines(step: int, width: float, height: float) -> Sequence[tuple[float, float, float, float]]:
    across = [(float(x), 0.0, float(x), height) for x in range(0, int(width) + 1, step)]
    down = [(0.0, float(y), width, float(y)) for y in range(0, int(height) + 1, step)]
    return across + down

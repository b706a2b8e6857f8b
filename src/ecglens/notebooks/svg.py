"""Signals on ECG paper as SVG, which notebooks show without a plotting library."""

from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from ecglens.notebooks.rows import MARGIN_MV, find_reach, place_rows, share_rows
from ecglens.records import EcgRecord

__all__ = ["draw_record"]

_Points = NDArray[np.floating]
_MM_PER_S, _MM_PER_MV = 25, 10
_SECONDS = 10.0
"""Part of a record that is drawn."""
_POINTS_PER_MM = 2
"""Columns of a drawn trace, each from its lowest to its highest sample; a screen shows no more."""
_WIDTH_PX = 720
_NAME_UP_MM = 6.0
"""Height of a lead's name above its zero line."""
_FONT = "font:bold 4px sans-serif"
_MINOR, _MAJOR, _TRACE = "#f7d9d9", "#eba9a9", "#14213d"


def draw_record(record: EcgRecord) -> str:
    """Return the first ten seconds of a record on ECG paper at 25 mm/s and 10 mm/mV as SVG, if it has any."""
    if not record.signals_mv.size:
        return ""
    placed = record.with_distinct_leads().on_one_clock()
    part = placed.signals_mv[:, : max(2, round(_SECONDS * placed.fs_hz))]
    part = np.where(np.isfinite(part), part, np.nan)
    rows = share_rows(part)
    zeros = place_rows(part, rows)
    top = zeros[0] + find_reach(part[rows[0]])[1] + MARGIN_MV
    bottom = zeros[-1] + find_reach(part[rows[-1]])[0] - MARGIN_MV
    width, height = _MM_PER_S * part.shape[1] / placed.fs_hz, _MM_PER_MV * (top - bottom)
    lines = []
    for zero, leads in zip(zeros, rows, strict=True):
        for lead in leads:
            x, y = _trace(part[lead], placed.fs_hz, _MM_PER_MV * (top - zero))
            if x.size:
                points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
                place = f'x="{x[0] + 1:.1f}" y="{_MM_PER_MV * (top - zero) - _NAME_UP_MM:.1f}"'
                name = (
                    f'<text {place} fill="{_TRACE}" stroke="none" style="{_FONT}">{escape(placed.leads[lead])}</text>'
                )
                lines.append(f'<polyline points="{points}"/>{name}')
    grid = "".join(
        f'<path d="{"".join(_grid(width, height, step))}" stroke="{color}" stroke-width="{stroke}"/>'
        for step, color, stroke in ((1, _MINOR, 0.1), (5, _MAJOR, 0.2))
    )
    style = f"max-width:{_WIDTH_PX}px;width:100%;background:#fff"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height:.1f}" style="{style}" role="img" '
        f'aria-label="The leads at 25 mm/s and 10 mm/mV">{grid}<g fill="none" stroke="{_TRACE}" stroke-width="0.3">'
        f"{''.join(lines)}</g></svg>"
    )


def _trace(signal: NDArray[np.float32], fs_hz: float, zero_mm: float) -> tuple[_Points, _Points]:
    """Return a trace in mm to the right and downward: the lowest and highest sample of each column of the screen."""
    valid = np.flatnonzero(~np.isnan(signal))
    x, y = valid / fs_hz * _MM_PER_S, zero_mm - signal[valid] * _MM_PER_MV
    starts = np.flatnonzero(np.diff(np.floor(x * _POINTS_PER_MM), prepend=-1.0))
    if not len(starts) or len(starts) * 2 >= len(x):
        return x, y
    x = np.repeat(x[starts], 2)
    return x, np.column_stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)]).ravel()


def _grid(width: float, height: float, step: int) -> Iterable[str]:
    """Yield the lines of the paper, every few millimeters."""
    yield from (f"M{x} 0V{height:.1f}" for x in range(0, int(width) + 1, step))
    yield from (f"M0 {y}H{width:.1f}" for y in range(0, int(height) + 1, step))

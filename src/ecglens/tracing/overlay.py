"""A picture of the digitized traces over the page, in which a person sees at a glance where they are wrong."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import turn_upright
from ecglens.records import GOOD_QUALITY, Tracing

__all__ = ["draw_overlay"]

_FADE = 0.45
"""Part of its contrast that the page keeps."""
_GOOD_COLOR = (0, 90, 200)
_POOR_COLOR = (213, 94, 0)
"""Blue and vermilion of Okabe and Ito's palette (2008), which color-blind people can distinguish."""
_BOX_COLOR = (150, 150, 150)
_FRACTION_BITS = 4


def draw_overlay(tracing: Tracing) -> NDArray[np.uint8]:
    """Draw the trace of every lead over the faded page: blue, or vermilion where its quality is below 0.5.

    Args:
        tracing: From :func:`ecglens.tracing.trace.trace_page`.

    Returns:
        ``(height, width, 3)`` uint8 RGB, the upright page.
    """
    page = turn_upright(tracing.page, tracing.layout)
    picture = np.asarray(255 - (255 - page.astype(np.float32)) * _FADE, dtype=np.uint8)
    thickness = max(1, round(min(tracing.layout.px_per_mm) * 0.12))
    for lead in tracing.layout.leads:
        corners = [(round(lead.box.left), round(lead.box.top)), (round(lead.box.right), round(lead.box.bottom))]
        cv2.rectangle(picture, corners[0], corners[1], _BOX_COLOR, 1)
    quality = tracing.record.quality if tracing.record is not None else ()
    for index, trace in enumerate(tracing.traces):
        is_good = not quality or quality[min(index, len(quality) - 1)] >= GOOD_QUALITY
        color = _GOOD_COLOR if is_good else _POOR_COLOR
        points = np.stack([trace.columns_px, trace.rows_px], axis=1)
        for part in _unbroken_parts(points):
            fixed = np.rint(part * (1 << _FRACTION_BITS)).astype(np.int32)
            cv2.polylines(picture, [fixed], False, color, thickness, cv2.LINE_AA, shift=_FRACTION_BITS)
        _draw_name(picture, trace.lead, points, color, tracing.layout.px_per_mm[1])
    return picture


def _unbroken_parts(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    is_valid = np.isfinite(points).all(axis=1)
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], is_valid, [False]]).astype(np.int8)))
    return [points[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True) if stop - start > 1]


def _draw_name(
    picture: NDArray[np.uint8], name: str, points: NDArray[np.float64], color: tuple[int, int, int], px_per_mm: float
) -> None:
    """Write the lead's name below the start of its trace, where pages rarely print."""
    valid = points[np.isfinite(points).all(axis=1)]
    if not len(valid):
        return
    size = px_per_mm * 2.2 / 22
    first = valid[valid[:, 0] < valid[0, 0] + 10 * px_per_mm]
    place = (round(float(valid[0, 0])), round(float(first[:, 1].max()) + px_per_mm * 4))
    cv2.putText(picture, name, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, max(1, round(size * 2)), cv2.LINE_AA)

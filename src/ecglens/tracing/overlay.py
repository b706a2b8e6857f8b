"""A picture of what was read on what was printed, so that a person sees at a glance where it went wrong."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.crop import upright
from ecglens.records import Tracing

__all__ = ["overlay"]

_FADE = 0.45
_SURE = (0, 90, 200)
_DOUBTFUL = (213, 94, 0)
"""Blue and vermilion of Okabe and Ito's palette (2008), which colour-blind people tell apart."""
_BOX = (150, 150, 150)
_FINE = 4
_GOOD_QUALITY = 0.5


def overlay(tracing: Tracing) -> NDArray[np.uint8]:
    """The page, faded, with the line of every lead as it was read: blue, or vermilion where its quality is below 0.5.

    Args:
        tracing: From :func:`ecglens.tracing.trace.trace_page`.

    Returns:
        ``(height, width, 3)`` uint8 RGB, the upright page.
    """
    page = upright(tracing.page, tracing.layout)
    picture = np.asarray(255 - (255 - page.astype(np.float32)) * _FADE, dtype=np.uint8)
    thick = max(1, round(min(tracing.layout.px_per_mm) * 0.12))
    for lead in tracing.layout.leads:
        corners = [(round(lead.box.left), round(lead.box.top)), (round(lead.box.right), round(lead.box.bottom))]
        cv2.rectangle(picture, corners[0], corners[1], _BOX, 1)
    quality = tracing.record.quality if tracing.record is not None else ()
    for index, trace in enumerate(tracing.traces):
        good = index >= len(quality) or quality[index] >= _GOOD_QUALITY
        points = np.stack([trace.columns_px, trace.rows_px], axis=1)
        for part in _unbroken(points):
            fixed = np.rint(part * (1 << _FINE)).astype(np.int32)
            cv2.polylines(picture, [fixed], False, _SURE if good else _DOUBTFUL, thick, cv2.LINE_AA, shift=_FINE)
        _label(picture, trace.lead, points, good, tracing.layout.px_per_mm[1])
    return picture


def _unbroken(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    known = np.isfinite(points).all(axis=1)
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [points[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True) if stop - start > 1]


def _label(picture: NDArray[np.uint8], name: str, points: NDArray[np.float64], good: bool, px_per_mm: float) -> None:
    """The lead's name below the beginning of its trace, where pages rarely print."""
    known = points[np.isfinite(points).all(axis=1)]
    if not len(known):
        return
    size = px_per_mm * 2.2 / 22
    first = known[known[:, 0] < known[0, 0] + 10 * px_per_mm]
    place = (round(float(known[0, 0])), round(float(first[:, 1].max()) + px_per_mm * 4))
    colour = _SURE if good else _DOUBTFUL
    cv2.putText(picture, name, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, max(1, round(size * 2)), cv2.LINE_AA)

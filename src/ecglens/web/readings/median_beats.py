"""Median beats of two readings over each other, as paths of a drawing on paper of 1 mm."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import EcgLensError
from ecglens.formats.json import parse_record
from ecglens.layouts import STANDARD_LEADS, lead_of_row
from ecglens.measuring.analysis import Analysis, analyze
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.waves import BEFORE

__all__ = ["BeatPanel", "draw_median_beats"]

_FROM_S, _TO_S = -0.3, 0.55
"""Time around the R peak that is drawn: from before the P wave to after the T wave at rest."""
_MM_PER_S, _MM_PER_MV = 25.0, 10.0
_LEAST_MM = 5.0
_MARGIN_MM = 1.0


@dataclass(frozen=True, slots=True)
class BeatPanel:
    """The median beats of one lead.

    Attributes:
        lead: Name of the lead.
        width_mm: Width of the drawing.
        height_mm: Its height.
        zero_mm: Height of 0 mV, from the top.
        first: Path of the first reading's beat, in mm; empty where it lacks the lead.
        second: Path of the second reading's beat.
    """

    lead: str
    width_mm: float
    height_mm: float
    zero_mm: float
    first: str
    second: str


def draw_median_beats(first: bytes | None, second: bytes | None) -> tuple[BeatPanel, ...]:
    """Draw the median beats of two records, lead by lead, with the same scale for both.

    Args:
        first: Signals of the first reading, as ``ecglens.formats.json`` writes them; ``None`` where there are none.
        second: Signals of the second reading.

    Returns:
        A panel for each lead of which at least one reading has a beat; empty where neither has one.
    """
    beats = [{} if content is None else _find_median_beats(content) for content in (first, second)]
    leads = [lead for lead in STANDARD_LEADS if any(lead in each for each in beats)]
    return tuple(_draw_panel(lead, *(each.get(lead) for each in beats)) for lead in leads)


@lru_cache(maxsize=64)
def _find_median_beats(content: bytes) -> Mapping[str, NDArray[np.float64]]:
    try:
        analysis = analyze(parse_record(content))
    except EcgLensError:
        return {}
    if not isinstance(analysis, Analysis):
        return {}
    start, end = (BEFORE + round(second * FS_HZ) for second in (_FROM_S, _TO_S))
    medians = median_of_known(analysis.windows)[:, start:end]
    rows = sorted(zip(analysis.leads, medians, strict=True), key=lambda row: row[0] not in STANDARD_LEADS)
    beats: dict[str, NDArray[np.float64]] = {}
    for name, beat in rows:  # a rhythm strip takes the place of its lead where no row shows that
        if np.isfinite(beat).any():
            beats.setdefault(lead_of_row(name), beat)
    return beats


def _draw_panel(lead: str, first: NDArray[np.float64] | None, second: NDArray[np.float64] | None) -> BeatPanel:
    values = np.concatenate([beat[np.isfinite(beat)] for beat in (first, second) if beat is not None])
    up = max(_LEAST_MM, float(values.max()) * _MM_PER_MV) + _MARGIN_MM
    down = max(_LEAST_MM, -float(values.min()) * _MM_PER_MV) + _MARGIN_MM
    width = (_TO_S - _FROM_S) * _MM_PER_S
    return BeatPanel(lead, width, round(up + down, 2), round(up, 2), _draw_path(first, up), _draw_path(second, up))


def _draw_path(beat: NDArray[np.float64] | None, zero_mm: float) -> str:
    if beat is None:
        return ""
    parts, is_down = [], False
    for number, value in enumerate(beat):
        if not np.isfinite(value):
            is_down = False
            continue
        x = number / FS_HZ * _MM_PER_S
        parts.append(f"{'L' if is_down else 'M'}{x:.2f} {zero_mm - value * _MM_PER_MV:.2f}")
        is_down = True
    return "".join(parts)

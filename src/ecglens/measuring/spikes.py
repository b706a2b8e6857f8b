"""Pacing spikes: jumps within 4 ms that stand alone, detected and removed before beats are measured."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.signals import FS_HZ, fill_gaps

__all__ = ["LIMITS", "SpikeLimits", "remove_spikes"]


@dataclass(frozen=True)
class SpikeLimits:
    """Thresholds of the detection of pacing spikes."""

    min_jump_mv: float = threshold(
        0.12,
        "mV",
        "Least change of a lead within 4 ms that can be a spike.",
        low="Steep R waves and the digitizer's steps of one pixel count as spikes.",
        high="Spikes of bipolar pacing, about 0.2 mV on paper, stay in the signals and count as QRS onsets.",
    )
    min_jump_of_median: float = threshold(
        12.0,
        "1",
        "Least change within 4 ms as a multiple of the lead's median change.",
        low="Noise counts as spikes.",
        high="Spikes in noisy leads stay in the signals.",
    )
    quiet_s: float = threshold(
        0.04,
        "s",
        "Length of the quiet line before a spike.",
        low="The steep part of a narrow QRS complex counts as a spike.",
        high="Spikes close behind a P wave are missed.",
    )
    min_jump_of_span: float = threshold(
        0.55,
        "1",
        "Least part of the lead's span around it that a spike makes by itself.",
        low="Parts of QRS complexes count as spikes and are cut out.",
        high="Spikes with a QRS complex close behind are missed.",
    )
    max_quiet_span: float = threshold(
        0.3,
        "1",
        "Largest span of the quiet line as a part of the spike.",
        low="Spikes on a sloping baseline are missed.",
        high="R waves that rise from a Q wave count as spikes.",
    )
    min_spikes: int = threshold(
        3,
        "spikes",
        "Least number of spikes in a record before any is removed.",
        low="Single artifacts are removed as spikes, and the record is called paced.",
        high="Short strips with few paced beats keep their spikes.",
    )


LIMITS = SpikeLimits()

_TOGETHER_SAMPLES = 11
"""Window of 22 ms in which a spike must appear in two leads: columns of a page may be shifted by a few ms."""


def remove_spikes(signals: NDArray[np.floating]) -> tuple[NDArray[np.float64], int]:
    """Remove the spikes of a pacemaker.

    Args:
        signals: ``(leads, samples)`` at ``FS_HZ``, mV.

    Returns:
        The signals, and the number of spikes that were removed. They are removed only where several rise from a quiet
        line in two leads (or in the only one), so that no narrow R wave counts as a spike.
    """
    out = np.array(signals, dtype=np.float64)
    filled = fill_gaps(signals)
    jumps = np.pad(np.abs(filled[:, 2:] - filled[:, :-2]), ((0, 0), (1, 1)))
    floor = np.maximum(LIMITS.min_jump_mv, LIMITS.min_jump_of_median * np.median(jumps, axis=1, keepdims=True))
    width = round(LIMITS.quiet_s * FS_HZ)
    is_steep = jumps > floor
    is_alone = is_steep & (jumps > LIMITS.min_jump_of_span * _spans(filled, 2 * (width // 2) + 1, width // 2))
    is_quiet_before = np.zeros(jumps.shape, bool)
    shift = width + 2
    is_quiet_before[:, shift:] = _spans(filled, width, 0)[:, :-shift] < LIMITS.max_quiet_span * jumps[:, shift:]
    is_spike = is_alone & is_quiet_before
    near = cv2.dilate(is_spike.astype(np.uint8), np.ones((1, _TOGETHER_SAMPLES), np.uint8))
    leads = np.asarray(near, dtype=np.intp).sum(axis=0)
    in_enough_leads = leads >= min(2, len(signals))
    spikes = int((np.diff(in_enough_leads.astype(int)) == 1).sum())
    if spikes < LIMITS.min_spikes:
        return out, 0
    for row, column in zip(*np.nonzero(is_alone), strict=True):
        first, last = max(column - 3, 0), min(column + 12, out.shape[1] - 1)
        out[row, first : last + 1] = np.linspace(out[row, first], out[row, last], last - first + 1)
    return out, spikes


def _spans(signals: NDArray[np.float64], width: int, before: int) -> NDArray[np.float64]:
    """Span of each lead over the ``width`` samples around each sample, of which ``before`` lie before it."""
    window, anchor = np.ones((1, width), np.uint8), (before, 0)
    return np.asarray(cv2.dilate(signals, window, anchor=anchor) - cv2.erode(signals, window, anchor=anchor))

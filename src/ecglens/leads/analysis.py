"""What every figure of a record stands on: usable leads on one clock, beats, the usual beat and its edges."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecglens.layouts import RHYTHM
from ecglens.leads.beats import FS_HZ, Beats, find_beats, median, without_spikes
from ecglens.leads.rhythm import distances, lone_part, usual_distance
from ecglens.leads.waves import BEFORE, Waves, beat_windows, delineate
from ecglens.records import EcgRecord, NotFound

__all__ = ["Analysis", "analyse"]

_LEAST_HEIGHT = 3.5
"""Beats stand so far above what lies between them; noise and random walks reach 2.4."""

_MOST_LONE = 0.45
"""Part of the beats whose shape no other has; more are noise."""

_LEAST_SPAN_MV = 0.05
_FIRST_LEVEL = (-50, -40)
_GAP_S = 0.04
_LEAST_ALONE_S = 2.0
"""A shorter stretch holds too few beats to be known by their likeness."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A record made ready for measuring.

    Attributes:
        leads: Name of each row that can be used.
        signals: ``(leads, samples)`` float64 at ``FS_HZ``, mV, on one clock, without a pacemaker's spikes.
        paced: Whether there were such spikes.
        beats: Of the signals.
        rr: Distances of the beats in samples, NaN over a stretch that no lead shows.
        cut: ``(beats of the usual shape, leads, window)``, baseline taken off.
        waves: Edges of the usual beat.
        notes: What was left out, one sentence each.
    """

    leads: tuple[str, ...]
    signals: NDArray[np.float64]
    paced: bool
    beats: Beats
    rr: NDArray[np.float64]
    cut: NDArray[np.float64]
    waves: Waves
    notes: tuple[str, ...]

    @property
    def usual_rr(self) -> float:
        """Median distance of beats in samples; a second where none is known."""
        return usual_distance(self.rr)

    def by_lead(self) -> dict[str, NDArray[np.float64]]:
        """``(beats, window)`` of each lead with a whole QRS complex; of one that is printed twice, the fuller row."""
        first, last = (BEFORE + (edge or 0) for edge in (self.waves.qrs_on, self.waves.qrs_end))
        shown: dict[str, NDArray[np.float64]] = {}
        for number, name in enumerate(self.leads):
            rows = self.cut[:, number]
            whole = rows[~np.isnan(rows[:, first - 10 : last + 1]).any(axis=1)]
            lead = name.removesuffix(RHYTHM)
            if len(whole) and len(whole) > len(shown.get(lead, ())):
                shown[lead] = whole
        return shown


def analyse(record: EcgRecord) -> Analysis | NotFound:
    """Find the beats of a record and the edges of the usual one.

    Args:
        record: Signals in mV. Leads whose quality is below 0.5 are left out; where no other lead shows a stretch, they
            still tell its beats, if these are alike and stand out of it.

    Returns:
        What was found, or why there are no beats to be measured.
    """
    leads, signals, doubtful, notes = _prepared(record)
    if not leads:
        return _nothing("No lead has a signal that could be measured", notes)
    clean, paced = without_spikes(signals)
    told = clean
    if len(doubtful) and _beating(find_beats(doubtful)):
        told = np.concatenate([clean, doubtful])
        notes.append("Where no other lead is shown, those told the beats only.")
    beats = find_beats(told)
    if not _beating(beats):
        return _nothing("No beats that are like one another stand out of the signals", notes)
    rr = distances(told, beats)
    cut, waves = _usual_beat(clean, beats, rr)
    return Analysis(tuple(leads), clean, paced, beats, rr, cut, waves, tuple(notes))


def _beating(beats: Beats) -> bool:
    """Whether beats stand out that are like one another."""
    return beats.height >= _LEAST_HEIGHT and (beats.shapes == 0).sum() >= 2 and lone_part(beats) <= _MOST_LONE


def _nothing(reason: str, notes: list[str]) -> NotFound:
    return NotFound("; ".join([reason, *(note[0].lower() + note[1:].rstrip(".") for note in notes)]) + ".")


def _prepared(record: EcgRecord) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Leads that can be used, at ``FS_HZ`` on one clock; the others where only they are shown; and what they are."""
    placed = record.on_one_clock()
    quality = placed.quality or (1.0,) * len(placed.leads)
    rows, leads, doubtful, notes = [], [], [], []
    bad = [lead for lead, value in zip(placed.leads, quality, strict=True) if value < 0.5]
    if bad:
        notes.append(f"Left out for their quality: {', '.join(bad)}.")
    for lead, row in zip(placed.leads, placed.signals_mv, strict=True):
        known = row[~np.isnan(row)]
        if len(known) < 0.5 * placed.fs_hz or np.ptp(known) < _LEAST_SPAN_MV:
            continue
        even = _at_rate(row.astype(np.float64), placed.fs_hz)
        if lead in bad:
            doubtful.append(even)
        else:
            rows.append(even)
            leads.append(lead)
    signals = np.array(rows)
    if not rows or not doubtful:
        return leads, signals, np.empty((0, 0)), notes
    alone = np.asarray(np.isnan(signals).all(axis=0), dtype=np.bool_)
    return leads, signals, _only_there(np.array(doubtful), alone), notes


def _only_there(rows: NDArray[np.float64], alone: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows blanked but for stretches of which they alone know; those that then know too little are dropped."""
    blanked = np.where(alone, rows, np.nan)
    return np.asarray(blanked[(~np.isnan(blanked)).sum(axis=1) >= _LEAST_ALONE_S * FS_HZ], dtype=np.float64)


def _at_rate(row: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """One lead at ``FS_HZ`` with its short gaps bridged."""
    known = np.flatnonzero(~np.isnan(row))
    gaps = np.diff(known)
    for start, gap in zip(known[:-1][gaps > 1], gaps[gaps > 1], strict=True):
        if gap - 1 <= _GAP_S * fs_hz:
            row[start : start + gap + 1] = np.linspace(row[start], row[start + gap], gap + 1)
    if fs_hz == FS_HZ:
        return row
    ratio = Fraction(FS_HZ / fs_hz).limit_denominator(1000)
    out = np.full(round(len(row) * FS_HZ / fs_hz), np.nan)
    known = np.flatnonzero(~np.isnan(row))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        part = signal.resample_poly(row[run], ratio.numerator, ratio.denominator, padtype="line")
        first = round(run[0] * FS_HZ / fs_hz)
        out[first : first + len(part)] = part[: len(out) - first]
    return out


def _usual_beat(
    signals: NDArray[np.float64], beats: Beats, rr: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Waves]:
    """Windows of the usual beats and the edges of their median: with a guessed level, then with that before QRS."""
    usual = usual_distance(rr)
    level_at = _FIRST_LEVEL
    for _ in range(2):
        cut = beat_windows(signals, beats, level=level_at)
        waves = delineate(median(cut), usual)
        if waves.qrs_on is not None:
            level_at = (waves.qrs_on - 9, waves.qrs_on + 1)
    return cut, waves

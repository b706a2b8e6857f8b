"""The analysis that every measurement rests on: usable leads on one clock, beats, the typical beat and its waves."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import lead_of_row
from ecglens.limits import threshold
from ecglens.measuring.beats import Beats, find_beats
from ecglens.measuring.filters import resample
from ecglens.measuring.rhythm import rr_intervals, single_share, typical_rr
from ecglens.measuring.signals import FS_HZ, median_of_known
from ecglens.measuring.spikes import remove_spikes
from ecglens.measuring.waves import BEFORE, Waves, cut_normal_beats, delineate
from ecglens.records import EcgRecord, NotFound

__all__ = ["LIMITS", "Analysis", "AnalysisLimits", "analyze", "shows_beats"]


@dataclass(frozen=True)
class AnalysisLimits:
    """Thresholds that say whether a record has beats that can be measured."""

    min_beat_height: float = threshold(
        3.5,
        "1",
        "Least energy of the beats over the energy between them; noise and random walks reach 2.4.",
        low="Noise is measured as beats.",
        high="Beats in noisy records are not measured.",
    )
    max_single_share: float = threshold(
        0.45,
        "1",
        "Largest share of beats whose shape no other beat has.",
        low="Polymorphic rhythms are not measured.",
        high="Noise is measured as beats.",
    )
    min_span_mv: float = threshold(
        0.05,
        "mV",
        "Least span of a lead that is used.",
        low="Flat leads dilute the slopes.",
        high="Leads of low voltage are left out.",
    )
    min_quality: float = threshold(
        0.5,
        "1",
        "Quality below which a lead is left out.",
        low="Wrong traces are measured.",
        high="Good traces are left out.",
        evidence="benchmarks/quality.md: quality against the true error of the trace",
    )
    max_gap_s: float = threshold(
        0.04,
        "s",
        "Longest gap of a lead that is bridged by a straight line.",
        low="Leads hidden for an instant lose whole beats.",
        high="Straight lines replace QRS complexes.",
    )
    min_alone_s: float = threshold(
        2.0,
        "s",
        "Shortest time for which doubtful leads may show the beats alone.",
        low="Too few beats to be recognized by their equal shape are counted.",
        high="Beats that only a doubtful lead shows are not counted.",
    )


LIMITS = AnalysisLimits()

_FIRST_LEVEL = (-50, -40)
"""Samples from the fiducial at which the baseline is taken before the onset of QRS is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A record that is ready for measuring.

    Attributes:
        leads: Name of each row that can be used.
        signals: ``(leads, samples)`` float64 at ``FS_HZ``, mV, on one clock, without pacing spikes.
        spikes: Number of pacing spikes that were removed.
        beats: Beats of the signals.
        rr: RR intervals in samples, NaN over a time that no lead shows.
        windows: ``(normal beats, leads, window)``, baseline subtracted.
        waves: Waves of the typical beat.
        notes: What was left out, one sentence each.
    """

    leads: tuple[str, ...]
    signals: NDArray[np.float64]
    spikes: int
    beats: Beats
    rr: NDArray[np.float64]
    windows: NDArray[np.float64]
    waves: Waves
    notes: tuple[str, ...]

    @property
    def is_paced(self) -> bool:
        """Whether there were pacing spikes."""
        return self.spikes > 0

    @property
    def typical_rr(self) -> float:
        """Median RR interval in samples; a second where none is known."""
        return typical_rr(self.rr)

    def by_lead(self) -> dict[str, NDArray[np.float64]]:
        """Return ``(beats, window)`` of each lead with a whole QRS complex.

        Of a lead that is printed twice, the row with more beats is returned.
        """
        first, last = (BEFORE + (edge or 0) for edge in (self.waves.qrs_on, self.waves.qrs_end))
        leads: dict[str, NDArray[np.float64]] = {}
        for number, name in enumerate(self.leads):
            rows = self.windows[:, number]
            whole = rows[~np.isnan(rows[:, first - 10 : last + 1]).any(axis=1)]
            lead = lead_of_row(name)
            if len(whole) and len(whole) > len(leads.get(lead, ())):
                leads[lead] = whole
        return leads


def analyze(record: EcgRecord) -> Analysis | NotFound:
    """Find the beats of a record and the waves of the typical beat.

    Args:
        record: Signals in mV. Leads whose quality is below 0.5 are left out; where no other lead shows a stretch of
            time, they still show its beats, if these have one shape and stand out.

    Returns:
        The analysis, or the reason why no beats can be measured.
    """
    leads, signals, doubtful, notes = _prepare(record)
    if not leads:
        return _no_beats("No lead has a signal that could be measured", notes)
    clean, spikes = remove_spikes(signals)
    timing = clean
    if len(doubtful) and _has_beats(find_beats(doubtful)):
        timing = np.concatenate([clean, doubtful])
        notes.append("Where no other lead is shown, their beats were counted, but not measured.")
    beats = find_beats(timing)
    if not _has_beats(beats):
        return _no_beats("No beats of one shape stand out from the signals", notes)
    rr = rr_intervals(timing, beats)
    windows, waves = _find_typical_beat(clean, beats, rr)
    return Analysis(tuple(leads), clean, spikes, beats, rr, windows, waves, tuple(notes))


def shows_beats(record: EcgRecord) -> bool:
    """Return whether beats of one shape stand out from the signals of a record, as they do from an ECG's.

    Args:
        record: Signals in mV.
    """
    leads, signals, doubtful, _ = _prepare(record)
    if not leads:
        return False
    clean, _ = remove_spikes(signals)
    return _has_beats(find_beats(clean)) or (len(doubtful) > 0 and _has_beats(find_beats(doubtful)))


def _has_beats(beats: Beats) -> bool:
    """Return whether beats of one shape stand out."""
    is_high = beats.height >= LIMITS.min_beat_height
    return is_high and (beats.shapes == 0).sum() >= 2 and single_share(beats) <= LIMITS.max_single_share


def _no_beats(reason: str, notes: list[str]) -> NotFound:
    return NotFound("; ".join([reason, *(note[0].lower() + note[1:].rstrip(".") for note in notes)]) + ".")


def _prepare(record: EcgRecord) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Names and rows of the usable leads at ``FS_HZ`` on one clock, rows of the doubtful ones, and notes."""
    placed = record.on_one_clock()
    quality = placed.quality or (1.0,) * len(placed.leads)
    rows, leads, doubtful, notes = [], [], [], []
    bad = [lead for lead, value in zip(placed.leads, quality, strict=True) if value < LIMITS.min_quality]
    if bad:
        notes.append(f"Left out because of low quality: {', '.join(bad)}.")
    for lead, row in zip(placed.leads, placed.signals_mv, strict=True):
        valid = row[~np.isnan(row)]
        if len(valid) < 0.5 * placed.fs_hz or np.ptp(valid) < LIMITS.min_span_mv:
            continue
        resampled = _resample(row.astype(np.float64), placed.fs_hz)
        if lead in bad:
            doubtful.append(resampled)
        else:
            rows.append(resampled)
            leads.append(lead)
    signals = np.array(rows)
    if not rows or not doubtful:
        return leads, signals, np.empty((0, 0)), notes
    has_no_lead = np.asarray(np.isnan(signals).all(axis=0), dtype=np.bool_)
    return leads, signals, _only_at(np.array(doubtful), has_no_lead), notes


def _only_at(rows: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows with NaN outside a mask; those that then know too little are dropped."""
    masked = np.where(mask, rows, np.nan)
    return np.asarray(masked[(~np.isnan(masked)).sum(axis=1) >= LIMITS.min_alone_s * FS_HZ], dtype=np.float64)


def _resample(row: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """One lead at ``FS_HZ`` with its short gaps bridged."""
    valid = np.flatnonzero(~np.isnan(row))
    gaps = np.diff(valid)
    for start, gap in zip(valid[:-1][gaps > 1], gaps[gaps > 1], strict=True):
        if gap - 1 <= LIMITS.max_gap_s * fs_hz:
            row[start : start + gap + 1] = np.linspace(row[start], row[start + gap], gap + 1)
    if fs_hz == FS_HZ:
        return row
    ratio = Fraction(FS_HZ / fs_hz).limit_denominator(1000)
    out = np.full(round(len(row) * FS_HZ / fs_hz), np.nan)
    valid = np.flatnonzero(~np.isnan(row))
    for run in np.split(valid, np.flatnonzero(np.diff(valid) > 1) + 1):
        part = resample(row[run], ratio.numerator, ratio.denominator)
        first = round(run[0] * FS_HZ / fs_hz)
        out[first : first + len(part)] = part[: len(out) - first]
    return out


def _find_typical_beat(
    signals: NDArray[np.float64], beats: Beats, rr: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Waves]:
    """Windows of the normal beats and the waves of their median: with a guessed level, then with that before QRS."""
    level_at = _FIRST_LEVEL
    for _ in range(2):
        windows = cut_normal_beats(signals, beats, level_at=level_at)
        waves = delineate(median_of_known(windows), typical_rr(rr))
        if waves.qrs_on is not None:
            level_at = (waves.qrs_on - 9, waves.qrs_on + 1)
    return windows, waves

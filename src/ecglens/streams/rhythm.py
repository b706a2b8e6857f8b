"""Rate, variability and rhythm of the last seconds and minutes, by the measurements and the criteria of records.

The figures of a minute are those that ``measuring`` takes from a record of 10 s. Whether P waves precede the beats is
measured on every 10 s and averaged over the minute. The irregularity leaves out intervals beside ventricular
extrasystoles, since a minute, unlike 10 s, often has some.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecglens.criteria import evaluate_criteria
from ecglens.criteria.table import CriteriaTable, load_criteria
from ecglens.limits import threshold
from ecglens.measurements import Measured, Measurements, Rhythm
from ecglens.measuring.analysis import analyze
from ecglens.measuring.beats import Beats
from ecglens.measuring.rhythm import measure_rhythm
from ecglens.measuring.rhythm_figures import measure_rhythm_figures
from ecglens.measuring.signals import FS_HZ
from ecglens.records import EcgRecord, NotFound
from ecglens.statements import Outcome
from ecglens.streams.results import LiveFigures

__all__ = ["CRITERIA", "LIMITS", "RhythmHistory", "RhythmState", "StreamRhythmLimits", "TimedBeat"]

CRITERIA = (
    "pacing_spikes",
    "bradycardia",
    "tachycardia",
    "irregular_rhythm",
    "atrial_fibrillation",
    "narrow_extrasystoles",
    "broad_extrasystoles",
    "pause",
)
"""Criteria that are evaluated on a stream."""


@dataclass(frozen=True)
class StreamRhythmLimits:
    """Windows of the figures."""

    rate_s: float = threshold(
        10.0,
        "s",
        "Window of the rate.",
        low="The rate jumps with every extrasystole.",
        high="The rate follows a change late.",
        evidence="benchmarks/streams.md: rhythm",
    )
    minute_s: float = threshold(
        60.0,
        "s",
        "Window of the rhythm.",
        low="Short irregularities count as fibrillation.",
        high="Fibrillation is reported late.",
        evidence="benchmarks/streams.md: fibrillation",
    )
    min_share: float = threshold(
        0.5,
        "1",
        "Share of a minute that must be known for its figures.",
        low="Figures of a minute come from a few beats.",
        high="Streams with gaps get no figures.",
        evidence="benchmarks/streams.md: fibrillation",
    )
    min_rate_share: float = threshold(
        0.3,
        "1",
        "Share of the window of the rate that must be known for a rate.",
        low="The rate comes from two intervals.",
        high="Streams that lose single packets get no rate.",
        evidence="benchmarks/streams.md: faults",
    )
    max_silence_s: float = threshold(
        4.0,
        "s",
        "Time without a beat after which the rate of the beats before is none any more.",
        low="Pauses interrupt the rate.",
        high="A rate is displayed during an asystole.",
        evidence="benchmarks/streams.md: faults",
    )
    min_irregularity: float = threshold(
        0.1,
        "1",
        "Irregularity of a minute from which fibrillation is suspected where P waves cannot be looked for.",
        low="Respiration counts as fibrillation.",
        high="Slow fibrillation in poor signals is overlooked.",
        evidence="benchmarks/streams.md: fibrillation",
    )


LIMITS = StreamRhythmLimits()
FIVE_MINUTES_S = 300.0
P_WINDOW_S = 10.0
"""Length of the records in which P waves are looked for."""
_LOOK_S = 20.0
"""Time from one such record to the next: every 10 s, it was a third of the computing time of a stream."""


@dataclass
class TimedBeat:
    """A beat in the history.

    Attributes:
        at_s: Its fiducial in s from the start of the stream.
        rr_s: Time since the beat before, NaN where a gap lies between them.
        is_broad: Whether it is early and broad.
        is_early: Whether it is early and narrow.
    """

    at_s: float
    rr_s: float
    is_broad: bool = False
    is_early: bool = False


@dataclass
class RhythmState:
    """State of a history: the beats of five minutes, and when P waves were looked for, with what result."""

    beats: list[TimedBeat] = field(default_factory=list)
    p_shares: list[tuple[float, float, float]] = field(default_factory=list)
    """End of the window in s, share of beats with a P wave, and number of pacing spikes."""


class RhythmHistory:
    """Beats of the last minutes.

    Args:
        state: State of a history before, to go on with.
    """

    def __init__(self, state: RhythmState | None = None) -> None:
        self.state = state or RhythmState()

    @property
    def last(self) -> TimedBeat | None:
        """The latest beat."""
        return self.state.beats[-1] if self.state.beats else None

    def typical_rr_s(self) -> float | None:
        """Return the median of the last RR intervals, ``None`` where fewer than four are known."""
        recent = np.array([beat.rr_s for beat in self.state.beats[-16:]])
        valid = recent[~np.isnan(recent)]
        return float(np.median(valid)) if len(valid) >= 4 else None

    def add(self, beat: TimedBeat) -> None:
        """Add a beat in the order of time."""
        beats = self.state.beats
        beats.append(beat)
        if beats[0].at_s < beat.at_s - FIVE_MINUTES_S - 30:
            self.state.beats = [each for each in beats if each.at_s >= beat.at_s - FIVE_MINUTES_S]

    def remove(self, at_s: float) -> None:
        """Remove a beat that was none."""
        self.state.beats = [beat for beat in self.state.beats if abs(beat.at_s - at_s) > 1e-6]

    def look_for_p_waves(self, record: EcgRecord, end_s: float) -> None:
        """Measure in the last seconds which beats have a P wave, unless it was done a short time ago.

        Args:
            record: Signals of about 10 s.
            end_s: Their end, in s from the start of the stream.
        """
        if self.state.p_shares and end_s - self.state.p_shares[-1][0] < _LOOK_S - P_WINDOW_S / 2:
            return
        analysis = analyze(record)
        if isinstance(analysis, NotFound):
            return
        rhythm = measure_rhythm_figures(analysis, pr=None, qrs=None)
        spikes = 0.0 if rhythm.spikes is None else rhythm.spikes.value
        share = np.nan if rhythm.p_share is None else rhythm.p_share.value
        fresh = [each for each in self.state.p_shares if each[0] > end_s - FIVE_MINUTES_S]
        self.state.p_shares = [*fresh, (end_s, float(share), spikes)]

    def measure_rate(self, now_s: float) -> LiveFigures | None:
        """Return the rate of the last seconds, ``None`` where too little is known."""
        return self._measure("rate", now_s, LIMITS.rate_s)

    def measure_minute(self, now_s: float) -> LiveFigures | None:
        """Return figures and statements of the last minute, ``None`` where too little is known."""
        figures = self._measure("minute", now_s, LIMITS.minute_s)
        if figures is None:
            return None
        rhythm = self._measure_rhythm(figures.start_s, now_s)
        measurements = Measurements(
            rate_bpm=figures.figures.get("rate_bpm"), rr_ms=figures.figures.get("rr_ms"), rhythm=rhythm
        )
        statements = evaluate_criteria(measurements, table=_table())
        met = tuple(statement for statement in statements if statement.outcome in (Outcome.MET, Outcome.BORDERLINE))
        more = {
            name: value
            for name in ("irregularity", "p_share", "premature_narrow", "premature_broad", "longest_rr_ms")
            if (value := getattr(rhythm, name)) is not None
        }
        return replace(figures, figures={**figures.figures, **more}, statements=met)

    def measure_five_minutes(self, now_s: float) -> LiveFigures | None:
        """Return rate and variability of the last five minutes, ``None`` where too little is known."""
        return self._measure("five_minutes", now_s, FIVE_MINUTES_S)

    def _select(self, start_s: float, end_s: float) -> list[TimedBeat]:
        beats = self.state.beats
        first = bisect_left(beats, start_s, key=lambda beat: beat.at_s)
        return [beat for beat in beats[first:] if beat.at_s <= end_s]

    def _measure(self, window: str, now_s: float, length_s: float) -> LiveFigures | None:
        start = max(now_s - length_s, 0.0)
        beats = self._select(start, now_s)
        rr = np.array([beat.rr_s for beat in beats])
        # An interval belongs to a window that shows all of it.
        rr = np.where([beat.at_s - beat.rr_s >= start for beat in beats], rr, np.nan) if len(beats) else rr
        valid = rr[~np.isnan(rr)]
        share, whole_s = (
            (LIMITS.min_rate_share, length_s)
            if window == "rate"
            else (LIMITS.min_share, min(length_s, LIMITS.minute_s))
        )
        if len(valid) < 2 or valid.sum() < share * whole_s:
            return None
        shapes = np.array([int(beat.is_broad or beat.is_early) for beat in beats], dtype=np.intp)
        samples = np.array([beat.at_s for beat in beats]) * FS_HZ
        figures: Mapping[str, Measured | None] = measure_rhythm(Beats(samples, shapes, 1.0), rr[1:] * FS_HZ)
        names = ("rate_bpm",) if window == "rate" else ("rate_bpm", "rr_ms", "sdnn_ms", "rmssd_ms")
        known_figures = {name: value for name in names if (value := figures[name]) is not None}
        return LiveFigures(window, start, now_s, known_figures) if known_figures else None

    def _measure_rhythm(self, start_s: float, end_s: float) -> Rhythm:
        beats = self._select(start_s, end_s)
        rr = np.array([beat.rr_s for beat in beats])
        broad = sum(beat.is_broad for beat in beats)
        narrow = sum(beat.is_early for beat in beats)
        looks = [each for each in self.state.p_shares if start_s + P_WINDOW_S / 2 <= each[0] <= end_s]
        shares = np.array([share for _, share, _ in looks])
        shares = shares[~np.isnan(shares)]
        spikes = sum(count for _, _, count in looks) / max(len(looks), 1)
        irregularity = _measure_irregularity(rr, np.array([beat.is_broad for beat in beats], dtype=np.bool_))
        p_share = None
        if len(shares):
            p_share = Measured(float(shares.mean()), float(shares.std() / len(shares) ** 0.5) + 0.02, "1")
        elif irregularity is not None and irregularity.value >= LIMITS.min_irregularity:
            p_share = Measured(0.0, 0.1, "1")  # no window of the minute shows P waves that repeat
        longest = None if np.isnan(rr).all() else Measured(float(np.nanmax(rr)) * 1000, 4.0, "ms")
        return Rhythm(
            beats=Measured(float(len(beats)), 0.0, "1"),
            irregularity=irregularity,
            p_share=p_share,
            premature_narrow=Measured(float(narrow), 0.0, "1"),
            premature_broad=Measured(float(broad), 0.0, "1"),
            longest_rr_ms=longest,
            spikes=Measured(float(round(spikes)), 0.0, "1"),
        )


def _measure_irregularity(rr: NDArray[np.float64], is_broad: NDArray[np.bool_]) -> Measured | None:
    """Median difference of successive RR intervals as a share of the median, without those beside broad beats."""
    beside = is_broad | np.r_[False, is_broad[:-1]] if len(is_broad) else is_broad
    clean = np.where(beside, np.nan, rr)
    differences = np.abs(np.diff(clean))
    differences = differences[~np.isnan(differences)]
    if len(differences) < 10:
        differences = np.abs(np.diff(rr))
        differences = differences[~np.isnan(differences)]
        clean = rr
    if len(differences) < 3:
        return None
    middle, typical = float(np.median(differences)), float(np.nanmedian(clean))
    # As measuring.rhythm_figures: standard error of a median of normal values.
    scatter = 1.25 * 1.4826 * float(np.median(np.abs(differences - middle))) / len(differences) ** 0.5
    return Measured(middle / typical, scatter / typical, "1")


@lru_cache(maxsize=1)
def _table() -> CriteriaTable:
    table = load_criteria()
    return replace(table, criteria={name: table.criteria[name] for name in CRITERIA})

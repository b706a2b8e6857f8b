"""Beats while they happen: the detector of ``measuring.beats``, with nothing but the past to look at.

A beat is reported when its energy has passed its peak, about 0.17 s after its R peak. What the detector of records
takes from the whole record, such as how steep a lead ever is, comes from the last seconds here.

Over a gap of up to ``max_bridge_s`` the detector draws a straight line, so that beats beside it are detected as ever.
Whether such a gap may hide a beat is what :meth:`BeatDetector.is_continuous` answers. After a longer gap the detector
begins again.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.beats import LIMITS as RECORD_LIMITS

__all__ = ["LIMITS", "BeatDetector", "DetectedBeat", "DetectorState", "LiveBeatLimits"]

_BEATS = "benchmarks/streams.md: beats"
_FAULTS = "benchmarks/streams.md: faults"


@dataclass(frozen=True)
class LiveBeatLimits:
    """Thresholds of live beat detection beside those of ``measuring.beats``."""

    fast_s: float = threshold(
        0.022,
        "s",
        "Window of the slopes.",
        low="Noise counts as slopes.",
        high="Narrow QRS complexes lose their slopes against T waves.",
        evidence=_BEATS,
    )
    slow_s: float = threshold(
        0.15,
        "s",
        "Window of the slow slopes that are subtracted; half of it delays every beat.",
        low="Wide QRS complexes are subtracted too.",
        high="Steep T waves count as beats, and results are later.",
        evidence=_BEATS,
    )
    confirm_s: float = threshold(
        0.05,
        "s",
        "Time after a peak of the energy in which no higher one follows.",
        low="The first half of wide QRS complexes counts as the beat.",
        high="Results are later.",
        evidence=_BEATS,
    )
    replacing_height: float = threshold(
        1.3,
        "1",
        "Height of a peak too close behind a beat, as a part of that beat's, from which it takes its place.",
        low="The second half of wide QRS complexes moves the beat.",
        high="Noise shortly before a beat counts in place of the beat.",
        evidence=_BEATS,
    )
    refractory_s: float = threshold(
        0.25,
        "s",
        "Least time between two beats.",
        low="Both halves of wide QRS complexes and noise beside beats count as beats.",
        high="Beats of rates above 240/min are lost.",
        evidence=_BEATS,
    )
    fast_refractory_s: float = threshold(
        0.2,
        "s",
        "Least time between two beats of the same height in a fast rhythm.",
        low="Both halves of wide QRS complexes count as beats.",
        high="Beats of rates above 300/min are lost.",
        evidence=_BEATS,
    )
    min_fast_height: float = threshold(
        0.8,
        "1",
        "Height of a beat less than `refractory_s` behind another one as a part of that beat's.",
        low="Both halves of wide QRS complexes count as beats.",
        high="Every other beat of rates above 240/min is lost.",
        evidence=_BEATS,
    )
    min_height: float = threshold(
        0.5,
        "1",
        "Least energy of a beat as a part of the typical beat's of the last seconds.",
        low="T waves and artifacts count as beats.",
        high="Low beats between high ones are lost.",
        evidence=_BEATS,
    )
    history_s: float = threshold(
        8.0,
        "s",
        "Time over which the steepness of a lead is measured.",
        low="One steep beat makes the next ones invisible.",
        high="Beats are lost for long after the amplitude has fallen.",
        evidence=_BEATS,
    )
    learn_s: float = threshold(
        2.5,
        "s",
        "Signal that is collected before the first beat is reported; its beats are reported then.",
        low="The first beats are measured against noise.",
        high="The first results are later.",
        evidence=_BEATS,
    )
    min_of_latest: float = threshold(
        0.15,
        "1",
        "Least energy of a beat as a part of that of the latest beats, for `remember_s` behind them.",
        low="P waves that go on after the last QRS complex count as beats, and end the alarm of no beat.",
        high="Beats are lost for long after the amplitude has fallen.",
        evidence=_FAULTS,
    )
    remember_s: float = threshold(
        60.0,
        "s",
        "Time for which the latest beats decide how high the next one has to be.",
        low="P waves that go on after the last QRS complex count as beats soon.",
        high="Beats are lost for long after an electrode was moved.",
        evidence=_FAULTS,
    )
    min_stand_out: float = threshold(
        3.0,
        "1",
        "Least energy of a beat over the energy between beats.",
        low="Noise without beats counts as beats.",
        high="Beats in noise are lost.",
        evidence=_BEATS,
    )
    max_bridge_s: float = threshold(
        2.0,
        "s",
        "Longest gap after which the detector goes on with what it has learned a moment before.",
        low="Single lost packets of slow devices restart the detector.",
        high="Beats from before a long break decide what counts as a beat after it.",
        evidence=_FAULTS,
    )
    max_clear_s: float = threshold(
        0.06,
        "s",
        "Longest gap that cannot hide a whole QRS complex.",
        low="No RR interval is measured over a lost packet of 50 ms, and no rate where many are lost.",
        high="RR intervals span beats that were lost.",
        evidence=_FAULTS,
    )
    max_clear_height: float = threshold(
        0.2,
        "1",
        "Highest energy beside a gap that hides no part of a beat, and between beats that are far apart, as a part of "
        "the typical beat's.",
        low="T waves and noise beside a gap count as parts of beats.",
        high="RR intervals span beats of which a part was lost, and noise.",
        evidence=_FAULTS,
    )


LIMITS = LiveBeatLimits()
_TOPS = 10
"""Number of windows of 2 s whose highest peaks give the typical height of a beat."""
_FLOOR_SHARE = 0.3
"""Share of the energies that lie below the floor between beats."""
_UPDATE_S = 0.5
_STRIDE_S = 0.008
"""Interval at which slopes are sampled for their percentiles."""
_MIN_KNOWN_S = 1.0
_MEMORY_S = 6.0
"""Energy that is stored, for the floor and for beats that were passed over."""
_TOP_S = 2.0
_MAX_GAP_S = 60.0
"""Longest gap after which the leads are as steep as before."""
_BRIDGES = 64
"""Number of gaps that are remembered; the RR interval of the slowest rhythm spans fewer."""
_LATEST = 9
"""Number of beats whose RR intervals say when one is missing."""


@dataclass(frozen=True, slots=True)
class DetectedBeat:
    """A beat.

    Attributes:
        sample: Number of the sample at its fiducial, the center of the energy of its QRS complex.
        height: Energy of its slopes as a part of the steepest ones.
        is_late: Whether it was first passed over and searched for again.
        replaces: Sample of the beat before, which was none, or ``None``.
    """

    sample: int
    height: float
    is_late: bool = False
    replaces: int | None = None


@dataclass
class DetectorState:
    """State of a detector.

    Attributes:
        next: Number of the sample that is expected next.
        collected: ``(leads, samples)``, samples that were not filtered yet, as the detector learns.
        tail: ``(leads, samples)``, the last samples, as far as the filter needs them; NaN where unknown.
        power: Power of the last slopes, as far as the average needs it.
        energy: Energy of the last seconds; NaN where unknown.
        steepness: ``(leads, samples)``, thinned out slopes of the last seconds, NaN where unknown.
        typical: Median steepness of each lead.
        largest: Steepness of each lead that only QRS complexes reach.
        tops: Highest energies of the last windows.
        floor: Energy between beats.
        since_update: Samples since steepness and tops were measured.
        phase: Samples to the next one that goes into ``steepness``.
        has_learned: Whether steepness was measured.
        scanned: Number of the sample up to which peaks were looked for.
        beats: Sample and height of the latest beats.
        passed_over: Sample and height of the latest peaks that were too low.
        barrier: Number of the first sample after the last gap without a bridge or of unknown length.
        bridges: First number and number behind the end of the latest gaps with a bridge.
    """

    next: int
    collected: NDArray[np.float64]
    tail: NDArray[np.float64]
    power: NDArray[np.float64]
    energy: NDArray[np.float64]
    steepness: NDArray[np.float64]
    typical: NDArray[np.float64]
    largest: NDArray[np.float64]
    tops: list[float] = field(default_factory=list)
    floor: float = 0.0
    since_update: int = 0
    phase: int = 0
    has_learned: bool = False
    scanned: int = 0
    beats: list[tuple[int, float]] = field(default_factory=list)
    passed_over: list[tuple[int, float]] = field(default_factory=list)
    barrier: int = 0
    bridges: list[tuple[int, int]] = field(default_factory=list)


class BeatDetector:
    """Beats of a stream, each reported once.

    Args:
        leads: Number of leads.
        fs_hz: Sampling rate, from 60 Hz on.
        state: State of a detector before, to go on with.
    """

    def __init__(self, leads: int, fs_hz: float, state: DetectorState | None = None) -> None:
        self._fs_hz, self._leads = fs_hz, leads
        self._kernel = _make_kernel(fs_hz)
        self._half = len(self._kernel) // 2
        self._box = max(round(RECORD_LIMITS.energy_s * fs_hz), 1) | 1
        self._confirm = max(round(LIMITS.confirm_s * fs_hz), 1)
        self._stride = max(round(_STRIDE_S * fs_hz), 1)
        self._memory = round(_MEMORY_S * fs_hz)
        self.state = state or self._start(0)
        self._weights: NDArray[np.float64] | None = None

    @property
    def delay_s(self) -> float:
        """Time from a beat to its report, without that of the packets."""
        return (self._half + self._box // 2 + self._confirm) / self._fs_hz

    def feed(self, first: int, samples: NDArray[np.floating]) -> list[DetectedBeat]:
        """Take samples, and return the beats that they confirm.

        Args:
            first: Number of the first sample. Where it is beyond the sample that is expected next, the samples between
                are a gap. So are samples that are unknown in all leads.
            samples: ``(leads, samples)`` in mV; NaN where nothing is known.
        """
        block = np.asarray(samples, dtype=np.float64)
        beats: list[DetectedBeat] = []
        for start, end in _find_known(block):
            beats += self._take(first + start, block[:, start:end])
        return beats

    def finish(self) -> list[DetectedBeat]:
        """Return the beats of the last samples, as the stream ends; nothing can be fed afterwards."""
        state = self.state
        end, width = state.next, round(self.delay_s * self._fs_hz) + 1
        before = state.tail if state.has_learned else state.collected
        if not before.shape[1]:
            return []
        lasts = np.repeat(before[:, -1:], width, axis=1)
        if not state.has_learned:  # a short record: what there is must do
            missing = round(LIMITS.learn_s * self._fs_hz) - state.collected.shape[1]
            unknown = np.full((self._leads, max(missing - width, 0)), np.nan)
            lasts = np.concatenate([lasts, unknown], axis=1)
        return [beat for beat in self._append(end, lasts) if beat.sample < end]

    def interrupt(self, sample: int) -> None:
        """Take note that nobody knows how much time passed before a sample."""
        self.state.barrier = sample

    def is_continuous(self, one: int, other: int) -> bool:
        """Return whether no beat can be hidden between two samples, such as those of two beats.

        Args:
            one: Number of a sample of the last seconds.
            other: Number of a later one.
        """
        if one < self.state.barrier:
            return False
        side = self._box // 2 + 1
        between = [(start, end) for start, end in self.state.bridges if end + side > one and start - side < other]
        is_long = other - one > RECORD_LIMITS.gap_of_median * self._measure_typical_rr()
        if is_long and (between or self._is_noisy(one, other)):
            return False
        return all(self._is_clear(start, end, one, other) for start, end in between)

    def _is_noisy(self, one: int, other: int) -> bool:
        """Return whether there is so much noise between two beats that a beat may be hidden in it."""
        origin = self._energy_origin
        between = self.state.energy[max(one + self._box - origin, 0) : max(other - self._box - origin, 0)]
        valid = between[~np.isnan(between)]
        # The highest energies of the last seconds may be those of a long pause.
        height = max(height for _, height in self.state.beats[-2:]) if self.state.beats else 0.0
        return bool(len(valid) and np.median(valid) > LIMITS.max_clear_height * height)

    def _is_clear(self, start: int, end: int, one: int, other: int) -> bool:
        """Return whether a gap hides no beat between two beats, and none of them."""
        state, fs = self.state, self._fs_hz
        side = self._box // 2 + 1
        if start - side < one or end + side > other or end - start > LIMITS.max_clear_s * fs:
            return False  # a part of a beat itself is missing, or a beat may be
        refractory = round(LIMITS.refractory_s * fs)
        if end <= one + refractory or start >= other - refractory:
            return True
        origin = self._energy_origin
        around = state.energy[max(start - side - origin, 0) : max(end + side - origin, 0)]
        return bool(len(around) and np.max(around) < LIMITS.max_clear_height * median(state.tops))

    def _start(self, first: int) -> DetectorState:
        leads, nothing = self._leads, np.empty(0)
        return DetectorState(
            next=first,
            collected=np.empty((leads, 0)),
            tail=np.full((leads, len(self._kernel) - 1), np.nan),
            power=np.full(self._box - 1, np.nan),
            energy=nothing,
            steepness=np.full((leads, round(LIMITS.history_s * self._fs_hz / self._stride)), np.nan),
            typical=np.zeros(leads),
            largest=np.zeros(leads),
            scanned=first,
            barrier=first,
        )

    def _take(self, first: int, block: NDArray[np.float64]) -> list[DetectedBeat]:
        """Take samples of which each is known in one lead at least."""
        start, beats = self.state.next, []
        if first > start:
            bridge = self._bridge(first, block)
            if bridge is None:
                beats = self.finish()
                self._begin_again(first)
            else:
                first, block = start, np.concatenate([bridge, block], axis=1)
        return beats + self._append(first, block)

    def _bridge(self, first: int, block: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return a line over a gap, ``None`` where the gap is too long or nothing is known before it."""
        state, gap = self.state, first - self.state.next
        before = state.tail[:, -1:] if state.has_learned else state.collected[:, -1:]
        if gap > LIMITS.max_bridge_s * self._fs_hz or not before.shape[1] or np.isnan(before).all():
            return None
        state.bridges = [*state.bridges, (state.next, first)][-_BRIDGES:]
        return np.asarray(before + (block[:, :1] - before) * (np.arange(1, gap + 1) / (gap + 1)))

    def _begin_again(self, first: int) -> None:
        """Forget everything that lies before a gap, except how steep the leads are where the gap is short."""
        before, fresh = self.state, self._start(first)
        is_short = first - before.next <= _MAX_GAP_S * self._fs_hz
        if is_short and before.has_learned:
            for name in ("steepness", "typical", "largest", "tops", "floor", "has_learned"):
                setattr(fresh, name, getattr(before, name))
        self.state, self._weights = fresh, None

    def _append(self, first: int, block: NDArray[np.float64]) -> list[DetectedBeat]:
        """Take samples that follow those before, and return the beats that they confirm."""
        state = self.state
        state.next = first + block.shape[1]
        if not state.has_learned:
            state.collected = np.concatenate([state.collected, block], axis=1)
            if state.collected.shape[1] < LIMITS.learn_s * self._fs_hz:
                return []
            block, state.collected = state.collected, np.empty((self._leads, 0))
        self._filter(block)
        return self._scan()

    def _filter(self, block: NDArray[np.float64]) -> None:
        """Append the energy that a block of samples completes."""
        state = self.state
        signals = np.concatenate([state.tail, block], axis=1)
        state.tail = signals[:, signals.shape[1] - len(self._kernel) + 1 :].copy()
        slopes = np.abs(self._differentiate(signals))
        self._remember_steepness(slopes, state.next - block.shape[1] - self._half)
        if not state.has_learned or state.since_update >= _UPDATE_S * self._fs_hz:
            self._measure_steepness()
        power = np.concatenate([state.power, self._combine(slopes)])
        state.power = power[len(power) - self._box + 1 :].copy()
        total = np.cumsum(np.concatenate([[0.0], power]))
        energy = np.sqrt(np.maximum(total[self._box :] - total[: -self._box], 0) / self._box)
        if np.isnan(power).any():
            energy = np.sqrt(np.convolve(power, np.full(self._box, 1 / self._box), "valid"))
        state.energy = np.concatenate([state.energy, energy])[-self._memory :]
        if state.since_update == 0:
            self._measure_tops()
        state.since_update += block.shape[1]

    def _differentiate(self, signals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Slopes less slow slopes, ``(leads, samples)``; NaN where a sample that they need is unknown."""
        if not np.isnan(signals[:, -1]).any() and not np.isnan(signals).any():
            return np.stack([np.convolve(row, self._kernel, "valid") for row in signals])
        slopes = np.empty((len(signals), signals.shape[1] - len(self._kernel) + 1))
        box = np.ones(len(self._kernel))
        for row, out in zip(signals, slopes, strict=True):
            is_unknown = np.isnan(row)
            out[:] = np.convolve(np.where(is_unknown, 0.0, row), self._kernel, "valid")
            out[np.convolve(is_unknown, box, "valid") > 0.5] = np.nan
        return slopes

    def _remember_steepness(self, slopes: NDArray[np.float64], first: int) -> None:
        """Take slopes, the first of which is that of the sample ``first``, except those of bridges."""
        state = self.state
        thin = slopes[:, state.phase :: self._stride]
        for start, end in state.bridges:
            if end > first:
                places = first + state.phase + np.arange(thin.shape[1]) * self._stride
                thin = np.where((places >= start) & (places < end), np.nan, thin)
        state.phase = (state.phase - slopes.shape[1]) % self._stride
        width = state.steepness.shape[1]
        state.steepness = np.concatenate([state.steepness, thin], axis=1)[:, -width:]

    def _measure_steepness(self) -> None:
        """Measure what is typical for each lead, and what only QRS complexes reach."""
        state = self.state
        ordered = np.sort(state.steepness, axis=1)  # NaN come last
        counts = (~np.isnan(ordered)).sum(axis=1)
        is_enough = counts >= _MIN_KNOWN_S * self._fs_hz / self._stride
        rows = np.arange(len(ordered))
        typical = ordered[rows, np.maximum(counts * 0.5, 0).astype(int).clip(0, ordered.shape[1] - 1)]
        largest = ordered[rows, np.maximum(counts * 0.985, 0).astype(int).clip(0, ordered.shape[1] - 1)]
        before = state.largest
        state.typical = np.where(is_enough, typical, 0.0)
        state.largest = np.where(is_enough, largest, 0.0)
        state.since_update, state.has_learned = 0, True
        self._weights = None
        self._rescale(before)

    def _rescale(self, before: NDArray[np.float64]) -> None:
        """State all energies so far as parts of what the leads reach now, so that they can be compared with new ones.

        Without it, noise after the last beat is measured against beats and then, as they leave the history, against
        itself, so that it stands out from its own past.
        """
        state = self.state
        is_usable = (before > 0) & (state.largest > 0)
        weights = self._weigh() * is_usable
        if not weights.any():
            return
        ratio = np.divide(before, state.largest, out=np.zeros_like(before), where=is_usable)
        factor = float(np.sqrt(weights @ ratio**2 / weights.sum()))
        state.power *= factor**2
        state.energy *= factor
        state.floor *= factor
        state.tops = [factor * top for top in state.tops]
        state.beats = [(sample, factor * height) for sample, height in state.beats]
        state.passed_over = [(sample, factor * height) for sample, height in state.passed_over]

    def _weigh(self) -> NDArray[np.float64]:
        """Return the weight of each lead, by how far its QRS complexes stand out; 0 where it is not measured."""
        if self._weights is None:
            state = self.state
            is_usable = state.largest > 0
            ratio = np.where(is_usable, state.largest, 1.0) / np.maximum(state.typical, 1e-9)
            self._weights = np.minimum(np.maximum((ratio - 4) / 8, 0.02), 1) * is_usable
        return self._weights

    def _combine(self, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """One curve for all leads: 1 where each lead is as steep as it ever is; NaN where no lead is known."""
        state = self.state
        scale, weights = np.where(state.largest > 0, state.largest, 1.0), self._weigh()
        ratio = np.minimum(slopes / scale[:, None], 1.5) ** 2
        is_unknown = np.isnan(ratio)
        if not is_unknown.any():
            total = float(weights.sum())
            return np.asarray(weights @ ratio / total) if total > 0 else np.full(slopes.shape[1], np.nan)
        weight = weights @ ~is_unknown
        power = weights @ np.where(is_unknown, 0.0, ratio)
        return np.asarray(np.divide(power, weight, out=np.full(slopes.shape[1], np.nan), where=weight > 0))

    @property
    def _energy_origin(self) -> int:
        """Number of the sample of the first energy that is stored; the last one ends where the filters are complete."""
        return self.state.next - self._half - self._box // 2 - len(self.state.energy)

    def _measure_tops(self) -> None:
        """Measure how high the energy of beats is and how low it is between them."""
        state, origin = self.state, self._energy_origin
        last = state.energy[-round(_TOP_S * self._fs_hz) :]
        valid = last[~np.isnan(last)]
        if not len(valid):
            return
        if not state.tops:  # just learned: all windows that there are
            step = round(_TOP_S * self._fs_hz)
            windows = [state.energy[start : start + step] for start in range(0, len(state.energy), step)]
            state.tops = [float(np.nanmax(part)) for part in windows if not np.isnan(part).all()]
        else:
            state.tops = [*state.tops, float(valid.max())][-_TOPS:]
        is_usable = ~np.isnan(state.energy)
        for start, end in state.bridges:  # a line has no energy, and is no floor of what it spans
            is_usable[max(start - origin, 0) : max(end - origin, 0)] = False
        valid = state.energy[is_usable]
        if not len(valid):
            return
        rank = round(_FLOOR_SHARE * (len(valid) - 1))
        state.floor = float(np.partition(valid, rank)[rank])

    def _scan(self) -> list[DetectedBeat]:
        """Look for peaks in the energy that was not scanned yet."""
        state = self.state
        start = self._energy_origin
        end = start + len(state.energy)
        first, last = max(state.scanned, start + 1), end - self._confirm
        if last <= first or not state.tops:
            return []
        energy = state.energy
        part = energy[first - start : last - start]
        rises = part > energy[first - start - 1 : last - start - 1]
        falls = part >= energy[first - start + 1 : last - start + 1]
        typical = median(state.tops)
        is_high = part >= RECORD_LIMITS.min_searchback_height * typical
        out: list[DetectedBeat] = []
        for place in np.flatnonzero(rises & falls & is_high):
            at = place + first - start
            around = energy[max(at - self._confirm, 0) : at + self._confirm + 1]
            if energy[at] >= np.nanmax(around):
                out += self._judge(int(at + start), float(energy[at]), typical)
        state.scanned = last
        return out + self._search_back(last, typical)

    def _judge(self, sample: int, height: float, typical: float) -> list[DetectedBeat]:
        """Return the beat that a peak is, after one before it that was passed over."""
        state = self.state
        if state.beats:
            before, before_height = state.beats[-1]
            since = (sample - before) / self._fs_hz
            if since < (LIMITS.fast_refractory_s if self._may_be_fast(height, before_height) else LIMITS.refractory_s):
                return self._replace(sample, height)
            is_t_wave = since < RECORD_LIMITS.t_wave_s and height < RECORD_LIMITS.max_t_wave_height * before_height
            if is_t_wave:
                return []
        if height < max(LIMITS.min_height * typical, LIMITS.min_stand_out * state.floor, self._least_height(sample)):
            state.passed_over = [*state.passed_over, (sample, height)][-20:]
            return []
        out = self._search_back(sample, typical)
        self._accept(sample, height)
        return [*out, DetectedBeat(sample, height)]

    def _least_height(self, sample: int) -> float:
        """Return the least height of a beat beside the latest ones; 0 where they are too long ago."""
        beats = self.state.beats
        if not beats or sample - beats[-1][0] > LIMITS.remember_s * self._fs_hz:
            return 0.0
        return LIMITS.min_of_latest * median(height for _, height in beats)

    def _may_be_fast(self, height: float, before_height: float) -> bool:
        """Return whether a peak close behind a beat may be the next beat of a fast rhythm.

        Where every other beat of such a rhythm was lost so far, the RR intervals are twice as long as they are.
        """
        is_fast = self._measure_typical_rr() < 2 * LIMITS.refractory_s * self._fs_hz
        return is_fast and height >= LIMITS.min_fast_height * before_height

    def _replace(self, sample: int, height: float) -> list[DetectedBeat]:
        """Return the peak as the beat in place of the last one, where it is much higher and too close to be another."""
        before, before_height = self.state.beats[-1]
        if height < LIMITS.replacing_height * before_height:
            return []
        self.state.beats.pop()
        self._accept(sample, height)
        return [DetectedBeat(sample, height, replaces=before)]

    def _search_back(self, now: int, typical: float) -> list[DetectedBeat]:
        """Return the highest peak that was passed over well inside an RR interval that is too long."""
        state = self.state
        if len(state.beats) < 3:
            return []
        last, typical_rr = state.beats[-1][0], self._measure_typical_rr()
        if now - last <= RECORD_LIMITS.gap_of_median * typical_rr:
            return []
        margin = RECORD_LIMITS.searchback_margin * typical_rr
        inside = [peak for peak in state.passed_over if last + margin < peak[0] < now - margin]
        least = max(LIMITS.min_stand_out * state.floor, self._least_height(now))
        inside = [peak for peak in inside if peak[1] >= least]
        if not inside:
            return []
        sample, height = max(inside, key=lambda peak: peak[1])
        self._accept(sample, height)
        return [DetectedBeat(sample, height, is_late=True)]

    def _measure_typical_rr(self) -> float:
        """Return the median of the latest RR intervals in samples; endless where there is none."""
        return median([after - before for (before, _), (after, _) in pairwise(self.state.beats)] or [np.inf])

    def _accept(self, sample: int, height: float) -> None:
        state = self.state
        state.beats = [*state.beats, (sample, height)][-_LATEST:]
        state.passed_over = [peak for peak in state.passed_over if peak[0] > sample]


def _find_known(block: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return start and end of each run of samples that are known in one lead at least."""
    is_known = ~np.isnan(block).all(axis=0)
    if is_known.all():
        return [(0, block.shape[1])] if block.shape[1] else []
    edges = np.flatnonzero(np.diff(np.r_[False, is_known, False]))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


@lru_cache(maxsize=16)
def _make_kernel(fs_hz: float) -> NDArray[np.float64]:
    """Weights of slopes by parabolas over a short window, less those over a long one, in mV/s, for convolving."""

    def weigh(seconds: float) -> NDArray[np.float64]:
        places = np.arange(max(round(seconds * fs_hz), 3) | 1, dtype=np.float64)
        places -= places.mean()
        return np.asarray(places / float(places @ places) * fs_hz)

    fast, slow = weigh(LIMITS.fast_s), weigh(LIMITS.slow_s)
    kernel = -slow
    side = (len(slow) - len(fast)) // 2
    kernel[side : side + len(fast)] += fast
    return kernel[::-1].copy()

"""A monitor: samples of a stream in, beats, figures, events and alarms out. It knows no clock but the stream's own."""

from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from ecglens.criteria.table import load_criteria
from ecglens.errors import StreamError
from ecglens.measuring.beats import LIMITS as BEAT_RECORD_LIMITS
from ecglens.measuring.rhythm_figures import LIMITS as RECORD_LIMITS
from ecglens.statements import Outcome
from ecglens.streams.alarms import AlarmRule, Alarms, AlarmState, load_alarms
from ecglens.streams.artifacts import STEP_SIDE_S, has_saturated_part, is_spike, is_step
from ecglens.streams.assembly import Assembler, AssemblyState
from ecglens.streams.beats import LIMITS as BEAT_LIMITS
from ecglens.streams.beats import BeatDetector, DetectedBeat, DetectorState
from ecglens.streams.clock import ClockState
from ecglens.streams.packets import (
    Battery,
    Connection,
    Faults,
    Gap,
    Message,
    Packet,
    Refused,
    RrIntervals,
    StreamInfo,
    Stretch,
)
from ecglens.streams.quality import has_no_signal, rate_lead
from ecglens.streams.results import LeadQuality, LiveBeat, Result, StreamEvent
from ecglens.streams.rhythm import CRITERIA, LIMITS, P_WINDOW_S, RhythmHistory, RhythmState, TimedBeat
from ecglens.streams.shapes import ShapeState, ShapeTracker
from ecglens.streams.states import dump_state, load_state
from ecglens.streams.window import Window

__all__ = ["Monitor", "MonitorState"]

_WINDOW_S = 12.0
_FIGURES_S = 1.0
"""Interval of the rate and the alarms."""
_MINUTE_S = 10.0
"""Interval of the figures of a minute and of looking for P waves."""
_QUALITY_S = 2.0
_MIN_QUALITY = 0.5
"""Quality of the best lead below which shapes of beats say nothing."""
_REFUSED, _REFUSED_S = 5, 60.0
"""Messages that were refused of which each is an event, in so many seconds; more are counted, as there may be
thousands."""
_HIDING_S = 1.0
"""Longest gap that hides no more than one beat; after a longer one the time without a beat restarts its count."""
_BLIND_S = 0.1
"""Time beside a gap in which a beat may go unnoticed, where the gap can hide a whole QRS complex."""
_MIN_OBSERVED = 0.5
"""Part of the time since the last beat that counts at least, however much of it is lost: otherwise an asystole that
loses a third of its packets rings late or never."""


@dataclass
class MonitorState:
    """State of a monitor beside that of its parts.

    Attributes:
        assembly: State of the packets.
        detector: State of the beats; ``None`` before the first samples.
        shapes: State of the shapes.
        rhythm: State of the rhythm.
        alarms: States of the alarms by name.
        window_first: Number of the first sample of ``window``.
        window: ``(leads, samples)``, the last samples.
        next_figures_s: When the rate is due.
        next_minute_s: When the figures of a minute are due; 0 before the first time was chosen.
        next_quality_s: When the quality is due.
        statements: Criteria that are met, and since when.
        battery: Charge in percent, or ``None``.
        gap_from_s: Where the samples ended before a gap that still lasts.
        device_s: End of the RR intervals of a device without samples.
        observed_from_s: From when on the time without a beat counts, less the time that gaps hide.
        silent_from_s: The same with the time that gaps hide; the end of the last gap after which the count restarts.
        signal_s: End of the last samples that were known in one lead at least.
        artifact_s: Time of the last step or pacing spike that was no beat.
        leads_off: Leads without a signal, and why, that were reported last.
        leads_off_before: Those of the last measurement of the quality.
        rate_s: When the rate was measured last, or a long gap ended.
        refused: Messages that were refused since the last one that was reported.
        refused_s: Start of the time in which the next ones are reported one by one.
        reported: Messages that were refused since then.
        leads: Leads of the stream.
        fs_hz: Its sampling rate.
        is_other: Whether the device described other leads or another rate, so that its samples are refused.
    """

    assembly: AssemblyState = field(default_factory=AssemblyState)
    detector: DetectorState | None = None
    shapes: ShapeState = field(default_factory=ShapeState)
    rhythm: RhythmState = field(default_factory=RhythmState)
    alarms: dict[str, AlarmState] = field(default_factory=dict)
    window_first: int = 0
    window: np.ndarray | None = None
    next_figures_s: float = 1.0
    next_minute_s: float = 0.0
    next_quality_s: float = 2.0
    statements: dict[str, float] = field(default_factory=dict)
    battery: int | None = None
    quality: dict[str, float] = field(default_factory=dict)
    device_s: float = 0.0
    observed_from_s: float = 0.0
    silent_from_s: float = 0.0
    signal_s: float = 0.0
    artifact_s: float = -1.0
    leads_off: dict[str, str] = field(default_factory=dict)
    leads_off_before: dict[str, str] = field(default_factory=dict)
    rate_s: float = 0.0
    refused: int = 0
    refused_s: float = 0.0
    reported: int = 0
    leads: tuple[str, ...] = ()
    fs_hz: float = 0.0
    is_other: bool = False


_STATES = (
    MonitorState,
    AssemblyState,
    ClockState,
    Faults,
    DetectorState,
    ShapeState,
    RhythmState,
    TimedBeat,
    AlarmState,
    Packet,
)


class Monitor:
    """Results of one stream while it runs.

    Args:
        info: The stream.
        rules: Alarm rules; those of the package by default.
        state: Result of :meth:`save` of a monitor of the same stream, to go on with.

    Raises:
        StreamError: The state is that of another stream.

    >>> info = StreamInfo("demo", ("I",), 250.0)
    >>> monitor = Monitor(info)
    >>> stretches, results = monitor.feed(Packet(np.zeros((1, 25), np.float32), sequence=0))
    >>> len(stretches), results
    (1, [])
    """

    def __init__(
        self, info: StreamInfo, *, rules: tuple[AlarmRule, ...] | None = None, state: bytes | None = None
    ) -> None:
        self.info = info
        stored: MonitorState = MonitorState() if state is None else load_state(state, _STATES)
        if state is not None and (stored.leads, stored.fs_hz) != (info.leads, info.fs_hz):
            raise StreamError(
                f"Expected the state of a stream with the leads and the rate of {info.device}, got another."
            )
        self._state = stored
        stored.leads, stored.fs_hz = info.leads, info.fs_hz
        # Many streams that begin together would all look for P waves in the same moment.
        self._phase_s = crc32(info.device.encode()) % 100 * _MINUTE_S / 100
        stored.next_minute_s = stored.next_minute_s or _MINUTE_S + self._phase_s
        self._assembler = Assembler(info, stored.assembly)
        self._detector = BeatDetector(len(info.leads), info.fs_hz, stored.detector) if info.leads else None
        self._shapes = ShapeTracker(info.fs_hz, stored.shapes) if info.leads else None
        self._rhythm = RhythmHistory(stored.rhythm)
        self._alarms = Alarms(load_alarms() if rules is None else rules, stored.alarms)
        self._window = Window(info, _WINDOW_S)
        if stored.window is not None and stored.window.shape[1]:
            self._window.append(stored.window_first, stored.window)

    @property
    def now_s(self) -> float:
        """End of the samples so far, in s from the start of the stream."""
        return self._window.end / self.info.fs_hz if self.info.leads else self._state.device_s

    @property
    def faults(self) -> Faults:
        """Counts of what was wrong with the packets."""
        return self._assembler.faults

    @property
    def drift(self) -> float:
        """Drift of the device's clock against the times of its packets, as a part of its rate."""
        return self._assembler.clock.drift

    @property
    def window(self) -> Window:
        """The last seconds of the stream."""
        return self._window

    @property
    def active_alarms(self) -> tuple[str, ...]:
        """Names of the alarms that ring."""
        return self._alarms.active

    def save(self) -> bytes:
        """Return the state, from which another monitor can go on."""
        state = self._state
        state.assembly, state.rhythm, state.alarms = self._assembler.state, self._rhythm.state, self._alarms.states
        if self._detector is not None and self._shapes is not None:
            state.detector, state.shapes = self._detector.state, self._shapes.state
            state.window_first = self._window.start
            state.window = self._window.cut(self._window.start, self._window.end)
        return dump_state(state)

    def feed(self, message: Message) -> tuple[list[Stretch], list[Result]]:
        """Take a message of the source.

        Args:
            message: Packets, RR intervals and whatever else the source yields.

        Returns:
            The samples that follow those before, each once, and the results that they complete.

        Raises:
            StreamError: A packet has other leads than the stream.
        """
        match message:
            case Packet() if self._state.is_other:
                self._assembler.count_refused()
                return [], []
            case Packet():
                return self._advance(self._assembler.feed(message))
            case Connection():
                stretches, results = self._advance([] if message.is_connected else self._assembler.disconnect())
                title = "Connected" if message.is_connected else "Connection lost"
                now = self.now_s
                return stretches, [*results, StreamEvent("connection", title, now, now, detail=message.detail)]
            case RrIntervals():
                return [], self._take_intervals(message)
            case Battery():
                self._state.battery = message.percent
                event = StreamEvent(
                    "battery", "Battery", self.now_s, self.now_s, values={"battery_percent": float(message.percent)}
                )
                return [], [event]
            case Refused():
                self._assembler.count_refused()
                return [], self._report_refused(message.reason)
            case StreamInfo():
                return self._take_description(message)

    def finish(self) -> tuple[list[Stretch], list[Result]]:
        """Return what is left as the stream ends."""
        stretches, results = self._advance(self._assembler.finish())
        if self._state.refused:
            words = "1 more message was" if self._state.refused == 1 else f"{self._state.refused:,} more messages were"
            results.append(self._describe_refused(f"{words} refused."))
        if self._detector is not None:
            results += self._report(self._detector.finish())
        return stretches, results

    def wait(self, seconds: float) -> list[Result]:
        """Return the alarms of a stream from which nothing has come for some time.

        Args:
            seconds: Time since its last message.
        """
        now = self.now_s
        return [*self._alarms.update(now + seconds, {"gap_s": seconds + now - min(self._state.signal_s, now)})]

    def _report_refused(self, reason: str) -> list[Result]:
        """Report a message that was refused, or only count it where there are many."""
        state, now = self._state, self.now_s
        state.refused += 1
        if now >= state.refused_s + _REFUSED_S:
            state.refused_s, state.reported = now, 0
        state.reported += 1
        return [self._describe_refused(reason)] if state.reported <= _REFUSED else []

    def _describe_refused(self, reason: str) -> StreamEvent:
        """Return the event about the messages that were refused since the last one."""
        count, self._state.refused, now = self._state.refused, 0, self.now_s
        return StreamEvent("refused", "Message refused", now, now, detail=reason, values={"refused": float(count)})

    def _take_description(self, info: StreamInfo) -> tuple[list[Stretch], list[Result]]:
        """Take the description of a device that is described already, as it may restart its count behind it."""
        if (info.leads, info.fs_hz) != (self.info.leads, self.info.fs_hz):
            reason = (
                f"Expected the leads and the rate of {self.info.device} to stay, got others; samples are refused until "
                "they are described as before."
            )
            if self._state.is_other:
                return self.feed(Refused(reason))
            self._state.is_other = True
            self._assembler.count_refused()
            return [], [StreamEvent("refused", "Message refused", self.now_s, self.now_s, detail=reason)]
        self._state.is_other = False
        if not self.now_s:
            return [], []
        is_other = info.device != self.info.device
        stretches, results = self._advance(self._assembler.describe_again(is_other=is_other))
        if is_other:
            detail = f"The device {info.device} sends in place of {self.info.device}."
            results.append(StreamEvent("connection", "Another device", self.now_s, self.now_s, detail=detail))
        return stretches, results

    def _advance(self, items: list[Stretch | Gap]) -> tuple[list[Stretch], list[Result]]:
        stretches: list[Stretch] = []
        results: list[Result] = []
        for item in items:
            if isinstance(item, Gap):
                if item.reason != "lost" and self._detector is not None:
                    self._detector.interrupt(item.first + item.samples)
                self._hide(item.end_s - item.start_s, item.end_s)
                results.append(StreamEvent.of_gap(item))
                continue
            stretches.append(item)
            results += self._take(item)
        return stretches, results

    def _hide(self, length_s: float, end_s: float) -> None:
        """Leave a time without samples out of the time without a beat."""
        state = self._state
        if length_s > _HIDING_S:
            state.observed_from_s = state.silent_from_s = state.rate_s = end_s
            return
        blind_s = _BLIND_S if length_s > BEAT_LIMITS.max_clear_s else 0.0
        state.observed_from_s = min(self._since_last_beat(state.observed_from_s) + length_s + blind_s, end_s)

    def _since_last_beat(self, from_s: float) -> float:
        """Return the time of the last beat, or a later time from which the time without a beat counts."""
        last = self._rhythm.last
        return max(from_s, 0.0 if last is None else last.at_s)

    def _take(self, stretch: Stretch) -> list[Result]:
        if self._detector is None:
            return []
        self._window.append(stretch.first, stretch.samples_mv)
        if np.isnan(stretch.samples_mv[:, -1]).all() and np.isnan(stretch.samples_mv).all():
            length_s, off_s = stretch.samples_mv.shape[1] / self.info.fs_hz, self.now_s - self._state.signal_s
            self._hide(length_s if off_s <= _HIDING_S else off_s, self.now_s)  # electrodes are off
        else:
            self._state.signal_s = self.now_s
        results = self._report(self._detector.feed(stretch.first, stretch.samples_mv))
        now, state = self.now_s, self._state
        if now >= state.next_quality_s:
            state.next_quality_s = _next_time(now, _QUALITY_S)
            results += self._measure_quality(now)
        if now >= state.next_minute_s:
            state.next_minute_s = self._phase_s + _next_time(now - self._phase_s, _MINUTE_S)
            self._rhythm.look_for_p_waves(self._window.to_record(P_WINDOW_S), now)
            results += self._measure_minute(now)
        if now >= state.next_figures_s:
            state.next_figures_s = _next_time(now, _FIGURES_S)
            results += self._measure_figures(now)
        return results

    def _report(self, beats: list[DetectedBeat]) -> list[Result]:
        return [self._describe(beat) for beat in beats if not self._is_artifact(beat.sample)]

    def _describe(self, beat: DetectedBeat) -> LiveBeat:
        """Name a beat by its shape and its time, and add it to the history."""
        assert self._detector is not None
        assert self._shapes is not None
        fs, at_s = self.info.fs_hz, beat.sample / self.info.fs_hz
        replaced = None if beat.replaces is None else beat.replaces / fs
        if replaced is not None:
            self._rhythm.remove(replaced)
        before = self._rhythm.last
        is_joined = before is not None and self._is_joined(round(before.at_s * fs), beat.sample)
        rr_s = at_s - before.at_s if before is not None and is_joined else float("nan")
        is_normal, is_broad = self._shapes.classify(
            self._window.cut(beat.sample - self._shapes.before, beat.sample + self._shapes.after)
        )
        kind = self._name(is_normal, is_broad, rr_s, before)
        self._rhythm.add(TimedBeat(at_s, rr_s, kind == "V", kind == "S"))
        clock = self._assembler.clock
        return LiveBeat(
            at_s,
            clock.time_at(beat.sample) if clock.is_set else None,
            kind,
            None if np.isnan(rr_s) else rr_s,
            beat.is_late,
            replaced,
        )

    def _is_joined(self, one: int, other: int) -> bool:
        """Return whether no beat can be hidden between two samples: not by a gap, nor by leads without an ECG."""
        assert self._detector is not None
        if not self._detector.is_continuous(one, other):
            return False
        typical, fs = self._rhythm.typical_rr_s(), self.info.fs_hz
        if typical is not None and (other - one) / fs <= BEAT_RECORD_LIMITS.gap_of_median * typical:
            return True
        if one < self._state.artifact_s * fs < other:
            return False  # a step may hide a beat beside it
        side = round(STEP_SIDE_S * self.info.fs_hz)  # the complexes of both beats belong to what is compared
        return not has_saturated_part(
            self._window.cut(max(one - side, self._window.start), other + side), self.info.fs_hz
        )

    def _is_artifact(self, sample: int) -> bool:
        """Return whether a beat is none, but a step of the baseline or a pacing spike."""
        fs = self.info.fs_hz
        side = round(STEP_SIDE_S * fs)
        around = self._window.cut(sample - side, sample + side)
        is_none = is_step(around, fs) or is_spike(around, fs)
        if is_none:
            self._state.artifact_s = sample / fs
        return is_none

    def _name(self, is_normal: bool | None, is_broad: bool, rr_s: float, before: TimedBeat | None) -> str | None:
        if is_normal is None or max(self._state.quality.values(), default=1.0) < _MIN_QUALITY:
            return None
        typical = self._rhythm.typical_rr_s()
        ratio = 1.0 if typical is None or np.isnan(rr_s) else rr_s / typical
        if is_broad and ratio <= RECORD_LIMITS.max_broad_rr:
            return "V"
        # As in measuring.rhythm_figures: an early beat after an early one is a run or a step of the rate.
        is_after_early = before is not None and typical is not None and before.rr_s <= RECORD_LIMITS.premature * typical
        return "S" if not is_broad and ratio <= RECORD_LIMITS.premature and not is_after_early else "N"

    def _measure_quality(self, now: float) -> list[Result]:
        assert self._detector is not None
        fs, detector = self.info.fs_hz, self._detector.state
        samples = self._window.cut(self._window.end - round(_QUALITY_S * fs), self._window.end)
        with np.errstate(divide="ignore", invalid="ignore"):
            stand_out = np.where(detector.largest > 0, detector.largest / detector.typical, np.nan)
        rated = [rate_lead(row, float(ratio)) for row, ratio in zip(samples, stand_out, strict=True)]
        quality = {lead: value for lead, (value, _) in zip(self.info.leads, rated, strict=True)}
        reasons = {lead: reason for lead, (_, reason) in zip(self.info.leads, rated, strict=True) if reason}
        self._state.quality = quality
        off = {lead: reason for lead, reason in reasons.items() if has_no_signal(quality[lead], reason)}
        return [LeadQuality(max(now - _QUALITY_S, 0.0), now, quality, reasons), *self._report_leads(off, now)]

    def _report_leads(self, off: dict[str, str], now: float) -> list[StreamEvent]:
        """Report the leads without a signal where two measurements in a row agree on them and they are others."""
        state = self._state
        is_lasting = off.keys() == state.leads_off_before.keys()
        state.leads_off_before = off
        if not is_lasting or off.keys() == state.leads_off.keys():
            return []
        state.leads_off = off
        detail = "; ".join(
            f"{', '.join(lead for lead in off if off[lead] == reason)}: {reason}" for reason in sorted({*off.values()})
        )
        change = "begins" if off else "ends"
        title = "Leads without a signal"
        return [StreamEvent("leads_off", title, now - 2 * _QUALITY_S, now, change, detail=f"{detail}." if off else "")]

    def _measure_minute(self, now: float) -> list[Result]:
        minute = self._rhythm.measure_minute(now)
        five = self._rhythm.measure_five_minutes(now)
        if minute is None:
            return []
        met = {each.name for each in minute.statements if each.outcome is Outcome.MET}
        return [
            minute,
            *([five] if five is not None and now >= 120 else []),
            *self._change_statements(met, minute.start_s, now),
        ]

    def _change_statements(self, met: set[str], start_s: float, now: float) -> list[StreamEvent]:
        """Report criteria that are met from now on, or not met any more."""
        table, active, events = load_criteria().criteria, self._state.statements, []
        for name in sorted(met - set(active)):
            active[name] = start_s
            events.append(StreamEvent(name, table[name].title, start_s, now, state="begins"))
        for name in sorted(set(active) - met):
            events.append(StreamEvent(name, table[name].title, active.pop(name), now, state="ends"))
        return events

    def _measure_figures(self, now: float) -> list[Result]:
        """Measure the rate, and compare everything that is measured with the alarm rules."""
        last, at_least = self._rhythm.last, set()
        figures: dict[str, float] = {"gap_s": now - min(self._state.signal_s, now)}
        stated: dict[str, float] = {}
        if self._detector is not None and self._detector.state.has_learned:
            stated["since_beat_s"] = now - self._since_last_beat(self._state.silent_from_s)
            observed_s = now - self._since_last_beat(self._state.observed_from_s)
            figures["since_beat_s"] = max(observed_s, _MIN_OBSERVED * stated["since_beat_s"])
            if last is None or last.at_s < self._state.observed_from_s:
                at_least.add("since_beat_s")  # nobody knows when the last beat was
        is_silent = figures.get("since_beat_s", 0.0) > LIMITS.max_silence_s
        rate = None if is_silent else self._rhythm.measure_rate(now)
        figures |= {name: float(name in self._state.statements) for name in CRITERIA}
        if rate is not None:
            figures["rate_bpm"] = rate.figures["rate_bpm"].value
            self._state.rate_s = now
        figures["since_rate_s"] = now - self._state.rate_s
        if self._state.quality:
            figures["quality"] = max(self._state.quality.values())
        if self._state.battery is not None:
            figures["battery_percent"] = float(self._state.battery)
        return [*([rate] if rate is not None else []), *self._alarms.update(now, figures, at_least, stated)]

    def _take_intervals(self, message: RrIntervals) -> list[Result]:
        """Take beats that the device detected itself; with samples at hand, its rate is only reported."""
        if self.info.leads:
            values = {} if message.rate_bpm is None else {"rate_bpm": message.rate_bpm}
            return [StreamEvent("device_rate", "Rate by the device", self.now_s, self.now_s, values=values)]
        results: list[Result] = []
        for rr in message.rr_s:
            at = self._state.device_s + rr
            typical = self._rhythm.typical_rr_s()
            is_early = typical is not None and rr <= RECORD_LIMITS.premature * typical
            before = self._rhythm.last
            self._rhythm.add(TimedBeat(at, rr if before is not None else float("nan"), False, is_early))
            self._state.device_s = at
            results.append(LiveBeat(at, message.received_s, None, rr))
        now, state = self.now_s, self._state
        if now >= state.next_minute_s:
            state.next_minute_s = self._phase_s + _next_time(now - self._phase_s, _MINUTE_S)
            results += self._measure_minute(now)
        if now >= state.next_figures_s:
            state.next_figures_s = _next_time(now, _FIGURES_S)
            results += self._measure_figures(now)
        return results


def _next_time(now: float, interval_s: float) -> float:
    return (now // interval_s + 1) * interval_s

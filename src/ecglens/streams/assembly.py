"""Packets into samples on one count: lost, doubled, late and reordered packets, with every gap reported."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import StreamError
from ecglens.limits import threshold
from ecglens.streams.clock import ClockState, SampleClock
from ecglens.streams.packets import Faults, Gap, Packet, StreamInfo, Stretch

__all__ = ["LIMITS", "Assembler", "AssemblyLimits", "AssemblyState"]


@dataclass(frozen=True)
class AssemblyLimits:
    """Thresholds that decide what a gap is."""

    reorder_s: float = threshold(
        0.6,
        "s",
        "Time for which packets after a hole wait for the missing one.",
        low="Packets that were overtaken by the next one are lost.",
        high="Results after a lost packet are late.",
        evidence="benchmarks/streams.md: faults",
    )
    tolerance_s: float = threshold(
        0.025,
        "s",
        "Deviation of a packet's time from the packet before within which no sample is missing.",
        low="Jitter of the time stamps counts as lost samples.",
        high="Lost samples of short packets are glued over.",
        evidence="benchmarks/streams.md: faults",
    )
    silence_s: float = threshold(
        1.5,
        "s",
        "Silence from which samples are missing, where packets have neither numbers nor times.",
        low="Late packets count as lost.",
        high="Lost packets are glued over.",
        evidence="benchmarks/streams.md: faults",
    )
    max_gap_s: float = threshold(
        7 * 24 * 3600.0,
        "s",
        "Longest gap that is believed; a longer one is a clock that was set again.",
        low="Streams that pause for long lose their time.",
        high="A wrong time stamp moves the stream by years.",
        evidence="benchmarks/streams.md: faults",
    )


LIMITS = AssemblyLimits()
_RESTART = 1000
"""Number of packets by which a sequence number goes back that begins again, and is not late."""


@dataclass
class AssemblyState:
    """State of an assembler between packets.

    Attributes:
        next: Number of the sample that is expected next.
        ahead: End of the newest packet, of those that wait too.
        sequence: Sequence number of the newest packet.
        time_s: Device time of the newest packet's last sample.
        length: Samples of the newest packet.
        holes: First number and number behind the end of the latest gaps.
        is_disconnected: Whether the connection was lost since the last packet.
        clock: State of the clock by the time of arrival, or by the device where arrivals have no time.
        faults: Counts so far.
    """

    next: int = 0
    ahead: int = 0
    sequence: int | None = None
    time_s: float | None = None
    length: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    is_disconnected: bool = False
    clock: ClockState = field(default_factory=ClockState)
    faults: Faults = field(default_factory=Faults)


class Assembler:
    """Samples of a stream in their order, each with its number.

    A packet in its order is passed on at once. After a hole, packets wait for up to ``reorder_s`` of signal.

    Args:
        info: The stream.
        state: State of an assembler before, to go on with; packets that waited in it are gone.
    """

    def __init__(self, info: StreamInfo, state: AssemblyState | None = None) -> None:
        self._info = info
        self.state = state or AssemblyState()
        self.clock = SampleClock(info.fs_hz, self.state.clock)
        self._waiting: list[tuple[int, NDArray[np.float32]]] = []

    @property
    def faults(self) -> Faults:
        """Counts of what was wrong so far."""
        return self.state.faults

    def feed(self, packet: Packet) -> list[Stretch | Gap]:
        """Take a packet, and return what follows the samples before, gaps among it.

        Args:
            packet: With a row of samples for each lead of the stream.

        Raises:
            StreamError: The packet has another number of leads, or no samples.
        """
        rows, length = packet.samples_mv.shape if packet.samples_mv.ndim == 2 else (0, 0)
        if rows != len(self._info.leads) or not length:
            raise StreamError(
                f"Expected a packet with samples of {len(self._info.leads)} leads from {self._info.device}, got "
                f"{rows} leads of {length} samples; check the leads of the stream."
            )
        first = self._place(packet, length)
        end = first + length
        if end <= self.state.next:
            self._count_repeated(first, end)
            return []
        self._remember(packet, end, length)
        if first < self.state.next:
            samples, first = packet.samples_mv[:, self.state.next - first :], self.state.next
        else:
            samples = packet.samples_mv
        if any(start <= first < start + part.shape[1] for start, part in self._waiting):
            self._count(duplicates=1)
            return []
        if self._waiting and first < self._waiting[-1][0]:
            self._count(reordered=1)
        self._waiting = sorted([*self._waiting, (first, samples)], key=lambda each: each[0])
        return self._release(is_final=False)

    def disconnect(self) -> list[Stretch | Gap]:
        """Release what waits, as the connection was lost."""
        out = self._release(is_final=True)
        self.state.is_disconnected = True
        return out

    def finish(self) -> list[Stretch | Gap]:
        """Release what waits, as the stream has ended."""
        return self._release(is_final=True)

    def count_refused(self) -> None:
        """Count a message that could not be read."""
        self._count(refused=1)

    def _place(self, packet: Packet, length: int) -> int:
        """Return the number of the packet's first sample."""
        state = self.state
        if not state.length:
            return state.next
        by_time = self._place_by_time(packet, length)
        if packet.sequence is None or state.sequence is None:
            return (
                state.ahead + self._measure_silence(packet, length) if by_time is None else self._snap(by_time, length)
            )
        steps = packet.sequence - state.sequence
        if steps < -_RESTART or (state.is_disconnected and steps <= 0):
            return max(by_time or 0, state.ahead + self._measure_silence(packet, length))
        if steps <= 0:
            return max(state.ahead - state.length + steps * length, 0)
        by_sequence = state.ahead + (steps - 1) * length
        tolerance = max(LIMITS.tolerance_s * self._info.fs_hz, steps)
        is_equal = by_time is None or abs(by_time - by_sequence) <= tolerance or by_time < state.ahead
        return by_sequence if is_equal else by_time or by_sequence

    def _place_by_time(self, packet: Packet, length: int) -> int | None:
        """Return the place by the device's time; ``None`` where it has none, or one that was set again."""
        state, fs = self.state, self._info.fs_hz
        if packet.time_s is None or state.time_s is None or abs(packet.time_s - state.time_s) > LIMITS.max_gap_s:
            return None
        return state.ahead - length + round((packet.time_s - state.time_s) * fs)

    def _measure_silence(self, packet: Packet, length: int) -> int:
        """Return the number of samples that are missing by the time of arrival alone."""
        if packet.received_s is None or not self.clock.is_set:
            return 0
        late = packet.received_s - self.clock.time_at(self.state.ahead + length - 1)
        limit = max(LIMITS.silence_s, 3 * length / self._info.fs_hz)
        return round(late * self._info.fs_hz) if limit < late <= LIMITS.max_gap_s else 0

    def _snap(self, place: int, length: int) -> int:
        """Return the place itself, or that of a neighbor's edge where it is closer than jitter is."""
        state = self.state
        tolerance = max(LIMITS.tolerance_s * self._info.fs_hz, 1.0)
        edges = [state.ahead, state.ahead - length, *(start for start, _ in state.holes), state.next]
        edges += [start - length for start, _ in self._waiting]
        nearest = min(edges, key=lambda edge: abs(edge - place))
        return max(nearest if abs(nearest - place) <= tolerance else place, 0)

    def _remember(self, packet: Packet, end: int, length: int) -> None:
        state = self.state
        if end > state.ahead:
            state.ahead, state.length = end, length
            state.sequence = packet.sequence
            state.time_s = packet.time_s
        time_s = packet.received_s if packet.received_s is not None else packet.time_s
        if time_s is not None:
            self.clock.update(end - 1, time_s)

    def _release(self, *, is_final: bool) -> list[Stretch | Gap]:
        """Return what follows the samples before; over a hole only at the end or after a long wait."""
        out: list[Stretch | Gap] = []
        while self._waiting:
            first, samples = self._waiting[0]
            if first > self.state.next:
                has_waited = self.state.ahead - self.state.next > LIMITS.reorder_s * self._info.fs_hz
                last = self._waiting[-1]
                is_far = last[0] + last[1].shape[1] - first > LIMITS.reorder_s * self._info.fs_hz
                if not (is_final or self.state.is_disconnected or is_far or (has_waited and len(self._waiting) > 1)):
                    break
                out.append(self._give_up(first))
            start = max(first, self.state.next)
            part = samples[:, start - first :]
            self._waiting.pop(0)
            if part.shape[1]:
                out.append(Stretch(start, part, self.clock.time_at(start) if self.clock.is_set else None))
                self.state.next = start + part.shape[1]
            self.state.is_disconnected = False
        return out

    def _give_up(self, end: int) -> Gap:
        state, fs = self.state, self._info.fs_hz
        first, count = state.next, end - state.next
        state.holes = [*state.holes, (first, end)][-20:]
        state.next = end
        self._count(lost_samples=count)
        return Gap(first, count, first / fs, end / fs, "disconnected" if state.is_disconnected else "lost")

    def _count_repeated(self, first: int, end: int) -> None:
        is_late = any(start < end and first < stop for start, stop in self.state.holes)
        self._count(**({"late": 1} if is_late else {"duplicates": 1}))

    def _count(self, **counts: int) -> None:
        faults = self.state.faults
        self.state.faults = replace(faults, **{name: getattr(faults, name) + count for name, count in counts.items()})

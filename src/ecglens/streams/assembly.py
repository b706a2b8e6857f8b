"""Packets into samples on one count: lost, doubled, late and reordered packets, with every gap reported.

A packet arrives twice where its numbers and its samples are those of one before. Any other packet whose place is taken,
or whose numbers are far ahead, is odd: one such packet is dropped, and after three in a row the count begins again, so
that they begin behind a gap. A counter or a clock that stays at one value is left out from then on.
"""

import math
from dataclasses import dataclass, field, replace
from hashlib import blake2b

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
        "Time for which packets after a hole wait for the missing one, where one and a half packets are not longer.",
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
        "Longest gap that is believed where two of number, time and arrival agree on it.",
        low="Streams that pause for long lose their time.",
        high="A wrong time stamp moves the stream by years.",
        evidence="benchmarks/streams.md: faults",
    )
    max_jump_s: float = threshold(
        600.0,
        "s",
        "Longest gap that is believed by the number or the time alone; beyond it the device restarts its count.",
        low="Long pauses of devices with one count lose their length.",
        high="A counter or a clock that was set again is a long gap that never was.",
        evidence="benchmarks/streams.md: faults",
    )


LIMITS = AssemblyLimits()
_ODD = 3
"""Number of odd packets in a row after which the device restarts its count."""
_RECENT = 200
"""Number of packets among which one that arrives twice is recognized."""
_LATE_S = 30.0
"""Time for which the place of a lost packet is remembered."""
_MAX_WAIT_S = 10.0
_MODULI = (1 << 8, 1 << 16, 1 << 32)
"""Numbers at which counters of devices begin again from 0."""
_NEAR = 16
"""Packets before and behind such a number within which the counter passed it."""
_LIVE = 0.5
"""Least part of the time of a stream in which it arrived for its times of arrival to count."""
_CLOCK_STEP_S = 1.0
"""Difference from the clock so far at which a device without times of arrival has set its clock."""


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
        is_restarted: Whether the device began again since the last packet.
        recent: Digests of the latest packets, by which one that arrives twice is recognized.
        modulus: Number at which the counter begins from 0 again; 0 where it has not.
        stuck_sequence: Number at which the counter stays, so that it says nothing.
        stuck_time_s: Time at which the device's clock stays.
        waiting: Number of the first sample and samples of each packet that waits for one before it.
        odd: Packets in a row that have no place.
        offset_s: By how much the device has set its clock back so far.
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
    is_restarted: bool = False
    recent: list[int] = field(default_factory=list)
    modulus: int = 0
    stuck_sequence: int | None = None
    stuck_time_s: float | None = None
    waiting: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)
    odd: list[Packet] = field(default_factory=list)
    offset_s: float = 0.0
    clock: ClockState = field(default_factory=ClockState)
    faults: Faults = field(default_factory=Faults)


class Assembler:
    """Samples of a stream in their order, each with its number.

    A packet in its order is passed on at once. After a hole, packets wait for up to ``reorder_s`` of signal.

    Args:
        info: The stream.
        state: State of an assembler before, to go on with.
    """

    def __init__(self, info: StreamInfo, state: AssemblyState | None = None) -> None:
        self._info = info
        self.state = state or AssemblyState()
        self.clock = SampleClock(info.fs_hz, self.state.clock)

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
        if not all(map(math.isfinite, (packet.time_s or 0.0, packet.received_s or 0.0))):
            packet = replace(packet, time_s=_keep_finite(packet.time_s), received_s=_keep_finite(packet.received_s))
        digest = _digest(packet)
        if digest in self.state.recent:
            self._count(duplicates=1)
            return []
        packet = self._leave_out_stuck(packet)
        first = None if self._follows_odd(packet, length) else self._place(packet, length)
        if first is not None and self._is_late(first, first + length):
            self._count(late=1)
            return []
        if first is None or self._is_occupied(packet, first, first + length):
            return self._take_odd(packet)
        self._count(late=len(self.state.odd))
        self.state.odd = []
        return self._accept(packet, first, length, digest)

    def disconnect(self) -> list[Stretch | Gap]:
        """Release what waits, as the connection was lost."""
        out = self.finish()
        self.state.is_disconnected, self.state.recent = True, []
        return out

    def describe_again(self, *, is_other: bool) -> list[Stretch | Gap]:
        """Release what waits, as the device described itself again: what does not go on from there begins again.

        Args:
            is_other: Whether it is another device, from whose packets nothing goes on.
        """
        if is_other:
            out = self.disconnect()
            self.state.sequence = self.state.time_s = None
            return out
        out = self.finish()
        self.state.is_restarted, self.state.recent = True, []
        return out

    def finish(self) -> list[Stretch | Gap]:
        """Release what waits, as the stream has ended."""
        out = self._release(is_final=True)
        while self.state.odd:
            out += [*self._restart(), *self._release(is_final=True)]
        return out

    def count_refused(self) -> None:
        """Count a message that could not be read."""
        self._count(refused=1)

    def _follows_odd(self, packet: Packet, length: int) -> bool:
        """Return whether a packet goes on from an odd one."""
        if not self.state.odd:
            return False
        before = self.state.odd[-1]
        if packet.sequence is not None and before.sequence is not None:
            return packet.sequence == before.sequence + 1
        if packet.time_s is None or before.time_s is None:
            return False
        return abs(packet.time_s - before.time_s - length / self._info.fs_hz) <= LIMITS.tolerance_s

    def _leave_out_stuck(self, packet: Packet) -> Packet:
        """Return a packet without a number or a time that stays at one value."""
        state = self.state
        if packet.sequence is not None and packet.sequence != state.stuck_sequence:
            state.stuck_sequence = None
        if packet.time_s is not None and packet.time_s != state.stuck_time_s:
            state.stuck_time_s = None
        return replace(
            packet,
            sequence=None if state.stuck_sequence is not None else packet.sequence,
            time_s=None if state.stuck_time_s is not None else packet.time_s,
        )

    def _take_odd(self, packet: Packet) -> list[Stretch | Gap]:
        """Store a packet that has no place, and begin again after several in a row or after a break."""
        self.state.odd.append(packet)
        is_expected = self.state.is_disconnected or self.state.is_restarted
        return self._restart() if is_expected or len(self.state.odd) >= _ODD else []

    def _restart(self) -> list[Stretch | Gap]:
        """Return the packets that have no place, behind a gap; it is as long as the time of arrival says."""
        out = self._release(is_final=True)
        state, (packet, *others) = self.state, self.state.odd
        self.state.odd = []
        state.recent, state.modulus, state.is_restarted = [], 0, not state.is_disconnected
        if {each.sequence for each in others} == {packet.sequence}:
            state.stuck_sequence = packet.sequence
        if {each.time_s for each in others} == {packet.time_s}:
            state.stuck_time_s = packet.time_s
        packet = self._leave_out_stuck(packet)
        length = packet.samples_mv.shape[1]
        late = round(self._measure_delay(packet, length) * self._info.fs_hz)
        out += self._accept(packet, state.ahead + max(late, 1), length, _digest(packet))
        for each in others:
            out += self.feed(each)
        return out

    def _accept(self, packet: Packet, first: int, length: int, digest: int | None) -> list[Stretch | Gap]:
        """Put a packet into its place, and return what follows the samples before."""
        if digest is not None:
            self.state.recent = [*self.state.recent[1 - _RECENT :], digest]
        self._remember(packet, first + length, length)
        start = max(first, self.state.next)
        if self.state.waiting and start < self.state.waiting[-1][0]:
            self._count(reordered=1)
        part = (start, packet.samples_mv[:, start - first :])
        self.state.waiting = sorted([*self.state.waiting, part], key=lambda each: each[0])
        return self._release(is_final=False)

    def _is_late(self, first: int, end: int) -> bool:
        """Return whether the place was given up as a gap a short time ago."""
        oldest = self.state.next - _LATE_S * self._info.fs_hz
        return end <= self.state.next and any(
            start < end and first < stop and stop >= oldest for start, stop in self.state.holes
        )

    def _is_occupied(self, packet: Packet, first: int, end: int) -> bool:
        """Return whether there are samples in the place already."""
        missing = self.state.next - first
        if end <= self.state.next or (packet.sequence is None and missing > self._tolerance):
            return True
        return any(start <= first < start + part.shape[1] for start, part in self.state.waiting)

    @property
    def _tolerance(self) -> float:
        """Number of samples within which no sample is missing."""
        return max(LIMITS.tolerance_s * self._info.fs_hz, 1.0)

    def _place(self, packet: Packet, length: int) -> int | None:
        """Return the number of the packet's first sample; ``None`` where its numbers do not go on from those before."""
        state = self.state
        if not state.length:
            return state.next
        by_time, steps = self._place_by_time(packet, length), self._count_steps(packet)
        if steps is None:
            if by_time is None:
                return state.ahead + max(self._measure_silence(packet, length), int(state.is_disconnected))
            return self._snap(by_time, length) if self._is_credible(by_time, packet, length) else None
        by_sequence = state.ahead + (steps - 1) * length if steps > 0 else state.ahead - state.length + steps * length
        if by_time is None:
            return max(by_sequence, 0) if self._is_credible(by_sequence, packet, length) else None
        if abs(by_time - by_sequence) <= max(self._tolerance, abs(steps)):
            return max(by_sequence, 0) if by_sequence - state.ahead <= LIMITS.max_gap_s * self._info.fs_hz else None
        return self._choose_place(by_sequence, by_time, packet, length)

    def _choose_place(self, by_sequence: int, by_time: int, packet: Packet, length: int) -> int | None:
        """Return the place of a packet whose number and time disagree, as one of them was set again or paused."""
        ahead = self.state.ahead
        if by_sequence < ahead and by_time < ahead - self._tolerance:
            return self._snap(by_time, length)
        is_on = by_sequence >= ahead and self._is_credible(by_sequence, packet, length)
        if by_time < ahead and is_on:
            return by_sequence
        if by_time > by_sequence and self._arrived_early(by_time, packet, length):
            return by_sequence if is_on else None
        if by_time >= ahead - self._tolerance and self._is_credible(by_time, packet, length):
            return by_time if is_on else self._snap(by_time, length)
        return None

    def _is_credible(self, place: int, packet: Packet, length: int) -> bool:
        """Return whether a place is not too far ahead for the number or the time alone, or the arrival confirms it."""
        jump_s = (place - self.state.ahead) / self._info.fs_hz
        return jump_s <= LIMITS.max_jump_s or jump_s / 2 <= self._measure_delay(packet, length) <= LIMITS.max_gap_s

    def _arrived_early(self, place: int, packet: Packet, length: int) -> bool:
        """Return whether a packet of a live stream arrived long before its own time says that it was recorded."""
        origin_s, jump_s = self.clock.state.origin_s, (place - self.state.ahead) / self._info.fs_hz
        if packet.received_s is None or origin_s is None or jump_s <= LIMITS.silence_s:
            return False
        # What is read from a file arrives faster than it was recorded, so that its arrival says nothing.
        is_live = packet.received_s - origin_s >= _LIVE * self.state.ahead / self._info.fs_hz
        return is_live and self._measure_delay(packet, length) < jump_s / 2

    def _count_steps(self, packet: Packet) -> int | None:
        """Return by how much the number goes on from the one before; a counter may begin from 0 at a power of two."""
        state = self.state
        if packet.sequence is None or state.sequence is None:
            return None
        if packet.sequence >= state.modulus:
            state.modulus = 0
        is_set_back = packet.time_s is not None and state.time_s is not None and packet.time_s < state.time_s
        for modulus in () if state.is_restarted or state.is_disconnected else _MODULI:
            if modulus - _NEAR <= state.sequence < modulus and packet.sequence < _NEAR and not is_set_back:
                state.modulus = modulus
        steps, half = packet.sequence - state.sequence, state.modulus // 2
        return (steps + half) % state.modulus - half if half else steps

    def _place_by_time(self, packet: Packet, length: int) -> int | None:
        """Return the place by the device's time; ``None`` where it has none."""
        state = self.state
        if packet.time_s is None or state.time_s is None:
            return None
        return state.ahead - length + round((packet.time_s - state.time_s) * self._info.fs_hz)

    def _measure_silence(self, packet: Packet, length: int) -> int:
        """Return the number of samples that are missing by the time of arrival alone."""
        limit, late = max(LIMITS.silence_s, 3 * length / self._info.fs_hz), self._measure_delay(packet, length)
        return round(late * self._info.fs_hz) if limit < late <= LIMITS.max_gap_s else 0

    def _measure_delay(self, packet: Packet, length: int) -> float:
        """Return the time in s by which a packet arrived later than it does without a gap; 0 where it has no time."""
        if packet.received_s is None or not self.clock.is_set:
            return 0.0
        return packet.received_s - self.clock.time_at(self.state.ahead + length - 1)

    def _snap(self, place: int, length: int) -> int:
        """Return the place itself, or that of a neighbor's edge where it is closer than jitter is."""
        state = self.state
        edges = [state.ahead, state.ahead - length, *(start for start, _ in state.holes), state.next]
        edges += [start - length for start, _ in self.state.waiting]
        nearest = min(edges, key=lambda edge: abs(edge - place))
        return max(nearest if abs(nearest - place) <= self._tolerance else place, 0)

    def _remember(self, packet: Packet, end: int, length: int) -> None:
        state = self.state
        if end > state.ahead:
            state.ahead, state.length = end, length
            state.sequence = packet.sequence
            state.time_s = packet.time_s
        if packet.received_s is not None:
            self.clock.update(end - 1, packet.received_s)
        elif packet.time_s is not None:
            if self.clock.is_set and abs(step := self.clock.time_at(end - 1) - packet.time_s - state.offset_s) > (
                _CLOCK_STEP_S
            ):
                state.offset_s += step
            self.clock.update(end - 1, packet.time_s + state.offset_s)

    def _release(self, *, is_final: bool) -> list[Stretch | Gap]:
        """Return what follows the samples before; over a hole only at the end or after a long wait."""
        out: list[Stretch | Gap] = []
        while self.state.waiting:
            first, samples = self.state.waiting[0]
            if first > self.state.next:
                limit, last = self._limit_wait(), self.state.waiting[-1]
                has_waited = self.state.ahead - self.state.next > limit and len(self.state.waiting) > 1
                is_far = last[0] + last[1].shape[1] - first > limit
                is_new = self.state.is_disconnected or self.state.is_restarted
                if not (is_final or is_new or is_far or has_waited):
                    break
                out.append(self._give_up(first))
            start = max(first, self.state.next)
            part = samples[:, start - first :]
            self.state.waiting.pop(0)
            if part.shape[1]:
                out.append(Stretch(start, part, self.clock.time_at(start) if self.clock.is_set else None))
                self.state.next = start + part.shape[1]
            self.state.is_disconnected = self.state.is_restarted = False
        return out

    def _limit_wait(self) -> float:
        """Return the number of samples for which packets wait for a missing one."""
        fs = self._info.fs_hz
        return min(max(LIMITS.reorder_s * fs, 1.5 * self.state.length), _MAX_WAIT_S * fs)

    def _give_up(self, end: int) -> Gap:
        state, fs = self.state, self._info.fs_hz
        first, count = state.next, end - state.next
        state.holes = [*state.holes, (first, end)][-20:]
        state.next = end
        self._count(lost_samples=count)
        reason = "disconnected" if state.is_disconnected else "restarted" if state.is_restarted else "lost"
        return Gap(first, count, first / fs, end / fs, reason)

    def _count(self, **counts: int) -> None:
        faults = self.state.faults
        self.state.faults = replace(faults, **{name: getattr(faults, name) + count for name, count in counts.items()})


def _digest(packet: Packet) -> int | None:
    """Return a number for a packet's numbers and samples; ``None`` where it has no numbers."""
    if packet.sequence is None and packet.time_s is None:
        return None
    content = blake2b(packet.samples_mv.tobytes(), digest_size=7)
    content.update(repr((packet.sequence, packet.time_s)).encode())
    return int.from_bytes(content.digest())


def _keep_finite(time_s: float | None) -> float | None:
    return time_s if time_s is not None and math.isfinite(time_s) else None

"""Replay of a record as a stream, at any speed; faults of a real device can be added, from a seed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ecglens.errors import StreamError
from ecglens.records import EcgRecord
from ecglens.streams.json_lines import MIN_FS_HZ
from ecglens.streams.packets import Message, Packet, StreamInfo

__all__ = ["ReplayFaults", "cut_packets", "replay"]


@dataclass(frozen=True, slots=True)
class ReplayFaults:
    """Faults of a simulated connection.

    Attributes:
        lost: Share of packets that do not arrive.
        doubled: Share that arrives twice.
        swapped: Share that is overtaken by the next packet.
        drift: By how much the device's rate differs from its nominal one, as a part of it.
    """

    lost: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    drift: float = 0.0


def cut_packets(
    record: EcgRecord,
    *,
    packet_s: float = 0.05,
    repeat: int = 1,
    faults: ReplayFaults | None = None,
    rng: np.random.Generator | None = None,
) -> Iterator[Packet]:
    """Cut a record into packets, in the order in which they arrive.

    Args:
        record: Signals in mV.
        packet_s: Length of a packet.
        repeat: How often the record is replayed, one after the other.
        faults: Faults to add; none by default.
        rng: Random generator that chooses the packets with faults; needed where there are faults.

    Yields:
        Packets with sequence numbers and times of the device's clock, from 0 s on.
    """
    signals, fs = record.on_one_clock().signals_mv, record.fs_hz
    length = max(round(packet_s * fs), 1)
    faults = faults or ReplayFaults()
    rng = rng or np.random.default_rng(0)
    delayed: Packet | None = None
    number, total = 0, signals.shape[1]
    for round_ in range(repeat):
        for start in range(0, total, length):
            part = signals[:, start : start + length]
            last = round_ * total + start + part.shape[1] - 1
            packet = Packet(part, number, last / (fs * (1 + faults.drift)))
            number += 1
            chance = rng.random(3) if faults != ReplayFaults() else np.ones(3)
            if chance[0] < faults.lost:
                continue
            if chance[1] < faults.swapped and delayed is None:
                delayed = packet
                continue
            yield packet
            if chance[2] < faults.doubled:
                yield packet
            if delayed is not None:
                yield delayed
                delayed = None
    if delayed is not None:
        yield delayed


async def replay(
    record: EcgRecord,
    *,
    device: str = "replay",
    speed: float = 1.0,
    packet_s: float = 0.05,
    repeat: int = 1,
    faults: ReplayFaults | None = None,
    rng: np.random.Generator | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], "asyncio.Future[None]"] | None = None,
) -> AsyncIterator[Message]:
    """Replay a record as a stream.

    Args:
        record: Signals in mV, such as :func:`ecglens.read_record` returns.
        device: Name of the device.
        speed: Multiple of real time; 0 for as fast as it is read.
        packet_s: Length of a packet.
        repeat: How often the record is replayed.
        faults: Faults to add; none by default.
        rng: Random generator for the faults.
        clock: Function for the time in s since 1970.
        sleep: Coroutine function that waits for some seconds.

    Yields:
        The stream's description, then its packets when they are due.

    Raises:
        StreamError: The speed is negative, or the record's rate is too low for beats.
    """
    if speed < 0 or record.fs_hz < MIN_FS_HZ:
        raise StreamError(
            f"Expected a speed from 0 on and a record of at least {MIN_FS_HZ:g} Hz, got speed {speed:g} and "
            f"{record.fs_hz:g} Hz."
        )
    wait = sleep or asyncio.sleep
    yield StreamInfo(device, record.with_distinct_leads().leads, record.fs_hz)
    began = clock()
    for packet in cut_packets(record, packet_s=packet_s, repeat=repeat, faults=faults, rng=rng):
        assert packet.time_s is not None
        # The packet is due when its last sample has been recorded.
        due = began + (packet.time_s / speed if speed else 0.0)
        remaining = due - clock()
        if remaining > 0:
            await wait(remaining)
        late = max(clock() - due, 0.0) if speed else 0.0  # as fast as possible, nothing comes late
        yield replace(packet, received_s=began + packet.time_s + late)

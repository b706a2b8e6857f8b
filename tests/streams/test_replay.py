"""Replay: when packets come, and faults from a seed."""

import asyncio

import numpy as np
import pytest
from streams_help import collect, make_record

from ecglens.errors import StreamError
from ecglens.records import EcgRecord
from ecglens.streams import Packet, ReplayFaults, replay
from ecglens.streams.replay import cut_packets


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_packets_come_when_their_last_sample_is_due(speed: float) -> None:
    now, slept = [1000.0], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    async def run() -> list[float]:
        times = []
        async for message in replay(make_record(4.0), speed=speed, packet_s=0.1, clock=lambda: now[0], sleep=sleep):
            if isinstance(message, Packet):
                times.append(now[0] - 1000.0)
        return times

    times = asyncio.run(run())
    np.testing.assert_allclose(times, (np.arange(1, 41) * 25 - 1) / 250 / speed, atol=1e-9)


def test_faults_come_from_the_seed_and_in_their_share() -> None:
    record, faults = make_record(20.0), ReplayFaults(lost=0.2, doubled=0.1, swapped=0.1)
    runs = [
        [
            packet.sequence
            for packet in cut_packets(record, packet_s=0.02, faults=faults, rng=np.random.default_rng(seed))
        ]
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert 0.7 < len(set(runs[0])) / 1000 < 0.9
    assert len(runs[0]) - len(set(runs[0])) > 40
    assert sum(later < earlier for earlier, later in zip(runs[0], runs[0][1:], strict=False)) > 40


def test_a_repeated_record_is_counted_on() -> None:
    packets = list(cut_packets(make_record(2.0), packet_s=0.5, repeat=3))
    assert [packet.sequence for packet in packets] == list(range(12))
    assert packets[-1].time_s == pytest.approx((1500 - 1) / 250)


def test_a_record_that_is_too_slow_for_beats_is_refused() -> None:
    with pytest.raises(StreamError, match="record of at least 60 Hz, got speed 1 and 10 Hz"):
        asyncio.run(collect(replay(EcgRecord(np.zeros((1, 100), np.float32), 10.0, ("I",)))))

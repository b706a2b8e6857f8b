"""Lost, doubled, late and reordered packets: every sample has one place, and every gap is reported."""

import numpy as np
import pytest

from ecglens.errors import StreamError
from ecglens.streams.assembly import Assembler
from ecglens.streams.packets import Connection, Gap, Packet, StreamInfo, Stretch

INFO = StreamInfo("strap", ("I",), 130.0)
N = 73


def packet(number: int, *, sequence: bool = True, timed: bool = False, received_s: float | None = None) -> Packet:
    """Return the packet with samples number * 73 and following, each sample with its own number as its value."""
    values = np.arange(number * N, (number + 1) * N, dtype=np.float32)[None]
    time_s = (number * N + N - 1) / 130.0 if timed else None
    return Packet(values, number if sequence else None, time_s, received_s)


def assemble(packets: list[Packet]) -> tuple[np.ndarray, list[Gap], Assembler]:
    """Return the samples by their number, the gaps, and the assembler."""
    assembler = Assembler(INFO)
    items = [item for each in packets for item in assembler.feed(each)] + assembler.finish()
    stretches = [item for item in items if isinstance(item, Stretch)]
    out = np.full(max(item.end for item in stretches), np.nan)
    for item in stretches:
        assert np.isnan(out[item.first : item.end]).all(), "a sample came twice"
        out[item.first : item.end] = item.samples_mv[0]
    return out, [item for item in items if isinstance(item, Gap)], assembler


KINDS = [{"sequence": True}, {"sequence": False, "timed": True}, {"sequence": True, "timed": True}]


@pytest.mark.parametrize("kind", KINDS)
def test_packets_in_order_are_passed_on_at_once(kind: dict[str, bool]) -> None:
    assembler = Assembler(INFO)
    for number in range(20):
        (item,) = assembler.feed(packet(number, **kind))
        assert isinstance(item, Stretch)
        assert item.first == number * N
    assert assembler.faults.to_dict() == dict.fromkeys(assembler.faults.to_dict(), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_packet_is_a_gap_of_its_length_and_nothing_is_glued(kind: dict[str, bool]) -> None:
    samples, gaps, assembler = assemble([packet(n, **kind) for n in range(10) if n != 4])
    assert [(gap.first, gap.samples, gap.reason) for gap in gaps] == [(4 * N, N, "lost")]
    assert np.isnan(samples[4 * N : 5 * N]).all()
    valid = ~np.isnan(samples)
    assert (samples[valid] == np.flatnonzero(valid)).all()
    assert assembler.faults.lost_samples == N


@pytest.mark.parametrize("kind", KINDS)
def test_a_doubled_packet_counts_once(kind: dict[str, bool]) -> None:
    samples, gaps, assembler = assemble([packet(n, **kind) for n in (0, 1, 1, 2, 0, 3)])
    assert (samples == np.arange(4 * N)).all()
    assert not gaps
    assert assembler.faults.duplicates == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_that_was_overtaken_gets_its_place(kind: dict[str, bool]) -> None:
    samples, gaps, assembler = assemble([packet(n, **kind) for n in (0, 2, 1, 3, 4)])
    assert (samples == np.arange(5 * N)).all()
    assert not gaps
    assert assembler.faults.reordered == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_that_comes_after_its_gap_was_reported_is_late_and_dropped(kind: dict[str, bool]) -> None:
    samples, gaps, assembler = assemble([packet(n, **kind) for n in (0, 1, 3, 4, 5, 6, 2, 7)])
    assert len(gaps) == 1
    assert np.isnan(samples[2 * N : 3 * N]).all()
    assert assembler.faults.late == 1


def test_random_faults_never_move_a_sample() -> None:
    rng = np.random.default_rng(3)
    for kind in KINDS:
        order = [n for n in range(400) if rng.random() > 0.05]
        for place in range(len(order) - 1):
            if rng.random() < 0.05:
                order[place], order[place + 1] = order[place + 1], order[place]
        packets = [packet(n, **kind) for n in order for _ in range(1 + (rng.random() < 0.05))]
        samples, gaps, assembler = assemble(packets)
        valid = ~np.isnan(samples)
        assert (samples[valid] == np.flatnonzero(valid)).all()
        assert sum(gap.samples for gap in gaps) == (~valid).sum() == assembler.faults.lost_samples


def test_jitter_of_device_times_is_no_gap() -> None:
    rng = np.random.default_rng(5)
    packets = [
        Packet(packet(n).samples_mv, None, (n * N + N - 1) / 130.013 + rng.uniform(-0.01, 0.01)) for n in range(2000)
    ]
    samples, gaps, _ = assemble(packets)
    assert not gaps
    assert len(samples) == 2000 * N


def test_a_reconnected_device_that_counts_from_the_start_leaves_a_gap_by_the_time_of_arrival() -> None:
    assembler = Assembler(INFO)
    items: list[object] = []
    for number in range(10):
        items += assembler.feed(packet(number, received_s=1e9 + (number + 1) * N / 130.0))
    items += assembler.disconnect()
    for number in range(10):
        items += assembler.feed(packet(number, received_s=1e9 + 20 + (number + 11) * N / 130.0))
    items += assembler.finish()
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.reason == "disconnected"
    assert gap.end_s - gap.start_s == pytest.approx(20.0, abs=0.05)
    assert Connection(True).is_connected


def test_a_packet_with_other_leads_is_refused_with_the_numbers() -> None:
    with pytest.raises(StreamError, match="samples of 1 leads from strap, got 2 leads of 5 samples"):
        Assembler(INFO).feed(Packet(np.zeros((2, 5), np.float32)))

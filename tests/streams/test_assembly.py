"""Lost, doubled, late and reordered packets: every sample has one place, and every gap is reported."""

from dataclasses import replace

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


def renumber(each: Packet, sequence: int | None, time_s: float | None) -> Packet:
    return replace(each, sequence=sequence, time_s=time_s)


@pytest.mark.parametrize("before", [3, 20, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_counts_from_the_start_again_loses_nothing_and_nothing_is_glued(
    kind: dict[str, bool], before: int
) -> None:
    again = [packet(n, **kind) for n in range(50)]
    packets = [packet(n, **kind) for n in range(before)]
    packets += [replace(each, samples_mv=each.samples_mv + before * N) for each in again]
    samples, gaps, assembler = assemble(packets)
    (gap,) = gaps
    assert (gap.first, gap.samples, gap.reason) == (before * N, 1, "restarted")
    assert (samples[gap.first + 1 :] == np.arange(50 * N) + before * N).all()
    assert assembler.faults.to_dict() == {**dict.fromkeys(assembler.faults.to_dict(), 0), "lost_samples": 1}


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_a_counter_of_8_bits_passes_its_end_without_a_loss(timed: bool, lost: bool) -> None:
    order = [n for n in range(600) if not (lost and n in (256, 511, 550))]
    order[301], order[302] = order[302], order[301]
    packets = [packet(n, timed=timed) for n in order]
    samples, gaps, assembler = assemble([renumber(each, (each.sequence or 0) % 256, each.time_s) for each in packets])
    valid = ~np.isnan(samples)
    assert (samples[valid] == np.flatnonzero(valid)).all()
    assert [gap.first for gap in gaps] == ([256 * N, 511 * N, 550 * N] if lost else [])
    assert (assembler.faults.reordered, assembler.faults.late, assembler.faults.duplicates) == (1, 0, 0)


HOUR = 3600.0


@pytest.mark.parametrize(
    ("sequence", "shift_s"), [(False, -HOUR), (False, HOUR), (True, HOUR), (True, 1e9), (1 << 61, None), (10**9, HOUR)]
)
def test_a_clock_or_a_counter_that_is_set_begins_again_and_no_gap_is_made_up(
    sequence: int | bool, shift_s: float | None
) -> None:
    packets = []
    for n in range(40):
        is_set = n >= 20
        number = None if sequence is False else n + (sequence if is_set and sequence is not True else 0)
        time_s = None if shift_s is None else n * N / 130.0 + (shift_s if is_set else 0.0)
        packets.append(renumber(packet(n), number, time_s))
    samples, gaps, _ = assemble(packets)
    assert [(gap.first, gap.samples, gap.reason) for gap in gaps] == [(20 * N, 1, "restarted")]
    assert (samples[20 * N + 1 :] == np.arange(20 * N, 40 * N)).all()


def test_a_clock_that_is_set_back_beside_a_counter_that_goes_on_is_no_gap() -> None:
    packets = [renumber(packet(n), n, n * N / 130.0 - (HOUR if n >= 20 else 0)) for n in range(40)]
    samples, gaps, assembler = assemble(packets)
    assert (samples == np.arange(40 * N)).all()
    assert not gaps
    assert assembler.clock.time_at(40 * N) > assembler.clock.time_at(19 * N), "times never go back"


def test_one_packet_with_a_wrong_number_is_dropped_and_its_place_is_a_gap() -> None:
    packets = [packet(n) for n in range(20)]
    packets[10] = renumber(packets[10], 1 << 50, None)
    _, gaps, assembler = assemble(packets)
    assert [(gap.first, gap.samples, gap.reason) for gap in gaps] == [(10 * N, N, "lost")]
    assert assembler.faults.late == 1


@pytest.mark.parametrize("number", [1 << 40, None])
def test_a_long_gap_that_the_time_of_arrival_confirms_is_as_long_as_it_was(number: int | None) -> None:
    packets = []
    for n in range(20):
        received_s = 1e9 + n * N / 130.0 + (HOUR if n >= 10 else 0)
        time_s = n * N / 130.0 + (HOUR if n >= 10 else 0)
        packets.append(Packet(packet(n).samples_mv, number, time_s, received_s))
        number = None if number is None else number + 1
    _, gaps, _ = assemble(packets)
    (gap,) = gaps
    assert gap.end_s - gap.start_s == pytest.approx(HOUR, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_long_packets_that_were_overtaken_get_their_place(kind: dict[str, bool]) -> None:
    def second(number: int) -> Packet:
        values = np.arange(number * 130, (number + 1) * 130, dtype=np.float32)[None]
        each = packet(number, **kind)
        return Packet(values, each.sequence, number + 1.0 if kind.get("timed") else None)

    samples, gaps, assembler = assemble([second(n) for n in (0, 2, 1, 3, 5, 4, 6)])
    assert (samples == np.arange(7 * 130)).all()
    assert not gaps
    assert assembler.faults.reordered == 2


def test_times_that_are_no_numbers_are_left_out() -> None:
    samples, _, _ = assemble([Packet(packet(n).samples_mv, None, float("nan"), float("nan")) for n in range(3)])
    assert (samples == np.arange(3 * N)).all()


@pytest.mark.parametrize("wrong_s", [90.0, 30 * 24 * 3600.0])
@pytest.mark.parametrize("count", [1, 100])
def test_a_wrong_time_of_the_device_moves_nothing_where_number_and_arrival_agree(wrong_s: float, count: int) -> None:
    assembler = Assembler(StreamInfo("x", ("I",), 250.0))
    out = []
    for number in range(60):
        time_s = 0.5 * number + wrong_s * (29 <= number < 29 + count)
        samples = np.full((1, 125), number, np.float32)
        out += assembler.feed(Packet(samples, number, time_s, 1000.0 + 0.5 * number))
    assert [item.first for item in out] == [125 * number for number in range(60)]


def test_a_stray_packet_with_an_old_number_and_a_time_far_ahead_is_dropped() -> None:
    assembler = Assembler(StreamInfo("x", ("I",), 250.0))
    out = []
    for number in range(60):
        out += assembler.feed(Packet(np.full((1, 125), number, np.float32), number, 0.5 * number, 1000 + 0.5 * number))
        if number == 29:
            out += assembler.feed(Packet(np.full((1, 125), 99, np.float32), 3, 105.0, 1000 + 0.5 * number))
    assert [item.first for item in out] == [125 * number for number in range(60)]
    assert assembler.faults.late == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_clock_stuck", [False, True])
def test_a_counter_or_a_clock_that_stays_at_one_value_leaves_few_gaps(
    kind: dict[str, bool], is_clock_stuck: bool
) -> None:
    packets = [packet(number, **kind) for number in range(200)]
    stuck = [
        renumber(
            each,
            each.sequence if each.sequence is None or not 20 <= number < 150 else 7,
            1.0 if is_clock_stuck and each.time_s is not None and 20 <= number < 150 else each.time_s,
        )
        for number, each in enumerate(packets)
    ]
    samples, gaps, assembler = assemble(stuck)
    assert len(gaps) <= 3
    assert assembler.faults.lost_samples <= 3 * N
    assert len(samples) - sum(gap.samples for gap in gaps) >= 198 * N


def test_a_device_that_restarts_beside_the_end_of_a_counter_has_not_passed_it() -> None:
    first = [packet(number, timed=True, received_s=number * N / 130.0) for number in range(250)]
    again = [replace(packet(number, timed=True), received_s=10.0 + (250 + number) * N / 130.0) for number in range(20)]
    assembler = Assembler(INFO)
    items = [item for each in [*first, *again] for item in assembler.feed(each)]
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.end_s - gap.start_s == pytest.approx(10.0, abs=0.7)

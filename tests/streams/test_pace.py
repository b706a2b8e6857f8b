"""The pace of a stream: what arrives at once, what it waits for, and when nobody waits any more."""

import pytest

from ecglens.errors import StreamError
from ecglens.streams.json_lines import MAX_LINE_BYTES, write_line
from ecglens.streams.pace import (
    MAX_SAMPLES_A_S,
    PATIENCE_S,
    Budget,
    check_pace,
    count_cost,
    count_samples_a_second,
    limit_line,
)
from ecglens.streams.packets import Packet, StreamInfo

np = pytest.importorskip("numpy")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_arrives_at_once_and_more_waits_until_it_is_paid_back(clock: Clock) -> None:
    budget = Budget(100.0, 1000.0, clock=clock)
    budget.spend(1000)
    assert budget.wait_s == 0.0
    budget.spend(50)
    assert budget.wait_s == pytest.approx(0.5)
    clock.now_s = 0.5
    assert budget.wait_s == 0.0


def test_a_budget_never_grows_beyond_its_burst(clock: Clock) -> None:
    budget = Budget(100.0, 1000.0, clock=clock)
    clock.now_s = 1e6
    budget.spend(1100)
    assert budget.wait_s == pytest.approx(1.0)
    assert not budget.is_full
    clock.now_s += 11.0
    assert budget.is_full


def test_a_sender_that_is_too_fast_for_long_is_refused_and_one_that_catches_up_is_not(clock: Clock) -> None:
    budget = Budget(100.0, 1000.0, clock=clock)
    budget.spend(1100)
    while clock.now_s < PATIENCE_S - 1:
        clock.now_s += 1.0
        budget.spend(100)
        assert not budget.is_exceeded
    clock.now_s += 6.0  # half of the burst is not free again
    budget.spend(500)
    assert budget.is_exceeded
    clock.now_s += 12.0
    assert not budget.is_exceeded


@pytest.mark.parametrize(("leads", "fs_hz", "is_refused"), [(64, 1500.0, False), (64, 20_000.0, True)])
def test_a_stream_that_no_shared_machine_carries_is_refused(leads: int, fs_hz: float, is_refused: bool) -> None:
    info = StreamInfo("x", tuple(f"L{number}" for number in range(leads)), fs_hz)
    if is_refused:
        with pytest.raises(StreamError, match=f"at most {MAX_SAMPLES_A_S:,.0f} samples a second .* got 1,280,000"):
            check_pace(info)
    else:
        check_pace(info)


@pytest.mark.parametrize("leads", [0, 1, 12, 64])
def test_a_second_of_any_stream_fits_into_a_line(leads: int) -> None:
    info = StreamInfo("x", tuple(f"L{number}" for number in range(leads)), 250.0)
    samples = np.full((max(leads, 1), 250), -999.9999, np.float32)
    line = write_line(Packet(samples, 1 << 40, 1e9 + 0.123456789))
    assert len(line) <= limit_line(info) or not leads
    assert 4096 < limit_line(info) <= MAX_LINE_BYTES


def test_the_line_of_a_very_fast_stream_is_no_longer_than_any_line_may_be() -> None:
    assert limit_line(StreamInfo("x", ("I",) * 64, 1500.0)) == MAX_LINE_BYTES


def test_short_lines_long_numbers_and_gaps_cost_more_than_their_samples() -> None:
    assert count_cost(1000, 500.0) == 500.0
    assert count_cost(1, 0.0) > 5
    assert count_cost(24_000, 10.0) > 1000
    info = StreamInfo("x", ("I", "II"), 250.0)
    assert count_samples_a_second(info) > 500

"""Time of each sample: drift, late packets, long runs."""

import numpy as np
import pytest

from ecglens.streams.clock import SampleClock

FS = 130.0
PACKET = 73


def run_clock(hours: float, *, drift: float, jitter_s: float, seed: int = 0) -> tuple[SampleClock, np.ndarray]:
    """Feed packets of 73 samples, and return the clock and its errors in s after each packet of the last hour."""
    rng, clock, errors = np.random.default_rng(seed), SampleClock(FS), []
    count = round(hours * 3600 * FS / PACKET)
    for number in range(1, count + 1):
        last = number * PACKET - 1
        true = 1_700_000_000.0 + last / (FS * (1 + drift))
        clock.update(last, true + rng.exponential(jitter_s))
        errors.append(clock.time_at(last) - true)
    return clock, np.array(errors)


def test_a_drift_of_100_ppm_is_measured_and_no_delay_grows_in_a_day() -> None:
    clock, errors = run_clock(24.0, drift=1e-4, jitter_s=0.02)
    assert clock.drift == pytest.approx(-1e-4, abs=1e-5)
    assert np.abs(errors[-5000:]).max() < 0.01
    assert np.abs(errors[2000:]).max() < 0.015


def test_without_a_correction_the_same_day_would_be_8_s_off() -> None:
    last = round(24 * 3600 * FS)
    assert abs(last / FS - last / (FS * 1.0001)) > 8


def test_late_packets_do_not_move_the_clock() -> None:
    clock = SampleClock(FS)
    for number in range(1, 400):
        late = 3.0 if 200 <= number < 205 else 0.0
        clock.update(number * PACKET - 1, 100.0 + (number * PACKET - 1) / FS + late)
    assert clock.time_at(399 * PACKET - 1) == pytest.approx(100.0 + (399 * PACKET - 1) / FS, abs=0.002)


def test_a_clock_without_a_time_says_so() -> None:
    with pytest.raises(ValueError, match="update the clock first"):
        SampleClock(FS).time_at(0)

"""Steps of the baseline and saturated amplifiers."""

import numpy as np
import pytest
from synthetic_ecgs import synthesize_ecg

from ecglens.streams.artifacts import STEP_SIDE_S, has_saturated_part, is_spike, is_step


def cut_beat(fs_hz: float, **options: float) -> np.ndarray:
    """Return a beat, at the steepest point of its QRS complex, in two leads."""
    signals = synthesize_ecg(np.array([1.0, 1.8]), seconds=3.0, fs_hz=fs_hz, noise_mv=0.005, **options).signals_mv[:2]
    at, side = int(np.abs(np.diff(signals[1])).argmax()), round(STEP_SIDE_S * fs_hz)
    return signals[:, at - side : at + side]


@pytest.mark.parametrize("fs_hz", [125.0, 250.0, 500.0, 1000.0])
@pytest.mark.parametrize("step_mv", [0.5, -3.0, 50.0])
def test_a_step_is_none_of_a_beat(fs_hz: float, step_mv: float) -> None:
    beat = cut_beat(fs_hz)
    assert not is_step(beat, fs_hz)
    rng = np.random.default_rng(0)
    step = rng.normal(0, 0.01, beat.shape)
    step[:, beat.shape[1] // 2 :] += step_mv
    assert is_step(step, fs_hz)
    spike = rng.normal(0, 0.01, beat.shape)
    spike[:, beat.shape[1] // 2] += step_mv
    assert not is_step(spike, fs_hz)
    assert is_spike(spike, fs_hz) == (fs_hz >= 200)
    assert not is_spike(beat, fs_hz)
    assert not is_spike(beat + spike, fs_hz)


@pytest.mark.parametrize("fs_hz", [125.0, 250.0, 500.0])
@pytest.mark.parametrize("rise_s", [0.03, 0.05])
def test_a_qrs_complex_that_ends_in_a_high_st_segment_is_a_beat(fs_hz: float, rise_s: float) -> None:
    times = np.arange(-STEP_SIDE_S, STEP_SIDE_S, 1 / fs_hz)
    assert not is_step(np.interp(times, [-rise_s / 2, rise_s / 2], [0.0, 2.0])[None], fs_hz)


def test_a_step_in_one_lead_hides_no_beat_in_another() -> None:
    both = cut_beat(250.0)
    both[0, : both.shape[1] // 2] -= np.float32(3)
    both[1] *= np.float32(4)
    assert not is_step(both, 250.0)


def test_an_amplifier_is_saturated_where_all_leads_hold_a_value_beyond_the_ecg_for_a_second() -> None:
    signals = np.random.default_rng(0).normal(0, 0.01, (2, 1000)).astype(np.float32)
    assert not has_saturated_part(signals, 250.0)
    signals[0, 300:600] = 5.0
    assert not has_saturated_part(signals, 250.0)
    signals[1, 300:600] = 0.0
    assert has_saturated_part(signals, 250.0)
    signals[0, 300:600] = np.nan
    assert not has_saturated_part(signals, 250.0)
    signals[0, 300:600] = 5.0
    assert not has_saturated_part(signals[:, :520], 250.0)
    assert not has_saturated_part(np.zeros((2, 1000)), 250.0)

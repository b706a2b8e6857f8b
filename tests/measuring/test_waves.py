"""Edges of waves on made beats whose shape is known to the sample."""

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_ecgs import hump

from ecglens.measuring.beats import Beats
from ecglens.measuring.signals import FS_HZ
from ecglens.measuring.waves import BEFORE, cut_normal_beats, delineate

T = (np.arange(550) - BEFORE) / FS_HZ
QRS_END_S = 0.03
RR = 500.0


def beat_of(wave_mv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return three leads that show the wave beside a QRS complex from -30 to 30 ms, at different heights."""
    whole = hump(T, -QRS_END_S, 2 * QRS_END_S) + wave_mv
    return np.array([whole, 0.7 * whole, -0.5 * whole])


def beat_with_late_wave(gap_ms: float) -> NDArray[np.float64]:
    """Return a beat with a small wave some ms after its complex, as a late potential or the beginning of ST."""
    return beat_of(0.06 * hump(T, QRS_END_S + gap_ms / 1000, 0.03) + 0.3 * hump(T, 0.2, 0.2))


def test_the_qrs_complex_ends_where_12_ms_of_rest_begin() -> None:
    undisturbed = delineate(beat_with_late_wave(58), RR).qrs_end
    assert undisturbed is not None
    assert delineate(beat_with_late_wave(18), RR).qrs_end == undisturbed


def test_a_rest_shorter_than_12_ms_is_within_the_qrs_complex() -> None:
    undisturbed = delineate(beat_with_late_wave(58), RR).qrs_end
    end = delineate(beat_with_late_wave(10), RR).qrs_end
    assert undisturbed is not None
    assert end is not None
    assert end >= undisturbed + 6


@pytest.mark.parametrize(("length_s", "early_ms"), [(0.2, -2.0), (0.3, 6.0), (0.4, 12.0)])
def test_the_t_wave_ends_where_its_last_flank_has_a_quarter_of_its_steepest_slope(
    length_s: float, early_ms: float
) -> None:
    t_end = delineate(beat_of(0.3 * hump(T, 0.1, length_s)), RR).t_end
    assert t_end is not None
    # A raised cosine has a quarter of its slope arcsin(1/4) / 2 pi of its length before its end, less 8 to 10 ms
    # by which slopes over 82 ms see every end later.
    assert 1000 * (0.1 + length_s) - 1000 * t_end / FS_HZ == pytest.approx(early_ms, abs=1)
    a_quarter_ms = 1000 * length_s * np.arcsin(0.25) / (2 * np.pi)
    assert a_quarter_ms - early_ms == pytest.approx(7, abs=3.1)


def beat_with_wave_before_p(part: float) -> NDArray[np.float64]:
    """Return a beat with a P wave, and before it a wave whose slope is a part of the P wave's."""
    p_mv, p_s, before_s = 0.15, 0.1, 0.06
    wave = part * p_mv * before_s / p_s * hump(T, -0.39, before_s)
    return beat_of(p_mv * hump(T, -0.19, p_s) + wave)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_a_p_wave_is_found_where_the_trace_before_it_is_calmer(part: float) -> None:
    # Slopes over 42 ms see the shorter wave at 0.73 of its slope: 0.8 of the P wave's becomes 0.58.
    p_on = delineate(beat_with_wave_before_p(part), 600.0).p_on
    assert p_on is not None
    assert 1000 * p_on / FS_HZ == pytest.approx(-190, abs=12)


@pytest.mark.parametrize("part", [0.9, 1.0])
def test_one_wave_after_another_of_like_slope_is_no_p_wave(part: float) -> None:
    # Flutter: what comes before moves 0.65 times as much as the wave itself, and more.
    assert delineate(beat_with_wave_before_p(part), 600.0).p_on is None


def test_the_level_before_a_complex_at_the_start_of_the_window_is_that_of_its_first_samples() -> None:
    signals = np.full((1, 3000), 0.4)
    beats = Beats(np.array([700.0, 1500.0]), np.zeros(2, np.intp), 9.0)
    windows = cut_normal_beats(signals, beats, level_at=(-BEFORE - 7, -BEFORE + 3))
    np.testing.assert_allclose(windows[~np.isnan(windows)], 0.0, atol=1e-12)
    assert np.isfinite(windows).any()

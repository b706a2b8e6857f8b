"""Waves of one lead in beats that are made of known waves."""

import numpy as np
import pytest
from measured_values import value
from numpy.typing import NDArray
from synthetic_ecgs import hump, page_of, synthesize_ecg

from ecglens.measuring.lead_waves import measure_lead_waves
from ecglens.measuring.measure import measure
from ecglens.measuring.signals import FS_HZ
from ecglens.measuring.waves import BEFORE, Waves
from ecglens.records import LeadWaves

QRS = Waves(qrs_on=-50, qrs_end=50, t_end=220, p_on=-130, p_end=-70)
"""QRS from -100 to 100 ms, P from -260 to -140 ms, T up to 440 ms."""


def waves_of(
    *parts: tuple[float, float, float], beats: int = 5, edges: Waves = QRS, noise_mv: float = 0.0
) -> LeadWaves:
    """Return the waves of a lead that is the sum of humps, each a start in ms, a length in ms and a height in mV."""
    t_ms = np.arange(-BEFORE, 350) * 1000 / FS_HZ
    row: NDArray[np.float64] = sum(
        (height * hump(t_ms, start, length) for start, length, height in parts), np.zeros_like(t_ms)
    )
    rows = np.tile(row, (beats, 1)) + noise_mv * np.random.default_rng(0).standard_normal((beats, len(row)))
    return measure_lead_waves({"V1": rows}, edges, has_p=True, has_t=True, is_smoothed=False)["V1"]


def test_q_r_and_s_have_their_heights_depths_and_durations() -> None:
    lead = waves_of((-100, 40, -0.2), (-60, 80, 1.5), (20, 60, -0.6))
    assert value(lead.q_mv) == pytest.approx(0.2, abs=0.01)
    assert value(lead.r_mv) == pytest.approx(1.5, abs=0.01)
    assert value(lead.s_mv) == pytest.approx(0.6, abs=0.01)
    assert value(lead.r2_mv) == 0.0
    assert value(lead.q_ms) == pytest.approx(40, abs=4)
    assert value(lead.r_ms) == pytest.approx(80, abs=4)
    assert value(lead.s_ms) == pytest.approx(60, abs=4)
    assert value(lead.r_peak_ms) == pytest.approx(80, abs=2)
    assert value(lead.qrs_span_mv) == pytest.approx(2.1, abs=0.02)


def test_a_second_positive_wave_is_r_prime() -> None:
    lead = waves_of((-100, 50, 0.2), (-50, 60, -0.5), (10, 90, 0.9))
    assert value(lead.r_mv) == pytest.approx(0.2, abs=0.01)
    assert value(lead.s_mv) == pytest.approx(0.5, abs=0.01)
    assert value(lead.r2_mv) == pytest.approx(0.9, abs=0.01)
    assert value(lead.r_peak_ms) == pytest.approx(155, abs=3)


def test_a_complex_without_a_positive_wave_is_q_and_s() -> None:
    lead = waves_of((-80, 120, -1.0))
    assert value(lead.q_mv) == value(lead.s_mv) == pytest.approx(1.0, abs=0.01)
    assert value(lead.r_mv) == 0.0
    assert lead.r_peak_ms is None


def test_the_last_peak_of_a_notched_r_wave_counts() -> None:
    lead = waves_of((-90, 80, 1.0), (-30, 100, 0.9))
    assert value(lead.r_peak_ms) == pytest.approx(120, abs=6)
    assert value(waves_of((-90, 80, 1.0), (-10, 60, 0.4)).r_peak_ms) == pytest.approx(50, abs=6)


def test_a_raised_st_segment_is_no_r_prime() -> None:
    lead = waves_of((-60, 60, 0.3), (0, 60, -0.8), (60, 400, 0.4))
    assert value(lead.r2_mv) == 0.0


@pytest.mark.parametrize(("depth_mv", "expected"), [(0.025, 0.0), (0.04, 0.04)])
def test_waves_smaller_than_the_least_amplitude_are_none(depth_mv: float, expected: float) -> None:
    lead = waves_of((-100, 40, -depth_mv), (-60, 80, 1.0))
    assert value(lead.q_mv) == pytest.approx(expected, abs=0.005)


def test_p_and_t_have_their_levels_and_signs() -> None:
    lead = waves_of((-260, 120, 0.15), (-40, 80, 1.0), (200, 200, -0.3))
    assert value(lead.p_mv) == pytest.approx(0.15, abs=0.01)
    assert value(lead.t_mv) == pytest.approx(-0.3, abs=0.01)
    assert value(lead.p_terminal_mvms) < 0.2


def test_the_terminal_force_of_p_is_its_negative_end() -> None:
    lead = waves_of((-260, 60, 0.1), (-200, 60, -0.12), (-40, 80, 1.0))
    assert value(lead.p_terminal_mvms) == pytest.approx(0.12 * 60, rel=0.25)


def test_errors_grow_with_the_scatter_of_the_beats_and_shrink_with_their_number() -> None:
    quiet, noisy, many = (
        waves_of((-60, 80, 1.0), noise_mv=noise_mv, beats=beats).r_mv
        for noise_mv, beats in ((0.0, 6), (0.1, 6), (0.1, 60))
    )
    assert quiet is not None
    assert noisy is not None
    assert many is not None
    assert quiet.error < many.error < noisy.error


def test_a_lead_with_one_beat_or_without_edges_is_not_measured() -> None:
    rows = np.zeros((1, 550))
    assert measure_lead_waves({"V1": rows}, QRS, has_p=True, has_t=True, is_smoothed=False) == {}
    assert measure_lead_waves({"V1": np.zeros((4, 550))}, Waves(), has_p=True, has_t=True, is_smoothed=False) == {}


def test_a_page_with_2_5_s_a_lead_gives_the_waves_of_the_whole_record() -> None:
    record = synthesize_ecg()
    whole, page = measure(record).leads, measure(page_of(record)).leads
    assert set(page) == set(whole)
    for lead, waves in whole.items():
        assert value(page[lead].r_mv) == pytest.approx(value(waves.r_mv), abs=0.02)
        assert value(page[lead].t_mv) == pytest.approx(value(waves.t_mv), abs=0.02)

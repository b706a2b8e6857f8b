"""Figures of the rhythm of synthetic records whose rhythm is known."""

from dataclasses import replace

import numpy as np
import pytest
from measured_values import value
from synthetic_ecgs import add_to_leads, hump, synthesize_ecg

from ecglens.measuring.analysis import analyze
from ecglens.measuring.measure import measure
from ecglens.measuring.rhythm_figures import measure_rhythm_figures
from ecglens.records import EcgRecord, Rhythm


def rhythm_of(onsets: np.ndarray, **options: float) -> Rhythm:
    """Return the figures of a record with beats at some times."""
    return measure(synthesize_ecg(onsets, **options)).rhythm  # type: ignore[arg-type]


def test_a_regular_rhythm_with_p_waves() -> None:
    rhythm = rhythm_of(np.arange(0.5, 9.5, 0.8), noise_mv=0.01)
    assert value(rhythm.beats) == 12
    assert value(rhythm.irregularity) < 0.01
    assert value(rhythm.p_share) == 1.0
    assert value(rhythm.longest_rr_ms) == pytest.approx(800, abs=6)
    assert value(rhythm.premature_narrow) == value(rhythm.premature_broad) == value(rhythm.spikes) == 0
    assert value(rhythm.pr_estimate_ms) == pytest.approx(160, abs=20)


def test_random_intervals_without_p_waves() -> None:
    rng = np.random.default_rng(3)
    onsets = np.cumsum(rng.uniform(0.5, 1.1, 11)) + 0.2
    rhythm = rhythm_of(onsets[onsets < 9.4], p_mv=0.0, noise_mv=0.02)
    assert value(rhythm.irregularity) > 0.1
    assert value(rhythm.p_share) < 0.5
    assert rhythm.pr_estimate_ms is None


def test_an_early_beat_of_the_same_shape_is_a_narrow_premature_beat() -> None:
    onsets = np.array([0.5, 1.3, 2.1, 2.9, 3.4, 4.4, 5.2, 6.0, 6.8, 7.6, 8.4])
    rhythm = rhythm_of(onsets)
    assert value(rhythm.premature_narrow) == 1
    assert value(rhythm.premature_broad) == 0


def test_an_early_wide_beat_is_a_broad_premature_beat() -> None:
    onsets = np.array([0.5, 1.3, 2.1, 2.9, 4.5, 5.3, 6.1, 6.9, 7.7, 8.5])
    rhythm = measure(with_wide_beat(synthesize_ecg(onsets), 3.4)).rhythm
    assert value(rhythm.premature_broad) == 1
    assert value(rhythm.premature_narrow) == 0


def test_a_pause_is_the_longest_interval() -> None:
    rhythm = rhythm_of(np.array([0.5, 1.3, 2.1, 2.9, 6.1, 6.9, 7.7, 8.5]))
    assert value(rhythm.longest_rr_ms) == pytest.approx(3200, abs=10)


def test_pacing_spikes_are_counted() -> None:
    record = synthesize_ecg(np.arange(0.5, 9.5, 0.8), p_mv=0.0)
    signals = record.signals_mv.copy()
    for onset in np.arange(0.5, 9.5, 0.8):
        at = round((onset - 0.04) * record.fs_hz)
        signals[:, at : at + 2] += 0.5
    assert value(measure(replace(record, signals_mv=signals)).rhythm.spikes) == 12


def test_too_few_beats_have_no_irregularity_and_no_p_share() -> None:
    rhythm = rhythm_of(np.array([0.5, 1.4]), seconds=2.5)
    assert rhythm.irregularity is None
    assert rhythm.p_share is None


def test_a_record_without_beats_has_no_figures() -> None:
    silent = EcgRecord(np.zeros((12, 5000), np.float32), 500.0, synthesize_ecg().leads)
    assert measure(silent).rhythm == Rhythm()


def with_wide_beat(record: EcgRecord, at_s: float) -> EcgRecord:
    """Add one beat of another shape, 180 ms wide."""
    t = np.arange(record.signals_mv.shape[1]) / record.fs_hz
    return add_to_leads(record, 1.5 * hump(t, at_s, 0.18) - 0.5 * hump(t, at_s + 0.25, 0.2))


@pytest.mark.parametrize("qrs_on", [-60, -100, -180])
def test_a_qrs_complex_that_begins_long_before_its_peak_leaves_less_room_for_p(qrs_on: int) -> None:
    analysis = analyze(synthesize_ecg(np.arange(0.5, 9.5, 0.8)))
    early = replace(analysis, waves=replace(analysis.waves, qrs_on=qrs_on))
    rhythm = measure_rhythm_figures(early, pr=None, qrs=None)
    assert rhythm.p_share is None or 0 <= rhythm.p_share.value <= 1
    assert (rhythm.p_share is None) == (qrs_on == -180)

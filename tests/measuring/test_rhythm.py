"""Heart rate and its variability from the RR intervals."""

from dataclasses import replace

import numpy as np
import pytest
from measured_values import value
from numpy.typing import NDArray
from synthetic_ecgs import synthesize_ecg

from ecglens.measuring.beats import Beats
from ecglens.measuring.measure import measure
from ecglens.measuring.rhythm import measure_rhythm, rr_intervals, single_share, typical_rr
from ecglens.measuring.signals import FS_HZ

SIGNALS = np.ones((2, 5000))


def beats_at(samples: list[float], shapes: list[int] | None = None) -> Beats:
    numbers = np.array(shapes or [0] * len(samples), dtype=np.intp)
    return Beats(samples=np.array(samples, dtype=np.float64), shapes=numbers, height=9.0)


def rr_of(*intervals_ms: float) -> tuple[Beats, NDArray[np.float64]]:
    rr = np.array(intervals_ms) * FS_HZ / 1000
    return beats_at([0.0, *np.cumsum(rr)]), rr


def test_an_interval_over_a_time_that_no_lead_shows_is_missing() -> None:
    signals = SIGNALS.copy()
    signals[0, 1000:1500] = np.nan
    signals[:, 2100:2200] = np.nan
    rr = rr_intervals(signals, beats_at([500.0, 900.0, 1300.0, 2000.0, 2400.0, 4999.6]))
    assert rr == pytest.approx([400, 400, 700, np.nan, 2599.6], nan_ok=True)


def test_the_typical_interval_is_the_median_of_the_known_ones_and_a_second_without() -> None:
    assert typical_rr(np.array([300.0, np.nan, 400.0, 900.0])) == 400
    assert typical_rr(np.array([np.nan])) == typical_rr(np.zeros(0)) == FS_HZ


def test_a_shape_of_one_beat_alone_is_counted() -> None:
    assert single_share(beats_at([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 2])) == 0.5
    assert single_share(beats_at([0.0, 1.0])) == 0


def test_rate_and_variability_are_those_of_the_intervals() -> None:
    intervals = np.array([800.0, 840.0, 780.0, 860.0, 820.0])
    figures = measure_rhythm(*rr_of(*intervals))
    assert value(figures["rr_ms"]) == pytest.approx(intervals.mean())
    assert value(figures["rate_bpm"]) == pytest.approx(60_000 / intervals.mean())
    assert value(figures["sdnn_ms"]) == pytest.approx(intervals.std(ddof=1))
    assert value(figures["rmssd_ms"]) == pytest.approx(np.sqrt(np.mean(np.diff(intervals) ** 2)))


def test_the_basic_rate_is_that_of_the_middle_half() -> None:
    figures = measure_rhythm(*rr_of(400.0, 800.0, 800.0, 800.0, 800.0, 800.0, 800.0, 1600.0))
    assert value(figures["basic_rate_bpm"]) == pytest.approx(75)
    assert value(figures["rate_bpm"]) == pytest.approx(60_000 / 850)


def test_variability_needs_normal_beats_one_after_the_other() -> None:
    beats, rr = rr_of(800.0, 500.0, 1100.0, 800.0, 800.0, 800.0)
    ectopic = Beats(beats.samples, np.array([0, 0, 1, 0, 0, 0, 0], dtype=np.intp), beats.height)
    assert measure_rhythm(ectopic, rr)["sdnn_ms"] is None
    assert value(measure_rhythm(beats, rr)["sdnn_ms"]) > 100


@pytest.mark.parametrize("rr", [np.zeros(0), np.array([np.nan])])
def test_without_a_known_interval_there_are_no_figures(rr: NDArray[np.float64]) -> None:
    figures = measure_rhythm(beats_at([100.0] * (len(rr) + 1)), rr)
    assert set(figures) == {"rate_bpm", "basic_rate_bpm", "rr_ms", "sdnn_ms", "rmssd_ms"}
    assert set(figures.values()) == {None}


def test_early_beats_and_pauses_move_the_rate_but_hardly_the_basic_rate() -> None:
    onsets = np.delete(np.arange(0.5, 9.6, 0.7), [4, 9])
    result = measure(synthesize_ecg(onsets, p_mv=0.1))
    assert value(result.basic_rate_bpm) == pytest.approx(60 / 0.7, abs=1)
    assert value(result.rate_bpm) == pytest.approx(60 / np.diff(onsets).mean(), abs=1)


def test_no_distance_is_taken_over_a_stretch_that_no_lead_shows() -> None:
    record = synthesize_ecg(seconds=10)
    signals = record.signals_mv.copy()
    signals[:, 2000:3200] = np.nan
    result = measure(replace(record, signals_mv=signals))
    assert value(result.rate_bpm) == pytest.approx(75, abs=0.3)

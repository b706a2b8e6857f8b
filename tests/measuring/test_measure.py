from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measured_values import value
from numpy.typing import NDArray
from synthetic_ecgs import P_MS, PR_MS, QRS_MS, QT_MS, beat, page_of, synthesize_ecg, with_own_p_waves

from ecglens.formats.csv import read_csv
from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.analysis import Analysis, analyze
from ecglens.measuring.measure import measure
from ecglens.measuring.waves import correlate_p_waves
from ecglens.records import EcgRecord, Measurements

DATA = Path(__file__).resolve().parents[1] / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FIGURES = (
    "rate_bpm",
    "basic_rate_bpm",
    "rr_ms",
    "sdnn_ms",
    "rmssd_ms",
    "p_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_bazett_ms",
)


@pytest.mark.parametrize("fs_hz", [250.0, 360.0, 500.0, 1000.0])
def test_a_made_record_gives_back_what_it_was_made_of(fs_hz: float) -> None:
    result = measure(synthesize_ecg(fs_hz=fs_hz, noise_mv=0.003))
    assert value(result.rate_bpm) == pytest.approx(75, abs=0.2)
    assert value(result.sdnn_ms) < 3
    assert value(result.p_ms) == pytest.approx(P_MS, abs=16)
    assert value(result.pr_ms) == pytest.approx(PR_MS, abs=12)
    assert value(result.qrs_ms) == pytest.approx(QRS_MS + 10, abs=12)  # readers mark a little outside
    assert value(result.qt_ms) == pytest.approx(QT_MS, abs=16)
    assert value(result.qtc_bazett_ms) == pytest.approx(value(result.qt_ms) / 0.8**0.5, rel=0.01)
    assert value(result.qtc_fridericia_ms) == pytest.approx(value(result.qt_ms) / 0.8 ** (1 / 3), rel=0.01)
    assert value(result.axis_deg) == pytest.approx(40, abs=2)
    assert result.warnings == ()


@pytest.mark.parametrize("axis_deg", [-170.0, -50.0, 10.0, 75.0, 140.0])
def test_the_axis_is_found_in_every_direction_and_from_two_limb_leads(axis_deg: float) -> None:
    whole = synthesize_ecg(axis_deg=axis_deg)
    for rows in (range(12), (0, 2), (4, 5, 6)):
        part = replace(whole, signals_mv=whole.signals_mv[list(rows)], leads=tuple(whole.leads[row] for row in rows))
        off = value(measure(part).axis_deg) - axis_deg
        assert abs((off + 180) % 360 - 180) < 3


def test_chest_leads_alone_have_no_axis() -> None:
    whole = synthesize_ecg()
    result = measure(replace(whole, signals_mv=whole.signals_mv[6:], leads=whole.leads[6:]))
    assert result.axis_deg is None
    assert result.qrs_ms is not None


@pytest.mark.parametrize("st_mv", [-0.2, 0.0, 0.25])
def test_st_is_the_level_against_the_one_before_qrs(st_mv: float) -> None:
    record = synthesize_ecg(st_mv=st_mv, p_mv=0.1)
    result = measure(replace(record, signals_mv=record.signals_mv + np.float32(0.7)))
    assert set(result.st_j60_mv) == set(STANDARD_LEADS)
    for figure in result.st_j60_mv.values():
        assert value(figure) == pytest.approx(st_mv, abs=0.03)


def test_a_page_gives_nearly_the_figures_of_its_signals() -> None:
    record = read_csv(DATA / "ptbxl_00001.csv")
    whole = measure(record)
    for page in (page_of(record), page_of(record, strip=False)):
        result = measure(page)
        assert len(result.r_peaks_s) == len(whole.r_peaks_s)
        assert value(result.rate_bpm) == pytest.approx(value(whole.rate_bpm), abs=1)
        assert value(result.qrs_ms) == pytest.approx(value(whole.qrs_ms), abs=16)
        for figure, valid, within in ((result.qt_ms, whole.qt_ms, 25), (result.pr_ms, whole.pr_ms, 20)):
            assert figure is None or figure.value == pytest.approx(value(valid), abs=within)
        assert set(result.st_j_mv) == set(STANDARD_LEADS)


def test_no_p_wave_is_measured_where_atria_and_ventricles_go_their_own_ways() -> None:
    rng = np.random.default_rng(3)
    onsets = 0.5 + np.cumsum(rng.uniform(0.5, 1.0, 20))
    record = synthesize_ecg(onsets[onsets < 9.4], p_mv=0.0)
    t = np.arange(5000) / 500
    waves = 0.05 * np.sin(2 * np.pi * 6.3 * t + 3 * np.sin(2 * np.pi * 0.4 * t))
    result = measure(replace(record, signals_mv=record.signals_mv + waves.astype(np.float32)))
    assert result.p_ms is None
    assert result.pr_ms is None
    assert value(result.sdnn_ms) > 80
    assert any("No consistent P wave" in warning for warning in result.warnings)


def p_correlation(record: EcgRecord) -> float:
    ready = analyze(record)
    assert isinstance(ready, Analysis)
    return correlate_p_waves(ready.windows, ready.waves)


@pytest.mark.parametrize("own_mv", [0.0, 0.05, 0.09])
def test_p_waves_that_are_alike_in_most_of_their_shape_are_measured(own_mv: float) -> None:
    record = with_own_p_waves(own_mv)
    assert p_correlation(record) > 0.65
    assert value(measure(record).pr_ms) == pytest.approx(PR_MS, abs=8)


@pytest.mark.parametrize("own_mv", [0.105, 0.11])
def test_p_waves_that_share_half_of_their_shape_are_not_measured(own_mv: float) -> None:
    record = with_own_p_waves(own_mv)
    assert 0.42 < p_correlation(record) < 0.58
    assert measure(record).pr_ms is None


def test_in_bigeminy_the_narrow_beats_are_measured_and_all_are_counted() -> None:
    narrow = np.arange(0.5, 9.0, 1.4)
    record = synthesize_ecg(narrow)
    t = np.arange(5000) / 500
    broad = np.zeros_like(t)
    for onset in narrow + 0.55:
        slow = beat((t - onset) / 1.9 + 10, 10.0, (0.0, -1.5, 0.5))
        broad += slow
    gains = np.linspace(0.5, 1.2, 12)[:, None]
    result = measure(replace(record, signals_mv=(record.signals_mv + gains * broad).astype(np.float32)))
    assert len(result.r_peaks_s) == 2 * len(narrow)
    assert value(result.qrs_ms) == pytest.approx(QRS_MS + 10, abs=12)
    assert any(f"{len(narrow)} of {2 * len(narrow)} beats have another shape" in text for text in result.warnings)


@pytest.mark.parametrize("part", [0.3, 0.35, 0.4])
def test_a_low_beat_of_a_fast_rhythm_is_not_lost_as_a_t_wave(part: float) -> None:
    onsets = np.arange(0.3, 9.5, 0.33)
    whole = synthesize_ecg(onsets, p_mv=0.0).signals_mv
    t = np.arange(whole.shape[1]) / 500
    low = np.where(np.abs(t - onsets[20] - 0.05) < 0.16, part, 1.0)
    result = measure(replace(synthesize_ecg(), signals_mv=(whole * low).astype(np.float32)))
    assert len(result.r_peaks_s) == len(onsets)


def test_lead_names_on_the_traces_are_no_beat() -> None:
    record = page_of(synthesize_ecg(np.arange(0.25, 9.6, 0.8)))
    signals = record.signals_mv.copy()
    for lead in ("II", "III", "II-rhythm"):
        for bar in range(record.leads.index(lead) % 3 + 1):
            signals[record.leads.index(lead), 4 + 14 * bar : 10 + 14 * bar] += 0.3
    result = measure(replace(record, signals_mv=signals))
    assert result.r_peaks_s[0] == pytest.approx(0.25 + QRS_MS / 2000, abs=0.03)
    assert value(result.rate_bpm) == pytest.approx(75, abs=0.5)


def test_spikes_of_a_pacemaker_are_no_beats_and_give_a_warning() -> None:
    record = synthesize_ecg(p_mv=0.0)
    signals = record.signals_mv.copy()
    for onset in np.arange(0.5, 9.5, 0.8):
        at = round((onset - 0.02) * 500)
        signals[:, at : at + 2] += 1.5
    result = measure(replace(record, signals_mv=signals))
    assert value(result.rate_bpm) == pytest.approx(75, abs=0.3)
    assert any("Pacing spikes" in warning for warning in result.warnings)


def test_narrow_r_waves_are_not_mistaken_for_spikes() -> None:
    assert not any("pacemaker" in text for text in measure(read_csv(DATA / "ptbxl_00001.csv")).warnings)


@pytest.mark.parametrize("lead", STANDARD_LEADS)
def test_one_lead_is_enough_for_the_rhythm(lead: str) -> None:
    record = read_csv(DATA / "ptbxl_00001.csv")
    row = record.leads.index(lead)
    result = measure(replace(record, signals_mv=record.signals_mv[[row]], leads=(lead,)))
    assert value(result.rate_bpm) == pytest.approx(63.9, abs=1)
    if lead == "aVF":  # nearly flat
        assert result.qrs_ms is None


def test_a_low_pass_widens_the_error_bars_with_a_warning() -> None:
    record = synthesize_ecg()
    sharp, soft = measure(record), measure(record, low_pass_hz=25)
    assert sharp.qrs_ms is not None
    assert soft.qrs_ms is not None
    assert soft.qrs_ms.error > sharp.qrs_ms.error
    assert any("25 Hz" in warning for warning in soft.warnings)
    assert measure(record, low_pass_hz=150).warnings == ()


def nothing(result: Measurements) -> bool:
    return all(getattr(result, name) is None for name in FIGURES) and bool(result.warnings) and not result.r_peaks_s


@pytest.mark.parametrize(
    "signals",
    [
        np.zeros((12, 5000)),
        np.full((12, 5000), np.nan),
        np.zeros((0, 0)),
        np.zeros((2, 3)),
        0.1 * np.random.default_rng(0).standard_normal((12, 5000)),
        0.02 * np.cumsum(np.random.default_rng(1).standard_normal((3, 5000)), axis=1),
        np.sin(2 * np.pi * 50 * np.arange(5000) / 500)[None].repeat(12, axis=0),
        np.sin(2 * np.pi * 0.3 * np.arange(5000) / 500)[None],
    ],
    ids=["flat", "hidden", "empty", "short", "noise", "walk", "mains", "wander"],
)
def test_what_is_no_heart_gives_no_figure(signals: NDArray[np.float64]) -> None:
    leads = STANDARD_LEADS[: len(signals)]
    assert nothing(measure(EcgRecord(signals.astype(np.float32), 500.0, leads)))


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 1500)),
        elements=st.floats(-5, 5, width=32) | st.just(float("nan")),
    ),
    st.sampled_from([50.0, 257.0, 500.0, 1000.0]),
)
@settings(max_examples=60)
def test_wild_signals_never_raise_and_figures_are_finite(signals: NDArray[np.float32], fs_hz: float) -> None:
    result = measure(EcgRecord(signals, fs_hz, STANDARD_LEADS[: len(signals)]))
    figures = [getattr(result, name) for name in FIGURES] + [*result.st_j_mv.values(), *result.st_j60_mv.values()]
    for figure in figures:
        assert figure is None or (np.isfinite([figure.value, figure.error]).all() and figure.error >= 0)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(0.4, 1.4), st.floats(0, 0.02), st.booleans())
@settings(max_examples=25)
def test_rates_from_43_to_150_are_right_within_their_error(seed: int, rr: float, noise: float, page: bool) -> None:
    rng = np.random.default_rng(seed)
    onsets = np.arange(0.4, 9.7, rr)
    record = synthesize_ecg(onsets, p_mv=0.1 if rr > 0.62 else 0.0, noise_mv=noise, rng=rng)
    result = measure(page_of(record) if page else record)
    if rr >= 0.5:
        assert value(result.rate_bpm) == pytest.approx(60 / rr, rel=0.01)
    else:
        assert result.rate_bpm is None or value(result.rate_bpm) == pytest.approx(60 / rr, rel=0.01)


def test_inputs_are_left_as_they_are() -> None:
    record = page_of(read_csv(DATA / "ptbxl_00001.csv"))
    before = record.signals_mv.copy()
    measure(record)
    np.testing.assert_array_equal(record.signals_mv, before)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_every_tenth_marked_record_is_measured_near_its_marks() -> None:
    pytest.importorskip("wfdb")
    from ecglens.datasets.annotations import ludb

    off = []
    for item in ludb(SHARED / "ludb")[1::10]:
        result = measure(item.record)
        waves = [wave for waves in item.marks.values() for wave in waves if wave.wave == "QRS"]
        lengths = [2 * (wave.end - wave.onset) for wave in waves if wave.onset is not None and wave.end is not None]
        off.append(value(result.qrs_ms) - np.median(lengths))
    assert abs(np.mean(off) - 12) < 8  # over all leads a complex is longer than in the median lead
    assert np.std(off) < 15

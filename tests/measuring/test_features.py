from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from synthetic_ecgs import page_of, synthesize_ecg

from ecglens.formats.csv import read_csv
from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.features import FEATURES, GLOBAL_FEATURES, LEAD_FEATURES, compute_features
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord

DATA = Path(__file__).resolve().parents[1] / "data"


def test_a_row_has_every_documented_name_in_its_order() -> None:
    row = compute_features(synthesize_ecg())
    assert list(row) == list(FEATURES)
    assert len(FEATURES) == len(GLOBAL_FEATURES) + 12 * len(LEAD_FEATURES)
    assert all(isinstance(value, float) for value in row.values())
    assert not [name for name, value in row.items() if np.isnan(value)]


def test_figures_of_the_record_are_those_of_measure() -> None:
    record = read_csv(DATA / "ptbxl_00001.csv")
    row, figures = compute_features(record), measure(record)
    for name in GLOBAL_FEATURES:
        if name not in {"beats", "other_shapes"}:
            figure = getattr(figures, name)
            assert np.isnan(row[name]) if figure is None else row[name] == figure.value
    assert row["beats"] == len(figures.r_peaks_s)
    for lead, figure in figures.st_j60_mv.items():
        assert row[f"{lead}_st_j60_mv"] == pytest.approx(figure.value, abs=0.02)


def test_amplitudes_are_those_the_record_was_made_with() -> None:
    row = compute_features(synthesize_ecg(axis_deg=60.0, p_mv=0.15))
    assert row["II_r_mv"] == pytest.approx(1.2, abs=0.03)
    assert row["II_q_mv"] == pytest.approx(-0.36, abs=0.05)
    assert row["II_s_mv"] == pytest.approx(-0.48, abs=0.05)
    assert row["II_p_mv"] == pytest.approx(0.15, abs=0.02)
    assert row["II_t_mv"] == pytest.approx(0.3, abs=0.02)
    assert row["V1_t_mv"] == pytest.approx(-0.24, abs=0.02)
    assert row["aVR_qrs_area_mvms"] == pytest.approx(-row["II_qrs_area_mvms"] * 0.75, rel=0.05)


def test_bands_add_up_and_a_slow_sine_lies_in_the_first() -> None:
    record = synthesize_ecg(p_mv=0.0)
    t = np.arange(5000) / 500
    signals = record.signals_mv.copy()
    signals[10] += 3 * np.sin(2 * np.pi * 2 * t).astype(np.float32)
    row = compute_features(replace(record, signals_mv=signals))
    for lead in STANDARD_LEADS:
        assert sum(row[f"{lead}_band{number}"] for number in range(1, 6)) == pytest.approx(1)
        assert 0 <= row[f"{lead}_entropy"] <= 1
    assert row["V5_band1"] > 0.9 > row["V6_band1"]
    assert row["V5_center_hz"] < 3


def test_a_page_gives_nearly_the_row_of_its_signals() -> None:
    whole = compute_features(synthesize_ecg(noise_mv=0.002))
    page = compute_features(page_of(synthesize_ecg(noise_mv=0.002)))
    for lead in STANDARD_LEADS:
        for name in ("r_mv", "s_mv", "t_mv", "st_j60_mv"):
            assert page[f"{lead}_{name}"] == pytest.approx(whole[f"{lead}_{name}"], abs=0.05), (lead, name)


def test_a_turned_lead_counts_as_the_usual_one() -> None:
    record = synthesize_ecg()
    turned = record.signals_mv.copy()
    turned[3] *= -1
    leads = tuple("-aVR" if lead == "aVR" else lead for lead in record.leads)
    assert compute_features(replace(record, signals_mv=turned, leads=leads)) == pytest.approx(compute_features(record))


def test_what_is_not_known_is_nan() -> None:
    record = synthesize_ecg()
    row = compute_features(replace(record, signals_mv=record.signals_mv[:3], leads=record.leads[:3]))
    assert np.isnan(row["V1_r_mv"])
    assert not np.isnan(row["II_r_mv"])
    assert all(
        np.isnan(value)
        for value in compute_features(EcgRecord(np.zeros((1, 5000), np.float32), 500.0, ("I",))).values()
    )


def test_without_a_sure_p_wave_no_lead_has_one() -> None:
    row = compute_features(synthesize_ecg(p_mv=0.0, noise_mv=0.004))
    assert np.isnan(row["pr_ms"])
    assert all(np.isnan(row[f"{lead}_p_mv"]) for lead in STANDARD_LEADS)


@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 1500)), elements=st.floats(-3, 3, width=32)),
    st.sampled_from([100.0, 500.0]),
)
@settings(max_examples=25)
def test_wild_signals_give_a_whole_row(signals: NDArray[np.float32], fs_hz: float) -> None:
    row = compute_features(EcgRecord(signals, fs_hz, STANDARD_LEADS[: len(signals)]))
    assert list(row) == list(FEATURES)
    assert not any(np.isinf(value) for value in row.values())


@pytest.mark.parametrize(
    ("first_s", "last_s", "unknown"), [(-0.2, -0.09, "p_mv"), (-0.03, 0.03, "r_mv"), (0.1, 0.3, "t_mv")]
)
def test_a_wave_that_is_unknown_in_all_beats_of_a_lead_has_no_features(
    first_s: float, last_s: float, unknown: str
) -> None:
    record = synthesize_ecg(np.arange(0.5, 9.5, 0.8))
    signals = record.signals_mv.copy()
    for peak_s in measure(record).r_peaks_s:
        first, last = (max(0, round((peak_s + at) * record.fs_hz)) for at in (first_s, last_s))
        signals[record.leads.index("V2"), first:last] = np.nan
    row = compute_features(replace(record, signals_mv=signals))
    assert np.isnan(row[f"V2_{unknown}"])
    assert not np.isnan(row[f"V3_{unknown}"])

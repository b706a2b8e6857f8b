"""The leads, the beats and the typical beat that every measurement rests on."""

from dataclasses import replace

import numpy as np
import pytest
from measured_values import value
from synthetic_ecgs import QRS_MS, page_of, synthesize_ecg

from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.analysis import Analysis, analyze
from ecglens.measuring.measure import measure
from ecglens.measuring.signals import FS_HZ
from ecglens.measuring.waves import BEFORE
from ecglens.records import EcgRecord, NotFound

ONSETS = np.arange(0.5, 9.55, 0.8)


def analysis_of(record: EcgRecord) -> Analysis:
    analysis = analyze(record)
    assert isinstance(analysis, Analysis), analysis
    return analysis


@pytest.mark.parametrize("fs_hz", [250.0, 1000.0])
def test_beats_are_found_at_one_rate_whatever_the_rate_of_the_record(fs_hz: float) -> None:
    analysis = analysis_of(synthesize_ecg(fs_hz=fs_hz))
    assert analysis.leads == STANDARD_LEADS
    assert analysis.signals.shape == (12, 5000)
    assert analysis.beats.samples / FS_HZ == pytest.approx(ONSETS + QRS_MS / 2000, abs=0.02)
    assert analysis.typical_rr == pytest.approx(0.8 * FS_HZ, abs=1)
    assert not analysis.is_paced
    assert analysis.notes == ()


def test_the_typical_beat_has_the_waves_of_all_beats() -> None:
    analysis = analysis_of(synthesize_ecg())
    waves = analysis.waves
    assert waves.qrs_on is not None
    assert waves.qrs_end is not None
    assert (waves.qrs_end - waves.qrs_on) * 1000 / FS_HZ == pytest.approx(QRS_MS + 10, abs=12)
    assert analysis.windows.shape[:2] == (len(ONSETS), 12)
    before_qrs = analysis.windows[:, :, BEFORE + waves.qrs_on - 5 : BEFORE + waves.qrs_on]
    assert np.abs(before_qrs).max() < 0.02


def test_each_lead_has_its_whole_complexes_and_a_strip_takes_the_place_of_its_lead() -> None:
    by_lead = analysis_of(page_of(synthesize_ecg())).by_lead()
    assert set(by_lead) == set(STANDARD_LEADS)
    assert len(by_lead["II"]) == len(ONSETS)
    assert 2 <= len(by_lead["V5"]) <= 3


def test_short_gaps_are_bridged_and_long_ones_stay_missing() -> None:
    record = synthesize_ecg()
    signals = record.signals_mv.copy()
    signals[0, 900:915] = np.nan
    signals[0, 3000:3100] = np.nan
    analysis = analysis_of(replace(record, signals_mv=signals))
    assert not np.isnan(analysis.signals[0, :3000]).any()
    assert np.isnan(analysis.signals[0, 3000:3100]).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signals_mv": np.zeros((12, 5000), np.float32)}, "No lead has a signal that could be measured."),
        ({"quality": (0.1,) * 12}, "No lead has a signal that could be measured; left out because of low quality: I,"),
        (
            {"signals_mv": 0.1 * np.random.default_rng(0).standard_normal((12, 5000)).astype(np.float32)},
            "No beats of one shape stand out from the signals.",
        ),
    ],
    ids=["flat", "doubtful", "noise"],
)
def test_what_has_no_beats_is_refused_with_the_reason(changes: dict[str, object], reason: str) -> None:
    answer = analyze(replace(synthesize_ecg(), **changes))  # type: ignore[arg-type]
    assert isinstance(answer, NotFound)
    assert answer.reason.startswith(reason)


def test_leads_of_bad_quality_are_left_out_and_named() -> None:
    record = synthesize_ecg()
    signals = record.signals_mv.copy()
    signals[3] = np.random.default_rng(0).standard_normal(signals.shape[1])
    quality = tuple(0.2 if lead == "aVR" else 1.0 for lead in record.leads)
    result = measure(replace(record, signals_mv=signals, quality=quality))
    assert "aVR" not in result.st_j_mv
    assert result.warnings == ("Left out because of low quality: aVR.",)


def test_where_no_better_lead_is_shown_poor_ones_tell_the_beats_and_nothing_else() -> None:
    page = page_of(synthesize_ecg())
    poor = ("I", "II", "III", "aVR", "aVL", "aVF", "II-rhythm")
    result = measure(replace(page, quality=tuple(0.3 if lead in poor else 1.0 for lead in page.leads)))
    assert result.r_peaks_s == pytest.approx(measure(page).r_peaks_s, abs=0.02)
    assert set(result.st_j_mv) == {"V1", "V2", "V3", "V4", "V5", "V6"}
    assert result.warnings[1] == "Where no other lead is shown, their beats were counted, but not measured."


def test_poor_leads_without_beats_tell_none() -> None:
    page = page_of(synthesize_ecg(), strip=False)
    poor = [number for number, lead in enumerate(page.leads) if not lead.startswith("V")]
    signals = page.signals_mv.copy()
    signals[poor] += 0.3 * np.random.default_rng(3).standard_normal(signals[poor].shape).astype(np.float32)
    quality = tuple(0.3 if number in poor else 1.0 for number in range(len(page.leads)))
    result = measure(replace(page, signals_mv=signals, quality=quality))
    assert min(result.r_peaks_s) > 5
    assert value(result.rate_bpm) == pytest.approx(75, abs=0.5)

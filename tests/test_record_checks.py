"""Checks of the leads of a digital ECG: each failure is named, and its lead is not measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ecglens
from ecglens.formats.csv import read_csv
from ecglens.record_checks import check_leads
from ecglens.records import EcgRecord

RECORD = read_csv(Path(__file__).parent / "data" / "ptbxl_00001.csv")


def change(**rows: np.ndarray) -> EcgRecord:
    signals = RECORD.signals_mv.copy()
    for lead, row in rows.items():
        signals[RECORD.leads.index(lead)] = row
    return replace(RECORD, signals_mv=signals)


def list_failures(record: EcgRecord) -> set[str]:
    checked = check_leads(record)
    return {lead for lead, quality in zip(checked.leads, checked.quality, strict=True) if quality < 0.5}


def test_a_good_record_passes_without_a_warning() -> None:
    checked = check_leads(RECORD)
    assert checked.quality == (1.0,) * 12
    assert checked.warnings == RECORD.warnings


NOISE = np.random.default_rng(0).normal(0, 0.3, 5000)
HUM = 0.3 * np.sin(2 * np.pi * 50 * np.arange(5000) / 500)


@pytest.mark.parametrize(
    ("record", "leads", "sentence"),
    [
        (change(V2=np.zeros(5000)), {"V2"}, "Lead V2 is a flat line."),
        (change(V2=np.full(5000, np.nan)), {"V2"}, "Lead V2 has no samples."),
        (change(V2=NOISE), {"V2"}, "Lead V2 shows noise instead of an ECG."),
        (change(V2=HUM), {"V2"}, "Lead V2 shows noise instead of an ECG."),
        (
            change(V2=RECORD["V1"]),
            {"V1", "V2"},
            "Leads V1 and V2 have the same signal, so that one of them is missing.",
        ),
        (
            change(V3=np.clip(RECORD["V3"], -0.1, 0.1)),
            {"V3"},
            "Lead V3 is clipped: its complexes end at -0.10 or 0.10 mV.",
        ),
        (change(I=-RECORD["I"]), {"I", "II", "III"}, "Leads I, III, II do not add up: the residual is 0."),
        (change(II=1.1 * RECORD["V1"]), {"I", "II", "III"}, "Leads I, III, II do not add up: the residual is 0."),
    ],
    ids=["flat", "missing", "noise", "hum", "copy", "clipped", "inverted", "exchanged"],
)
def test_a_fault_is_named_and_its_leads_fail(record: EcgRecord, leads: set[str], sentence: str) -> None:
    assert list_failures(record) == leads
    assert any(warning.startswith(sentence) for warning in check_leads(record).warnings)


def test_measurements_go_on_without_the_lead_that_failed() -> None:
    reading = ecglens.examine_record(change(V2=NOISE))
    assert reading.measurements.rate_bpm is not None
    assert reading.measurements.rate_bpm.value == pytest.approx(64, abs=2)
    assert any("Left out because of low quality: V2" in warning for warning in reading.warnings)
    assert reading.to_dict()["quality"][RECORD.leads.index("V2")] < 0.5


def test_a_record_of_a_page_keeps_its_qualities() -> None:
    record = replace(change(V2=NOISE), quality=(0.9,) * 12)
    assert check_leads(record) is record


def test_a_pulse_and_coarse_steps_are_not_clipped() -> None:
    coarse = np.round(RECORD.signals_mv / 0.02).astype(np.float32) * 0.02
    assert list_failures(replace(RECORD, signals_mv=coarse)) == set()


def test_leads_that_contradict_each_other_are_measured_where_no_others_are_left() -> None:
    three = EcgRecord(RECORD.signals_mv[[0, 1, 1]], RECORD.fs_hz, ("I", "II", "III"))
    reading = ecglens.examine_record(three)
    assert any("Leads II and III have the same signal" in warning for warning in reading.warnings)
    assert reading.measurements.rate_bpm is not None

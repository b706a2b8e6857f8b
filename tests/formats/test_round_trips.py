"""Every format that is written gives back what went in: leads, rate, length, samples, comments."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecglens.formats.files import FORMATS, read_record, write_record
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

pytest.importorskip("ecgdatakit")
pytest.importorskip("wfdb")
pytest.importorskip("pydicom")

COMMENTS = (
    "age: 40",
    "sex: female",
    "recorder: Example 3000",
    "a comment of more than forty characters, as a person writes it, with words in a row, and of more than eighty",
)
FOREIGN = "Größe 1,80 m, Störung: 心電図"
RATES = (128.0, 250.0, 257.0, 360.0, 512.414, 599.88, 1000.0)
LEADS = {
    "twelve": STANDARD_LEADS,
    "eight": ("I", "II", *STANDARD_LEADS[6:]),
    "three": ("I", "II", "III"),
    "one": ("II",),
    "frank": ("vx", "vy", "vz"),
    "capital frank": ("X", "Y", "Z"),
    "monitor": ("MLII", "V5", "CM5", "channel 1"),
    "easi": ("ES", "AS", "AI"),
    "more": ("V3R", "V4R", "V7", "V8", "V9", "-aVR"),
    "strips": ("II", "V1", "II-rhythm", "V1-rhythm"),
    "odd": ("ECG", "LA-RA", "Ch 2"),
}
STEP_MV = {"csv": 6e-5, "json": 6e-5}
"""Half a step of each format; half a microvolt of the others."""


def record_of(leads: tuple[str, ...], fs_hz: float, samples: int, seed: int = 1) -> EcgRecord:
    """Return leads that differ from each other, within 3 mV."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(samples) / fs_hz * 7 + np.arange(len(leads))[:, None])
    signals = waves + rng.uniform(-2, 2, (len(leads), samples))
    return EcgRecord(signals.astype(np.float32), fs_hz, leads, comments=COMMENTS)


def check(form: str, record: EcgRecord, tmp_path: Path) -> EcgRecord:
    """Write a record, read it back, and compare."""
    back = read_record(write_record(record, tmp_path / "record", form))
    assert back.leads == record.leads
    assert back.fs_hz == pytest.approx(record.fs_hz, rel=1e-8)
    assert back.signals_mv.shape == record.signals_mv.shape
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, rtol=0, atol=STEP_MV.get(form, 5.1e-4))
    assert back.warnings == record.warnings
    assert back.comments == (() if form == "csv" else record.comments)
    return back


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("leads", LEADS.values(), ids=LEADS)
def test_leads_keep_their_names(form: str, leads: tuple[str, ...], tmp_path: Path) -> None:
    check(form, record_of(leads, 500.0, 700), tmp_path)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fs_hz", RATES)
@pytest.mark.parametrize("samples", [97, 5003])
def test_rates_and_lengths_come_back(form: str, fs_hz: float, samples: int, tmp_path: Path) -> None:
    check(form, record_of(("I", "II"), fs_hz, samples), tmp_path)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "csv"])
def test_one_sample_and_foreign_letters_come_back(form: str, tmp_path: Path) -> None:
    record = replace(record_of(("I",), 512.414, 1), comments=(*COMMENTS, FOREIGN))
    check(form, record, tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_high_voltages_come_back(form: str, tmp_path: Path) -> None:
    check(form, replace(record_of(("V1",), 500.0, 2), signals_mv=np.float32([[32.767, -32.767]])), tmp_path)


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if form.gaps])
def test_gaps_come_back(form: str, tmp_path: Path) -> None:
    record = record_of(("I", "V1"), 500.0, 100)
    record.signals_mv[0, :10] = record.signals_mv[1, 40:50] = np.nan
    check(form, record, tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_repeated_names_get_numbers_and_come_back(form: str, tmp_path: Path) -> None:
    record = record_of(("II", "II", "MLII", "MLII"), 500.0, 300)
    path = write_record(record, tmp_path / "record", form)
    assert read_record(path).leads == ("II", "II-2", "MLII", "MLII-2")


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if form.dated])
def test_a_time_changes_no_sample(form: str, tmp_path: Path) -> None:
    record = record_of(("I", "II"), 512.414, 700)
    back = read_record(write_record(record, tmp_path / "record", form, recorded=datetime(2020, 8, 5, 14, 30, 1)))
    assert (back.leads, back.comments) == (record.leads, record.comments)
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=5.1e-4)


@pytest.mark.parametrize("form", FORMATS)
@given(
    fs_hz=st.floats(100, 1000),
    samples=st.integers(2, 700),
    leads=st.lists(st.sampled_from([*STANDARD_LEADS, "vx", "MCL1", "V3R"]), min_size=1, max_size=12, unique=True),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rate_and_length_come_back(form: str, fs_hz: float, samples: int, leads: list[str], tmp_path: Path) -> None:
    check(form, record_of(tuple(leads), float(f"{fs_hz:.7g}"), samples), tmp_path)

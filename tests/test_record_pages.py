"""Digital ECGs that are read as pages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecglens.corrections import Corrections, correct_page
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.formats.files import write_record
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads.locate import locate_leads
from ecglens.pages.source import SourceFile
from ecglens.reading import locate_corrected, read
from ecglens.record_pages import convert_record, draw_record, looks_like_record, read_record_page
from ecglens.record_reading import examine_record
from ecglens.records import EcgRecord, Layout

pytest.importorskip("ecgdatakit")

RECORD = read_csv(Path(__file__).parent / "data" / "ptbxl_00001.csv")


def file_of(record: EcgRecord, folder: Path, form: str = "aecg") -> bytes:
    return write_record(record, folder / "record", form).read_bytes()


def _center(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    return signals - np.median(signals, axis=1, keepdims=True)


def test_a_digital_ecg_is_digitized_to_its_own_signals(tmp_path: Path) -> None:
    page = read_record_page(file_of(RECORD, tmp_path))
    tracing = digitize_page(page)
    assert tracing.record is not None
    assert (tracing.layout.name, tracing.record.leads) == ("12x1", STANDARD_LEADS)
    assert (tracing.speed_source, tracing.gain_mm_mv) == ("printed", 10.0)
    np.testing.assert_allclose(_center(tracing.record.signals_mv), _center(RECORD.signals_mv), atol=0.004)
    assert min(tracing.record.quality) > 0.9
    on_pixels = digitize_page(replace(page, drawing=None))
    for trace, pixel_trace in zip(tracing.traces, on_pixels.traces, strict=True):
        rows = np.interp(trace.columns_px, pixel_trace.columns_px, pixel_trace.rows_px, np.nan, np.nan)
        assert trace.lead == pixel_trace.lead
        assert np.nanmedian(np.abs(rows - trace.rows_px)) < 0.5


@pytest.mark.parametrize(
    ("leads", "layout"), [(STANDARD_LEADS[:6], "6x1-limb"), (STANDARD_LEADS[6:], "6x1-precordial")]
)
def test_six_leads_are_a_page_of_six(leads: tuple[str, ...], layout: str, tmp_path: Path) -> None:
    rows = [RECORD.leads.index(lead) for lead in leads]
    part = EcgRecord(RECORD.signals_mv[rows], RECORD.fs_hz, leads)
    assert digitize_page(read_record_page(file_of(part, tmp_path))).layout.name == layout


def test_a_long_recording_says_that_its_beginning_is_shown_and_an_offset_is_left_out(tmp_path: Path) -> None:
    long = replace(RECORD, signals_mv=np.tile(RECORD.signals_mv, 3) + np.float32(7.5))
    page = read_record_page(file_of(long, tmp_path, "dicom"))
    assert "The page shows the first 10 s of 30 s of the recording." in page.warnings
    assert page.height < 2500
    assert page.drawing is not None
    assert page.drawing.record.duration_s == 30.0
    assert page.drawing.visible.duration_s == 10.0


def test_gaps_stay_gaps(tmp_path: Path) -> None:
    signals = RECORD.signals_mv.copy()
    signals[3, 1000:2000] = np.nan
    tracing = digitize_page(read_record_page(file_of(replace(RECORD, signals_mv=signals), tmp_path, "json")))
    assert tracing.record is not None
    assert np.isnan(tracing.record.signals_mv[3, 1100:1900]).all()


def test_leads_that_follow_each_other_begin_together_on_the_page() -> None:
    signals = np.full((12, RECORD.signals_mv.shape[1]), np.nan, np.float32)
    for row, lead in enumerate(RECORD.leads):
        column = slice(1250 * (row // 3), 1250 * (row // 3 + 1))
        signals[row, column] = RECORD[lead][column]
    page = draw_record(replace(RECORD, signals_mv=signals), "columns")
    tracing = digitize_page(page)
    assert "Leads that begin later in the recording are shown from the beginning of their row." in page.warnings
    assert tracing.record is not None
    assert tracing.record.leads == STANDARD_LEADS
    read, truth = tracing.record["V6"][:1250], RECORD["V6"][3750:]
    is_read = np.isfinite(read)
    assert is_read[20:1200].all()
    assert np.corrcoef(read[is_read], truth[is_read])[0, 1] > 0.98  # another lead has less than 0.9


@pytest.mark.parametrize(
    ("leads", "lead", "warnings"),
    [
        (("I",), "I", ()),
        (("V1", "V5"), "V1", ("The page shows one of 2 leads: V1, V5.",)),
        (("MV2",), "I", ("The lead MV2 is none of the twelve; it is shown as lead I.",)),
    ],
)
def test_one_lead_is_shown_of_records_without_the_leads_of_a_layout(
    leads: tuple[str, ...], lead: str, warnings: tuple[str, ...], tmp_path: Path
) -> None:
    record = EcgRecord(RECORD.signals_mv[: len(leads)], RECORD.fs_hz, leads)
    page = read_record_page(file_of(record, tmp_path, "dicom"))
    tracing = digitize_page(page)
    assert page.warnings == warnings
    assert tracing.layout.name == "1x1"
    assert tracing.record is not None
    assert tracing.record.leads == (lead,)
    read, signal = (_center(each[:1, :4990]) for each in (tracing.record.signals_mv, RECORD.signals_mv))
    assert np.median(np.abs(read - signal)) < 0.002


def test_of_a_recording_of_minutes_the_beginning_is_read(tmp_path: Path) -> None:
    long = replace(RECORD, signals_mv=np.tile(RECORD.signals_mv, 7))
    packed = convert_record(SourceFile(file_of(long, tmp_path, "dicom"), "record", 1, 0.0))
    assert len(packed) < long.signals_mv.nbytes
    page = read_record_page(file_of(long, tmp_path, "dicom"))
    assert page.drawing is not None
    assert page.drawing.record.duration_s == 60.0
    assert "The first 60 s of 70 s of the recording are read." in page.warnings


def test_the_leads_are_where_they_were_drawn() -> None:
    page = draw_record(RECORD, "record")
    located = locate_leads(page)
    assert page.drawing is not None
    assert located.layout is page.drawing.layout
    searched = locate_leads(replace(page, drawing=None)).layout
    assert isinstance(located.layout, Layout)
    assert isinstance(searched, Layout)
    assert searched.name == located.layout.name
    for truth, result in zip(located.layout.leads, searched.leads, strict=True):
        assert result.lead == truth.lead
        assert result.baseline_px == pytest.approx(truth.baseline_px, abs=3)
        assert result.box.left == pytest.approx(truth.box.left, abs=8)


@pytest.mark.parametrize(
    ("leads", "seconds"), [(STANDARD_LEADS, 10.0), (STANDARD_LEADS, 2.5), (("I",), 30.0), (("V1", "V5", "MV2"), 2.8)]
)
def test_a_page_of_a_digital_ecg_is_answered_as_the_record_itself(leads: tuple[str, ...], seconds: float) -> None:
    rows = [RECORD.leads.index(lead) if lead in RECORD.leads else 6 for lead in leads]
    long = np.tile(RECORD.signals_mv[rows], 3)[:, : round(seconds * RECORD.fs_hz)]
    record = EcgRecord(long, RECORD.fs_hz, leads, comments=("age: 60", "sex: female"))
    expected = examine_record(record)
    reading = read(draw_record(record, "record"), measure=True)
    assert expected.prediction is not None
    assert reading.measurements is not None
    assert reading.measurements.to_dict() == expected.measurements.to_dict()
    assert reading.statements == expected.statements
    assert reading.prediction.probabilities == expected.prediction.probabilities
    assert reading.prediction.abstention == expected.prediction.abstention


def test_corrections_by_hand_are_of_the_page_that_was_drawn() -> None:
    page = draw_record(RECORD, "record")
    turned = correct_page(page, Corrections(rotation_deg=90.0))
    assert turned.drawing is None
    located, tracing = locate_corrected(page, Corrections(names={"V1": "V2", "V2": "V1"}))
    assert located.page.drawing is None
    assert tracing is not None
    assert tracing.record is not None
    assert tracing.record.leads[6:8] == ("V2", "V1")


def test_files_that_are_no_record_are_refused(tmp_path: Path) -> None:
    assert not looks_like_record(b"\xff\xd8\xff not a record")
    assert looks_like_record(file_of(RECORD, tmp_path))
    with pytest.raises(EcgReadError, match="Expected a digital ECG at the file, got a file of another kind"):
        read_record_page(b"<rss></rss>\n")

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.coded import LEAD_NUMBERS
from ecglens.formats.dicom import read_dicom, write_dicom
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

pydicom = pytest.importorskip("pydicom")


def test_pydicom_reads_the_voltages_of_each_group(page: EcgRecord, tmp_path: Path) -> None:
    write_dicom(page, tmp_path / "a.dcm")
    document = pydicom.dcmread(tmp_path / "a.dcm")
    assert document.SOPClassUID.name == "12-lead ECG Waveform Storage"
    assert [group.NumberOfWaveformChannels for group in document.WaveformSequence] == [12, 1]
    placed = page.on_one_clock().signals_mv
    for number, rows in ((0, placed[:12]), (1, placed[12:])):
        group = document.WaveformSequence[number]
        assert float(group.SamplingFrequency) == 500
        hidden = np.frombuffer(group.WaveformPaddingValue, "<i2")[0]
        raw = pydicom.waveforms.numpy_handler.multiplex_array(document, number, as_raw=True)
        volts = pydicom.waveforms.numpy_handler.multiplex_array(document, number, as_raw=False)
        mv = np.where(raw == hidden, np.nan, volts / 1000).T
        np.testing.assert_allclose(mv, rows, atol=6e-4)


MEANINGS = {
    "CC5": "Chest lead per V5 and V5R placement",
    "CM5": "Chest-manubrium lead per V5 placement",
    **{lead: f"EASI Lead {lead}" for lead in ("ES", "AS", "AI")},
}
"""Names by the standard of leads that are no names of leads themselves."""


def test_lead_codes_are_those_of_the_standard(page: EcgRecord, tmp_path: Path) -> None:
    from pydicom.sr._concepts_dict import concepts

    meanings = {code: meaning for entry in concepts["MDC"].values() for code, (meaning, _) in entry.items()}
    for lead, number in LEAD_NUMBERS.items():
        spelled = meanings[f"2:{number}"].replace("\N{MINUS SIGN}", "-").removeprefix("Lead ")
        assert spelled.split(",")[0] == MEANINGS.get(lead, lead)
    write_dicom(page, tmp_path / "a.dcm")
    document = pydicom.dcmread(tmp_path / "a.dcm")
    for group in document.WaveformSequence:
        for channel in group.ChannelDefinitionSequence:
            source, unit = channel.ChannelSourceSequence[0], channel.ChannelSensitivityUnitsSequence[0]
            lead = channel.ChannelLabel.removesuffix("-rhythm")
            assert (source.CodeValue, source.CodingSchemeDesignator) == (f"2:{LEAD_NUMBERS[lead]}", "MDC")
            assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("uV", "UCUM")


def test_nothing_tells_a_person_and_the_time_is_the_callers(whole: EcgRecord, tmp_path: Path) -> None:
    write_dicom(whole, tmp_path / "a.dcm")
    write_dicom(whole, tmp_path / "b.dcm", recorded=datetime(2020, 8, 5, 14, 30, 1))
    none, override = (pydicom.dcmread(tmp_path / name) for name in ("a.dcm", "b.dcm"))
    assert str(none.PatientName) == "Anonymous"
    assert (none.PatientID, none.PatientBirthDate, none.PatientSex, none.StudyDate) == ("", "", "", "")
    assert none.AcquisitionDateTime.startswith("19000101")
    assert (override.AcquisitionDateTime, override.StudyDate) == ("20200805143001", "20200805")


def test_uids_follow_from_the_content(whole: EcgRecord, tmp_path: Path) -> None:
    other = replace(whole, comments=())
    uids = []
    for record in (whole, whole, other):
        write_dicom(record, tmp_path / "a.dcm")
        document = pydicom.dcmread(tmp_path / "a.dcm")
        uids.append(document.SOPInstanceUID)
        assert document.SOPInstanceUID.is_valid
        assert len({document.SOPInstanceUID, document.SeriesInstanceUID, document.StudyInstanceUID}) == 3
    assert uids[0] == uids[1] != uids[2]


@pytest.mark.parametrize(("fs_hz", "leads"), [(49.0, 12), (2000.0, 12), (100.0, 13), (500.0, 25)])
def test_what_no_kind_of_file_may_hold_is_refused(fs_hz: float, leads: int, tmp_path: Path) -> None:
    record = EcgRecord(np.zeros((leads, 100), np.float32), fs_hz, tuple(f"lead {number}" for number in range(leads)))
    with pytest.raises(DatasetError, match=f"got {leads} leads of 100 samples at {fs_hz:g} Hz"):
        write_dicom(record, tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("samples", "fs_hz", "name"),
    [
        (16384, 500.0, "12-lead ECG Waveform Storage"),
        (16385, 500.0, "General ECG Waveform Storage"),
        (100, 130.0, "Ambulatory ECG Waveform Storage"),
    ],
)
def test_a_record_becomes_the_first_kind_of_file_that_can_hold_it(
    samples: int, fs_hz: float, name: str, tmp_path: Path
) -> None:
    write_dicom(EcgRecord(np.ones((1, samples), np.float32), fs_hz, ("II",)), tmp_path / "a.dcm")
    assert pydicom.dcmread(tmp_path / "a.dcm").SOPClassUID.name == name
    back = read_dicom(tmp_path / "a.dcm")
    assert (back.signals_mv.shape, back.fs_hz, back.leads) == ((1, samples), fs_hz, ("II",))


def test_files_of_other_makers_are_read(whole: EcgRecord, tmp_path: Path) -> None:
    """Codes of SCP-ECG, a gain of 2.5 uV, no label, a baseline, and a group of median beats."""
    write_dicom(whole, tmp_path / "a.dcm")
    document = pydicom.dcmread(tmp_path / "a.dcm")
    group = document.WaveformSequence[0]
    for channel in group.ChannelDefinitionSequence:
        source = channel.ChannelSourceSequence[0]
        source.CodeValue = source.CodeValue.replace("2:", "5.6.3-9-")
        source.CodingSchemeDesignator = "SCPECG"
        channel.ChannelSensitivity, channel.ChannelBaseline = "2.5", "100"
        del channel.ChannelLabel
    beats = pydicom.Dataset()
    beats.update(group)
    beats.MultiplexGroupLabel = "MEDIAN BEAT"
    document.WaveformSequence.append(beats)
    document.save_as(tmp_path / "b.dcm")
    back = read_dicom(tmp_path / "b.dcm")
    assert back.leads == STANDARD_LEADS
    np.testing.assert_allclose(back.signals_mv, whole.signals_mv * 2.5 + 0.1, atol=2e-3)


def test_a_dicom_file_without_waveforms_is_refused(whole: EcgRecord, tmp_path: Path) -> None:
    write_dicom(whole, tmp_path / "a.dcm")
    document = pydicom.dcmread(tmp_path / "a.dcm")
    del document.WaveformSequence
    document.save_as(tmp_path / "b.dcm")
    with pytest.raises(DatasetError, match=r"Expected a waveform in b\.dcm"):
        read_dicom(tmp_path / "b.dcm")


def test_a_file_with_free_text_does_not_say_that_the_person_was_removed(whole: EcgRecord, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    removed = {}
    for comments in ((), ("Patient: Example, Erika",)):
        path = tmp_path / f"{len(comments)}.dcm"
        write_dicom(replace(whole, comments=comments), path)
        removed[len(comments)] = str(pydicom.dcmread(path).PatientIdentityRemoved)
    assert removed == {0: "YES", 1: "NO"}


def change(record: EcgRecord, path: Path, edit: Callable[[pydicom.Dataset], None], syntax: str = "") -> EcgRecord:
    """Write a record, edit the data set, and read it back from a file in a transfer syntax."""
    write_dicom(record, path)
    document = pydicom.dcmread(path)
    fresh = pydicom.Dataset()
    fresh.file_meta = document.file_meta
    fresh.update(document)
    edit(fresh)
    fresh.file_meta.TransferSyntaxUID = syntax or pydicom.uid.ExplicitVRLittleEndian
    own = pydicom.uid.UID(fresh.file_meta.TransferSyntaxUID)
    pydicom.dcmwrite(
        path, fresh, enforce_file_format=True, implicit_vr=own.is_implicit_VR, little_endian=own.is_little_endian
    )
    return read_dicom(path)


@pytest.fixture
def three() -> EcgRecord:
    rows = np.random.default_rng(3).normal(0, 1, (3, 400)).astype(np.float32)
    return EcgRecord(rows, 500.0, ("I", "II", "V1"))


def turn_bytes(document: pydicom.Dataset) -> None:
    group = document.WaveformSequence[0]
    for name in ("WaveformData", "WaveformPaddingValue"):
        group[name].value = np.frombuffer(group[name].value, "<i2").astype(">i2").tobytes()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("syntax", "edit"),
    [
        (pydicom.uid.ExplicitVRBigEndian, turn_bytes),
        (pydicom.uid.ImplicitVRLittleEndian, lambda document: None),
        (pydicom.uid.DeflatedExplicitVRLittleEndian, lambda document: None),
    ],
)
def test_every_transfer_syntax_gives_the_same_samples(
    syntax: str, edit: Callable[[pydicom.Dataset], None], three: EcgRecord, tmp_path: Path
) -> None:
    np.testing.assert_allclose(change(three, tmp_path / "a", edit, syntax).signals_mv, three.signals_mv, atol=6e-4)


def test_unsigned_samples_have_their_baseline(three: EcgRecord, tmp_path: Path) -> None:
    def edit(document: pydicom.Dataset) -> None:
        group = document.WaveformSequence[0]
        group.WaveformSampleInterpretation = "US"
        group.WaveformData = (np.frombuffer(group.WaveformData, "<i2").astype(int) + 32768).astype("<u2").tobytes()
        del group.WaveformPaddingValue
        for channel in group.ChannelDefinitionSequence:
            channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "0.5", "2"
            channel.ChannelBaseline = "-32768"

    np.testing.assert_allclose(change(three, tmp_path / "a", edit).signals_mv, three.signals_mv, atol=6e-4)


def test_channels_without_a_voltage_or_of_another_rate_are_left_out_with_a_warning(
    three: EcgRecord, tmp_path: Path
) -> None:
    def edit(document: pydicom.Dataset) -> None:
        other = copy.deepcopy(document.WaveformSequence[0])
        other.SamplingFrequency = "250"
        document.WaveformSequence.append(other)
        first, second, _ = document.WaveformSequence[0].ChannelDefinitionSequence
        first.ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"
        del second.ChannelSensitivity

    record = change(three, tmp_path / "a", edit)
    assert (record.leads, record.fs_hz) == (("I", "II", "V1"), 250.0)
    assert record.warnings == (
        "Left out, since the file states no voltage for them: I, II.",
        "Left out, since they have another sampling rate than 250 Hz: V1.",
    )


def test_a_derived_group_beside_an_original_one_is_no_rhythm(three: EcgRecord, tmp_path: Path) -> None:
    def edit(document: pydicom.Dataset) -> None:
        beats = copy.deepcopy(document.WaveformSequence[0])
        del beats.MultiplexGroupLabel
        document.WaveformSequence[0].WaveformOriginality = "ORIGINAL"
        document.WaveformSequence.append(beats)

    assert change(three, tmp_path / "a", edit).leads == three.leads


def test_a_name_that_contradicts_its_code_is_said(three: EcgRecord, tmp_path: Path) -> None:
    def edit(document: pydicom.Dataset) -> None:
        first, second, _ = document.WaveformSequence[0].ChannelDefinitionSequence
        first.ChannelLabel, second.ChannelLabel = "Lead V6", "left leg"

    record = change(three, tmp_path / "a", edit)
    assert record.leads == ("V6", "II", "V1")
    assert record.warnings == ("The file names a channel V6 and codes it as I; the name was used.",)

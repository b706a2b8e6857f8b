"""Records as DICOM ECG waveforms (PS3.3 A.34) in and out, by pydicom.

The rows of a page and its rhythm strips are multiplex groups of their own; in each, column 0 is the start of the
recording. A file says nothing of a person: the patient is ``Anonymous``, and times are those that the caller gives.
"""

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.checks import check_record
from ecglens.formats.coded import (
    HIDDEN,
    LEAD_NUMBERS,
    NUMBERED_LEADS,
    content_uuid,
    lead_number,
    microvolts,
    remarks,
)
from ecglens.layouts import RHYTHM, canonical_lead, is_rhythm_strip, lead_of_row
from ecglens.records import EcgRecord

__all__ = ["UNKNOWN_TIME", "read_dicom", "write_dicom"]

UNKNOWN_TIME = datetime(1900, 1, 1)
"""Stands for a time that nobody gave, where DICOM wants one."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of waveform file and what its multiplex groups may hold (PS3.3 A.34).

    Attributes:
        uid: Its SOP class.
        title: For errors.
        rates_hz: Lowest and highest sampling rate.
        channels: Number of channels of a group at most.
        samples: Number of samples of a channel at most.
        groups: Number of groups at most.
    """

    uid: str
    title: str
    rates_hz: tuple[int, int]
    channels: int
    samples: int
    groups: int


_MAX_SAMPLES = 2**31 - 1
_KINDS = (
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.1", "DICOM 12-lead ECG", (200, 1000), 13, 16384, 5),
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.2", "DICOM general ECG", (200, 1000), 24, _MAX_SAMPLES, 4),
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.3", "DICOM ambulatory ECG", (50, 1000), 12, _MAX_SAMPLES, 1),
)
"""The first one that can hold a record is written."""

_META_START = 144
"""Preamble, mark and the element that tells the length of the file's meta information (PS3.10, 7.1)."""
_MAX_UNPACKED = 100_000_000
"""Size of a deflated data set in bytes: 20 minutes of twelve leads at 1,000 Hz take 30 MB."""

_TO_MV = {"uv": 1e-3, "mv": 1.0, "v": 1e3, "nv": 1e-6}


def write_dicom(record: EcgRecord, path: str | Path, *, recorded: datetime | None = None) -> None:
    """Write a record, one microvolt a step; unknown samples have the padding value.

    It becomes a 12-lead ECG where it fits, otherwise a general or an ambulatory one.

    UIDs follow from the content, so that the same record gives the same file.

    Args:
        record: Signals in mV, at 50 to 1000 Hz.
        path: Where to write; its folder is made where it is missing.
        recorded: When the recording began; ``UNKNOWN_TIME`` is written where it is not given.

    Raises:
        DatasetError: Rate, number of leads, length or height is beyond what this kind of file may hold.
        MissingExtraError: pydicom is not installed.
    """
    pydicom = _pydicom()
    placed = record.with_distinct_leads().on_one_clock()
    strips = [row for row, lead in enumerate(placed.leads) if is_rhythm_strip(lead)]
    rows = [row for row in range(len(placed.leads)) if row not in strips]
    groups = [(label, chosen) for label, chosen in (("RHYTHM", rows), ("RHYTHM STRIPS", strips)) if chosen]
    kind = _choose_kind(placed, groups)
    when = recorded or UNKNOWN_TIME
    dataset = pydicom.Dataset()
    _describe(dataset, record, kind, when, recorded is not None)
    dataset.WaveformSequence = [_group(placed, label, chosen) for label, chosen in groups]
    dataset.WaveformAnnotationSequence = [_note(text) for text in remarks(record)]
    if not dataset.WaveformAnnotationSequence:
        del dataset.WaveformAnnotationSequence
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)


def read_dicom(path: str | Path) -> EcgRecord:
    """Read the waveforms of a DICOM file; groups of median beats are left out.

    Args:
        path: A file with a waveform sequence of voltages.

    Returns:
        Rows of all groups with the rate of the first; a later group's lead of the same name is a rhythm strip.

    Raises:
        DatasetError: The file cannot be read or has no such waveform.
        MissingExtraError: pydicom is not installed.
    """
    path = Path(path)
    pydicom = _pydicom()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of values that it repairs
            _check_deflated(pydicom, path)
            dataset = pydicom.dcmread(path)
            groups = [group for group in dataset.get("WaveformSequence", ()) if _is_rhythm(group)]
            record = None if not groups else _combine(groups, dataset.get("WaveformAnnotationSequence", ()))
    except DatasetError:
        raise
    # pydicom answers damage with whatever exception it leads to, RecursionError for sequences in sequences.
    except Exception as error:
        raise DatasetError(f"Expected a DICOM file with an ECG at {path.name}, but it cannot be read.") from error
    if record is None:
        raise DatasetError(f"Expected a waveform in the DICOM file {path.name}, but it has none.")
    return check_record(record, path.name)


def _pydicom() -> ModuleType:
    return require("pydicom", extra="signal")


def _check_deflated(pydicom: ModuleType, path: Path) -> None:
    """Refuse a deflated data set that unpacks to more than an ECG takes: pydicom unpacks it whole.

    Raises:
        DatasetError: It does.
    """
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != pydicom.uid.DeflatedExplicitVRLittleEndian:
        return
    with path.open("rb") as stream:
        stream.seek(_META_START + meta.FileMetaInformationGroupLength)
        size = len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), _MAX_UNPACKED + 1))
    if size > _MAX_UNPACKED:
        raise DatasetError(
            f"Expected a deflated data set of at most {_MAX_UNPACKED / 1e6:g} MB at {path.name}, got more; save it "
            "without compression."
        )


def _combine(groups: Sequence[Any], annotations: Sequence[Any]) -> EcgRecord:
    """Join the groups that have the rate of the first."""
    parts = [_rows(group) for group in groups]
    rates = [float(group.SamplingFrequency) for group in groups]
    offsets = [float(group.get("MultiplexGroupTimeOffset", 0) or 0) / 1000 for group in groups]
    selected = [number for number, rate in enumerate(rates) if rate == rates[0]]
    leads: list[str] = []
    for number in selected:
        leads += [f"{lead}{RHYTHM}" if lead in leads else lead for lead in parts[number][0]]
    rows = [row for number in selected for row in parts[number][1]]
    signals = np.full((len(rows), max(len(row) for row in rows)), np.nan, np.float32)
    for line, row in zip(signals, rows, strict=True):
        line[: len(row)] = row
    starts = tuple(offsets[number] for number in selected for _ in parts[number][0])
    notes = [item.get("UnformattedTextValue") for item in annotations]
    comments = tuple(str(note) for note in notes if note)
    return EcgRecord(signals, rates[0], tuple(leads), start_s=starts if any(starts) else (), comments=comments)


def _choose_kind(record: EcgRecord, groups: Sequence[tuple[str, list[int]]]) -> _Kind:
    """Return the first kind of file that can hold a record.

    Raises:
        DatasetError: There is none.
    """
    most, length = max((len(rows) for _, rows in groups), default=0), record.signals_mv.shape[1]
    for kind in _KINDS:
        low, high = kind.rates_hz
        is_short = 1 <= most <= kind.channels and 1 <= length <= kind.samples and len(groups) <= kind.groups
        if is_short and low <= record.fs_hz <= high:
            return kind
    titles = "; ".join(
        f"{kind.title}: {kind.rates_hz[0]} to {kind.rates_hz[1]} Hz and {kind.channels} leads" for kind in _KINDS
    )
    raise DatasetError(
        f"Expected a record that DICOM can hold ({titles}), got {most} leads of {length} samples at "
        f"{record.fs_hz:g} Hz."
    )


def _describe(dataset: Any, record: EcgRecord, kind: _Kind, when: datetime, has_date: bool) -> None:
    """Everything but the waveforms: file, patient, study, series, equipment, acquisition."""
    pydicom = _pydicom()
    uids = {purpose: f"2.25.{content_uuid(record, purpose).int}" for purpose in ("instance", "series", "study")}
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind.uid, uids["instance"]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids["study"], uids["series"]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Anonymous", "", "", ""
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", "Holds signals only"
    dataset.StudyDate = when.strftime("%Y%m%d") if has_date else ""
    dataset.StudyTime = when.strftime("%H%M%S") if has_date else ""
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "", "", ""
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "ECG", 1, 1
    dataset.Manufacturer = "ecglens"
    dataset.ContentDate, dataset.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    dataset.AcquisitionDateTime = when.strftime("%Y%m%d%H%M%S")
    dataset.AcquisitionContextSequence = []


def _group(record: EcgRecord, label: str, rows: list[int]) -> Any:
    group = _pydicom().Dataset()
    samples = microvolts(record.signals_mv[rows])
    group.MultiplexGroupTimeOffset = 0
    group.WaveformOriginality = "DERIVED"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = samples.shape
    group.SamplingFrequency = f"{record.fs_hz:g}"
    group.MultiplexGroupLabel = label
    group.ChannelDefinitionSequence = [_channel(record.leads[row]) for row in rows]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformPaddingValue", "OW", np.array(HIDDEN, "<i2").tobytes())
    group.add_new("WaveformData", "OW", samples.T.astype("<i2").tobytes())
    return group


def _channel(row: str) -> Any:
    channel = _pydicom().Dataset()
    lead = lead_of_row(row)
    meaning = f"Lead {lead}" if lead in LEAD_NUMBERS else "Unspecified lead"
    channel.ChannelLabel = row[:16]
    channel.ChannelSourceSequence = [_code(f"2:{lead_number(row)}", "MDC", meaning)]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "1", "1"
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelBaseline, channel.ChannelSampleSkew = "0", "0"
    channel.WaveformBitsStored = 16
    return channel


def _code(value: str, scheme: str, meaning: str) -> Any:
    code = _pydicom().Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _note(text: str) -> Any:
    """A comment on the whole first group."""
    note = _pydicom().Dataset()
    note.ReferencedWaveformChannels = [1, 0]
    note.UnformattedTextValue = text[:1024]
    return note


def _is_rhythm(group: Any) -> bool:
    return "MEDIAN" not in str(group.get("MultiplexGroupLabel", "")).upper()


def _rows(group: Any) -> tuple[list[str], NDArray[np.float64]]:
    """Names and signals in mV of a group, NaN where the samples have the padding value."""
    count, bits = int(group.NumberOfWaveformChannels), int(group.WaveformBitsAllocated)
    kinds = {(16, "SS"): "<i2", (16, "US"): "<u2", (8, "SB"): "i1", (8, "UB"): "u1", (32, "SL"): "<i4"}
    kind = kinds[bits, str(group.WaveformSampleInterpretation)]
    raw = np.frombuffer(group.WaveformData, kind)
    raw = raw[: count * int(group.NumberOfWaveformSamples)].reshape(-1, count).T
    rows = raw.astype(float)
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        rows[raw == np.frombuffer(padding, kind)[0]] = np.nan
    for row, channel in zip(rows, group.ChannelDefinitionSequence, strict=True):
        unit = str(channel.ChannelSensitivityUnitsSequence[0].CodeValue).lower()
        step = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor", 1))
        row[:] = (row * step + float(channel.get("ChannelBaseline", 0))) * _TO_MV[unit]
    return [_lead(channel) for channel in group.ChannelDefinitionSequence], rows


def _lead(channel: Any) -> str:
    """Name of a channel: its own label where that is a lead's, else by its code, ``2:61`` or ``5.6.3-9-61``."""
    label = canonical_lead(str(channel.get("ChannelLabel", "")))
    if lead_of_row(label) in LEAD_NUMBERS:
        return label
    code = channel.ChannelSourceSequence[0]
    number = str(code.CodeValue).replace("-", ":").rpartition(":")[2]
    meaning = str(code.get("CodeMeaning", "")).removeprefix("Lead ")
    return NUMBERED_LEADS.get(int(number), label or meaning) if number.isdigit() else label or meaning

"""Records as DICOM ECG waveforms (PS3.3 A.34) in and out, by pydicom.

The rows of a page and its rhythm strips are multiplex groups of their own; in each, column 0 is the start of the
recording. A file says nothing of a person: the patient is ``Anonymous``, and times are those that the caller gives.
"""

import re
import textwrap
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.checks import check_record
from ecglens.formats.coded import (
    HIDDEN,
    NUMBERED_LEADS,
    choose_lead_name,
    content_uuid,
    lead_number,
    microvolts,
    plain_lead_name,
    remarks,
)
from ecglens.formats.folders import make_folder
from ecglens.formats.selection import Signal, find_mv_per_unit, select_signals
from ecglens.layouts import RHYTHM, is_rhythm_strip
from ecglens.records import EcgRecord, distinct_names

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


_MAX_TEXT = 1024
"""Characters of an annotation at most; a longer comment takes several."""
_MAX_SAMPLES = 2**31 - 1
_KINDS = (
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.1", "DICOM 12-lead ECG", (200, 1000), 13, 16384, 5),
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.2", "DICOM general ECG", (200, 1000), 24, _MAX_SAMPLES, 4),
    _Kind("1.2.840.10008.5.1.4.1.1.9.1.3", "DICOM ambulatory ECG", (50, 1000), 12, _MAX_SAMPLES, 1),
)
"""The first one that can hold a record is written."""

_MEANINGS = MappingProxyType(
    {"CC5": "Chest lead per V5 and V5R placement", "CM5": "Chest-manubrium lead per V5 placement"}
    | {lead: f"EASI Lead {lead}" for lead in ("ES", "AS", "AI")}
)
"""Meanings of codes (PS3.16, CID 3001) that are not "Lead" and the name."""
_META_START = 144
"""Preamble, mark and the element that tells the length of the file's meta information (PS3.10, 7.1)."""
_MAX_UNPACKED = 100_000_000
"""Size of a deflated data set in bytes: 20 minutes of twelve leads at 1,000 Hz take 30 MB."""

_SAMPLES = MappingProxyType(
    {(8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4"}
)
"""Kinds of samples by their bits and interpretation (PS3.3 C.10.9.1.5); those of sound are no ECG's."""
_COMPUTED = re.compile("MEDIAN|AVERAGE|REPRESENTATIVE|TEMPLATE", re.IGNORECASE)
"""Labels of groups of beats that were computed from a recording."""


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
    dataset.WaveformAnnotationSequence = [
        _note(part) for text in remarks(record) for part in textwrap.wrap(text, _MAX_TEXT)
    ]
    if not dataset.WaveformAnnotationSequence:
        del dataset.WaveformAnnotationSequence
    path = Path(path)
    make_folder(path.parent)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)


def read_dicom(path: str | Path) -> EcgRecord:
    """Read the waveforms of a DICOM file; groups of median beats are left out.

    Args:
        path: A file with a waveform sequence of voltages.

    Returns:
        Rows of all groups with the rate of most standard leads; a later group's lead of a name is a rhythm strip.

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
            stored = dataset.get("WaveformSequence", ())
            groups = [group for group in stored if _is_rhythm(group, stored)]
            notes = dataset.get("WaveformAnnotationSequence", ())
            is_little_endian = dataset.original_encoding[1] is not False
            record = _combine(groups, notes, is_little_endian=is_little_endian, name=path.name) if groups else None
    except DatasetError:
        raise
    # pydicom answers damage with whatever exception it leads to, RecursionError for sequences in sequences.
    except Exception as error:
        raise DatasetError(f"Expected a DICOM file with an ECG at {path.name}, but it cannot be read.") from error
    if record is None:
        raise DatasetError(f"Expected a waveform in {path.name}, but it has none.")
    checked = check_record(record, path.name)
    stated, length = int(groups[0].NumberOfWaveformSamples), _count_samples(groups[0])
    if length < stated:
        warning = f"The file ends early: it states {stated:,} samples of each lead and holds {length:,}."
        return replace(checked, warnings=(*checked.warnings, warning))
    return checked


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


def _combine(groups: Sequence[Any], annotations: Sequence[Any], *, is_little_endian: bool, name: str) -> EcgRecord:
    """Join the leads of all groups that have one rate.

    Raises:
        DatasetError: No channel is an ECG with a unit of voltage.
    """
    parts = [_rows(group, is_little_endian=is_little_endian) for group in groups]
    rows = [row for part in parts for row in part]
    channels = [(group, channel) for group in groups for channel in group.ChannelDefinitionSequence]
    labels = [_label(channel) for _, channel in channels]
    scales = [_find_scale(channel) for _, channel in channels]
    selection = select_signals(
        [
            Signal(
                str(channel.get("ChannelLabel", "")) or label, label, scale is not None, float(group.SamplingFrequency)
            )
            for (group, channel), label, scale in zip(channels, labels, scales, strict=True)
        ],
        name,
    )
    leads: list[str] = []
    signals = np.full((len(selection.numbers), max(len(rows[n]) for n in selection.numbers)), np.nan, np.float32)
    for line, number in zip(signals, selection.numbers, strict=True):
        leads.append(f"{labels[number]}{RHYTHM}" if labels[number] in leads else labels[number])
        step, zero = scales[number] or (1.0, 0.0)
        line[: len(rows[number])] = rows[number] * step + zero
    offsets_ms = [float(group.get("MultiplexGroupTimeOffset", 0) or 0) for group, _ in channels]
    starts = tuple(offsets_ms[number] / 1000 for number in selection.numbers)
    notes = [item.get("UnformattedTextValue") for item in annotations]
    return EcgRecord(
        signals,
        selection.rate_hz,
        distinct_names(leads),
        start_s=starts if any(starts) else (),
        comments=tuple(str(note) for note in notes if note),
        warnings=(*selection.warnings, *_list_contradictions(channels[number][1] for number in selection.numbers)),
    )


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
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind.uid, uids["instance"]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids["study"], uids["series"]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Anonymous", "", "", ""
    if record.comments:  # free text, which may name somebody
        dataset.PatientIdentityRemoved = "NO"
    else:
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
    group.SamplingFrequency = f"{record.fs_hz:.10g}"
    group.MultiplexGroupLabel = label
    group.ChannelDefinitionSequence = [_channel(record.leads[row]) for row in rows]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformPaddingValue", "OW", np.array(HIDDEN, "<i2").tobytes())
    group.add_new("WaveformData", "OW", samples.T.astype("<i2").tobytes())
    return group


def _channel(row: str) -> Any:
    channel = _pydicom().Dataset()
    lead = NUMBERED_LEADS.get(lead_number(row), "")
    meaning = _MEANINGS.get(lead, f"Lead {lead}" if lead else "Unspecified lead")
    channel.ChannelLabel = row.replace("\\", "/")[:16]  # a backslash separates values
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
    note.UnformattedTextValue = text
    return note


def _count_samples(group: Any) -> int:
    """Count the samples of each channel that a group holds, whatever it states."""
    return len(group.WaveformData) // (int(group.WaveformBitsAllocated) // 8 * int(group.NumberOfWaveformChannels))


def _is_rhythm(group: Any, groups: Sequence[Any]) -> bool:
    """Return whether a group is no beat that was computed from others, by its label or its originality."""
    kinds = {str(each.get("WaveformOriginality", "")) for each in groups}
    is_derived = str(group.get("WaveformOriginality", "")) == "DERIVED" and "ORIGINAL" in kinds
    return not is_derived and _COMPUTED.search(str(group.get("MultiplexGroupLabel", ""))) is None


def _rows(group: Any, *, is_little_endian: bool) -> NDArray[np.float64]:
    """Return the samples of a group as they are stored, NaN where they have the padding value."""
    count, bits = int(group.NumberOfWaveformChannels), int(group.WaveformBitsAllocated)
    kind = np.dtype(_SAMPLES[bits, str(group.WaveformSampleInterpretation)]).newbyteorder(
        "<" if is_little_endian else ">"
    )
    raw = np.frombuffer(group.WaveformData, kind)
    raw = raw[: count * int(group.NumberOfWaveformSamples)].reshape(-1, count).T
    rows = raw.astype(float)
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        rows[raw == (np.frombuffer(padding, kind)[0] if isinstance(padding, bytes) else padding)] = np.nan
    return rows


def _find_scale(channel: Any) -> tuple[float, float] | None:
    """Return the millivolts of a step and of the stored value 0; ``None`` where a channel states no unit of voltage."""
    units = channel.get("ChannelSensitivityUnitsSequence") or ()
    mv = find_mv_per_unit(str(units[0].get("CodeValue", ""))) if units else None
    sensitivity = channel.get("ChannelSensitivity")
    if mv is None or sensitivity is None:
        return None
    correction, baseline = channel.get("ChannelSensitivityCorrectionFactor"), channel.get("ChannelBaseline")
    return float(sensitivity) * float(1 if correction is None else correction) * mv, float(baseline or 0) * mv


def _label(channel: Any) -> str:
    """Name of a channel: its own label where that is a lead's, else by its code, ``2:61`` or ``5.6.3-9-61``."""
    label = plain_lead_name(str(channel.get("ChannelLabel", "")))
    if lead_number(label):
        return label
    code = next(iter(channel.get("ChannelSourceSequence") or ()), None)
    meaning = "" if code is None else str(code.get("CodeMeaning", ""))
    return choose_lead_name(label or meaning, _code_number(channel))


def _code_number(channel: Any) -> int:
    """Return the number of a channel's lead by its code; 0 where it has none."""
    code = next(iter(channel.get("ChannelSourceSequence") or ()), None)
    number = "" if code is None else str(code.get("CodeValue", "")).replace("-", ":").rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _list_contradictions(channels: Iterable[Any]) -> tuple[str, ...]:
    """Return a sentence for each channel whose label is a lead's and whose code is another's."""
    pairs = ((_label(channel), NUMBERED_LEADS.get(_code_number(channel), "")) for channel in channels)
    return tuple(
        f"The file names a channel {name} and codes it as {coded}; the name was used."
        for name, coded in pairs
        if coded and lead_number(name) != lead_number(coded)
    )

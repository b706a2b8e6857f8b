"""Digital ECGs of recorders: GE MUSE, Philips Sierra and Mortara XML, HL7 aECG, SCP-ECG, EDF, ISHNE, MFER, Kardia JSON.

ecgdatakit decodes the files. Here, its results are checked: samples without a unit are left out or refused, since a
unit would be a guess; sampling rates are those of the file and not rounded; what is no signal of the patient is cut.
Names, numbers and dates of persons are not taken over.
"""

import re
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.aecg import read_aecg_texts
from ecglens.formats.checks import check_rate, check_record
from ecglens.formats.coded import WRITER, plain_lead_name, rate_of_step
from ecglens.formats.edf import read_edf_comments, read_edf_rate, restore_edf_length, restore_edf_time
from ecglens.formats.limb_leads import derive_limb_leads
from ecglens.formats.selection import Signal, select_signals
from ecglens.records import EcgRecord, distinct_names

__all__ = ["RECORDER_FORMATS", "detect_recorder_format", "guess_recorder_format", "read_recorder_file"]

RECORDER_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "GEMuseXMLParser": "muse",
        "SierraXMLParser": "sierra",
        "HL7aECGParser": "aecg",
        "SCPECGParser": "scp",
        "EDFParser": "edf",
        "ISHNEHolterParser": "ishne",
        "MFERParser": "mfer",
        "MortaraEL250Parser": "mortara",
        "AliveCorKardiaParser": "kardia",
    }
)
"""Names of the formats by the classes of ecgdatakit that read them."""

_ROOTS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "muse": re.compile(rb"<RestingECG[\s>]|<MuseInfo", re.IGNORECASE),
        "sierra": re.compile(rb"<restingecgdata"),
        "aecg": re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?AnnotatedECG\b"),
        "mortara": re.compile(rb"<ECG[\s>/].*(?:ACQUISITION_TIME|<CHANNEL|<TYPICAL_CYCLE|MORTARA)", re.DOTALL),
        "kardia": re.compile(rb'\s*\{.*"recordedAt".*"(?:amplitudeResolution|algorithmDetermination)"', re.DOTALL),
        "edf": re.compile(rb"0 {7}.{228}[-\d ]{8}.{8}[\d ]{4}", re.DOTALL),
        "ishne": re.compile(rb"ISHNE1\.0"),
        "mfer": re.compile(rb"@.MFR ", re.DOTALL),
        "scp": re.compile(rb".{8}\0\0.{12}\0\0.{4}\x07\0\0\0", re.DOTALL),
    }
)
"""Beginnings of files by format, or their first elements; for SCP-ECG, the pointer to its first section."""
_XML_FORMATS = ("muse", "sierra", "aecg", "mortara")

_HEAD_BYTES = 4096
"""Part of a file in which ecgdatakit looks for the marks of a format."""
_MAX_BYTES = 60_000_000
"""Longest file: ecgdatakit takes some 20 times as much memory. A day of three leads at 100 Hz has 52 MB."""
_REPEATED = re.compile(r"(.+)_(\d+)")
"""Name that ecgdatakit gives the second lead of a name, and those after it."""
_RELEVANT = re.compile(
    r"rhythm series.*only the first|(?:waveform|sequences|channel).*ignored|missing sample.s. set|left out|"
    r"not loaded|not applied|without a gap"
)
"""Warnings of ecgdatakit about samples; others may state dates of a person."""
_FOR_PROGRAMMERS = re.compile(r";? \(?see raw_metadata\S*")
"""Part of its warnings that a user cannot follow."""
_NUMBERED = re.compile(r"Lead (\d+)")
"""Name that ecgdatakit gives a signal for which an ISHNE file states no lead."""
_MIN_PULSE_S = 0.1
"""Shortest stretch of equal leads that is a calibration pulse and no coincidence; the pulse of Sierra takes 0.2 s."""
_MAX_AGE = 130
_EDF = ("edf", "edf_plus")
"""Names that ecgdatakit has for EDF."""
_SEXES = {"M": "male", "F": "female"}


def detect_recorder_format(path: Path, head: bytes) -> str | None:
    """Return the format of a recorder's file by its content, a value of ``RECORDER_FORMATS``; ``None`` if it has none.

    Args:
        path: The file.
        head: Its first 4096 bytes.

    Raises:
        MissingExtraError: ecgdatakit is not installed.
    """
    return next(
        (RECORDER_FORMATS[type(parser).__name__] for parser in _parsers() if parser.can_parse(path, head)), None
    )


def guess_recorder_format(head: bytes) -> str | None:
    """Return the format of a recorder's file without ecgdatakit, so that an error can name what reading it needs.

    Args:
        head: As for :func:`detect_recorder_format`.

    Returns:
        A value of ``RECORDER_FORMATS``, or ``None`` for other files.
    """
    text = head.replace(b"\0", b"")  # XML in UTF-16
    return next(
        (
            name
            for name, root in _ROOTS.items()
            if (root.search(text) if name in _XML_FORMATS else root.match(head)) is not None
        ),
        None,
    )


def read_recorder_file(path: str | Path) -> EcgRecord:
    """Read a digital ECG of a recorder.

    Args:
        path: File in one of ``RECORDER_FORMATS``, which its content tells.

    Returns:
        Signals in mV, the limb leads that were not stored computed from the others; comments with age, sex, recorder
        and filters where they are stated.

    Raises:
        DatasetError: The file cannot be read, or it states no unit of its samples.
        MissingExtraError: ecgdatakit is not installed.
    """
    path = Path(path)
    name, parsed, remarks = path.name, *_parse(path)
    facts, is_own = parsed.raw_metadata, _is_own(parsed)
    names, notes = read_aecg_texts(path) if parsed.source_format == "hl7_aecg" else (_lead_names(parsed), ())
    signals, leads, rate, left_out = _select_signals(parsed, names, name)
    off = [each for each, lead in zip(names, parsed.leads, strict=True) if "LeadOff" in lead.annotations]
    if off:
        remarks = (*remarks, f"The recorder marked leads whose electrode was off: {', '.join(off)}.")
    check_rate(rate, name)
    starts = _starts(parsed, names, leads, rate)
    if parsed.source_format in _EDF:
        signals = restore_edf_time(signals, rate, facts, name)
        if is_own:
            rate, notes = read_edf_rate(facts, rate), read_edf_comments(facts)
            signals = restore_edf_length(signals, rate, facts)
    record = EcgRecord(
        signals,
        rate,
        leads,
        start_s=starts if any(starts) else (),
        comments=notes if is_own else _describe(parsed),
        warnings=(*left_out, *remarks),
    )
    if parsed.source_format == "sierra_xml":
        record = _without_calibration_pulse(record)
    checked = check_record(record, name)
    return checked if is_own else derive_limb_leads(checked)


def _is_own(parsed: Any) -> bool:
    """Return whether ecglens wrote a file, which is read as it was written, without a lead that it has not."""
    device = parsed.recording.device
    return WRITER in (device.model, device.software_version)


def _lead_names(parsed: Any) -> tuple[str, ...]:
    """Return the names of all signals; the second of a name ends in ``-2``."""
    labels = [_NUMBERED.sub(r"channel \1", lead.label) for lead in parsed.leads]
    hits = [_REPEATED.fullmatch(label) for label in labels]
    firsts = (hit[1] if hit and hit[1] in labels else label for hit, label in zip(hits, labels, strict=True))
    return distinct_names(map(plain_lead_name, firsts))


def _parsers() -> Sequence[Any]:
    parsing = require("ecgdatakit.parsing.parser", extra="signal")
    return [parser() for parser in parsing.FileParser().parsers if parser.__name__ in RECORDER_FORMATS]


def _parse(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Parse a file, and return the result and what is damaged in it, a sentence each."""
    kit, parser = require("ecgdatakit", extra="signal"), None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(
                f"Expected a recording of at most {_MAX_BYTES / 1e6:g} MB at {path.name}, got "
                f"{path.stat().st_size / 1e6:,.0f} MB; cut it into parts."
            )
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        parser = next((parser for parser in _parsers() if parser.can_parse(path, head)), None)
        if parser is None:
            raise DatasetError(f"Expected a digital ECG of a recorder at {path.name}, got a file of another kind.")
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            parsed = parser.parse(path)
    except DatasetError:
        raise
    # ecgdatakit answers damage with whatever exception it leads to.
    except Exception as error:
        reason = str(error).replace(f"{path.parent}/", "") or type(error).__name__
        if parser is not None and RECORDER_FORMATS[type(parser).__name__] in _XML_FORMATS and _declares_entities(path):
            reason = "the XML file declares entities, which are not accepted; export it again without them"
        raise DatasetError(f"Expected a digital ECG at {path.name}, but it cannot be read: {reason}.") from error
    damage = [warning for warning in noted if issubclass(warning.category, kit.exceptions.ChecksumWarning)]
    remarks = [f"The file may be damaged: {warning.message}." for warning in damage]
    remarks += [
        f"The file was not read as a whole: {_FOR_PROGRAMMERS.sub('', str(warning.message)).rstrip('.')}."
        for warning in noted
        if warning not in damage and _RELEVANT.search(str(warning.message))
    ]
    stated = _find_stated_bytes(path, RECORDER_FORMATS[type(parser).__name__])
    if stated > path.stat().st_size:
        share = path.stat().st_size / stated
        remarks.append(f"The file is cut short: it has {share:.0%} of the bytes that its header states.")
    return parsed, tuple(remarks)


def _declares_entities(path: Path) -> bool:
    """Return whether an XML file declares entities, which could expand to gigabytes or be files of this machine."""
    return b"<!ENTITY" in path.read_bytes().replace(b"\0", b"")  # also in UTF-16


def _find_stated_bytes(path: Path, form: str) -> int:
    """Return the size that the header of an EDF or ISHNE file states; 0 where it states none."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        if form == "ishne":
            samples, first = struct.unpack_from("<i4xi", head, 14)
            (leads,) = struct.unpack_from("<h", head, 156)
            return int(first + 2 * samples * leads)
        if form == "edf":
            first, records, count = int(head[184:192]), int(head[236:244]), int(head[252:256])
            stream.seek(256 + 216 * count)
            samples = sum(int(stream.read(8)) for _ in range(count))
            return first + 2 * samples * max(0, records)
    return 0


def _select_signals(
    parsed: Any, names: Sequence[str], name: str
) -> tuple[NDArray[np.float32], tuple[str, ...], float, tuple[str, ...]]:
    """Return the signals in mV, their names and rate, and a sentence on what was left out.

    Args:
        parsed: File that ecgdatakit read.
        names: Name of each of its signals.
        name: Name of the file, for the error.

    Raises:
        DatasetError: No signal is an ECG with a unit of voltage.
    """
    kit = require("ecgdatakit.exceptions", extra="signal")
    samples: list[NDArray[np.float64] | None] = []
    for lead in parsed.leads:
        try:
            samples.append(lead.to_physical().convert_units("mV").samples)
        except (kit.RawSamplesError, ValueError):
            samples.append(None)
    signals = [
        Signal(lead.label, lead_name, row is not None, rate)
        for lead, lead_name, row, rate in zip(parsed.leads, names, samples, _exact_rates(parsed), strict=True)
    ]
    selection = select_signals(signals, name)
    rows = [row for row in (samples[number] for number in selection.numbers) if row is not None]
    selected = np.full((len(rows), max(map(len, rows))), np.nan, np.float32)
    for line, row in zip(selected, rows, strict=True):
        line[: len(row)] = row
    return selected, tuple(names[n] for n in selection.numbers), selection.rate_hz, selection.warnings


def _exact_rates(parsed: Any) -> list[float]:
    """Return the sampling rate of each signal that the file states, which ecgdatakit rounds to whole Hz."""
    facts = parsed.raw_metadata
    muse_rate = _read_muse_rate(facts["filepath"]) if parsed.source_format == "ge_muse_xml" else 0.0
    read: Callable[[int, Any], float] = {
        "ge_muse_xml": lambda number, lead: muse_rate,
        "alivecor_kardia": lambda number, lead: facts["raw"]["frequency"],
        "scp_ecg": lambda number, lead: 1e6 / facts["rhythm_sample_interval_us"],
        "mfer": lambda number, lead: facts["sampling_rates"][number],
        **dict.fromkeys(_EDF, lambda number, lead: facts["exact_sampling_rates"][lead.label]),
        "hl7_aecg": lambda number, lead: facts["rhythm_time"]["sampling_rate_exact"],
    }.get(parsed.source_format, lambda number, lead: lead.sampling_rate)
    rates = []
    for number, lead in enumerate(parsed.leads):
        try:
            rates.append(rate_of_step(1 / float(read(number, lead))))
        except (KeyError, IndexError, TypeError, ZeroDivisionError):
            rates.append(float(lead.sampling_rate))
    return rates


def _read_muse_rate(path: str) -> float:
    """Return the rate of the first rhythm of a MUSE file, a base and a power of ten; 0 where it has none."""
    xml = require("ecgdatakit.parsing.helpers.xml", extra="signal")
    for waveform in xml.parse_xml_root(Path(path).read_bytes()).findall("Waveform"):
        if (waveform.findtext("WaveformType") or "rhythm").strip().lower() == "rhythm":
            base, power = waveform.findtext("SampleBase"), waveform.findtext("SampleExponent")
            rate_hz: float = float(base or 0) * 10.0 ** float(power or 0)
            return rate_hz
    return 0.0


def _starts(parsed: Any, names: Sequence[str], leads: Sequence[str], rate: float) -> tuple[float, ...]:
    """Return when each lead begins, in s; SCP-ECG states its first sample, from 1."""
    first = {name: int(lead.annotations.get("start_sample", 1)) for name, lead in zip(names, parsed.leads, strict=True)}
    earliest = min(first[lead] for lead in leads)
    return tuple((first[lead] - earliest) / rate for lead in leads)


def _describe(parsed: Any) -> tuple[str, ...]:
    """List what matters for reading the signals: age, sex, recorder, filters."""
    patient, device = parsed.patient, parsed.recording.device
    filters = parsed.recording.acquisition.filters
    facts = {
        "age": patient.age if patient.age is not None and 0 <= patient.age <= _MAX_AGE else None,
        "sex": _SEXES.get(patient.sex),
        "recorder": " ".join(part for part in (device.manufacturer, device.model) if part) or None,
        "high pass": f"{filters.highpass:g} Hz" if filters.highpass else None,
        "low pass": f"{filters.lowpass:g} Hz" if filters.lowpass else None,
        "notch": f"{filters.notch:g} Hz" if filters.notch and filters.notch_active else None,
    }
    return tuple(f"{name}: {' '.join(str(fact).split())}" for name, fact in facts.items() if fact is not None)


def _without_calibration_pulse(record: EcgRecord) -> EcgRecord:
    """Cut the calibration pulse at the end of Sierra files: there, all leads are equal."""
    signals = record.signals_mv
    if len(signals) < 3:
        return record
    spread = np.nanmax(signals, axis=0) - np.nanmin(signals, axis=0)
    differs = np.flatnonzero(spread > 0)
    end = int(differs[-1]) + 1 if len(differs) else signals.shape[1]
    pulse = signals.shape[1] - end
    if pulse < _MIN_PULSE_S * record.fs_hz:
        return record
    return EcgRecord(
        np.ascontiguousarray(signals[:, :end]),
        record.fs_hz,
        record.leads,
        start_s=record.start_s,
        comments=(*record.comments, f"calibration pulse of the last {pulse / record.fs_hz:g} s cut"),
        warnings=record.warnings,
    )

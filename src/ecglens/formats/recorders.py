"""Digital ECGs of recorders: GE MUSE, Philips Sierra and Mortara XML, HL7 aECG, SCP-ECG, EDF, ISHNE, MFER, Kardia JSON.

ecgdatakit decodes the files. Here, its results are checked: samples without a unit are left out or refused, since a
unit would be a guess; sampling rates are those of the file and not rounded; what is no signal of the patient is cut.
Names, numbers and dates of persons are not taken over.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.checks import check_record
from ecglens.formats.limb_leads import derive_limb_leads
from ecglens.layouts import canonical_lead
from ecglens.records import EcgRecord

__all__ = ["RECORDER_FORMATS", "detect_recorder_format", "read_recorder_file"]

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

_HEAD_BYTES = 4096
"""Part of a file in which ecgdatakit looks for the marks of a format."""
_MAX_BYTES = 60_000_000
"""Longest file: ecgdatakit takes some 20 times as much memory. A day of three leads at 100 Hz has 52 MB."""
_LEAD_PREFIX = re.compile(r"(?:ECG|EKG|Lead)[ _]+", re.IGNORECASE)
_MIN_PULSE_S = 0.1
"""Shortest stretch of equal leads that is a calibration pulse and no coincidence; the pulse of Sierra takes 0.2 s."""
_MAX_AGE = 130
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
    signals, leads, rate, left_out = _select_signals(parsed, name)
    starts = _starts(parsed, leads, rate)
    record = EcgRecord(
        signals,
        rate,
        leads,
        start_s=starts if any(starts) else (),
        comments=_describe(parsed),
        warnings=(*left_out, *remarks),
    )
    if parsed.source_format == "sierra_xml":
        record = _without_calibration_pulse(record)
    return derive_limb_leads(check_record(record, name))


def _parsers() -> Sequence[Any]:
    parsing = require("ecgdatakit.parsing.parser", extra="signal")
    return [parser() for parser in parsing.FileParser().parsers if parser.__name__ in RECORDER_FORMATS]


def _parse(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Parse a file, and return the result and what is damaged in it, a sentence each."""
    kit = require("ecgdatakit", extra="signal")
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
        raise DatasetError(f"Expected a digital ECG at {path.name}, but it cannot be read: {reason}.") from error
    damage = [warning for warning in noted if issubclass(warning.category, kit.exceptions.ChecksumWarning)]
    return parsed, tuple(f"The file may be damaged: {warning.message}." for warning in damage)


def _select_signals(parsed: Any, name: str) -> tuple[NDArray[np.float32], tuple[str, ...], float, tuple[str, ...]]:
    """Return the signals in mV, their names and rate, and a sentence on what was left out.

    Raises:
        DatasetError: No signal has a unit of voltage.
    """
    kit = require("ecgdatakit.exceptions", extra="signal")
    voltages, unknown = [], []
    for number, lead in enumerate(parsed.leads):
        try:
            voltages.append((number, lead.to_physical().convert_units("mV")))
        except (kit.RawSamplesError, ValueError):
            unknown.append(lead.label)
    if not voltages:
        raise DatasetError(
            f"Expected signals whose unit is stated in {name}, got {len(unknown)} without a voltage; export it again "
            "with its scale."
            if unknown
            else f"Expected signals in {name}, got none; export it with its waveforms."
        )
    rates = {number: _exact_rate(parsed, number, lead) for number, lead in voltages}
    rate = rates[voltages[0][0]]
    others = [lead.label for number, lead in voltages if rates[number] != rate]
    chosen = [lead for number, lead in voltages if rates[number] == rate]
    signals = np.full((len(chosen), max(len(lead.samples) for lead in chosen)), np.nan, np.float32)
    for row, lead in zip(signals, chosen, strict=True):
        row[: len(lead.samples)] = lead.samples
    left_out = []
    if unknown:
        left_out.append(f"Left out, since the file states no voltage for them: {', '.join(unknown)}.")
    if others:
        left_out.append(f"Left out, since they have another sampling rate than {rate:g} Hz: {', '.join(others)}.")
    return signals, tuple(_lead_name(lead.label) for lead in chosen), rate, tuple(left_out)


def _exact_rate(parsed: Any, number: int, lead: Any) -> float:
    """Return the sampling rate that the file states, which ecgdatakit rounds to whole Hz."""
    read: Callable[[], float] = {
        "scp_ecg": lambda: 1e6 / parsed.raw_metadata["rhythm_sample_interval_us"],
        "mfer": lambda: parsed.raw_metadata["sampling_rates"][number],
        "edf": lambda: parsed.raw_metadata["exact_sampling_rates"][lead.label],
        "edf_plus": lambda: parsed.raw_metadata["exact_sampling_rates"][lead.label],
        "hl7_aecg": lambda: parsed.raw_metadata["rhythm_time"]["sampling_rate_exact"],
    }.get(parsed.source_format, lambda: lead.sampling_rate)
    try:
        return round(float(read()), 2)
    except (KeyError, IndexError, TypeError, ZeroDivisionError):
        return float(lead.sampling_rate)


def _lead_name(label: str) -> str:
    """Return the standard name of a lead.

    >>> _lead_name("EKG I"), _lead_name("AVR"), _lead_name("vx")
    ('I', 'aVR', 'vx')
    """
    return canonical_lead(_LEAD_PREFIX.sub("", label.strip(), count=1) or label)


def _starts(parsed: Any, leads: tuple[str, ...], rate: float) -> tuple[float, ...]:
    """Return when each lead begins, in s; SCP-ECG states its first sample, from 1."""
    first = {_lead_name(lead.label): int(lead.annotations.get("start_sample", 1)) for lead in parsed.leads}
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

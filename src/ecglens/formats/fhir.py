"""Records as FHIR R4 Observations in and out: a component of SampledData for each lead, and one for each statement.

As the example ``observation-example-sample-data`` of the standard has it: codes of ISO/IEEE 11073 for the leads, one
string of whole steps for the samples, ``E`` for a missing sample. Column 0 is the start of the recording.
"""

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.formats.coded import (
    NUMBERED_LEADS,
    choose_lead_name,
    content_uuid,
    lead_number,
    plain_lead_name,
    rate_of_step,
    remarks,
)
from ecglens.formats.folders import make_folder
from ecglens.formats.selection import Signal, find_mv_per_unit, select_signals
from ecglens.layouts import lead_of_row
from ecglens.records import EcgRecord
from ecglens.statements import Outcome, Statement

__all__ = ["read_fhir", "write_fhir"]

_POTENTIAL = 131328
"""``MDC_ECG_ELEC_POTL``; the code of a lead is this and its number."""

_MDC = "urn:oid:2.16.840.1.113883.6.24"
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_UCUM = "http://unitsofmeasure.org"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Seconds of the units of an interval."""
_MOST_NAMED = 12


def write_fhir(
    record: EcgRecord,
    path: str | Path,
    *,
    recorded: datetime | None = None,
    statements: Sequence[Statement] = (),
) -> None:
    """Write a record as an Observation, one microvolt a step, without a subject.

    Args:
        record: Signals in mV.
        path: Where to write; its folder is made where it is missing.
        recorded: When the recording began; without a zone it is written as UTC. Left out where it is not given.
        statements: What criteria say about the record. Each is a component with its codes, its outcome as text, and
            the reason as text where it cannot be evaluated.
    """
    placed = record.with_distinct_leads().on_one_clock()
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{content_uuid(record, 'observation')}"}],
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORIES, "code": "procedure", "display": "Procedure"}]}],
        "code": {
            "coding": [{"system": _LOINC, "code": "11524-6", "display": "EKG study"}],
            "text": "Electrocardiogram",
        },
        "component": [
            *(
                _component(lead, signal, 1000 / placed.fs_hz)
                for lead, signal in zip(placed.leads, placed.signals_mv, strict=True)
            ),
            *map(_statement_component, statements),
        ],
    }
    if recorded is not None:
        observation["effectiveDateTime"] = recorded.isoformat() if recorded.tzinfo else f"{recorded.isoformat()}Z"
    notes = remarks(record)
    if notes:
        observation["note"] = [{"text": text} for text in notes]
    path = Path(path)
    make_folder(path.parent)
    path.write_text(json.dumps(observation) + "\n", encoding="utf-8")


def read_fhir(path: str | Path) -> EcgRecord:
    """Read an Observation whose SampledData are voltages, also the only one of a Bundle.

    Returns:
        Signals in mV at the rate of most standard leads; others are left out with a warning.

    Raises:
        DatasetError: The file cannot be read or holds no such Observation.
    """
    path = Path(path)
    try:
        parts, notes = _sampled_parts(parse_json(path.read_bytes(), allow_surrogates=False), path.name)
        _check_units(parts, path.name)
        rows = [_samples(part["valueSampledData"]) for part in parts]
        steps_s = [_step_s(part["valueSampledData"]) for part in parts]
        names = tuple(map(_lead, parts))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"Expected a FHIR Observation with SampledData at {path.name}, got none.") from error
    if not all(0 < step < math.inf for step in steps_s):
        raise DatasetError(f"Expected periods above 0 in the Observation of {path.name}, got {min(steps_s) * 1000:g}.")
    signals = [
        Signal(name, name, row is not None, rate_of_step(step))
        for name, row, step in zip(names, rows, steps_s, strict=True)
    ]
    selection = select_signals(signals, path.name)
    leads = tuple(names[number] for number in selection.numbers)
    if len(set(leads)) < len(leads):
        raise DatasetError(
            f"Expected each lead once in the Observation of {path.name}, got {', '.join(leads[:_MOST_NAMED])}; join "
            "the parts of a lead."
        )
    chosen = [row for row in (rows[number] for number in selection.numbers) if row is not None]
    samples = np.full((len(chosen), max(map(len, chosen))), np.nan, np.float32)
    with np.errstate(over="ignore"):  # what no float can hold is infinite, and thus missing
        for line, row in zip(samples, chosen, strict=True):
            line[: len(row)] = row
    record = EcgRecord(samples, selection.rate_hz, leads, comments=notes, warnings=selection.warnings)
    return check_record(record, path.name)


def _sampled_parts(document: dict[str, Any], name: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the parts of an Observation that have samples, itself or its components, and its notes.

    Raises:
        DatasetError: A Bundle has several such Observations.
    """
    resources = [entry.get("resource", {}) for entry in document.get("entry", ())]
    observations = [
        (parts, tuple(note["text"] for note in resource.get("note", ())))
        for resource in (resources if document.get("resourceType") == "Bundle" else [document])
        for parts in [[part for part in (resource, *resource.get("component", ())) if "valueSampledData" in part]]
        if parts
    ]
    if len(observations) > 1:
        raise DatasetError(
            f"Expected one Observation with SampledData in the Bundle of {name}, got {len(observations)}; save each as "
            "a file of its own."
        )
    [only] = observations
    return only


def _check_units(parts: list[dict[str, Any]], name: str) -> None:
    """Refuse samples of which none has a unit of voltage, and those whose height or order could only be guessed.

    Raises:
        DatasetError: There are such samples.
    """
    units = {_unit(part["valueSampledData"]) for part in parts}
    if all(find_mv_per_unit(unit) is None for unit in units):
        strange = " and ".join(sorted(units - {""}))
        raise DatasetError(
            f"Expected samples in mV, uV or V in the Observation of {name}, got {strange or 'no unit'}; add their unit."
        )
    dimensions = max(int(part["valueSampledData"].get("dimensions", 1)) for part in parts)
    if dimensions != 1 or any("codeMap" in part["valueSampledData"] for part in parts):
        raise DatasetError(
            f"Expected plain samples of one dimension in the Observation of {name}, got {dimensions} dimensions or a "
            "map of codes; write a component for each lead."
        )


def _unit(data: dict[str, Any]) -> str:
    origin = data["origin"]
    return str(origin.get("code") or origin.get("unit") or "")


def _step_s(data: dict[str, Any]) -> float:
    """Return the time between samples in s: the period in ms of R4, or the interval of R5 with its unit."""
    if "period" in data:
        return float(data["period"]) / 1000
    return float(data["interval"]) * _SECONDS[data["intervalUnit"]]


def _component(lead: str, signal_mv: NDArray[np.floating], period_ms: float) -> dict[str, Any]:
    number, microvolts = lead_number(lead), (signal_mv * 1000.0).tolist()
    coding = {"system": _MDC, "code": str(_POTENTIAL + number), "display": "MDC_ECG_ELEC_POTL"}
    if number and not lead.startswith("-"):
        coding["display"] += f"_{lead_of_row(lead).upper()}"
    return {
        "code": {"coding": [coding], "text": lead},
        "valueSampledData": {
            "origin": {"value": 0, "unit": "mV", "system": _UCUM, "code": "mV"},
            "period": float(f"{period_ms:.12g}"),
            "factor": 0.001,
            "dimensions": 1,
            "data": " ".join("E" if math.isnan(value) else str(round(value)) for value in microvolts),
        },
    }


def _statement_component(statement: Statement) -> dict[str, Any]:
    code: dict[str, Any] = {"text": f"{statement.title} ({statement.name}); doi:{statement.source.doi}"}
    if statement.snomed_code is not None:
        code["coding"] = [{"system": _SNOMED, "code": statement.snomed_code}]
    if statement.outcome is Outcome.CANNOT_BE_EVALUATED:
        absent = {"coding": [{"system": _ABSENT, "code": "unknown"}], "text": statement.reason}
        return {"code": code, "dataAbsentReason": absent}
    return {"code": code, "valueCodeableConcept": {"text": statement.outcome.value}}


def _samples(data: dict[str, Any]) -> list[float] | None:
    """Return samples in mV, or ``None`` if their unit is no voltage; errors and values beyond the limits are NaN."""
    scale = find_mv_per_unit(_unit(data))
    if scale is None:
        return None
    factor, zero = float(data.get("factor", 1)), float(data["origin"].get("value", 0))
    return [
        np.nan if word in {"E", "L", "U"} else (float(word) * factor + zero) * scale for word in data["data"].split()
    ]


def _lead(part: dict[str, Any]) -> str:
    """Return the name of a part: its text where that is a lead's, else by its code, else the text."""
    code = part["code"]
    text = plain_lead_name(str(code.get("text") or ""))
    numbers = [
        int(str(item["code"])) - _POTENTIAL
        for item in code.get("coding", ())
        if item.get("system") == _MDC and str(item["code"]).isdigit()
    ]
    if lead_number(text):
        return text
    return choose_lead_name(text, next((number for number in numbers if number in NUMBERED_LEADS), 0))

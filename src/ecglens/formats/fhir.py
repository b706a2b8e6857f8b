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

from ecglens.documents import parse_json
from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.formats.coded import HIDDEN, NUMBERED_LEADS, content_uuid, lead_number, microvolts, remarks
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
_TO_MV = {"mV": 1.0, "uV": 1e-3, "V": 1e3}


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

    Raises:
        DatasetError: A sample is beyond 32.7 mV.
    """
    placed = record.with_distinct_leads().on_one_clock()
    rows = zip(placed.leads, microvolts(placed.signals_mv).tolist(), strict=True)
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
            *(_component(lead, row, 1000 / placed.fs_hz) for lead, row in rows),
            *map(_statement_component, statements),
        ],
    }
    if recorded is not None:
        observation["effectiveDateTime"] = recorded.isoformat() if recorded.tzinfo else f"{recorded.isoformat()}Z"
    notes = remarks(record)
    if notes:
        observation["note"] = [{"text": text} for text in notes]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(observation) + "\n", encoding="utf-8")


def read_fhir(path: str | Path) -> EcgRecord:
    """Read an Observation whose components are SampledData of voltages at one rate.

    Raises:
        DatasetError: The file cannot be read or holds no such Observation.
    """
    path = Path(path)
    try:
        observation = parse_json(path.read_text(encoding="utf-8"))
        parts = [part for part in observation["component"] if "valueSampledData" in part]
        _check_units(parts, path.name)
        rows = [_samples(part["valueSampledData"]) for part in parts]
        periods = {float(part["valueSampledData"]["period"]) for part in parts}
        leads = tuple(map(_lead, parts))
        notes = tuple(note["text"] for note in observation.get("note", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"Expected a FHIR Observation with SampledData at {path.name}, got none.") from error
    if periods and not all(0 < period < math.inf for period in periods):
        raise DatasetError(f"Expected periods above 0 in the Observation {path.name}, got {min(periods):g}.")
    if len(periods) != 1:
        raise DatasetError(f"Expected leads of one rate in the Observation {path.name}, got {len(periods)}.")
    signals = np.full((len(rows), max(map(len, rows))), np.nan, np.float32)
    for line, row in zip(signals, rows, strict=True):
        line[: len(row)] = row
    return check_record(EcgRecord(signals, round(1000 / periods.pop(), 3), leads, comments=notes), path.name)


def _check_units(parts: list[dict[str, Any]], name: str) -> None:
    """Refuse samples without a unit of voltage, whose height could only be guessed.

    Raises:
        DatasetError: There are such samples.
    """
    units = {_unit(part["valueSampledData"]) for part in parts}
    if not units <= _TO_MV.keys():
        strange = " and ".join(sorted(units - _TO_MV.keys()))
        raise DatasetError(
            f"Expected samples in mV, uV or V in the Observation {name}, got {strange or 'no unit'}; add their unit."
        )


def _unit(data: dict[str, Any]) -> str:
    origin = data["origin"]
    return str(origin.get("code") or origin.get("unit") or "")


def _component(lead: str, row: list[int], period_ms: float) -> dict[str, Any]:
    number = lead_number(lead)
    coding = {"system": _MDC, "code": str(_POTENTIAL + number), "display": "MDC_ECG_ELEC_POTL"}
    if number and not lead.startswith("-"):
        coding["display"] += f"_{lead_of_row(lead).upper()}"
    return {
        "code": {"coding": [coding], "text": lead},
        "valueSampledData": {
            "origin": {"value": 0, "unit": "mV", "system": _UCUM, "code": "mV"},
            "period": round(period_ms, 9),
            "factor": 0.001,
            "dimensions": 1,
            "data": " ".join("E" if sample == HIDDEN else str(sample) for sample in row),
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


def _samples(data: dict[str, Any]) -> list[float]:
    """In mV; errors and values beyond the limits are NaN."""
    scale = _TO_MV[_unit(data)]
    factor, zero = float(data.get("factor", 1)), float(data["origin"].get("value", 0))
    return [
        np.nan if word in {"E", "L", "U"} else (float(word) * factor + zero) * scale for word in data["data"].split()
    ]


def _lead(part: dict[str, Any]) -> str:
    code = part["code"]
    numbers = [int(item["code"]) - _POTENTIAL for item in code.get("coding", ()) if item.get("system") == _MDC]
    return str(
        code.get("text") or next((NUMBERED_LEADS[number] for number in numbers if number in NUMBERED_LEADS), "?")
    )

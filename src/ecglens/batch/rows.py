"""The columns of a page's row, their meaning, and how the row is made from what was read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecglens.batch.job import SCHEMA_VERSION, Job
from ecglens.explanations import Explanation
from ecglens.extras import require
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import (
    Layout,
    Measured,
    Measurements,
    NotFound,
    Page,
    Prediction,
    RecordReading,
    Tracing,
    distinct_names,
)
from ecglens.statements import Outcome, Statement

__all__ = ["FAILURES", "MEASUREMENT_COLUMNS", "Column", "columns", "page_row", "record_row", "schema"]

FAILURES: Mapping[str, str] = {
    "unreachable": "its bytes could not be read; the next run tries again",
    "not_a_page": "its bytes are no page and no digital ECG that can be read",
    "memory": "it needs more memory than the limit for a page",
    "time": "it takes longer than the time limit for a page",
    "crash": "it ended the process that read it, twice",
    "lost": "the machines that read it disappeared repeatedly",
    "error": "it triggers an error in the program",
}
"""Meaning of the values of the column ``failure``."""

MEASUREMENT_COLUMNS: Mapping[str, str] = {
    "rate_bpm": "ventricular rate, 1/min",
    "basic_rate_bpm": "rate of the middle half of the RR intervals, 1/min",
    "rr_ms": "mean RR interval",
    "sdnn_ms": "standard deviation of the RR intervals",
    "rmssd_ms": "root mean square of their successive differences",
    "p_ms": "P wave",
    "pr_ms": "PR interval",
    "qrs_ms": "QRS duration",
    "qt_ms": "QT interval",
    "qtc_bazett_ms": "QTc by Bazett",
    "qtc_fridericia_ms": "QTc by Fridericia",
    "axis_deg": "frontal QRS axis, degrees",
}
"""Measurements with a column of their own, and a second one with the suffix ``_error`` for the standard uncertainty."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``pages.parquet``.

    Attributes:
        name: Name of the column.
        kind: Type of the column: ``string``, ``int32``, ``double``, ``bool``, ``strings``, ``doubles``, or ``leads`` (a
            double for each of the twelve leads).
        description: Meaning of the values.
    """

    name: str
    kind: str
    description: str


_FILE = (
    Column("file", "string", "name within the source; the first in alphabetical order of several identical files"),
    Column("copies", "int32", "number of files of the source with exactly these bytes"),
    Column("sha256", "string", "hash of the file's bytes; with page the key of the row; null if they were not read"),
)
_PAGE = (
    Column("page", "int32", "number of the page in the file, from 1"),
    Column("pages", "int32", "number of pages of the file; null if the page failed"),
    Column("failure", "string", "why the page failed, as a code; null if it did not"),
    Column("reason", "string", "the same in a sentence"),
    Column("width_px", "int32", "width of the upright page"),
    Column("height_px", "int32", "height of the upright page"),
    Column("layout", "string", "such as 3x4+1; null if the leads were not located"),
    Column("px_per_mm_vertical", "double", "vertical scale"),
    Column("px_per_mm_horizontal", "double", "horizontal scale"),
    Column("px_per_mm_source", "string", "source of the scale: grid, pulse or none"),
    Column("rotation_deg", "double", "angle by which the page was rotated clockwise"),
    Column("pulse_mm", "double", "height of the calibration pulse"),
    Column("warnings", "strings", "warnings about the page, a sentence each"),
)
_LABEL = (
    Column("model", "string", "name of the model"),
    Column("model_version", "string", "its version"),
    Column("label", "string", "predicted label; null if the model abstains"),
    Column("abstention", "string", "no_layout, unfamiliar or uncertain; null if there is a label"),
    Column("abstention_reason", "string", "the same in a sentence"),
    Column("confidence", "double", "probability of the top label; null if the model has not predicted"),
    Column("holds", "strings", "labels of the signal model that hold, by sets with a stated coverage; null without it"),
)
_SIGNALS = (
    Column("speed_mm_s", "double", "paper speed"),
    Column("speed_source", "string", "given, printed or default"),
    Column("gain_mm_mv", "double", "gain"),
    Column("gain_source", "string", "pulse, given, printed or default"),
    Column("leads", "strings", "leads that were digitized; II-rhythm is a rhythm strip"),
    Column("quality", "doubles", "quality of each of them, in [0, 1]; a lead below 0.5 failed its own checks"),
    Column("quality_min", "double", "quality of the worst lead"),
    Column("quality_mean", "double", "mean quality of all leads"),
    Column("einthoven_rmse_mv", "double", "root mean square of I + III - II"),
    Column("goldberger_rmse_mv", "double", "root mean square of aVR + aVL + aVF"),
)
_ST = (
    Column("st_j_mv", "leads", "level at the J point, relative to the level before the QRS complex"),
    Column("st_j60_mv", "leads", "the same 60 ms later"),
    Column("r_peaks_s", "doubles", "time of every beat, in s from the start of the recording"),
)
_STATEMENTS = (
    Column("criteria_met", "strings", "names of the criteria that are met, see criteria.md; for orientation"),
    Column("criteria_borderline", "strings", "names of those whose limit lies within one error bar"),
    Column("criteria_unknown", "strings", "names of those that cannot be evaluated"),
)
_EXPLANATION = (
    Column("explained_label", "string", "the top label, which is explained; null if the model has not predicted"),
    Column("explanation_method", "string", "such as class_map"),
    Column("explanation_passed", "bool", "whether the explanation passed all its checks on this page"),
    Column("checks_failed", "strings", "a sentence for each check that failed"),
    Column(
        "lead_shares", "leads", "share of the heat on each lead; negative if the lead is evidence against the label"
    ),
    Column("rhythm_share", "double", "the same for all rhythm strips together"),
    Column("elsewhere_share", "double", "share of the heat outside the leads"),
    Column("segment_lead", "string", "lead of the segment with the largest share"),
    Column("segment_start_s", "double", "start of the segment, in s from the start of the lead's trace"),
    Column("segment_end_s", "double", "end of the segment"),
    Column("segment_share", "double", "share of the segment"),
)


def columns(job: Job) -> tuple[Column, ...]:
    """Return the columns of a result, in their order."""
    selected = [*_FILE, *_PAGE]
    if "label" in job.parts:
        selected += _LABEL
        selected += [
            Column(f"probability_{label}", "double", f"calibrated probability of {label}") for label in job.labels
        ]
    if {"signals", "measurements"} & set(job.parts):
        selected += _SIGNALS
    if "measurements" in job.parts:
        for name, text in MEASUREMENT_COLUMNS.items():
            selected += [Column(name, "double", text), Column(f"{name}_error", "double", "its standard uncertainty")]
        selected += [*_ST, *_STATEMENTS]
    if "explanation" in job.parts:
        selected += _EXPLANATION
    if "signals" in job.parts:
        text = "path of the page's signals, relative to the folder of the result; null if there are none"
        selected.append(Column("signals_file", "string", text))
    return tuple(selected)


def schema(job: Job, *, without: Sequence[str] = ()) -> Any:
    """Return the columns as an Arrow schema, with ``ecglens.schema_version`` in its metadata.

    Args:
        job: Job that determines the columns.
        without: Names of columns to leave out.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow = require("pyarrow", extra="batch")
    kinds = {
        "string": arrow.string(),
        "int32": arrow.int32(),
        "double": arrow.float64(),
        "bool": arrow.bool_(),
        "strings": arrow.list_(arrow.string()),
        "doubles": arrow.list_(arrow.float64()),
        "leads": arrow.struct([(lead, arrow.float64()) for lead in STANDARD_LEADS]),
    }
    fields = [(column.name, kinds[column.kind]) for column in columns(job) if column.name not in without]
    metadata = {"ecglens.schema_version": str(SCHEMA_VERSION), "ecglens.version": job.version}
    return arrow.schema(fields, metadata=metadata)


def page_row(
    page: Page,
    *,
    layout: Layout | NotFound | None,
    prediction: Prediction | None = None,
    beside: Prediction | None = None,
    tracing: Tracing | None = None,
    measurements: Measurements | None = None,
    statements: Sequence[Statement] = (),
    explanation: Explanation | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the values of a page by column, without the columns that have no value.

    Args:
        page: The page as it was read.
        layout: Layout of its leads, or the reason why they were not located.
        prediction: Prediction of the model.
        beside: Prediction of the signal model beside it.
        tracing: Traces and signals.
        measurements: Measurements in the signals.
        statements: What criteria say about them.
        explanation: Explanation of the prediction.
        warnings: Warnings, one sentence each.
    """
    row: dict[str, Any] = {
        "page": page.number,
        "pages": page.count,
        "width_px": page.width,
        "height_px": page.height,
        "warnings": list(warnings),
    }
    if isinstance(layout, Layout):
        row |= _layout_cells(layout)
    if prediction is not None:
        row |= _label_cells(prediction)
    if beside is not None:
        row |= _probability_cells(beside)
    if tracing is not None:
        row |= _signal_cells(tracing)
    if measurements is not None:
        row |= _measurement_cells(measurements)
    if statements:
        row |= _statement_cells(statements)
    if explanation is not None:
        row |= _explanation_cells(explanation)
    return {name: value for name, value in row.items() if value is not None}


def record_row(reading: RecordReading, job: Job, *, warnings: Sequence[str]) -> dict[str, Any]:
    """Return the values of a digital ECG by column, without the columns that have no value, such as the page's.

    Args:
        reading: The digital ECG with what was read from it.
        job: Job that determines the columns.
        warnings: Warnings, one sentence each.
    """
    row: dict[str, Any] = {"page": 1, "pages": 1, "warnings": list(warnings)}
    if "label" in job.parts and reading.prediction is not None:
        row |= _label_cells(reading.prediction)
    if {"signals", "measurements"} & set(job.parts):
        row["leads"] = list(distinct_names(reading.record.leads))
    if "measurements" in job.parts:
        row |= {**_measurement_cells(reading.measurements), **_statement_cells(reading.statements)}
    return {name: value for name, value in row.items() if value is not None}


def _layout_cells(layout: Layout) -> dict[str, Any]:
    return {
        "layout": layout.name,
        "px_per_mm_vertical": round(layout.px_per_mm[0], 4),
        "px_per_mm_horizontal": round(layout.px_per_mm[1], 4),
        "px_per_mm_source": layout.px_per_mm_source,
        "rotation_deg": round(layout.rotation_deg, 2),
        "pulse_mm": _round(layout.pulse_mm),
    }


def _label_cells(prediction: Prediction) -> dict[str, Any]:
    abstention = prediction.abstention
    return {
        "model": prediction.model,
        "model_version": prediction.model_version,
        "label": prediction.label,
        "abstention": None if abstention is None else abstention.kind,
        "abstention_reason": None if abstention is None else abstention.reason,
        "confidence": None if prediction.confidence is None else round(prediction.confidence, 6),
        **_probability_cells(prediction),
    }


def _probability_cells(prediction: Prediction) -> dict[str, Any]:
    cells: dict[str, Any] = {
        f"probability_{label}": round(value, 6) for label, value in (prediction.probabilities or {}).items()
    }
    if prediction.holds is not None:
        cells["holds"] = [label for label, holds in prediction.holds.items() if holds]
    return cells


def _signal_cells(tracing: Tracing) -> dict[str, Any]:
    record = tracing.record
    quality = () if record is None else record.quality
    return {
        "speed_mm_s": tracing.speed_mm_s,
        "speed_source": tracing.speed_source,
        "gain_mm_mv": _round(tracing.gain_mm_mv),
        "gain_source": tracing.gain_source,
        "leads": None if record is None else list(distinct_names(record.leads)),
        "quality": [round(value, 4) for value in quality] or None,
        "quality_min": round(min(quality), 4) if quality else None,
        "quality_mean": round(math.fsum(quality) / len(quality), 4) if quality else None,
        "einthoven_rmse_mv": _round(tracing.einthoven_mv),
        "goldberger_rmse_mv": _round(tracing.goldberger_mv),
    }


def _measurement_cells(measurements: Measurements) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name in MEASUREMENT_COLUMNS:
        measured: Measured | None = getattr(measurements, name)
        if measured is not None:
            cells |= {name: round(measured.value, 3), f"{name}_error": round(measured.error, 3)}
    for name, by_lead in (("st_j_mv", measurements.st_j_mv), ("st_j60_mv", measurements.st_j60_mv)):
        levels = {lead: round(value.value, 4) for lead, value in by_lead.items() if value and lead in STANDARD_LEADS}
        cells[name] = levels or None
    return {**cells, "r_peaks_s": [round(second, 4) for second in measurements.r_peaks_s]}


def _statement_cells(statements: Sequence[Statement]) -> dict[str, Any]:
    columns = {
        Outcome.MET: "criteria_met",
        Outcome.BORDERLINE: "criteria_borderline",
        Outcome.CANNOT_BE_EVALUATED: "criteria_unknown",
    }
    return {
        column: [statement.name for statement in statements if statement.outcome is outcome]
        for outcome, column in columns.items()
    }


def _explanation_cells(explanation: Explanation) -> dict[str, Any]:
    shares = explanation.shares
    rhythm = [share for lead, share in shares.items() if lead not in STANDARD_LEADS]
    segment = explanation.segments[0].to_dict() if explanation.segments else {}
    return {
        "explained_label": explanation.label,
        "explanation_method": explanation.method,
        "explanation_passed": explanation.passed,
        "checks_failed": [check.text for check in explanation.checks if check.passed is False],
        "lead_shares": {lead: round(shares[lead], 4) for lead in STANDARD_LEADS if lead in shares} or None,
        "rhythm_share": round(math.fsum(rhythm), 4) if rhythm else None,
        "elsewhere_share": round(explanation.elsewhere, 4),
        **{f"segment_{name}": value for name, value in segment.items()},
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)

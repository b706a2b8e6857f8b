"""The row of a page: which columns it has, what they mean, and how a page's answer becomes one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecglens.batch.job import SCHEMA_VERSION, Job
from ecglens.explanations import Explanation
from ecglens.extras import require
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import Layout, Measured, Measurements, NotFound, Page, Prediction, Tracing

__all__ = ["FAILURES", "FIGURES", "Column", "columns", "page_row", "schema"]

FAILURES: Mapping[str, str] = {
    "unreachable": "its bytes could not be had; it is tried again by the next run",
    "not_a_page": "its bytes are no page that can be read",
    "memory": "it needs more memory than a page may take",
    "time": "it takes longer than a page may",
    "crash": "it ended the process that read it, twice",
    "lost": "the machines that read it went away, again and again",
    "error": "the program has a fault that this page shows",
}
"""Why a page has no answer, by the word in the column ``failure``."""

FIGURES: Mapping[str, str] = {
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
"""The measurements that have a column each, and one more with ``_error`` for the standard uncertainty."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``pages.parquet``.

    Attributes:
        name: Its name.
        kind: ``string``, ``int32``, ``double``, ``bool``, ``strings``, ``doubles``, or ``leads`` (a double for each of
            the twelve leads).
        what: What stands in it.
    """

    name: str
    kind: str
    what: str


_FILE = (
    Column("file", "string", "name within the source; the first by the alphabet where several files hold the same"),
    Column("copies", "int32", "files of the source that hold exactly these bytes"),
    Column("sha256", "string", "hash of the file's bytes; with page the key of the row; null where they were not read"),
)
_PAGE = (
    Column("page", "int32", "number in the file, from 1"),
    Column("pages", "int32", "pages of the file; null without an answer"),
    Column("failure", "string", "why there is no answer, a word; null where there is one"),
    Column("reason", "string", "the same in a sentence"),
    Column("width_px", "int32", "of the page, upright"),
    Column("height_px", "int32", "of the page, upright"),
    Column("layout", "string", "such as 3x4+1; null where the leads were not found"),
    Column("px_per_mm_vertical", "double", "scale"),
    Column("px_per_mm_horizontal", "double", "scale"),
    Column("px_per_mm_source", "string", "what told the scale: grid, pulse, none"),
    Column("rotation_deg", "double", "by how much the page was turned clockwise"),
    Column("pulse_mm", "double", "height of the calibration pulse"),
    Column("warnings", "strings", "what a reader of the row must know, a sentence each"),
)
_LABEL = (
    Column("model", "string", "which model answered"),
    Column("model_version", "string", "its version"),
    Column("label", "string", "the answer; null where the model abstains"),
    Column("abstention", "string", "no_layout, unfamiliar or uncertain; null where there is a label"),
    Column("abstention_reason", "string", "the same in a sentence"),
    Column("confidence", "double", "probability of the likeliest label; null where the model was not asked"),
)
_SIGNALS = (
    Column("speed_mm_s", "double", "paper speed"),
    Column("speed_source", "string", "given, printed or default"),
    Column("gain_mm_mv", "double", "gain"),
    Column("gain_source", "string", "pulse, given, printed or default"),
    Column("leads", "strings", "leads that were digitized; II-rhythm is a rhythm strip"),
    Column("quality", "doubles", "of each of them, in [0, 1]; below 0.5 it failed its own checks"),
    Column("quality_min", "double", "of the worst lead"),
    Column("quality_mean", "double", "of all leads"),
    Column("einthoven_rmse_mv", "double", "root mean square of I + III - II"),
    Column("goldberger_rmse_mv", "double", "root mean square of aVR + aVL + aVF"),
)
_ST = (
    Column("st_j_mv", "leads", "level at the J point against the level before QRS"),
    Column("st_j60_mv", "leads", "the same 60 ms later"),
    Column("r_peaks_s", "doubles", "every beat, in s from the start of the recording"),
)
_EXPLANATION = (
    Column("explained_label", "string", "the likeliest label, which is explained; null where the model was not asked"),
    Column("explanation_method", "string", "such as class_map"),
    Column("explanation_passed", "bool", "whether all checks of the explanation on this page were passed"),
    Column("checks_failed", "strings", "a sentence on each check that was not"),
    Column("lead_shares", "leads", "each lead's part of the heat; negative where it speaks against the label"),
    Column("rhythm_share", "double", "the same of the rhythm strips together"),
    Column("elsewhere_share", "double", "the part of the heat that lies on no lead"),
    Column("segment_lead", "string", "lead of the stretch with the largest share"),
    Column("segment_start_s", "double", "where the stretch begins, in s from the start of the lead's trace"),
    Column("segment_end_s", "double", "where it ends"),
    Column("segment_share", "double", "its share"),
)


def columns(job: Job) -> tuple[Column, ...]:
    """The columns of a result, in their order."""
    found = [*_FILE, *_PAGE]
    if "label" in job.what:
        found += _LABEL
        found += [Column(f"probability_{label}", "double", f"calibrated, of {label}") for label in job.labels]
    if {"signals", "measurements"} & set(job.what):
        found += _SIGNALS
    if "measurements" in job.what:
        for name, what in FIGURES.items():
            found += [Column(name, "double", what), Column(f"{name}_error", "double", "its standard uncertainty")]
        found += _ST
    if "explanation" in job.what:
        found += _EXPLANATION
    if "signals" in job.what:
        found.append(Column("signals_file", "string", "the page's signals, below the result's folder; null without"))
    return tuple(found)


def schema(job: Job, *, without: Sequence[str] = ()) -> Any:
    """The columns as an Arrow schema, with ``ecglens.schema_version`` in its metadata.

    Args:
        job: Tells which columns there are.
        without: Columns to leave out.

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
    told = {"ecglens.schema_version": str(SCHEMA_VERSION), "ecglens.version": job.version}
    return arrow.schema(fields, metadata=told)


def page_row(
    page: Page,
    *,
    layout: Layout | NotFound | None,
    prediction: Prediction | None = None,
    tracing: Tracing | None = None,
    measurements: Measurements | None = None,
    explanation: Explanation | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """What was read of a page as the values of its columns; a column without a value is left out.

    Args:
        page: As it came.
        layout: Where its leads stand.
        prediction: What a model says of it.
        tracing: Its signals.
        measurements: What was measured in them.
        explanation: Where the model's answer comes from.
        warnings: One sentence each.
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
    if tracing is not None:
        row |= _signal_cells(tracing)
    if measurements is not None:
        row |= _figure_cells(measurements)
    if explanation is not None:
        row |= _explanation_cells(explanation)
    return {name: value for name, value in row.items() if value is not None}


def _layout_cells(layout: Layout) -> dict[str, Any]:
    return {
        "layout": layout.name,
        "px_per_mm_vertical": round(layout.px_per_mm[0], 4),
        "px_per_mm_horizontal": round(layout.px_per_mm[1], 4),
        "px_per_mm_source": layout.px_per_mm_source,
        "rotation_deg": round(layout.rotation_deg, 2),
        "pulse_mm": _rounded(layout.pulse_mm),
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
        **{f"probability_{label}": round(value, 6) for label, value in (prediction.probabilities or {}).items()},
    }


def _signal_cells(tracing: Tracing) -> dict[str, Any]:
    record = tracing.record
    quality = () if record is None else record.quality
    return {
        "speed_mm_s": tracing.speed_mm_s,
        "speed_source": tracing.speed_source,
        "gain_mm_mv": _rounded(tracing.gain_mm_mv),
        "gain_source": tracing.gain_source,
        "leads": None if record is None else list(record.leads),
        "quality": [round(value, 4) for value in quality] or None,
        "quality_min": round(min(quality), 4) if quality else None,
        "quality_mean": round(math.fsum(quality) / len(quality), 4) if quality else None,
        "einthoven_rmse_mv": _rounded(tracing.einthoven_mv),
        "goldberger_rmse_mv": _rounded(tracing.goldberger_mv),
    }


def _figure_cells(found: Measurements) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name in FIGURES:
        figure: Measured | None = getattr(found, name)
        if figure is not None:
            cells |= {name: round(figure.value, 3), f"{name}_error": round(figure.error, 3)}
    for name, by_lead in (("st_j_mv", found.st_j_mv), ("st_j60_mv", found.st_j60_mv)):
        told = {lead: round(value.value, 4) for lead, value in by_lead.items() if value and lead in STANDARD_LEADS}
        cells[name] = told or None
    return {**cells, "r_peaks_s": [round(second, 4) for second in found.r_peaks_s]}


def _explanation_cells(found: Explanation) -> dict[str, Any]:
    rhythm = [share for lead, share in found.shares.items() if lead not in STANDARD_LEADS]
    strongest = found.segments[0] if found.segments else None
    stretch = {} if strongest is None else {f"segment_{name}": value for name, value in strongest.to_dict().items()}
    return {
        "explained_label": found.label,
        "explanation_method": found.method,
        "explanation_passed": found.passed,
        "checks_failed": [check.text for check in found.checks if check.passed is False],
        "lead_shares": {lead: round(found.shares[lead], 4) for lead in STANDARD_LEADS if lead in found.shares} or None,
        "rhythm_share": round(math.fsum(rhythm), 4) if rhythm else None,
        "elsewhere_share": round(found.elsewhere, 4),
        **stretch,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)

"""Facts about a page besides the predictions, in plain types: for the database, the API and people alike."""

from collections.abc import Mapping
from typing import Any

from ecglens.criteria import evaluate_criteria
from ecglens.records import Layout, Measurements, PrintedFacts, Reading, Tracing
from ecglens.statements import Statement

__all__ = ["add_measurements", "describe_page", "find_statements", "read_measurements", "read_print"]


def describe_page(reading: Reading, printed: PrintedFacts | None) -> dict[str, Any]:
    """Return the facts that are available as soon as a model has answered.

    Args:
        reading: A reading without measurements.
        printed: What the recorder printed, if that was read.
    """
    page, layout = reading.page, reading.layout
    return {
        "page": {
            "number": page.number,
            "count": page.count,
            "width_px": page.width,
            "height_px": page.height,
            "bend_mm": round(page.bend_mm, 2),
        },
        "layout": layout.to_dict() if isinstance(layout, Layout) else None,
        "layout_reason": "" if isinstance(layout, Layout) else layout.reason,
        "printed": None if printed is None else printed.to_dict(),
        "scale": None,
        "quality": {},
        "measurements": None,
        "warnings": list(reading.warnings),
    }


def add_measurements(facts: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Return all facts, once the signals were measured.

    Args:
        facts: Result of :func:`describe_page`.
        reading: A reading with measurements.
    """
    tracing, measurements = reading.tracing, reading.measurements
    warnings = [*facts["warnings"], *reading.warnings]
    return {
        **facts,
        "layout": facts["layout"] or (None if tracing is None else tracing.layout.to_dict()),
        "scale": None if tracing is None else tracing.to_dict()["scale"],
        "einthoven_rmse_mv": None if tracing is None else tracing.to_dict()["einthoven_rmse_mv"],
        "quality": _lead_quality(tracing),
        "view": None if tracing is None else {"width_px": tracing.page.width, "height_px": tracing.page.height},
        "measurements": None if measurements is None else measurements.to_dict(),
        "warnings": list(dict.fromkeys(warnings)),
    }


def read_measurements(facts: Mapping[str, Any]) -> Measurements | None:
    """Return the measurements among the facts."""
    return None if facts.get("measurements") is None else Measurements.from_dict(facts["measurements"])


def find_statements(
    facts: Mapping[str, Any], *, age: float | None = None, sex: str | None = None
) -> tuple[Statement, ...]:
    """Evaluate the criteria on the stored measurements; those of readings of earlier versions lack the waves.

    Args:
        facts: Facts of a reading.
        age: Age in years, on which limits depend.
        sex: ``"female"`` or ``"male"``, likewise.
    """
    measurements = read_measurements(facts)
    return () if measurements is None else evaluate_criteria(measurements, age=age, sex=sex)


def read_print(facts: Mapping[str, Any]) -> PrintedFacts | None:
    """Return what the recorder printed, among the facts."""
    return None if facts.get("printed") is None else PrintedFacts(**facts["printed"])


def _lead_quality(tracing: Tracing | None) -> dict[str, float]:
    if tracing is None or tracing.record is None:
        return {}
    record = tracing.record.with_distinct_leads()
    return {lead: round(float(value), 3) for lead, value in zip(record.leads, record.quality, strict=True)}

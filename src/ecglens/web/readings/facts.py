"""What was found on a page besides the answers, in plain types: for the database, the API and people alike."""

from collections.abc import Mapping
from typing import Any

from ecglens.records import Layout, Measurements, PrintedFacts, Reading, Tracing

__all__ = ["facts_of", "first_facts", "measured", "printed_of"]


def first_facts(reading: Reading, printed: PrintedFacts | None) -> dict[str, Any]:
    """What is known as soon as a model was asked.

    Args:
        reading: Without measurements.
        printed: What the recorder printed, where that was read.
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


def facts_of(reading: Reading, before: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, once the signals were measured.

    Args:
        reading: With measurements.
        before: From :func:`first_facts`.
    """
    tracing, found = reading.tracing, reading.measurements
    warnings = [*before["warnings"], *reading.warnings]
    return {
        **before,
        "layout": before["layout"] or (None if tracing is None else tracing.layout.to_dict()),
        "scale": None if tracing is None else tracing.to_dict()["scale"],
        "einthoven_rmse_mv": None if tracing is None else tracing.to_dict()["einthoven_rmse_mv"],
        "quality": _quality(tracing),
        "measurements": None if found is None else found.to_dict(),
        "warnings": list(dict.fromkeys(warnings)),
    }


def measured(facts: Mapping[str, Any]) -> Measurements | None:
    """The measurements among the facts."""
    return None if facts.get("measurements") is None else Measurements.from_dict(facts["measurements"])


def printed_of(facts: Mapping[str, Any]) -> PrintedFacts | None:
    """What the recorder printed, among the facts."""
    return None if facts.get("printed") is None else PrintedFacts(**facts["printed"])


def _quality(tracing: Tracing | None) -> dict[str, float]:
    if tracing is None or tracing.record is None:
        return {}
    record = tracing.record
    return {lead: round(float(value), 3) for lead, value in zip(record.leads, record.quality, strict=True)}

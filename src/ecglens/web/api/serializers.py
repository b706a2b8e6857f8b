"""Readings, batches and models in plain types, as the API returns them."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from ecglens.documents import parse_json
from ecglens.models.cards import ModelCard
from ecglens.models.registry import list_default_models
from ecglens.web.api.schemas import Pagination
from ecglens.web.cases.models import Case, Membership
from ecglens.web.readings.exports import describe_failure, to_dict
from ecglens.web.readings.models import Batch, Reading

__all__ = [
    "add_counts",
    "operation_path",
    "paginate",
    "serialize_batch",
    "serialize_case",
    "serialize_evaluation",
    "serialize_explanations",
    "serialize_membership",
    "serialize_model",
    "serialize_reading",
    "serialize_row",
]

_ROW_FIELDS = ("name", "created_at", "state", "note", "probability")
_EVALUATION_FILE = "evaluation.json"


def operation_path(view: str, *args: Any) -> str:
    """Return the path of an operation."""
    return reverse(f"api:{view}", args=args)


def serialize_reading(reading: Reading) -> dict[str, Any]:
    """Return all results of a reading, with the addresses of its pictures."""
    names = reading.pictures.values_list("name", flat=True)
    return {
        **to_dict(reading),
        "explanations": serialize_explanations(reading),
        "pictures": {name: operation_path("show_picture", reading.pk, name) for name in names},
    }


def serialize_explanations(reading: Reading) -> list[dict[str, Any]]:
    """Return the explanations of a reading, with the addresses of their heat maps."""
    stored = set(reading.pictures.values_list("name", flat=True))
    names = [f"heat:{number}" for number in range(len(reading.explanations))]
    pictures = [operation_path("show_picture", reading.pk, name) if name in stored else None for name in names]
    return [
        {**explanation, "picture": picture} for explanation, picture in zip(reading.explanations, pictures, strict=True)
    ]


def serialize_row(reading: Reading) -> dict[str, Any]:
    """Return a reading as an item of a list."""
    return {
        "id": reading.pk,
        **{name: getattr(reading, name) for name in _ROW_FIELDS},
        "page": reading.page_number,
        "batch": reading.batch_id,
        "outcome": reading.outcome or None,
        "label": reading.label or None,
        "corrected": reading.corrected or None,
        "failure": describe_failure(reading),
    }


def serialize_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch that comes from :func:`add_counts`."""
    counts = {name: getattr(batch, f"count_{name}") for name in ("pages", *Reading.State.values)}
    remaining = counts["waiting"] + counts["answered"]
    return {
        "id": batch.pk,
        "name": batch.name,
        "created_at": batch.created_at,
        "listed": batch.listed,
        "finished": bool(batch.failure_reason) or (batch.listed and not remaining),
        "skipped_files": batch.skipped_files,
        "failure_reason": batch.failure_reason or None,
        "counts": counts,
    }


def serialize_case(case: Case) -> dict[str, Any]:
    """Return a case with its readings."""
    return {
        "id": case.pk,
        "pseudonym": case.pseudonym,
        "note": case.note,
        "created_at": case.created_at,
        "readings": [serialize_membership(membership) for membership in case.memberships.all()],
    }


def serialize_membership(membership: Membership) -> dict[str, Any]:
    """Return the number of a reading in a case, with the day of the recording and tags."""
    return {"reading": membership.reading_id, "recorded_on": membership.recorded_on, "tags": list(membership.tags)}


def add_counts(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """Add the numbers of pages by state to batches, in one query."""
    by_state = {f"count_{state}": Count("readings", filter=Q(readings__state=state)) for state in Reading.State.values}
    return batches.annotate(count_pages=Count("readings"), **by_state).order_by("-created_at", "id")


def paginate(rows: QuerySet[Any], pagination: Pagination, serialize: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a page of a list; without items if there is no such page."""
    pages = Paginator(rows, pagination.limit)
    exists = pagination.page <= pages.num_pages
    return {
        "items": [serialize(row) for row in pages.page(pagination.page)] if exists else [],
        "count": pages.count,
        "page": pagination.page,
        "pages": pages.num_pages,
    }


def serialize_model(card: ModelCard) -> dict[str, Any]:
    """Return what a model's card says."""
    names = ("name", "version", "title", "parameters", "trained_on", "temperature", "abstain_below")
    return {
        **{name: getattr(card, name) for name in names},
        "license": card.license,
        "labels": list(card.labels),
        "warnings": list(card.warnings),
        "default": card.name in list_default_models(),
    }


def serialize_evaluation(card: ModelCard) -> dict[str, Any] | None:
    """Return the summary of a model's evaluation; ``None`` if its folder has none."""
    try:
        evaluation = parse_json((card.folder / _EVALUATION_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(evaluation, Mapping) or not isinstance(evaluation.get("summary"), Mapping):
        return None
    return {
        "protocol": evaluation.get("protocol"),
        "data": dict(evaluation.get("data") or {}),
        "summary": evaluation["summary"],
        "references": dict(evaluation.get("references") or {}),
    }

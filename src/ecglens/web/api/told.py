"""Readings, batches and models as the API tells them."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from ecglens.models.cards import ModelCard
from ecglens.settings import load_settings
from ecglens.web.api.schemas import PageOf
from ecglens.web.readings.exports import plain
from ecglens.web.readings.models import Batch, Reading

__all__ = [
    "address",
    "batch_told",
    "counted",
    "evaluation_told",
    "explanations_told",
    "model_told",
    "paged",
    "reading_told",
    "row_told",
]

_ROW = ("name", "created_at", "state", "note", "probability")
_EVALUATION_FILE = "evaluation.json"


def address(view: str, *args: Any) -> str:
    """Path of an operation."""
    return reverse(f"api:{view}", args=args)


def reading_told(reading: Reading) -> dict[str, Any]:
    """Everything that is known of a reading, and where its pictures are."""
    names = reading.pictures.values_list("name", flat=True)
    return {
        **plain(reading),
        "explanations": explanations_told(reading),
        "pictures": {name: address("show_picture", reading.pk, name) for name in names},
    }


def explanations_told(reading: Reading) -> list[dict[str, Any]]:
    """The explanations of a reading, and where the pictures of their heat are."""
    kept = set(reading.pictures.values_list("name", flat=True))
    names = [f"heat:{place}" for place in range(len(reading.explanations))]
    pictures = [address("show_picture", reading.pk, name) if name in kept else None for name in names]
    return [{**found, "picture": picture} for found, picture in zip(reading.explanations, pictures, strict=True)]


def row_told(reading: Reading) -> dict[str, Any]:
    """What stands in a list of a reading."""
    return {
        "id": reading.pk,
        **{name: getattr(reading, name) for name in _ROW},
        "page": reading.page_number,
        "batch": reading.batch_id,
        "label": reading.label or None,
        "corrected": reading.corrected or None,
        "trouble": {"stage": reading.stage, "detail": reading.trouble} if reading.trouble else None,
    }


def batch_told(batch: Batch) -> dict[str, Any]:
    """A batch that came from :func:`counted`."""
    counts = {name: getattr(batch, f"count_{name}") for name in ("pages", *Reading.State.values)}
    left = counts["waiting"] + counts["answered"]
    return {
        "id": batch.pk,
        "name": batch.name,
        "created_at": batch.created_at,
        "listed": batch.listed,
        "finished": bool(batch.trouble) or (batch.listed and not left),
        "passed_over": batch.passed_over,
        "trouble": batch.trouble or None,
        "counts": counts,
    }


def counted(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """Batches with how many of their pages stand where, in one question to the database."""
    by_state = {f"count_{state}": Count("readings", filter=Q(readings__state=state)) for state in Reading.State.values}
    return batches.annotate(count_pages=Count("readings"), **by_state).order_by("-created_at", "id")


def paged(things: QuerySet[Any], wanted: PageOf, told: Any) -> dict[str, Any]:
    """A page of a list; nothing where there is no such page."""
    pages = Paginator(things, wanted.limit)
    there = wanted.page <= pages.num_pages
    return {
        "items": [told(thing) for thing in pages.page(wanted.page)] if there else [],
        "count": pages.count,
        "page": wanted.page,
        "pages": pages.num_pages,
    }


def model_told(card: ModelCard) -> dict[str, Any]:
    """What a model's card says."""
    names = ("name", "version", "title", "parameters", "trained_on", "licence", "temperature", "abstain_below")
    return {
        **{name: getattr(card, name) for name in names},
        "labels": list(card.labels),
        "warnings": list(card.warnings),
        "default": card.name == load_settings().model,
    }


def evaluation_told(card: ModelCard) -> dict[str, Any] | None:
    """The summary of what a model's folder says of how good it is; ``None`` where it says nothing."""
    try:
        found = json.loads((card.folder / _EVALUATION_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("summary"), Mapping):
        return None
    return {
        "protocol": found.get("protocol"),
        "data": dict(found.get("data") or {}),
        "summary": found["summary"],
        "references": dict(found.get("references") or {}),
    }

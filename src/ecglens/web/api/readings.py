"""Readings: upload a page, look it up, correct it, delete it."""

import hashlib
import json
from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from ninja.files import UploadedFile
from ninja.params.functions import File, Form, Header

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import saw, user_of
from ecglens.web.api.schemas import Change, Reading, Readings, Wanted
from ecglens.web.api.told import address, paged, reading_told, row_told
from ecglens.web.readings import flows
from ecglens.web.readings.models import Reading as Kept
from ecglens.web.readings.search import found
from ecglens.web.readings.views.owned import own_reading

__all__ = ["router"]

router = Router(tags=["Readings"])

_LAST_DAY = date(9000, 1, 1)
"""Later ones have no day after them on some databases."""
_KEY_CHARS = 120
_HIDDEN = ("facts", "explanations", "options")
_FILE = File(..., description="A photo, scan or PDF of an ECG page: JPEG, PNG, TIFF, HEIC, WebP or PDF.")
_PAGE = Form(1, ge=1, le=100_000, description="Which page of the file, from 1.")
_MODELS = Form([], description="Names of installed models, at most four; the first gives the label.")
_PRINTED = Form(False, description="Read what the recorder printed too, where this site can.")
_EXPLAIN = Form(True, description="Explain the first model's answer.")
_KEY = Header(
    "",
    alias="Idempotency-Key",
    max_length=_KEY_CHARS,
    description="The same key with the same request gives the same reading, however often it is sent.",
)


@router.post("", response={201: Reading, 200: Reading}, summary="Read a page")
def create_reading(
    request: HttpRequest,
    response: HttpResponse,
    file: UploadedFile = _FILE,
    page: int = _PAGE,
    models: list[str] = _MODELS,
    printed: bool = _PRINTED,
    explain: bool = _EXPLAIN,
    idempotency_key: str = _KEY,
) -> Status[Any]:
    """Upload a page.

    The answer comes at once; signals, measurements and explanations follow: ask again until ``state`` is ``done``. 200
    in place of 201 says that the reading was there, by its ``Idempotency-Key``; the same key with another request is
    refused with 409.
    """
    user = user_of(request)
    options = flows.options_for(user, models, printed=printed, explain=explain)
    content = file.read()
    key = hashlib.sha256(idempotency_key.encode()).hexdigest() if idempotency_key else None
    there = key is not None and Kept.objects.of(user).filter(idempotency_key=key).exists()
    asked = [hashlib.sha256(content).hexdigest(), file.name, page, models, printed, explain]
    reading = flows.read_file(
        user,
        content,
        file.name or "",
        options=options,
        number=page,
        idempotency_key=key,
        request_sha256=hashlib.sha256(json.dumps(asked).encode()).hexdigest() if key else "",
    )
    if not there:
        record(request, "upload", reading)
    response["Location"] = address("show_reading", reading.pk)
    return Status(200 if there else 201, reading_told(reading))


@router.get("", response=Readings, summary="List readings")
def list_readings(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Your readings, the newest first."""
    asked = wanted.model_dump()
    asked["q"], asked["label"] = wanted.q.replace("\x00", ""), wanted.label.replace("\x00", "")
    asked["start"], asked["end"] = (day and min(day, _LAST_DAY) for day in (wanted.start, wanted.end))
    return paged(found(user_of(request), asked).defer(*_HIDDEN), wanted, row_told)


@router.get("/{uuid:pk}", response=Reading, summary="Get a reading")
def show_reading(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Everything that is known of a reading so far."""
    reading = own_reading(request, pk)
    saw(request, reading)
    return reading_told(reading)


@router.patch("/{uuid:pk}", response=Reading, summary="Change a reading")
def change_reading(request: HttpRequest, change: Change, pk: UUID) -> dict[str, Any]:
    """Put a note to a reading, or the label that you give it; the model's answer stays beside it."""
    reading = flows.change(own_reading(request, pk), note=change.note, corrected=change.corrected)
    record(request, "change", reading)
    return reading_told(reading)


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a reading")
def delete_reading(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete a reading with its page and everything that was made of it."""
    reading = own_reading(request, pk)
    record(request, "delete", reading)
    reading.delete()
    return Status(204, None)

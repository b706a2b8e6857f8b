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
from ecglens.web.api.access import get_user, may_read, record_view
from ecglens.web.api.schemas import Change, Correction, CorrectionList, Reading, Readings, SearchQuery
from ecglens.web.api.serializers import operation_path, paginate, serialize_reading, serialize_row
from ecglens.web.readings import editing, flows
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.search import search_readings

__all__ = ["router"]

router = Router(tags=["Readings"])

_LAST_DAY = date(9000, 1, 1)
"""Some databases have no day after later ones."""
_KEY_CHARS = 120
_DEFERRED = ("facts", "explanations", "options")
_FILE = File(..., description="A photo, scan or PDF of a page (JPEG, PNG, TIFF, HEIC, WebP or PDF), or a digital ECG.")
_PAGE = Form(1, ge=1, le=100_000, description="Number of the page in the file, from 1.")
_MODELS = Form([], description="Names of installed models, at most four; the first gives the label.")
_PRINTED = Form(False, description="Also read what the recorder printed, if this site can.")
_EXPLAIN = Form(True, description="Explain the first model's prediction.")
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

    The predictions are returned at once; signals, measurements and explanations follow: request the reading again until
    ``state`` is ``done``. 200 in place of 201 says that the reading existed already, by its ``Idempotency-Key``; the
    same key with another request is refused with 409.
    """
    user = get_user(request)
    sent = len(request.FILES.getlist("file"))
    if sent > 1:
        raise flows.Refused(f"Expected one file, got {sent}; send a batch, or a request for each file.")
    options = flows.create_options(user, models, printed=printed, explain=explain)
    content = file.read()
    key = hashlib.sha256(idempotency_key.encode()).hexdigest() if idempotency_key else None
    parameters = [hashlib.sha256(content).hexdigest(), file.name, page, models, printed, explain]
    uploaded = flows.read_file(
        user,
        content,
        file.name or "",
        options=options,
        number=page,
        idempotency_key=key,
        request_sha256=hashlib.sha256(json.dumps(parameters).encode()).hexdigest() if key else "",
    )
    reading, is_new = uploaded.reading, uploaded.is_new
    if is_new:
        record(request, "upload", reading)
    response["Location"] = operation_path("show_reading", reading.pk)
    answer = serialize_reading(reading)
    if not is_new and not may_read(request):
        answer |= {"note": "", "corrected": None}  # written after the upload, by somebody who may read it
    return Status(201 if is_new else 200, answer)


@router.get("", response=Readings, summary="List readings")
def list_readings(request: HttpRequest, query: Query[SearchQuery]) -> dict[str, Any]:
    """List your readings, the newest first."""
    criteria = query.model_dump()
    criteria["q"], criteria["label"] = query.q.replace("\x00", ""), query.label.replace("\x00", "")
    criteria["start"], criteria["end"] = (day and min(day, _LAST_DAY) for day in (query.start, query.end))
    readings = search_readings(get_user(request), criteria).defer(*_DEFERRED)
    return paginate(readings, query, serialize_row)


@router.get("/{uuid:pk}", response=Reading, summary="Get a reading")
def show_reading(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Get all results of a reading so far."""
    reading = get_own_reading(request, pk)
    record_view(request, reading)
    return serialize_reading(reading)


@router.patch("/{uuid:pk}", response=Reading, summary="Change a reading")
def change_reading(request: HttpRequest, change: Change, pk: UUID) -> dict[str, Any]:
    """Change the note of a reading, or the label that you assign; the model's predictions are not changed."""
    reading = flows.update_reading(get_own_reading(request, pk), note=change.note, corrected=change.corrected)
    record(request, "change", reading)
    return serialize_reading(reading)


@router.get("/{uuid:pk}/corrections", response=CorrectionList, summary="List corrections by hand")
def list_reading_corrections(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """List the changes of a reading by hand, in their order; the last is in force."""
    reading = get_own_reading(request, pk)
    record_view(request, reading, "corrections")
    return {"changes": reading.corrections}


@router.post("/{uuid:pk}/corrections", response=Reading, summary="Correct a reading by hand")
def correct_reading(request: HttpRequest, correction: Correction, pk: UUID) -> dict[str, Any]:
    """Correct corners, rotation, layout, names, scale or traces; the page is then measured again.

    The content replaces the corrections in force: send those that are to stay too. Boxes and traces are in pixels of
    the view in ``facts``. The predictions are old until ``state`` is ``done`` again.
    """
    reading = get_own_reading(request, pk)
    editing.store_corrections(reading, editing.check_corrections(correction.content))
    record(request, "change", reading, detail="corrected")
    return serialize_reading(reading)


@router.delete("/{uuid:pk}/corrections", response=Reading, summary="Undo the last correction")
def undo_correction(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Take back the last change of a reading by hand; the page is then measured again."""
    reading = get_own_reading(request, pk)
    editing.undo_corrections(reading)
    record(request, "change", reading, detail="undone")
    return serialize_reading(reading)


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a reading")
def delete_reading(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete a reading with its page and all results."""
    reading = get_own_reading(request, pk)
    record(request, "delete", reading)
    reading.delete()
    return Status(204, None)

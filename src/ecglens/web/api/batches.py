"""Batches: many pages at once."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status
from ninja.files import UploadedFile
from ninja.params.functions import File, Form

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import get_user, record_view
from ecglens.web.api.schemas import Batch, Batches, Pagination
from ecglens.web.api.serializers import add_counts, operation_path, paginate, serialize_batch
from ecglens.web.readings import flows
from ecglens.web.readings.models import Batch as StoredBatch
from ecglens.web.readings.ownership import get_own_batch

__all__ = ["router"]

router = Router(tags=["Batches"])

_FILES = File(..., description="Pages, or one ZIP of pages.")
_NAME = Form("", max_length=200, description="Name of the batch; the first file's name by default.")
_MODELS = Form([], description="Names of installed models, at most four; the first gives the label.")
_PRINTED = Form(False, description="Also read what the recorder printed, if this site can.")
_EXPLAIN = Form(True, description="Explain the first model's predictions.")


@router.post("", response={201: Batch}, summary="Read many pages")
def create_batch(
    request: HttpRequest,
    response: HttpResponse,
    files: list[UploadedFile] = _FILES,
    name: str = _NAME,
    models: list[str] = _MODELS,
    printed: bool = _PRINTED,
    explain: bool = _EXPLAIN,
) -> Status[Any]:
    """Upload pages, or one ZIP of pages; they are read one after the other. Files of several pages count as several."""
    user = get_user(request)
    options = flows.create_options(user, models, printed=printed, explain=explain)
    batch = flows.create_batch(user, files, options=options, name=name)
    record(request, "upload", batch)
    response["Location"] = operation_path("show_batch", batch.pk)
    return Status(201, serialize_batch(add_counts(StoredBatch.objects.filter(pk=batch.pk)).get()))


@router.get("", response=Batches, summary="List batches")
def list_batches(request: HttpRequest, pagination: Query[Pagination]) -> dict[str, Any]:
    """List your batches, the newest first."""
    batches = add_counts(StoredBatch.objects.filter(owner=get_user(request)))
    return paginate(batches, pagination, serialize_batch)


@router.get("/{uuid:pk}", response=Batch, summary="Get a batch")
def show_batch(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Get the progress of a batch; its readings are at ``/readings?batch=``."""
    batch = get_object_or_404(add_counts(StoredBatch.objects.filter(owner=get_user(request))), pk=pk)
    record_view(request, batch)
    return serialize_batch(batch)


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a batch")
def delete_batch(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete a batch with all its readings."""
    batch = get_own_batch(request, pk)
    record(request, "delete", batch)
    batch.delete()
    return Status(204, None)

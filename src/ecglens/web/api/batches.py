"""Batches: many pages at once."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status
from ninja.files import UploadedFile
from ninja.params.functions import File, Form

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import saw, user_of
from ecglens.web.api.schemas import Batch, Batches, PageOf
from ecglens.web.api.told import address, batch_told, counted, paged
from ecglens.web.readings import flows
from ecglens.web.readings.models import Batch as Kept
from ecglens.web.readings.views.owned import own_batch

__all__ = ["router"]

router = Router(tags=["Batches"])

_FILES = File(..., description="Pages, or one ZIP of pages.")
_NAME = Form("", max_length=200, description="Of the batch; the first file's where it is empty.")
_MODELS = Form([], description="Names of installed models, at most four; the first gives the label.")
_PRINTED = Form(False, description="Read what the recorder printed too, where this site can.")
_EXPLAIN = Form(True, description="Explain the first model's answers.")


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
    user = user_of(request)
    options = flows.options_for(user, models, printed=printed, explain=explain)
    batch = flows.add_files(user, files, options=options, name=name)
    record(request, "upload", batch)
    response["Location"] = address("show_batch", batch.pk)
    return Status(201, batch_told(counted(Kept.objects.filter(pk=batch.pk)).get()))


@router.get("", response=Batches, summary="List batches")
def list_batches(request: HttpRequest, wanted: Query[PageOf]) -> dict[str, Any]:
    """Your batches, the newest first."""
    return paged(counted(Kept.objects.filter(owner=user_of(request))), wanted, batch_told)


@router.get("/{uuid:pk}", response=Batch, summary="Get a batch")
def show_batch(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """How far a batch is; its readings are at ``/readings?batch=``."""
    batch = get_object_or_404(counted(Kept.objects.filter(owner=user_of(request))), pk=pk)
    saw(request, batch)
    return batch_told(batch)


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a batch")
def delete_batch(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete a batch with all its readings."""
    batch = own_batch(request, pk)
    record(request, "delete", batch)
    batch.delete()
    return Status(204, None)

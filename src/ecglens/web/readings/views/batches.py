"""Many pages at once."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.who import user_of
from ecglens.web.readings import flows
from ecglens.web.readings.forms import BatchForm
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.titles import title_of
from ecglens.web.readings.views.owned import own_batch
from ecglens.web.readings.views.predict import offered

__all__ = ["batches", "delete_batch", "show_batch"]

_PAGE = 50


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """The user's batches, and the form for another one."""
    if request.method != "POST":
        return _form(request)
    form = BatchForm(request.POST, request.FILES)
    if not form.is_valid():
        message, status = form.first_error()
        return _form(request, message, status)
    try:
        asked = form.cleaned_data
        options = flows.options_for(
            user_of(request), asked["models"], printed=asked["printed"], explain=asked["explain"]
        )
        batch = flows.add_files(user_of(request), asked["file"], options=options, name=asked["name"])
    except flows.Refused as error:
        return _form(request, str(error), error.status, error.lang)
    record(request, "upload", batch)
    return redirect(batch)


@login_required
@require_safe
def show_batch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far a batch is, and each of its pages; only what changes where the page asks itself."""
    batch = own_batch(request, pk)
    readings = batch.readings.order_by("place")
    state = request.GET.get("state", "")
    if state in Reading.State.values:
        readings = readings.filter(state=state)
    page = Paginator(readings, _PAGE).get_page(request.GET.get("p"))
    counts = batch.counts()
    done = counts["done"] + counts["failed"]
    context = {
        "batch": batch,
        "counts": counts,
        "answered": counts["pages"] - counts["waiting"] - counts["failed"],
        "percent": round(100 * done / counts["pages"]) if counts["pages"] else 0,
        "page": page,
        "state": state,
        "rows": [(reading, title_of(reading.label)) for reading in page],
        "labels": _labels(batch),
    }
    part = "readings/batch_part.html" if request.headers.get("HX-Request") else "readings/batch.html"
    if part == "readings/batch.html":
        record(request, "see", batch)
    return render(request, part, context)


@login_required
@require_POST
def delete_batch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a batch with all its readings."""
    batch = own_batch(request, pk)
    record(request, "delete", batch)
    batch.delete()
    messages.success(request, _("“%(name)s” was deleted with all its pages.") % {"name": batch.name})
    return redirect("batches")


def _labels(batch: Batch) -> list[tuple[str, int]]:
    from django.db.models import Count

    states = [Reading.State.ANSWERED, Reading.State.DONE]
    found = batch.readings.filter(state__in=states).order_by().values_list("label").annotate(Count("id"))
    return [(title_of(label) or _("Cannot tell"), count) for label, count in sorted(found, key=lambda row: -row[1])]


def _form(request: HttpRequest, message: str = "", status: int = 200, lang: str = "") -> HttpResponse:
    page = Paginator(Batch.objects.filter(owner=user_of(request)), _PAGE).get_page(request.GET.get("p"))
    context: dict[str, Any] = {
        "message": message,
        "message_lang": lang,
        "page": page,
        "rows": [(batch, batch.counts()) for batch in page],
        "most_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        **offered(),
    }
    return render(request, "readings/batches.html", context, status=status)

"""Batches: many pages at once."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.readings import flows
from ecglens.web.readings.forms import BatchForm
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.ownership import get_own_batch
from ecglens.web.readings.titles import describe_result, translate_label, translate_outcome
from ecglens.web.readings.views.predict import form_context

__all__ = ["batches", "delete_batch", "show_batch"]

_PAGE_ROWS = 50


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """Show the user's batches and the form for another one; with files, create it."""
    if request.method != "POST":
        return _render_form(request)
    form = BatchForm(request.POST, request.FILES)
    if not form.is_valid():
        message, status = form.first_error()
        return _render_form(request, message, status)
    user, fields = get_user(request), form.cleaned_data
    try:
        options = flows.create_options(user, fields["models"], printed=fields["printed"], explain=fields["explain"])
        batch = flows.create_batch(user, fields["file"], options=options, name=fields["name"])
    except flows.Refused as error:
        return _render_form(request, str(error), error.status, error.lang)
    record(request, "upload", batch)
    return redirect(batch)


@login_required
@require_safe
def show_batch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the progress of a batch and its pages; only the part that changes if the page requests it again."""
    batch = get_own_batch(request, pk)
    readings = batch.readings.order_by("position")
    state = request.GET.get("state", "")
    if state in Reading.State.values:
        readings = readings.filter(state=state)
    page = Paginator(readings, _PAGE_ROWS).get_page(request.GET.get("p"))
    counts = batch.counts()
    done = counts["done"] + counts["failed"]
    context = {
        "batch": batch,
        "counts": counts,
        "answered": counts["pages"] - counts["waiting"] - counts["failed"],
        "percent": round(100 * done / counts["pages"]) if counts["pages"] else 0,
        "page": page,
        "state": state,
        "rows": [(reading, describe_result(reading)) for reading in page],
        "labels": _count_labels(batch),
    }
    part = "readings/batch_part.html" if request.headers.get("HX-Request") else "readings/batch.html"
    if part == "readings/batch.html":
        record(request, "see", batch)
    return render(request, part, context)


@login_required
@require_POST
def delete_batch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a batch with all its readings."""
    batch = get_own_batch(request, pk)
    record(request, "delete", batch)
    batch.delete()
    messages.success(request, _("“%(name)s” was deleted with all its pages.") % {"name": batch.name})
    return redirect("batches")


def _count_labels(batch: Batch) -> list[tuple[str, int]]:
    states = [Reading.State.ANSWERED, Reading.State.DONE]
    rows = batch.readings.filter(state__in=states).order_by().values_list("label", "outcome").annotate(Count("id"))
    ranked = sorted(rows, key=lambda row: -row[2])
    return [(translate_label(label) or translate_outcome(outcome), count) for label, outcome, count in ranked]


def _render_form(request: HttpRequest, message: str = "", status: int = 200, lang: str = "") -> HttpResponse:
    page = Paginator(Batch.objects.filter(owner=get_user(request)), _PAGE_ROWS).get_page(request.GET.get("p"))
    context: dict[str, Any] = {
        "message": message,
        "message_lang": lang,
        "page": page,
        "rows": [(batch, batch.counts()) for batch in page],
        "max_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        **form_context(),
    }
    return render(request, "readings/batches.html", context, status=status)

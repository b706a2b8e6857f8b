"""One reading: its page, notes and corrections, deletion."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ecglens.formats.files import FORMATS
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.guards import limit_changes
from ecglens.web.readings import flows
from ecglens.web.readings.editing import list_corrections
from ecglens.web.readings.forms import ChangeForm
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.search import find_duplicate
from ecglens.web.readings.stored import present_stored
from ecglens.web.readings.titles import translate_label

__all__ = ["change_reading", "delete_reading", "show_reading"]


@login_required
@require_safe
def show_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show all results of a page; the page itself requests them again while further results follow."""
    reading = get_own_reading(request, pk)
    if request.headers.get("HX-Request"):
        if not reading.finished:
            return HttpResponse(status=204)
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    record(request, "see", reading)
    labels = flows.list_labels()
    context = {
        "reading": reading,
        "view": present_stored(reading),
        "duplicate": find_duplicate(reading),
        "changes": list_corrections(reading),
        "labels": [(label, translate_label(label)) for label in labels],
        "is_other": bool(reading.corrected) and reading.corrected not in labels,
        "corrected": translate_label(reading.corrected),
        "formats": [(name, form.is_available) for name, form in FORMATS.items() if form.gaps],
    }
    return render(request, "readings/reading.html", context)


@login_required
@limit_changes
@require_POST
def change_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Store a note and the owner's own label."""
    reading = get_own_reading(request, pk)
    form = ChangeForm(request.POST)
    try:
        if not form.is_valid():
            text = _("Expected a note of at most 4000 characters and a label of at most 60, got more; write less.")
            raise flows.Refused(text, lang="")
        flows.update_reading(reading, note=form.cleaned_data["note"], corrected=form.find_label())
    except flows.Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
    else:
        record(request, "change", reading, detail=reading.corrected)
        messages.success(request, _("Saved."))
    return redirect(reading)


@login_required
@limit_changes
@require_POST
def delete_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a page with everything that is stored about it."""
    reading = get_own_reading(request, pk)
    record(request, "delete", reading)
    reading.delete()
    messages.success(request, _("“%(name)s” was deleted.") % {"name": reading.name})
    return redirect("history")

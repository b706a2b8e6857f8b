"""One reading: its page, notes and corrections, deletion."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ecglens.formats.files import FORMATS
from ecglens.web.accounts.audit import record
from ecglens.web.readings import flows
from ecglens.web.readings.forms import ChangeForm
from ecglens.web.readings.models import Reading
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.presentation import Picture, ReadingView, present_reading
from ecglens.web.readings.titles import translate_label

__all__ = ["change_reading", "delete_reading", "present_stored", "show_reading"]


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
    context = {
        "reading": reading,
        "view": present_stored(reading),
        "labels": [(label, translate_label(label)) for label in flows.list_labels()],
        "corrected": translate_label(reading.corrected),
        "formats": [(name, form.is_available) for name, form in FORMATS.items()],
    }
    return render(request, "readings/reading.html", context)


@login_required
@require_POST
def change_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Store a note and the owner's own label."""
    reading = get_own_reading(request, pk)
    form = ChangeForm(request.POST)
    try:
        if not form.is_valid():
            text = _("Expected a note of at most 4000 characters, got a longer one; write a shorter one.")
            raise flows.Refused(text, lang="")
        flows.update_reading(reading, note=form.cleaned_data["note"], corrected=form.cleaned_data["corrected"])
    except flows.Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
    else:
        record(request, "change", reading, detail=reading.corrected)
        messages.success(request, _("Saved."))
    return redirect(reading)


@login_required
@require_POST
def delete_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a page with everything that is stored about it."""
    reading = get_own_reading(request, pk)
    record(request, "delete", reading)
    reading.delete()
    messages.success(request, _("“%(name)s” was deleted.") % {"name": reading.name})
    return redirect("history")


def present_stored(reading: Reading) -> ReadingView:
    """Prepare a stored reading for the template."""
    rows = {picture.name: picture for picture in reading.pictures.all()}

    def find_picture(name: str) -> Picture | None:
        if name == "page":
            return _page_picture(reading)
        row = rows.get(name)
        if row is None:
            return None
        return Picture("", reverse("reading-picture", args=[reading.pk, name]), row.width, row.height)

    return present_reading(
        reading.name,
        reading.facts,
        [answer.prediction for answer in reading.answers.all()],
        reading.explanations,
        find_picture,
        signals=_load_signals(reading),
        is_pending=not reading.finished,
        stage=reading.stage,
        failure_reason=reading.failure_reason,
        redacted=reading.redacted,
    )


def _load_signals(reading: Reading) -> bytes | None:
    """Return the stored signals; ``None`` where there are none, or the storage does not have them."""
    if not reading.signals:
        return None
    try:
        with reading.signals.open("rb") as stream:
            content: bytes = stream.read()
    except OSError:
        return None
    return content


def _page_picture(reading: Reading) -> Picture | None:
    if not reading.page:
        return None
    size = reading.facts["page"]
    return Picture("", reverse("reading-page", args=[reading.pk]), size["width_px"], size["height_px"])

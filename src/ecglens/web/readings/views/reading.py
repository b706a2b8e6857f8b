"""One reading: shown, noted on, corrected, deleted."""

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
from ecglens.web.readings.shown import Picture, Shown, show
from ecglens.web.readings.titles import title_of
from ecglens.web.readings.views.owned import own_reading

__all__ = ["change_reading", "delete_reading", "show_reading", "shown_of"]


@login_required
@require_safe
def show_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything that is known of a page; asked for again by the page itself while more is to come."""
    reading = own_reading(request, pk)
    if request.headers.get("HX-Request"):
        if not reading.finished:
            return HttpResponse(status=204)
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    record(request, "see", reading)
    context = {
        "reading": reading,
        "shown": shown_of(reading),
        "labels": [(label, title_of(label)) for label in flows.known_labels()],
        "corrected": title_of(reading.corrected),
        "formats": list(FORMATS),
    }
    return render(request, "readings/reading.html", context)


@login_required
@require_POST
def change_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep a note and the owner's own label."""
    reading = own_reading(request, pk)
    form = ChangeForm(request.POST)
    try:
        if not form.is_valid():
            text = _("Expected a note of at most 4000 characters, found a longer one; write a shorter one.")
            raise flows.Refused(text, lang="")
        flows.change(reading, note=form.cleaned_data["note"], corrected=form.cleaned_data["corrected"])
    except flows.Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
    else:
        record(request, "change", reading, detail=reading.corrected)
        messages.success(request, _("Saved."))
    return redirect(reading)


@login_required
@require_POST
def delete_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a page with everything that was kept of it."""
    reading = own_reading(request, pk)
    record(request, "delete", reading)
    reading.delete()
    messages.success(request, _("“%(name)s” was deleted.") % {"name": reading.name})
    return redirect("history")


def shown_of(reading: Reading) -> Shown:
    """A kept reading for the template."""
    kept = {picture.name: picture for picture in reading.pictures.all()}

    def picture(name: str) -> Picture | None:
        if name == "page":
            return _page(reading)
        one = kept.get(name)
        if one is None:
            return None
        return Picture("", reverse("reading-picture", args=[reading.pk, name]), one.width, one.height)

    return show(
        reading.name,
        reading.facts,
        [answer.prediction for answer in reading.answers.all()],
        reading.explanations,
        picture,
        pending=not reading.finished,
        stage=reading.stage,
        trouble=reading.trouble,
        redacted=reading.redacted,
    )


def _page(reading: Reading) -> Picture | None:
    if not reading.page:
        return None
    told = reading.facts["page"]
    return Picture("", reverse("reading-page", args=[reading.pk]), told["width_px"], told["height_px"])

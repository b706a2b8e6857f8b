"""The user's readings: looked up, compared, exported."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.who import user_of
from ecglens.web.readings import exports, flows
from ecglens.web.readings.changes import changes
from ecglens.web.readings.forms import SearchForm
from ecglens.web.readings.models import Reading
from ecglens.web.readings.search import UNSURE, found
from ecglens.web.readings.titles import title_of
from ecglens.web.readings.views.files import attached
from ecglens.web.readings.views.owned import own_reading
from ecglens.web.readings.views.reading import shown_of

__all__ = ["compare", "export", "history"]

_PAGE = 25
_MOST_EXPORTED = 500


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """The user's readings, the newest first."""
    form = SearchForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    pages = Paginator(found(user_of(request), wanted), _PAGE)
    page = pages.get_page(request.GET.get("p"))
    query = request.GET.copy()
    query.pop("p", None)
    context = {
        "page": page,
        "rows": [(reading, title_of(reading.label), title_of(reading.corrected)) for reading in page],
        "wanted": {name: request.GET.get(name, "") for name in form.fields},
        "searched": any(wanted.get(name) for name in form.fields),
        "labels": [(label, title_of(label)) for label in flows.known_labels()],
        "unsure": UNSURE,
        "states": Reading.State.choices,
        "query": query.urlencode(),
    }
    return render(request, "readings/history.html", context)


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """What was chosen in the history: two readings side by side, a table, JSON, sheets, or all of it deleted."""
    wanted = [pk for pk in request.POST.getlist("chosen") if _is_number(pk)][:_MOST_EXPORTED]
    readings = list(Reading.objects.of(user_of(request)).filter(pk__in=wanted).prefetch_related("answers", "pictures"))
    action = request.POST.get("action", "")
    if not readings:
        messages.error(request, _("Choose some readings first."))
        return redirect("history")
    if action == "compare":
        if len(readings) != 2:
            messages.error(request, _("Choose two readings to put side by side."))
            return redirect("history")
        older, newer = sorted(readings, key=lambda reading: reading.created_at)
        return redirect(f"{reverse('compare-readings')}?a={older.pk}&b={newer.pk}")
    if action == "delete":
        for reading in readings:
            record(request, "delete", reading)
            reading.delete()
        messages.success(request, _("%(count)s readings were deleted.") % {"count": len(readings)})
        return redirect("history")
    if action not in exports.TABLES:
        messages.error(request, _("Choose what to export to."))
        return redirect("history")
    for reading in readings:
        record(request, "export", reading, detail=action)
    return attached(*exports.TABLES[action](readings))


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two readings side by side, with what changed."""
    wanted = [request.GET.get(name, "") for name in ("a", "b")]
    if not all(map(_is_number, wanted)):
        messages.error(request, _("Choose two readings to put side by side."))
        return redirect("history")
    pair = [own_reading(request, UUID(each)) for each in wanted]
    for reading in pair:
        record(request, "see", reading)
    context = {"pair": [(reading, shown_of(reading)) for reading in pair], "changes": changes(*pair)}
    return render(request, "readings/compare.html", context)


def _is_number(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True

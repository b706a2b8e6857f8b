"""The user's history: search, comparison, export."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ecglens.outcomes import Outcome
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.readings import exports, flows
from ecglens.web.readings.changes import list_changes, list_news, list_st_changes
from ecglens.web.readings.file_responses import respond_with_attachment
from ecglens.web.readings.forms import SearchForm
from ecglens.web.readings.median_beats import draw_median_beats
from ecglens.web.readings.models import Reading
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.search import NO_LABEL, list_other_labels, search_readings
from ecglens.web.readings.stored import load_signals, present_stored
from ecglens.web.readings.titles import describe_result, translate_label, translate_outcome

__all__ = ["compare", "export", "history"]

_PAGE_ROWS = 25
_MAX_EXPORTED = 500


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Show the user's readings, the newest first."""
    user = get_user(request)
    form = SearchForm(request.GET)
    form.is_valid()
    criteria = form.cleaned_data
    pages = Paginator(search_readings(user, criteria), _PAGE_ROWS)
    page = pages.get_page(request.GET.get("p"))
    query = request.GET.copy()
    query.pop("p", None)
    context = {
        "page": page,
        "rows": [(reading, describe_result(reading), translate_label(reading.corrected)) for reading in page],
        "criteria": {name: request.GET.get(name, "") for name in form.fields},
        "is_search": any(criteria.get(name) for name in form.fields),
        "labels": [(label, translate_label(label)) for label in (*flows.list_labels(), *list_other_labels(user))],
        "no_label": NO_LABEL,
        "outcomes": [(outcome.value, translate_outcome(outcome)) for outcome in Outcome],
        "states": Reading.State.choices,
        "query": query.urlencode(),
    }
    return render(request, "readings/history.html", context)


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """Compare, export or delete the readings that were selected in the history."""
    selected = [pk for pk in request.POST.getlist("chosen") if _is_uuid(pk)][:_MAX_EXPORTED]
    own = Reading.objects.of(get_user(request))
    readings = list(
        own.filter(pk__in=selected).prefetch_related("answers", "pictures", "reviews").select_related("membership")
    )
    action = request.POST.get("action", "")
    if not readings:
        messages.error(request, _("Select some readings first."))
        return redirect("history")
    if action == "compare":
        if len(readings) != 2:
            messages.error(request, _("Choose two readings to compare."))
            return redirect("history")
        older, newer = sorted(readings, key=lambda reading: reading.created_at)
        return redirect(f"{reverse('compare-readings')}?a={older.pk}&b={newer.pk}")
    if action == "case":
        return redirect(f"{reverse('add-to-case')}?{urlencode([('reading', each.pk) for each in readings])}")
    if action == "delete":
        for reading in readings:
            record(request, "delete", reading)
            reading.delete()
        messages.success(request, _("%(count)s readings were deleted.") % {"count": len(readings)})
        return redirect("history")
    if action not in exports.EXPORTERS:
        messages.error(request, _("Choose a format for the export."))
        return redirect("history")
    for reading in readings:
        record(request, "export", reading, detail=action)
    return respond_with_attachment(*exports.EXPORTERS[action](readings))


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Show two readings side by side, with the differences."""
    selected = [request.GET.get(name, "") for name in ("a", "b")]
    if not all(map(_is_uuid, selected)):
        messages.error(request, _("Choose two readings to compare."))
        return redirect("history")
    pair = [get_own_reading(request, UUID(pk)) for pk in selected]
    for reading in pair:
        record(request, "see", reading)
    context = {
        "pair": [(reading, present_stored(reading)) for reading in pair],
        "changes": list_changes(*pair),
        "st_changes": list_st_changes(*pair),
        "news": list_news(*pair),
        "beats": draw_median_beats(*map(load_signals, pair)),
    }
    return render(request, "readings/compare.html", context)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True

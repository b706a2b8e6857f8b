"""Corrections of a reading by hand: the page of the editor, changes and their undoing."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.corrections import LEADS, Corrections
from ecglens.documents import dump_document
from ecglens.errors import EcgLensError
from ecglens.layouts import LAYOUTS, STANDARD_LEADS, lead_of_row
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.accounts.guards import limit_changes
from ecglens.web.http.throttle import count_request
from ecglens.web.readings import editing
from ecglens.web.readings.file_responses import respond_with_attachment
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.forms import LeadsForm, PageForm
from ecglens.web.readings.models import Reading
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.stored import find_page_size, present_stored
from ecglens.web.readings.titles import lead_position

__all__ = ["correction_file", "edit_reading", "undo_change"]

_CHANGES_A_MINUTE = 10


@login_required
@limit_changes
@require_http_methods(["GET", "HEAD", "POST"])
def edit_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the editor of a reading; with a form, store a change, and have the reading measured again."""
    reading = get_own_reading(request, pk)
    if request.method == "POST":
        return _change(request, reading)
    record(request, "see", reading)
    fix = editing.find_corrections(reading)
    width, height = find_page_size(reading)
    named = sorted(editing.list_rows(reading), key=lambda row: lead_position(row[1]))
    rows = [(as_read, now, lead_of_row(now)) for as_read, now in named]
    context = {
        "reading": reading,
        "view": present_stored(reading),
        "fix": fix,
        "changes": editing.list_corrections(reading),
        "rows": rows,
        "leads": [*STANDARD_LEADS, *sorted(LEADS - set(STANDARD_LEADS))],
        "layouts": list(LAYOUTS),
        "page_width": width,
        "page_height": height,
        "corners": _describe_corners(fix, width, height),
        "view_size": (reading.facts or {}).get("view"),
    }
    return render(request, "readings/edit.html", context)


@login_required
@limit_changes
@require_POST
def undo_change(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take back the last change of a reading, which is then measured again."""
    reading = get_own_reading(request, pk)
    try:
        _check_rate(request)
        editing.undo_corrections(reading)
    except Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
        return redirect("edit-reading", pk)
    record(request, "change", reading, detail="undone")
    return redirect(reading)


@login_required
@require_safe
def correction_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the corrections in force as the file that ``ecglens read`` takes beside a page."""
    reading = get_own_reading(request, pk)
    document = dump_document("ecglens-corrections", editing.find_corrections(reading).to_dict(), indent=1)
    record(request, "export", reading, detail="corrections")
    return respond_with_attachment(document.encode(), "corrections.json", "application/json")


def _change(request: HttpRequest, reading: Reading) -> HttpResponse:
    try:
        _check_rate(request)
        editing.store_corrections(reading, _read_form(request, reading))
    except Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
        return redirect("edit-reading", reading.pk)
    except EcgLensError as error:
        messages.error(request, error.detail, extra_tags="en")
        return redirect("edit-reading", reading.pk)
    record(request, "change", reading, detail="corrected")
    return redirect(reading)


def _read_form(request: HttpRequest, reading: Reading) -> Corrections:
    """Return the corrections after the change that a form describes.

    Raises:
        EcgLensError: It describes none.
    """
    if "corners" in request.POST:
        return _check(PageForm(request.POST))["corrections"] or Corrections()
    names = {as_read: request.POST.get(f"name:{as_read}", "") for as_read, _now in editing.list_rows(reading)}
    fields = _check(LeadsForm(request.POST))
    drawing = editing.parse_drawing(fields["traces"], fields["boxes"])
    return editing.change_leads(
        reading,
        names={as_read: lead for as_read, lead in names.items() if lead},
        speed_mm_s=fields["speed"],
        gain_mm_mv=fields["gain"],
        px_per_mm=fields["ruler_px"] / fields["ruler_mm"] if fields["ruler_px"] and fields["ruler_mm"] else None,
        traces=drawing.traces,
        boxes=drawing.boxes,
    )


def _check(form: PageForm | LeadsForm) -> dict[str, Any]:
    if not form.is_valid():
        raise Refused(str(next(iter(form.errors.values()))[0]), lang="")
    return form.cleaned_data


def _check_rate(request: HttpRequest) -> None:
    if not count_request(f"correct:{get_user(request).pk}", _CHANGES_A_MINUTE):
        raise Refused(_("Expected a few changes in a minute, got more; wait a little."), 429, lang="")


def _describe_corners(fix: Corrections, width: int, height: int) -> str:
    whole = ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))
    return " ".join(f"{column:.1f},{row:.1f}" for column, row in fix.corners or whole)

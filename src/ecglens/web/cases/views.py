"""Pages of cases: their readings, their links, and what a link shows."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Max
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.accounts.guards import limit_changes
from ecglens.web.cases import flows
from ecglens.web.cases.forms import CaseForm, MembershipForm, ShareForm
from ecglens.web.cases.models import Case, Membership
from ecglens.web.cases.ownership import get_own_case, get_own_membership, get_own_share, get_shared_case
from ecglens.web.cases.shares import LONGEST_DAYS, create_share
from ecglens.web.readings.file_responses import respond_with_file
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.models import Picture, Reading
from ecglens.web.readings.ownership import select_own_readings
from ecglens.web.readings.stored import present_stored
from ecglens.web.readings.titles import describe_result

__all__ = [
    "add_to_case",
    "case",
    "cases",
    "change_member",
    "delete_case",
    "delete_share",
    "remove_member",
    "share",
    "shared_case",
    "shared_page",
    "shared_picture",
    "shared_reading",
]

_PAGE_ROWS = 50
_THUMB = "thumb"


@login_required
@limit_changes
@require_http_methods(["GET", "HEAD", "POST"])
def cases(request: HttpRequest) -> HttpResponse:
    """Show the user's cases and the form for another one; with a pseudonym, create it."""
    user = get_user(request)
    if request.method == "POST":
        form = CaseForm(request.POST)
        try:
            created = flows.create_case(user, *_read_case(form))
        except Refused as error:
            _report(request, error)
            return redirect("cases")
        record(request, "create", created)
        return redirect(created)
    rows = Case.objects.filter(owner=user).annotate(
        readings=Count("memberships"), latest=Max("memberships__recorded_on")
    )
    page = Paginator(rows.order_by("-created_at", "id"), _PAGE_ROWS).get_page(request.GET.get("p"))
    return render(request, "cases/cases.html", {"page": page})


@login_required
@limit_changes
@require_http_methods(["GET", "HEAD", "POST"])
def case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a case; with a form, change its pseudonym and note."""
    own_case = get_own_case(request, pk)
    if request.method == "POST":
        try:
            pseudonym, note = _read_case(CaseForm(request.POST))
            flows.change_case(own_case, pseudonym=pseudonym, note=note)
        except Refused as error:
            _report(request, error)
        else:
            record(request, "change", own_case)
            messages.success(request, _("Saved."))
        return redirect("case", pk)
    record(request, "see", own_case)
    context = {
        "case": own_case,
        "rows": _list_rows(own_case),
        "shares": own_case.shares.all(),
        "longest_days": LONGEST_DAYS,
        "new_key": request.session.pop("new_share", None),
    }
    return render(request, "cases/case.html", context)


@login_required
@limit_changes
@require_POST
def delete_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a case; its readings stay in the history."""
    deleted = get_own_case(request, pk)
    record(request, "delete", deleted)
    deleted.delete()
    messages.success(request, _("“%(name)s” was deleted; its readings are still in the history.") % {"name": deleted})
    return redirect("cases")


@login_required
@limit_changes
@require_http_methods(["GET", "HEAD", "POST"])
def add_to_case(request: HttpRequest) -> HttpResponse:
    """Show the cases to which readings can be added; with a case or a new pseudonym, add them."""
    user, data = get_user(request), request.POST if request.method == "POST" else request.GET
    readings = select_own_readings(user, data.getlist("reading"))
    if not readings:
        raise Http404
    if request.method != "POST":
        context = {"readings": readings, "cases": Case.objects.filter(owner=user).order_by("pseudonym")}
        return render(request, "cases/add.html", context)
    try:
        chosen = _choose_case(request)
        count = flows.add_readings(chosen, readings)
    except Refused as error:
        _report(request, error)
        return redirect(f"{reverse('add-to-case')}?{'&'.join(f'reading={each.pk}' for each in readings)}")
    record(request, "change", chosen)
    messages.success(request, _("%(count)s readings were added.") % {"count": count})
    return redirect(chosen)


@login_required
@limit_changes
@require_POST
def change_member(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change the day and the tags of a reading in a case."""
    membership = get_own_membership(request, pk)
    form = MembershipForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused(_("Expected a day and tags with commas between them; correct them."), lang="")
        tags = flows.split_tags(form.cleaned_data["tags"])
        flows.update_membership(membership, recorded_on=form.cleaned_data["recorded_on"], tags=tags)
    except Refused as error:
        _report(request, error)
    else:
        record(request, "change", membership.reading)
        messages.success(request, _("Saved."))
    return redirect(membership.case)


@login_required
@limit_changes
@require_POST
def remove_member(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a reading out of its case."""
    membership = get_own_membership(request, pk)
    record(request, "change", membership.case)
    membership.delete()
    messages.success(request, _("“%(name)s” is not in this case any more.") % {"name": membership.reading.name})
    return redirect(membership.case)


@login_required
@limit_changes
@require_POST
def share(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Create a link that shows a case; its key is shown once."""
    own_case, form = get_own_case(request, pk), ShareForm(request.POST)
    try:
        if not form.is_valid():
            text = _("Expected 1 to %(most)s days; choose a number in between.") % {"most": LONGEST_DAYS}
            raise Refused(text, lang="")
        link, key = create_share(own_case, form.cleaned_data["days"])
    except Refused as error:
        _report(request, error)
    else:
        record(request, "share", own_case, detail=f"until {link.expires_at:%Y-%m-%d}")
        address = request.build_absolute_uri(reverse("shared-case", args=[key]))
        request.session["new_share"] = {"case": str(own_case.pk), "address": address}
    return redirect(own_case)


@login_required
@limit_changes
@require_POST
def delete_share(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a link, which shows nothing from then on."""
    deleted = get_own_share(request, pk)
    record(request, "unshare", deleted.case)
    deleted.delete()
    messages.success(request, _("The link shows nothing any more."))
    return redirect(deleted.case)


@require_safe
def shared_case(request: HttpRequest, key: str) -> HttpResponse:
    """Show a case to whoever has a link."""
    shared = get_shared_case(key)
    record(request, "see by link", shared)
    rows = [
        (membership, result, thumb and reverse("shared-picture", args=[key, membership.reading_id, _THUMB]))
        for membership, result, thumb in _list_rows(shared)
    ]
    return render(request, "cases/shared.html", {"case": shared, "rows": rows, "key": key})


@require_safe
def shared_reading(request: HttpRequest, key: str, pk: UUID) -> HttpResponse:
    """Show a reading of a shared case."""
    shared = get_shared_case(key)
    reading = _get_shared_reading(shared, pk)
    record(request, "see by link", reading)
    view = present_stored(
        reading,
        page=reverse("shared-page", args=[key, pk]),
        picture=lambda name: reverse("shared-picture", args=[key, pk, name]),
    )
    context = {"case": shared, "reading": reading, "membership": reading.membership, "view": view, "key": key}
    return render(request, "cases/shared_reading.html", context)


@require_safe
def shared_page(request: HttpRequest, key: str, pk: UUID) -> FileResponse:
    """Serve the stored page of a reading of a shared case."""
    return respond_with_file(_get_shared_reading(get_shared_case(key), pk).page)


@require_safe
def shared_picture(request: HttpRequest, key: str, pk: UUID, name: str) -> FileResponse:
    """Serve a picture of a reading of a shared case."""
    reading = _get_shared_reading(get_shared_case(key), pk)
    return respond_with_file(get_object_or_404(Picture, reading=reading, name=name).file)


def _list_rows(shared: Case) -> list[tuple[Membership, str, str]]:
    """Return the readings of a case with their results and the addresses of their thumbnails, in two queries."""
    memberships = list(
        shared.memberships.select_related("reading").defer(
            "reading__facts", "reading__explanations", "reading__options"
        )
    )
    pks = [membership.reading_id for membership in memberships]
    thumbs = set(Picture.objects.filter(reading_id__in=pks, name=_THUMB).values_list("reading_id", flat=True))
    return [
        (
            membership,
            describe_result(membership.reading),
            reverse("reading-picture", args=[membership.reading_id, _THUMB]) if membership.reading_id in thumbs else "",
        )
        for membership in memberships
    ]


def _get_shared_reading(shared: Case, pk: UUID) -> Reading:
    rows = Reading.objects.prefetch_related("answers", "pictures").select_related("membership")
    return get_object_or_404(rows, pk=pk, membership__case=shared)


def _choose_case(request: HttpRequest) -> Case:
    """Return the case that was chosen, or a new one.

    Raises:
        Refused: Neither was named, or the pseudonym cannot be used.
    """
    pseudonym, chosen = request.POST.get("pseudonym", ""), request.POST.get("case", "")
    if pseudonym.strip():
        return flows.create_case(get_user(request), pseudonym)
    try:
        return get_own_case(request, UUID(chosen))
    except ValueError as error:
        raise Refused(_("Choose a case, or write the pseudonym of a new one."), lang="") from error


def _read_case(form: CaseForm) -> tuple[str, str]:
    if not form.is_valid():
        raise Refused(_("Expected a pseudonym and a note that are shorter; write shorter ones."), lang="")
    return form.cleaned_data["pseudonym"], form.cleaned_data["note"]


def _report(request: HttpRequest, error: Any) -> None:
    messages.error(request, str(error), extra_tags=error.lang)

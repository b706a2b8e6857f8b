"""Pages of reviews: the next reading, the table of agreement, and the reviewed readings as a data set."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecglens.criteria.table import load_criteria
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.accounts.guards import limit_changes
from ecglens.web.cases import flows
from ecglens.web.cases.agreement import count_agreement
from ecglens.web.cases.data_set import pack_data_set
from ecglens.web.cases.forms import ReviewForm
from ecglens.web.cases.models import Review
from ecglens.web.readings.flows import Refused, list_labels
from ecglens.web.readings.models import Reading
from ecglens.web.readings.ownership import get_own_reading
from ecglens.web.readings.stored import present_stored
from ecglens.web.readings.titles import translate_label

__all__ = ["agreement", "next_to_review", "review", "reviewed_data_set"]

_MOST_REVIEWS = 20_000


@login_required
@require_safe
def next_to_review(request: HttpRequest) -> HttpResponse:
    """Redirect to the next reading without a review, or say that there is none."""
    reading = flows.find_next_to_review(get_user(request))
    return redirect("agreement") if reading is None else redirect("review", reading.pk)


@login_required
@limit_changes
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a reading without the model's answer, and store what the user says about it."""
    reading, user = get_own_reading(request, pk), get_user(request)
    if request.method == "POST":
        return _store(request, reading)
    record(request, "see", reading)
    previous = Review.objects.filter(reading=reading, reviewer=user).first()
    marked = set(previous.statements) if previous else set()
    labels = [(label, translate_label(label)) for label in list_labels()]
    context = {
        "reading": reading,
        "view": present_stored(reading),
        "review": previous,
        "labels": labels,
        "is_other": previous is not None and previous.label not in {"", *(label for label, _ in labels)},
        "statements": [(name, _(each.title), name in marked) for name, each in load_criteria().criteria.items()],
        "waiting": flows.list_to_review(user).count(),
    }
    return render(request, "cases/review.html", context)


@login_required
@require_safe
def agreement(request: HttpRequest) -> HttpResponse:
    """Show how the user's reviews agree with the model and the criteria."""
    user = get_user(request)
    reviews = Review.objects.filter(reviewer=user).order_by("-reviewed_at")[:_MOST_REVIEWS]
    counts = count_agreement(reviews)
    context = {
        "agreement": counts,
        "columns": [translate_label(label) or _("no label") for label in counts.labels],
        "rows": [(translate_label(row.label) or _("no label"), row.counts) for row in counts.rows],
        "percent": 100 * counts.agreeing / counts.answered if counts.answered else None,
        "statements": [(_(row.title), row) for row in counts.statements],
        "waiting": flows.list_to_review(user).count(),
    }
    return render(request, "cases/agreement.html", context)


@login_required
@require_safe
def reviewed_data_set(request: HttpRequest) -> HttpResponse | FileResponse:
    """Send the reviewed readings as a data set."""
    user = get_user(request)
    file, count = pack_data_set(user)
    record(request, "export", user, detail=f"reviewed {count}")
    return FileResponse(file, as_attachment=True, filename="ecglens-reviewed.zip", content_type="application/zip")


def _store(request: HttpRequest, reading: Reading) -> HttpResponse:
    form = ReviewForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused(_("Expected a label of at most 60 characters and a shorter comment; correct them."), lang="")
        flows.review_reading(
            reading,
            get_user(request),
            label=form.find_label(),
            statements=request.POST.getlist("statements"),
            text=form.cleaned_data["text"],
        )
    except Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
        return redirect("review", reading.pk)
    record(request, "review", reading)
    following = flows.find_next_to_review(get_user(request), after=reading)
    if following is None or "stay" in request.POST:
        messages.success(request, _("Saved."))
        return redirect("agreement") if following is None else redirect("review", reading.pk)
    messages.success(request, _("Saved. This is the next one."))
    return redirect("review", following.pk)

"""Views: typed input, one call, a named response."""

from pathlib import PurePosixPath

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

import ecglens
from ecglens.errors import EcgLensError
from ecglens.extras import installed
from ecglens.web.readings.explained import explained
from ecglens.web.readings.forms import UploadForm
from ecglens.web.readings.shown import show

__all__ = ["bad_request", "disease_predict", "form_expired", "healthz", "not_found", "refusal"]


@require_http_methods(["GET", "HEAD", "POST"])
def disease_predict(request: HttpRequest) -> HttpResponse:
    """The form; with an upload, the reading of its page. Nothing of the upload is kept."""
    if request.method != "POST":
        return _form(request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        message, status = form.first_error()
        return refusal(request, message, status=status)
    file = form.cleaned_data["file"]
    name = PurePosixPath(file.name).name
    try:
        reading = ecglens.examine(
            file.read(), page=form.cleaned_data["page"] or 1, measure=True, printed=form.cleaned_data["printed"]
        )
        reasons = explained(reading) if form.cleaned_data["explain"] else ()
    except EcgLensError as error:
        return refusal(request, f"{name}: {str(error).removeprefix('bytes: ')}", status=422)
    return render(request, "readings/reading.html", {"shown": show(reading, name), "reasons": reasons, **_offered()})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the site answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def refusal(request: HttpRequest, message: str, *, status: int) -> HttpResponse:
    """The form again, with one sentence on what was wrong."""
    return _form(request, message, status)


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer to a form without its token."""
    return refusal(
        request, "Expected a form from this page, found one without its mark; choose the file again.", status=403
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to a request that cannot be understood."""
    return refusal(request, "The request could not be understood; choose the file again.", status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to an unknown address."""
    return refusal(request, "There is no page at this address; start here instead.", status=404)


def _form(request: HttpRequest, message: str = "", status: int = 200) -> HttpResponse:
    return render(request, "readings/upload.html", {"message": message, **_offered()}, status=status)


def _offered() -> dict[str, object]:
    """What the form says and offers."""
    return {"limit_mb": f"{settings.MAX_UPLOAD_BYTES / 1024**2:g}", "reads_print": installed("rapidocr")}

"""Uploads of pages, and demo pages."""

from http import HTTPStatus
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecglens.demo import demo_pages
from ecglens.errors import EcgLensError
from ecglens.extras import is_installed
from ecglens.models.registry import list_default_models, list_models
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.http.throttle import seconds_to_next_minute
from ecglens.web.readings import flows, visitors
from ecglens.web.readings.forms import UploadForm
from ecglens.web.readings.pipeline import Options
from ecglens.web.readings.titles import describe_result

__all__ = ["demo_page", "disease_predict", "form_context", "try_demo"]


@require_http_methods(["GET", "HEAD", "POST"])
def disease_predict(request: HttpRequest) -> HttpResponse:
    """Show the form; with files, read them. Nothing is stored for a visitor."""
    if request.method != "POST":
        return _render_form(request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        message, status = form.first_error()
        return _refuse(request, message, status)
    try:
        if request.user.is_authenticated:
            return _read_and_store(request, form.cleaned_data)
        return _read_only(request, form.cleaned_data)
    except flows.Refused as error:
        return _refuse(request, str(error), error.status, error.lang)


@require_safe
def try_demo(request: HttpRequest, name: str) -> HttpResponse:
    """Show the reading of a demo page, without an account."""
    view = visitors.read_demo(name)
    if view is None:
        raise Http404
    return render(request, "readings/demo.html", {"view": view})


@require_safe
def demo_page(request: HttpRequest, name: str) -> FileResponse:
    """Serve the image of a demo page."""
    page = next((each for each in demo_pages() if each.name == name), None)
    if page is None:
        raise Http404
    return FileResponse(
        page.path.open("rb"), content_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"}
    )


def form_context() -> dict[str, Any]:
    """Return the models and options that the form offers."""
    default = load_settings().model
    cards = sorted(list_models(), key=lambda card: card.name not in list_default_models())
    return {"reads_print": is_installed("rapidocr"), "cards": cards, "default_model": default}


def _read_and_store(request: HttpRequest, fields: dict[str, Any]) -> HttpResponse:
    user = get_user(request)
    options = flows.create_options(user, fields["models"], printed=fields["printed"], explain=fields["explain"])
    results = []
    for file in fields["file"]:
        content = file.read()
        if fields["page"] is None and count_pages(content) > 1:
            file.seek(0)
            batch = flows.create_batch(user, [file], options=options)
            record(request, "upload", batch)
            results.append((batch.get_absolute_url(), file.name, _("A batch, since the file has several pages")))
            continue
        reading, _is_new = flows.read_file(user, content, file.name, options=options, number=fields["page"] or 1)
        record(request, "upload", reading)
        results.append((reading.get_absolute_url(), reading.name, describe_result(reading)))
    if _wants_json(request):
        return JsonResponse({"results": [{"url": url, "name": name, "heading": head} for url, name, head in results]})
    return HttpResponseRedirect(results[0][0]) if len(results) == 1 else redirect("history")


def _read_only(request: HttpRequest, fields: dict[str, Any]) -> HttpResponse:
    if not load_settings().visitors:
        raise flows.Refused(_("This site reads pages only for users with an account; log in first."), 403, lang="")
    if not visitors.count_visit(request):
        raise flows.Refused(visitors.describe_limit(), 429, lang="")
    file, *others = fields["file"]
    if others:
        text = _("Without an account one page is read at a time; choose one file, or log in.")
        raise flows.Refused(text, 400, lang="")
    options = Options(tuple(fields["models"]), printed=fields["printed"], explain=fields["explain"], redact=False)
    try:
        view = visitors.read_for_visitor(file.read(), file.name, options, number=fields["page"] or 1)
    except EcgLensError as error:
        raise flows.Refused(flows.describe_error(file.name, error)) from error
    return render(request, "readings/visitor.html", {"view": view, **form_context()})


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _refuse(request: HttpRequest, message: str, status: int, lang: str = "") -> HttpResponse:
    if _wants_json(request):
        response: HttpResponse = JsonResponse({"message": message, "lang": lang}, status=status)
    else:
        response = _render_form(request, message, status, lang)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(seconds_to_next_minute())
    return response


def _render_form(request: HttpRequest, message: str = "", status: int = 200, lang: str = "") -> HttpResponse:
    context = {"message": message, "message_lang": lang, **form_context()}
    return render(request, "readings/upload.html", context, status=status)

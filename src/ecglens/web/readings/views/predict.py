"""Uploads of pages, and demo pages."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecglens.demo import DemoPage
from ecglens.errors import EcgLensError
from ecglens.extras import is_installed
from ecglens.layouts import LAYOUTS
from ecglens.models.registry import list_default_models, list_models
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.http.later import respond_in_parts
from ecglens.web.http.throttle import seconds_to_next_minute
from ecglens.web.readings import demos, flows, visitors
from ecglens.web.readings.forms import UploadForm
from ecglens.web.readings.pipeline import Options
from ecglens.web.readings.search import find_duplicate
from ecglens.web.readings.titles import describe_result

__all__ = ["demo_page", "disease_predict", "form_context", "try_demo"]

_HERE = "<!-- the rest -->"
"""Place in a template at which the second part of the response begins."""
_LOG = logging.getLogger(__name__)


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
    page = demos.find_demo(name)
    if page is None:
        raise Http404
    result = demos.load_result(page)
    if result is not None:
        view = visitors.present_result(result)
        return render(request, "readings/demo.html", {"view": view, **_describe_truth(page, result)})
    look = demos.look_at_demo(page)

    def finish() -> visitors.Result:
        finished = look.finish()
        demos.store_result(page, finished)
        return finished

    early = look.describe()
    return _show_in_parts(request, "readings/demo.html", early, finish, _describe_truth(page, early))


@require_safe
def demo_page(request: HttpRequest, name: str) -> FileResponse:
    """Serve the image of a demo page."""
    page = demos.find_demo(name)
    if page is None:
        raise Http404
    return FileResponse(
        page.path.open("rb"), content_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"}
    )


def form_context() -> dict[str, Any]:
    """Return the models and options that the form offers."""
    default = load_settings().model
    cards = sorted(list_models(), key=lambda card: card.name not in list_default_models())
    return {"layouts": list(LAYOUTS), "reads_print": is_installed("rapidocr"), "cards": cards, "default_model": default}


def _read_and_store(request: HttpRequest, fields: dict[str, Any]) -> HttpResponse:
    user = get_user(request)
    options = flows.create_options(user, fields["models"], printed=fields["printed"], explain=fields["explain"])
    results: list[dict[str, Any]] = []
    for file in fields["file"]:
        content = file.read()
        if fields["page"] is None and count_pages(content) > 1:
            file.seek(0)
            batch = flows.create_batch(user, [file], options=options)
            record(request, "upload", batch)
            heading = _("A batch, since the file has several pages")
            results.append({"url": batch.get_absolute_url(), "name": file.name, "heading": heading})
            continue
        number, corrections = fields["page"] or 1, fields["corrections"]
        uploaded = flows.read_file(user, content, file.name, options=options, number=number, corrections=corrections)
        flows.replace_refused(uploaded, fields["replaces"])
        reading = uploaded.reading
        record(request, "upload", reading)
        heading = describe_result(reading)
        if find_duplicate(reading) is not None:
            heading = _("%(result)s (uploaded before)") % {"result": heading}
        results.append({"url": reading.get_absolute_url(), "name": reading.name, "heading": heading})
        if uploaded.refused is not None:
            reason = (reading.answers.all()[0].prediction["abstention"] or {}).get("reason", "")
            results[-1] |= {"pk": str(reading.pk), "refused": {**uploaded.refused.to_dict(), "reason": reason}}
    if _wants_json(request):
        return JsonResponse({"results": results})
    return HttpResponseRedirect(results[0]["url"]) if len(results) == 1 else redirect("history")


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
        look = visitors.begin_reading(
            file.read(), file.name, options, number=fields["page"] or 1, corrections=fields["corrections"]
        )
    except EcgLensError as error:
        raise flows.Refused(flows.describe_error(file.name, error)) from error
    return _show_in_parts(request, "readings/visitor.html", look.describe(), look.finish, form_context())


def _show_in_parts(
    request: HttpRequest,
    template: str,
    early: visitors.Result,
    finish: Callable[[], visitors.Result],
    context: dict[str, Any],
) -> HttpResponse:
    """Show the answer at once, and everything else in the same response as soon as it is there."""
    token = get_token(request)
    whole = render_to_string(template, {"view": visitors.present_result(early), "is_early": True, **context}, request)
    first, _mark, last = whole.partition(_HERE)

    def work() -> str:
        try:
            result = finish()
            view = visitors.present_result(result)
        except EcgLensError as error:
            return render_to_string("readings/unfinished.html", {"reason": error.detail}) + last
        except Exception:
            _LOG.exception("A page could not be measured.")
            return render_to_string("readings/unfinished.html", {"reason": ""}) + last
        refused = {"refused": result.refused, "whole": result.whole, "layouts": list(LAYOUTS), "token": token}
        downloads = visitors.list_downloads(result)
        return render_to_string("readings/whole.html", {"view": view, "downloads": downloads, **refused}) + last

    return respond_in_parts(
        request,
        first,
        work=work,
        decline=lambda: render_to_string("readings/unfinished.html", {"is_busy": True}) + last,
    )


def _describe_truth(page: DemoPage, result: visitors.Result) -> dict[str, Any]:
    return {"truth": demos.compare_with_truth(page, result.predictions[0]["label"])}


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

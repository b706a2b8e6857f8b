"""Uploading a page."""

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecglens.demo import demo_pages
from ecglens.errors import EcgLensError
from ecglens.extras import installed
from ecglens.models.registry import list_models
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.who import user_of
from ecglens.web.readings import flows, visitors
from ecglens.web.readings.forms import UploadForm
from ecglens.web.readings.names import plain_name
from ecglens.web.readings.titles import title_of
from ecglens.web.readings.work import Options

__all__ = ["demo_page", "disease_predict", "offered", "try_demo"]


@require_http_methods(["GET", "HEAD", "POST"])
def disease_predict(request: HttpRequest) -> HttpResponse:
    """The form; with files, their readings. Of a visitor nothing is kept."""
    if request.method != "POST":
        return _form(request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        message, status = form.first_error()
        return _refused(request, message, status)
    try:
        if request.user.is_authenticated:
            return _read_and_keep(request, form.cleaned_data)
        return _read_only(request, form.cleaned_data)
    except flows.Refused as error:
        return _refused(request, str(error), error.status, error.lang)


@require_safe
def try_demo(request: HttpRequest, name: str) -> HttpResponse:
    """A page that ships, read without an account."""
    shown = visitors.demo_shown(name)
    if shown is None:
        raise Http404
    return render(request, "readings/demo.html", {"shown": shown})


@require_safe
def demo_page(request: HttpRequest, name: str) -> FileResponse:
    """The picture of a page that ships."""
    page = next((each for each in demo_pages() if each.name == name), None)
    if page is None:
        raise Http404
    return FileResponse(
        page.path.open("rb"), content_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"}
    )


def offered() -> dict[str, Any]:
    """What the form offers."""
    default = load_settings().model
    cards = sorted(list_models(), key=lambda card: card.name != default)
    return {"reads_print": installed("rapidocr"), "cards": cards, "default_model": default}


def _read_and_keep(request: HttpRequest, asked: dict[str, Any]) -> HttpResponse:
    options = flows.options_for(user_of(request), asked["models"], printed=asked["printed"], explain=asked["explain"])
    addresses = []
    for file in asked["file"]:
        content = file.read()
        if asked["page"] is None and count_pages(content) > 1:
            file.seek(0)
            batch = flows.add_files(user_of(request), [file], options=options)
            record(request, "upload", batch)
            addresses.append((batch.get_absolute_url(), file.name, _("A batch, since the file has several pages")))
            continue
        reading = flows.read_file(user_of(request), content, file.name, options=options, number=asked["page"] or 1)
        record(request, "upload", reading)
        addresses.append((reading.get_absolute_url(), reading.name, title_of(reading.label) or _("Cannot tell")))
    if _wants_json(request):
        return JsonResponse({"results": [{"url": url, "name": name, "heading": head} for url, name, head in addresses]})
    return HttpResponseRedirect(addresses[0][0]) if len(addresses) == 1 else redirect("history")


def _read_only(request: HttpRequest, asked: dict[str, Any]) -> HttpResponse:
    if not load_settings().visitors:
        raise flows.Refused(_("Here pages are read for people with an account only; log in first."), 403, lang="")
    if not visitors.allowed(request):
        raise flows.Refused(visitors.too_many(), 429, lang="")
    file, *more = asked["file"]
    if more:
        text = _("Without an account one page is read at a time; choose one file, or log in.")
        raise flows.Refused(text, 400, lang="")
    options = Options(tuple(asked["models"]), printed=asked["printed"], explain=asked["explain"], redact=False)
    try:
        shown = visitors.read_for_visitor(file.read(), file.name, options, number=asked["page"] or 1)
    except EcgLensError as error:
        raise flows.Refused(f"{plain_name(file.name)}: {str(error).removeprefix('bytes: ')}") from error
    return render(request, "readings/visitor.html", {"shown": shown, **offered()})


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _refused(request: HttpRequest, message: str, status: int, lang: str = "") -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"message": message, "lang": lang}, status=status)
    return _form(request, message, status, lang)


def _form(request: HttpRequest, message: str = "", status: int = 200, lang: str = "") -> HttpResponse:
    context = {"message": message, "message_lang": lang, **offered()}
    return render(request, "readings/upload.html", context, status=status)

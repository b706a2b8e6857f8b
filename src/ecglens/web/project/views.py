"""The start page, what happens when something is missing or broken, and what a phone needs to install the site."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from ecglens.demo import demo_pages

__all__ = [
    "bad_request",
    "form_expired",
    "healthz",
    "manifest",
    "not_allowed",
    "not_found",
    "offline",
    "readyz",
    "server_error",
    "service_worker",
    "start",
    "told",
]


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """What this is, what it is not, and pages to try it on."""
    return render(request, "site/start.html", {"demo": demo_pages()})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the site answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the site can do its work: its database answers, and its tables are there."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM readings_reading WHERE 1 = 0")
    except DatabaseError:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """What a phone needs to install the site."""
    icons = [
        {
            "src": static(f"site/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": "any maskable",
        }
        for size in (192, 512)
    ]
    told_of = {
        "name": "ecglens",
        "short_name": "ecglens",
        "description": _("Reads pages of paper ECGs. For research and teaching."),
        "start_url": "/disease-predict",
        "scope": "/",
        "display": "standalone",
        "background_color": "#f5f7f8",
        "theme_color": "#0b6b74",
        "icons": icons,
    }
    return JsonResponse(told_of, content_type="application/manifest+json")


@require_safe
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Keeps one page for when there is no network, and nothing of anybody's."""
    return render(request, "site/sw.js", content_type="text/javascript")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What is shown without a network."""
    return render(request, "site/offline.html")


def told(request: HttpRequest, text: str, *, status: int, title: str = "") -> HttpResponse:
    """A page with one sentence on what was wrong."""
    return render(request, "site/told.html", {"text": text, "title": title or _("This did not work")}, status=status)


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer to a form without its token."""
    return told(
        request, _("Expected a form from this page, found one without its mark; go back and try again."), status=403
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to a request that cannot be understood."""
    return told(request, _("The request could not be understood; go back and try again."), status=400)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to a request that is not allowed."""
    return told(request, _("This is not yours to see or change."), status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to an unknown address, and to things of others."""
    return told(
        request, _("There is nothing at this address, or it is not yours."), status=404, title=_("Nothing here")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer where ecglens has an error; it touches neither the database nor the session."""
    return HttpResponse(
        "<!doctype html><html lang=en><title>Error · ecglens</title><h1>This did not work</h1><p>ecglens has an error "
        "here, which was logged. Nothing that was kept is lost. Go back and try again.</p></html>",
        status=500,
    )

"""The start page, error pages, and what a phone needs to install the site."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from ecglens.demo import demo_pages
from ecglens.web.http.messages import render_message
from ecglens.web.http.problems import RETRY_S

__all__ = [
    "bad_request",
    "form_expired",
    "manifest",
    "not_allowed",
    "not_found",
    "offline",
    "server_error",
    "service_worker",
    "start",
]


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Show what the site is, what it is not, and pages to try it on."""
    return render(request, "site/start.html", {"demo": demo_pages()})


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Describe the site for a phone that installs it."""
    icons = [
        {
            "src": static(f"site/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": "any maskable",
        }
        for size in (192, 512)
    ]
    content = {
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
    return JsonResponse(content, content_type="application/manifest+json")


@require_safe
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Serve the script that stores one page for times without a network, and no data of a user."""
    return render(request, "site/sw.js", content_type="text/javascript")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Show the page for times without a network."""
    return render(request, "site/offline.html")


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond to a form without its token."""
    text = _("Expected a form of this site, got one without its security token; go back and try again.")
    return render_message(request, text, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a request that cannot be understood."""
    return render_message(request, _("The request could not be understood; go back and try again."), status=400)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a request that is not allowed."""
    return render_message(request, _("You may not see or change this."), status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to an unknown address, and to things of other users."""
    text = _("There is nothing at this address, or it is not yours.")
    return render_message(request, text, status=404, title=_("Nothing here"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond when ecglens has an error or its database does not respond; uses neither the database nor the session."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return HttpResponse(
            "<!doctype html><html lang=en><title>Try again · ecglens</title><h1>This did not work</h1><p>The database "
            "does not respond at the moment. No stored data is lost. Go back and try again in some seconds.</p></html>",
            status=503,
            headers={"Retry-After": RETRY_S},
        )
    return HttpResponse(
        "<!doctype html><html lang=en><title>Error · ecglens</title><h1>This did not work</h1><p>ecglens has an error "
        "here, which was logged. No stored data is lost. Go back and try again.</p></html>",
        status=500,
    )

"""Middleware in front of every view: security headers on each response, and a limit on each body before parsing."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ecglens.web.http.messages import render_message
from ecglens.web.http.problems import problem

__all__ = ["add_headers", "limit_uploads"]

GetResponse = Callable[[HttpRequest], HttpResponse]

_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DRAIN_CHUNK_BYTES = 1024**2
_DRAIN_LIMIT_BYTES = 256 * 1024**2
_BATCH_PATHS = ("/batches/", "/api/v1/batches")


def add_headers(get_response: GetResponse) -> GetResponse:
    """Add the headers that Django has no setting for; no cache may store pages, but static files may be cached."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return respond


def limit_uploads(get_response: GetResponse) -> GetResponse:
    """Refuse a body whose stated length is above the limit, before anything parses it.

    The body is read and dropped, since a browser does not show a response that arrives while it is still sending.
    """

    def respond(request: HttpRequest) -> HttpResponse:
        content_length = request.META.get("CONTENT_LENGTH") or "0"
        length = int(content_length) if content_length.isdecimal() else 0
        limit = settings.MAX_BATCH_BYTES if request.path.startswith(_BATCH_PATHS) else settings.MAX_UPLOAD_BYTES
        if length <= limit + settings.FORM_OVERHEAD_BYTES:
            return get_response(request)
        remaining = min(length, _DRAIN_LIMIT_BYTES)
        while remaining > 0 and (chunk := request.read(min(remaining, _DRAIN_CHUNK_BYTES))):
            remaining -= len(chunk)
        text = _("Expected a file of at most %(limit)s MB, got a larger one; choose a smaller file.") % {
            "limit": f"{limit / 1024**2:g}"
        }
        if request.path.startswith("/api/"):
            return problem(413, text)
        return render_message(request, text, status=413)

    return respond

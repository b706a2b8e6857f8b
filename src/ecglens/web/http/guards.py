"""Middleware in front of every view: security headers on each response."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

__all__ = ["HEADERS", "add_headers"]

GetResponse = Callable[[HttpRequest], HttpResponse]

_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers that Django has no setting for."""


def add_headers(get_response: GetResponse) -> GetResponse:
    """Add the headers that Django has no setting for; no cache may store pages, but static files may be cached."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return respond

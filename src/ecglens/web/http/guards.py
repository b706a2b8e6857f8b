"""Middleware in front of every view: security headers on each response, requests in the usual form."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

__all__ = ["HEADERS", "add_headers", "answer_head", "decode_as_utf8"]

GetResponse = Callable[[HttpRequest], HttpResponse]

_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_API = "/api/"
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


def answer_head(get_response: GetResponse) -> GetResponse:
    """Answer HEAD as GET without the body, also where a view has routes for GET alone (RFC 9110, section 9.3.2)."""

    def respond(request: HttpRequest) -> HttpResponse:
        if request.method != "HEAD" or not request.path.startswith(_API):
            return get_response(request)
        request.method = "GET"
        response = get_response(request)
        if response.streaming:
            response.close()
            return HttpResponse(status=response.status_code, headers=response.headers)
        length = response.headers.get("Content-Length", str(len(response.content)))
        response.content = b""
        response.headers["Content-Length"] = length
        return response

    return respond


def decode_as_utf8(get_response: GetResponse) -> GetResponse:
    """Decode forms with files as UTF-8, as browsers send them, whatever character set their header names.

    Django would look the name up among Python's codecs, some of which are no character sets.
    """

    def respond(request: HttpRequest) -> HttpResponse:
        if request.content_type == "multipart/form-data":
            request.encoding = "utf-8"
        return get_response(request)

    return respond

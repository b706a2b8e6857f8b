"""What stands before every view: headers on each answer, and a limit on each body before it is parsed."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from ecglens.web.readings.views import refusal

__all__ = ["headers", "upload_limit"]

GetResponse = Callable[[HttpRequest], HttpResponse]

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DRAIN_CHUNK_BYTES = 1024**2
_DRAIN_LIMIT_BYTES = 256 * 1024**2


def headers(get_response: GetResponse) -> GetResponse:
    """Add the headers that Django has no setting for; pages are not kept by any cache, static files are."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


def upload_limit(get_response: GetResponse) -> GetResponse:
    """Refuse a body above the limit by its stated length, before anything parses it.

    What was sent is read and dropped, since a browser shows no answer that comes while it still sends.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        stated = request.META.get("CONTENT_LENGTH") or "0"
        length = int(stated) if stated.isdecimal() else 0
        if length <= settings.MAX_UPLOAD_BYTES + settings.FORM_OVERHEAD_BYTES:
            return get_response(request)
        left = min(length, _DRAIN_LIMIT_BYTES)
        while left > 0 and (chunk := request.read(min(left, _DRAIN_CHUNK_BYTES))):
            left -= len(chunk)
        limit = settings.MAX_UPLOAD_BYTES / 1024**2
        return refusal(
            request, f"Expected a file of at most {limit:g} MB, found a larger one; choose a smaller file.", status=413
        )

    return answer

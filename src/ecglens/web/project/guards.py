"""What stands before every view: headers on each answer, and a limit on each body before it is parsed."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ecglens.web.api.problems import problem
from ecglens.web.project.views import told

__all__ = ["headers", "upload_limit"]

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
        most = settings.MAX_BATCH_BYTES if request.path.startswith(_BATCH_PATHS) else settings.MAX_UPLOAD_BYTES
        if length <= most + settings.FORM_OVERHEAD_BYTES:
            return get_response(request)
        left = min(length, _DRAIN_LIMIT_BYTES)
        while left > 0 and (chunk := request.read(min(left, _DRAIN_CHUNK_BYTES))):
            left -= len(chunk)
        text = _("Expected a file of at most %(limit)s MB, found a larger one; choose a smaller file.") % {
            "limit": f"{most / 1024**2:g}"
        }
        if request.path.startswith("/api/"):
            return problem(413, text)
        return told(request, text, status=413)

    return answer

"""Middleware that checks uploads by their headers: the size, the sender's permission, and free disk space."""

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ecglens.settings import load_settings
from ecglens.web.accounts.models import User
from ecglens.web.accounts.tokens import find_token
from ecglens.web.http.messages import render_message
from ecglens.web.http.problems import problem
from ecglens.web.http.throttle import hash_address
from ecglens.web.http.uploads import BUSY, CALLER, FORM_BYTES, LIMIT, PREFLIGHT, find_limit, has_room

__all__ = ["check_uploads"]

_RETRY_S = 10
_BEARER = "Bearer "
_API = "/api/"
_FOR_VISITORS = "/disease-predict"
_FOR_ACCOUNTS = (_API, "/batches/")

GetResponse = Callable[[HttpRequest], HttpResponse]


def check_uploads(get_response: GetResponse) -> GetResponse:
    """Refuse uploads that are too large, that their sender may not make, or for which there is no room."""

    def respond(request: HttpRequest) -> HttpResponse:
        if BUSY in request.META:
            return _refuse_for_now(request)
        length = _stated_length(request)
        is_preflight = PREFLIGHT in request.META
        if length <= FORM_BYTES and not is_preflight:
            return get_response(request)
        if (refusal := _check_size(request, length)) is not None:
            return refusal
        caller = _find_caller(request)
        if caller is None:
            return get_response(request) if request.path.startswith(_API) else redirect_to_login(request.path)
        if not has_room(length):
            text = _("Expected room for the file, but the disk of this site is full; tell its operator.")
            return _refuse(request, text, 507)
        if not is_preflight:
            return get_response(request)
        request.META.update({CALLER: caller, LIMIT: find_limit(request.path)})
        return HttpResponse(status=204)

    return respond


def _stated_length(request: HttpRequest) -> int:
    content_length = request.META.get("CONTENT_LENGTH") or "0"
    return int(content_length) if content_length.isdecimal() else 0


def _check_size(request: HttpRequest, length: int) -> HttpResponse | None:
    limit = find_limit(request.path)
    if length <= limit:
        return None
    text = _("Expected a file of at most %(limit)s MB, got a larger one; choose a smaller file.") % {
        "limit": f"{(limit - FORM_BYTES) / 1024**2:.3g}"
    }
    return _refuse(request, text, 413)


def _find_caller(request: HttpRequest) -> str | None:
    """Return a key of the person who uploads; ``None`` if the views will refuse the upload for its sender."""
    authorization = request.headers.get("Authorization", "")
    if request.path.startswith(_API) and authorization.startswith(_BEARER):
        token = find_token(authorization.removeprefix(_BEARER))
        return f"account:{token.owner_id}" if token is not None and "write" in token.scopes else None
    if isinstance(request.user, User):
        return f"account:{request.user.pk}"
    is_open = load_settings().visitors if request.path == _FOR_VISITORS else not request.path.startswith(_FOR_ACCOUNTS)
    return f"address:{hash_address(request)}" if is_open else None


def _refuse_for_now(request: HttpRequest) -> HttpResponse:
    """Refuse an upload because others wait; which of the two statuses says whose they are."""
    if request.META[BUSY] == "own":
        text, status = _("Expected a few files at once, got more; wait until some of yours have been read."), 429
    else:
        text, status = _("Many people upload pages at the moment; try again in a few seconds."), 503
    response = _refuse(request, text, status)
    response.headers["Retry-After"] = str(_RETRY_S)
    return response


def _refuse(request: HttpRequest, text: str, status: int) -> HttpResponse:
    return problem(status, text) if request.path.startswith(_API) else render_message(request, text, status=status)

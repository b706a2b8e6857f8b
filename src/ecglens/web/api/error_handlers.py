"""Handlers that turn every error of the API into a problem (RFC 9457)."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from ecglens.faults import describe_fault
from ecglens.web.http.problems import NOTHING_HERE, RETRY_S, ProblemError, problem
from ecglens.web.readings.flows import Refused

__all__ = ["register_error_handlers"]

_UNREADABLE = "Expected a request that can be read, got a broken or unusual one; send it again as the docs describe."
_NOT_AUTHENTICATED = (
    "Expected a token in the header Authorization: Bearer …, or a login in the browser, got neither; create a token on "
    "the site or log in."
)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="ecglens"'}
_LOG = logging.getLogger(__name__)


def register_error_handlers(api: NinjaAPI) -> None:
    """Make every error of an API a problem; unexpected errors are logged and reported without their details."""
    api.add_exception_handler(Refused, _handle_refused)
    api.add_exception_handler(HttpError, _handle_http_error)
    api.add_exception_handler(ValidationError, _handle_invalid)
    api.add_exception_handler(Http404, _handle_404)
    api.add_exception_handler(PermissionDenied, _handle_denied)
    api.add_exception_handler(TooManyFilesSent, _handle_too_many_files)
    api.add_exception_handler(RequestDataTooBig, _handle_too_large)
    for unreadable in (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError):
        api.add_exception_handler(unreadable, _handle_unreadable)
    for unavailable in (OperationalError, InterfaceError):
        api.add_exception_handler(unavailable, _handle_database_error)
    api.add_exception_handler(Exception, _handle_unexpected)


def _handle_refused(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(error.status, str(error))


def _handle_http_error(request: HttpRequest, error: Any) -> HttpResponse:
    headers = getattr(error, "headers", {})
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        detail = str(error) if isinstance(error, ProblemError) else _NOT_AUTHENTICATED
        return problem(error.status_code, detail, {**_CHALLENGE, **headers})
    is_unreadable = isinstance(error.__cause__, ValueError)  # of the parser, which Ninja catches
    return problem(error.status_code, _UNREADABLE if is_unreadable else str(error), headers)


def _handle_invalid(request: HttpRequest, error: Any) -> HttpResponse:
    errors = [{"location": list(each["loc"]), "detail": describe_fault(each)} for each in error.errors]
    return problem(422, _describe(errors), errors=errors)


def _describe(errors: Sequence[Mapping[str, Any]]) -> str:
    parts = [f"{'.'.join(str(part) for part in each['location'])}: {each['detail']}" for each in errors]
    return "Expected a request as the docs describe it, got one with errors: " + "; ".join(parts)


def _handle_404(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(404, NOTHING_HERE)


def _handle_denied(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(403, "You may not see or change this.")


def _handle_too_many_files(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, "Expected fewer files in one request; send a ZIP, or send them in parts.")


def _handle_too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, "Expected a smaller request; leave out what is not needed.")


def _handle_unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(400, _UNREADABLE)


def _handle_database_error(request: HttpRequest, error: Any) -> HttpResponse:
    _LOG.warning("%s %s: the database does not respond.", request.method, request.path)
    return problem(503, "The database does not respond; try again later.", {"Retry-After": RETRY_S})


def _handle_unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    _LOG.error("%s %s failed unexpectedly.", request.method, request.path, exc_info=error)
    return problem(500, "ecglens has an error here, which was logged. No stored data is lost; try again later.")

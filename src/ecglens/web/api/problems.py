"""Errors as RFC 9457 has them: every answer that is none is ``application/problem+json``."""

import json
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
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from ecglens.web.readings.flows import Refused

__all__ = ["MEDIA_TYPE", "NOTHING", "Problem", "ProblemError", "Wrong", "answer_with_problems", "problem"]

MEDIA_TYPE = "application/problem+json"
NOTHING = "There is nothing at this address, or it is not yours."

_NEWER_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""As RFC 9110 has them; Python's are older."""
_UNREADABLE = "Expected a request that can be read, found a broken or unusual one; send it again, as the docs describe."
_NO_ENTRY = "Expected a token in the header Authorization: Bearer …, or a login in the browser; found neither."
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="ecglens"'}
_LOG = logging.getLogger(__name__)


class Wrong(BaseModel):
    """One thing that is wrong with a request."""

    where: list[str | int] = Field(description="The part of the request, from the outside in.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Why there is no answer, as RFC 9457 tells it."""

    type: str = Field(description="Always about:blank: the status says what kind it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status.")
    detail: str = Field(description="What was expected, what came, what to do.")
    errors: list[Wrong] = Field([], description="Each thing that is wrong, of a request that does not fit its schema.")


class ProblemError(HttpError):
    """A problem with headers of its own."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail)
        self.headers = dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> HttpResponse:
    """An answer that tells a problem.

    Args:
        status: Of the answer.
        detail: One sentence.
        headers: Of the answer.
        more: Further members.
    """
    title = _NEWER_TITLES.get(status) or HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return HttpResponse(json.dumps(told), status=status, content_type=MEDIA_TYPE, headers=dict(headers or {}))


def answer_with_problems(api: NinjaAPI) -> None:
    """Make every error of an API a problem; those that nobody expected are logged and told without their inside."""
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(Http404, _nothing)
    api.add_exception_handler(PermissionDenied, _denied)
    api.add_exception_handler(TooManyFilesSent, _too_many_files)
    api.add_exception_handler(RequestDataTooBig, _too_large)
    for unreadable in (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError):
        api.add_exception_handler(unreadable, _unreadable)
    api.add_exception_handler(Exception, _broken)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(error.status, str(error))


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    headers = getattr(error, "headers", {})
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        detail = str(error) if isinstance(error, ProblemError) else _NO_ENTRY
        return problem(error.status_code, detail, {**_CHALLENGE, **headers})
    return problem(error.status_code, str(error), headers)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    found = [{"where": list(each["loc"]), "detail": each["msg"]} for each in error.errors]
    return problem(422, _in_words(found), errors=found)


def _in_words(found: Sequence[Mapping[str, Any]]) -> str:
    told = [f"{'.'.join(str(part) for part in each['where'])}: {each['detail']}" for each in found]
    return "Expected a request as the docs describe it, found: " + "; ".join(told)


def _nothing(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(404, NOTHING)


def _denied(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(403, "This is not yours to see or change.")


def _too_many_files(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, "Expected fewer files in one request; send a ZIP, or send them in parts.")


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, "Expected a smaller request; leave out what is not needed.")


def _unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(400, _UNREADABLE)


def _broken(request: HttpRequest, error: Any) -> HttpResponse:
    _LOG.error("%s %s broke", request.method, request.path, exc_info=error)
    return problem(500, "ecglens has an error here, which was logged. Nothing that was kept is lost; try again later.")

"""Errors of the API as RFC 9457 describes them: ``application/problem+json``."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from ninja.errors import HttpError
from pydantic import BaseModel, Field

__all__ = ["MEDIA_TYPE", "NOTHING_HERE", "RETRY_S", "InvalidPart", "Problem", "ProblemError", "problem"]

MEDIA_TYPE = "application/problem+json"
RETRY_S = "5"
"""Value of ``Retry-After`` in s where the database does not respond."""
NOTHING_HERE = "There is nothing at this address, or it is not yours."

_NEWER_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Titles of RFC 9110; those of Python's standard library are older."""


class InvalidPart(BaseModel):
    """One part of a request that is not valid."""

    location: list[str | int] = Field(description="Path to the part of the request, from the outside in.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str = Field(description="Always about:blank: the status says what kind of error it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What was expected, what came, what to do.")
    errors: list[InvalidPart] = Field([], description="Each invalid part of a request that does not fit its schema.")


class ProblemError(HttpError):
    """A problem with headers of its own."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail)
        self.headers = dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> HttpResponse:
    """Return a response that describes a problem.

    Args:
        status: HTTP status of the response.
        detail: One sentence.
        headers: Additional headers of the response.
        members: Further members of the problem.
    """
    title = _NEWER_TITLES.get(status) or HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    return HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE, headers=dict(headers or {}))

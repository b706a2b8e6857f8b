"""The API as a whole: its description in OpenAPI, its docs, and what holds for all of its operations."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

import ecglens
from ecglens.web.api import batches, health, installed, parts, readings
from ecglens.web.api.access import BearerToken, EachUser, SessionCookie
from ecglens.web.api.problems import MEDIA_TYPE, NOTHING, Problem, Wrong, answer_with_problems, problem

__all__ = ["api", "with_problems"]

_ABOUT = (
    "Reads ECG pages. For research and teaching; not a medical device. Make a token on the site and send it as "
    "`Authorization: Bearer ecgl_…`. Every error is told as RFC 9457 has it."
)
_MEANINGS = {
    400: "The request cannot be read.",
    401: "There is no token that holds, and no login.",
    403: "The token has not the scope, or this is not allowed.",
    404: "There is no such thing, or it is not yours.",
    409: "Not now: it is not there yet, or the key was used for another request.",
    413: "The request is too large.",
    422: "The request does not fit, or its page cannot be read.",
    429: "Too many requests; wait as long as Retry-After says.",
    503: "The database does not answer.",
}
_BODIES = ("post", "patch")
_LATER_PARTS = ("/explanations", "/measurements", "/signals")


class _Docs(Swagger):
    """Swagger UI out of the site's own files; it asks nobody else."""

    template = "api/docs.html"

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The page."""
        told = {**self.settings, "url": self.get_openapi_url(api, kwargs), "validatorUrl": None}
        return render(request, self.template, {"api": api, "swagger_settings": json.dumps(told)})


class _Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        _describe_problems(schema)
        return schema


def with_problems(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that tells by a problem, too, that there is nothing, or that it does not know a method."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            return problem(404, NOTHING)
        if response.status_code != 405:
            return response
        allowed = response.get("Allow", "")
        return problem(405, f"Expected one of the methods {allowed}, found {request.method}.", {"Allow": allowed})

    answer.csrf_exempt = True  # type: ignore[attr-defined]  # logins are checked for it where they let somebody in
    return answer


def _describe_problems(schema: dict[str, Any]) -> None:
    known = schema["components"]["schemas"]
    told = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    told.pop("$defs")
    known["Problem"], known["Wrong"] = told, Wrong.model_json_schema()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status in sorted(_problems_of(path, method, operation)):
                operation["responses"][status] = {
                    "description": _MEANINGS[status],
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }


def _problems_of(path: str, method: str, operation: Mapping[str, Any]) -> set[int]:
    if "security" not in operation:
        return {503} if path.endswith("/ready") else set()
    found = {401, 403, 429}
    if "{" in path:
        found.add(404)
    if any(each["in"] == "query" for each in operation["parameters"]):
        found.add(422)
    if method in _BODIES:
        found |= {400, 413, 422}
    if method == "post" or path.endswith(_LATER_PARTS):
        found.add(409)
    return found


api = _Api(
    title="ecglens",
    version=ecglens.__version__,
    description=_ABOUT,
    urls_namespace="api",
    docs=_Docs(),
    auth=[BearerToken(), SessionCookie()],
    throttle=[EachUser()],
)
answer_with_problems(api)
api.add_router("/readings", readings.router)
api.add_router("/readings", parts.router)
api.add_router("/batches", batches.router)
api.add_router("/models", installed.router)
api.add_router("", health.router)

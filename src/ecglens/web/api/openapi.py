"""The API as a whole: its OpenAPI schema, its documentation page, and settings of all operations."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser

import ecglens
from ecglens.documents import parse_json
from ecglens.web.api import batches, cases, details, health, installed_models, readings, reviews
from ecglens.web.api.access import BearerToken, SessionCookie, UserThrottle
from ecglens.web.api.error_handlers import register_error_handlers
from ecglens.web.http.problems import MEDIA_TYPE, NOTHING_HERE, InvalidPart, Problem, problem

__all__ = ["api", "respond_with_problems"]

_ABOUT = (
    "Reads ECG pages. For research and teaching; not a medical device. Create a token on the site and send it as "
    "`Authorization: Bearer ecgl_…`. Errors are problem details as defined in RFC 9457."
)
_MEANINGS = {
    400: "The request cannot be read.",
    401: "There is no valid token, and no login.",
    403: "The token lacks the scope, or this is not allowed.",
    404: "There is no such object, or it is not yours.",
    409: "The result is not available yet, or the key was used for another request.",
    413: "The request is too large.",
    422: "The request does not fit its schema, or its page cannot be read.",
    429: "There were too many requests; wait as long as Retry-After says.",
    503: "The database does not respond.",
}
_BODIES = ("post", "patch")
_LATER_RESULTS = ("/explanations", "/measurements", "/signals")


class _Docs(Swagger):
    """Swagger UI from the site's own files, without requests to other sites."""

    template = "api/docs.html"

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """Render the page."""
        settings = {**self.settings, "url": self.get_openapi_url(api, kwargs), "validatorUrl": None}
        return render(request, self.template, {"api": api, "swagger_settings": json.dumps(settings)})


class _Api(NinjaAPI):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._schemas: dict[str, OpenAPISchema] = {}

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the schema; it is built once for each place of the API, as that takes as long as reading a page."""
        prefix = path_prefix or self.get_root_path(path_params or {})
        if prefix not in self._schemas:
            schema = super().get_openapi_schema(path_prefix=prefix)
            _describe_problems(schema)
            self._schemas[prefix] = schema
        return self._schemas[prefix]


class _Parser(Parser):
    """Reads bodies of requests as other JSON from outside is read."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body's content; Ninja answers an error with 400."""
        return parse_json(request.body)


def respond_with_problems(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Wrap a view so that missing objects and unsupported methods are problems too."""

    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            return problem(404, NOTHING_HERE)
        if response.status_code != 405:
            return response
        allowed = response.get("Allow", "")
        text = f"Expected one of the methods {allowed}, got {request.method}; use another method."
        return problem(405, text, {"Allow": allowed})

    respond.csrf_exempt = True  # type: ignore[attr-defined]  # SessionCookie checks the CSRF token itself
    return respond


def _describe_problems(schema: dict[str, Any]) -> None:
    schemas = schema["components"]["schemas"]
    problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    problem_schema.pop("$defs")
    schemas["Problem"], schemas["InvalidPart"] = problem_schema, InvalidPart.model_json_schema()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status in sorted(_list_statuses(path, method, operation)):
                operation["responses"][status] = {
                    "description": _MEANINGS[status],
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }


def _list_statuses(path: str, method: str, operation: Mapping[str, Any]) -> set[int]:
    if "security" not in operation:
        return {503} if path.endswith("/ready") else set()
    statuses = {401, 403, 429}
    if "{" in path:
        statuses.add(404)
    if any(each["in"] == "query" for each in operation["parameters"]):
        statuses.add(422)
    if method in _BODIES:
        statuses |= {400, 413, 422}
    if path.endswith("/corrections"):
        statuses |= {409, 422}
    if method == "post" or path.endswith(_LATER_RESULTS):
        statuses.add(409)
    return statuses


api = _Api(
    title="ecglens",
    version=ecglens.__version__,
    description=_ABOUT,
    urls_namespace="api",
    docs=_Docs(),
    parser=_Parser(),
    auth=[BearerToken(), SessionCookie()],
    throttle=[UserThrottle()],
)
register_error_handlers(api)
api.add_router("/readings", readings.router)
api.add_router("/readings", details.router)
api.add_router("/batches", batches.router)
api.add_router("/cases", cases.router)
api.add_router("/reviews", reviews.router)
api.add_router("/models", installed_models.router)
api.add_router("", health.router)

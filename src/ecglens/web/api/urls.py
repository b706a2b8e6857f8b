"""Routes of the API."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from ecglens.web.api.openapi import api, respond_with_problems
from ecglens.web.http.problems import NOTHING_HERE, problem


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """Respond to an unknown address."""
    return problem(404, NOTHING_HERE)


_patterns, _app, _namespace = api.urls
for _pattern in _patterns:
    if isinstance(_pattern, URLPattern):
        _pattern.callback = respond_with_problems(_pattern.callback)

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", (_patterns, _app, _namespace)),
    re_path("", not_found, name="api-not-found"),
]

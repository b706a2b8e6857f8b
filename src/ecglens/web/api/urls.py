"""Routes of the API."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from ecglens.web.api.described import api, with_problems
from ecglens.web.api.problems import NOTHING, problem


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answer to an unknown address."""
    return problem(404, NOTHING)


_patterns, _app, _namespace = api.urls
for _pattern in _patterns:
    if isinstance(_pattern, URLPattern):
        _pattern.callback = with_problems(_pattern.callback)

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", (_patterns, _app, _namespace)),
    re_path("", nothing_here, name="api-nothing"),
]

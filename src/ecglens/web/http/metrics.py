"""Counts and durations of requests for Prometheus; they never name a person or a page.

Counts of several processes are added up where the variable ``PROMETHEUS_MULTIPROC_DIR`` named a folder before this
module was imported.
"""

import time
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from ecglens.web.http.uploads import CALLER

__all__ = ["count_requests"]

_REQUESTS = Counter("ecglens_requests", "Requests that were answered.", ["route", "method", "status"])
_SECONDS = Histogram("ecglens_request_seconds", "Time to answer a request.", ["route"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted as one, since a client can make them up."""


def count_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Count each request by its route's name."""

    def respond(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = get_response(request)
        if CALLER in request.META and response.status_code == HTTPStatus.NO_CONTENT:
            return response  # the check before an upload, which is counted when it has arrived
        match = getattr(request, "resolver_match", None)
        route = (match.view_name or match.route) if match else "none"
        method = request.method if request.method in _METHODS else "other"
        _REQUESTS.labels(route, method, response.status_code).inc()
        _SECONDS.labels(route).observe(time.perf_counter() - start)
        return response

    return respond

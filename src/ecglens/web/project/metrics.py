"""What Prometheus is told: counts and durations, never who or what."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

__all__ = ["counted"]

_REQUESTS = Counter("ecglens_requests_total", "Requests that were answered.", ["route", "method", "status"])
_SECONDS = Histogram("ecglens_request_seconds", "How long an answer took.", ["route"])


def counted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Count each request by its route's name."""

    def answer(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = get_response(request)
        match = getattr(request, "resolver_match", None)
        route = (match.view_name or match.route) if match else "none"
        _REQUESTS.labels(route, request.method, response.status_code).inc()
        _SECONDS.labels(route).observe(time.perf_counter() - start)
        return response

    return answer

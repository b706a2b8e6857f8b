"""What Prometheus is told: counts and durations, never who or what.

Counts of several processes are added up where the variable ``PROMETHEUS_MULTIPROC_DIR`` named a folder before this
module was imported; figures of the whole site are read from the database when they are asked for.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address

from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_tasks_db.models import DBTaskResult
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ecglens.web.readings.models import Reading, WorkerLife

__all__ = ["counted", "metrics"]

_REQUESTS = Counter("ecglens_requests", "Requests that were answered.", ["route", "method", "status"])
_SECONDS = Histogram("ecglens_request_seconds", "How long an answer took.", ["route"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted as one, since anybody can make them up."""
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED", "HTTP_VIA")
_HEARD_OF = timedelta(minutes=1)


def counted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Count each request by its route's name."""

    def answer(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = get_response(request)
        match = getattr(request, "resolver_match", None)
        route = (match.view_name or match.route) if match else "none"
        method = request.method if request.method in _METHODS else "other"
        _REQUESTS.labels(route, method, response.status_code).inc()
        _SECONDS.labels(route).observe(time.perf_counter() - start)
        return response

    return answer


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of the site, for staff and for a Prometheus on the same machine."""
    if not (_is_local(request) or _is_trusted(request)):
        raise PermissionDenied
    site = CollectorRegistry()
    site.register(_Site())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(site)  # type: ignore[no-untyped-call]  # prometheus_client has no type there
        return HttpResponse(generate_latest(site), content_type=CONTENT_TYPE_LATEST)
    return HttpResponse(generate_latest(site) + generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class _Site(Collector):
    """What the database knows."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = dict(Reading.objects.order_by().values_list("state").annotate(Count("id")))
        readings = GaugeMetricFamily("ecglens_readings", "Readings that are kept, by state.", labels=["state"])
        for state in Reading.State.values:
            readings.add_metric([state], found.get(state, 0))
        yield readings
        yield GaugeMetricFamily(
            "ecglens_tasks_waiting", "Tasks that no worker has begun.", value=DBTaskResult.objects.ready().count()
        )
        alive = WorkerLife.objects.filter(seen_at__gt=timezone.now() - _HEARD_OF).count()
        yield GaugeMetricFamily("ecglens_workers_alive", "Workers that were heard of in the last minute.", value=alive)


def _is_local(request: HttpRequest) -> bool:
    """Whether it comes from this machine itself; what a proxy passes on does not, whatever it says of itself."""
    if any(name in request.META for name in _FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _is_trusted(request: HttpRequest) -> bool:
    user = request.user
    return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff and is_mfa_enabled(user)

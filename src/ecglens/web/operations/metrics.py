"""The metrics endpoint for Prometheus: what this process counted, and figures of the site from the database.

No metric names a person or a page. Figures of the whole site are read from the database at each request.
"""

import os
from collections.abc import Iterator
from ipaddress import ip_address

from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django_tasks_db.models import DBTaskResult
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ecglens.web.readings.models import Reading, WorkerLife

__all__ = ["metrics"]

_PROXY_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Show metrics of the site to staff and to a Prometheus on the same machine."""
    if not (_is_local(request) or _is_trusted(request)):
        raise PermissionDenied
    site = CollectorRegistry()
    site.register(_SiteCollector())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(site)  # type: ignore[no-untyped-call]  # prometheus_client has no type there
        return HttpResponse(generate_latest(site), content_type=CONTENT_TYPE_LATEST)
    return HttpResponse(generate_latest(site) + generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class _SiteCollector(Collector):
    """Counts rows of the database."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        counts = dict(Reading.objects.order_by().values_list("state").annotate(Count("id")))
        readings = GaugeMetricFamily("ecglens_readings", "Stored readings, by state.", labels=["state"])
        for state in Reading.State.values:
            readings.add_metric([state], counts.get(state, 0))
        yield readings
        yield GaugeMetricFamily(
            "ecglens_tasks_waiting",
            "Tasks that no worker has started.",
            value=DBTaskResult.objects.ready().count(),
        )
        yield GaugeMetricFamily(
            "ecglens_workers_alive", "Workers that are alive.", value=WorkerLife.objects.living().count()
        )


def _is_local(request: HttpRequest) -> bool:
    """Return whether a request comes from this machine; one that a proxy passes on does not, whatever its headers."""
    if any(name in request.META for name in _PROXY_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _is_trusted(request: HttpRequest) -> bool:
    user = request.user
    return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff and is_mfa_enabled(user)

"""The metrics endpoint for Prometheus: what this process counted, and figures of the site from the database.

No metric names a person or a page. Figures of the whole site are read from the database at each request.

A request through a proxy on the same machine comes from the loopback address, and a proxy need not add a header that
says so. Where others reach the site, that address therefore proves nothing, and Prometheus needs a token.
"""

import os
import secrets
from collections.abc import Iterator
from ipaddress import ip_address

from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.views.decorators.http import require_safe
from django_tasks_db.models import DBTaskResult
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ecglens.errors import SettingsError
from ecglens.settings import Settings, load_settings
from ecglens.web.readings.models import Reading, WorkerLife

__all__ = ["check_metrics_token", "metrics"]

_PROXY_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)
_MIN_TOKEN_CHARS = 32
"""As many as of the key that signs cookies; a token that is made as the error says has 67."""


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Show metrics of the site to staff, to a Prometheus with the token, and to the only machine that reaches it."""
    settings = load_settings()
    if not (_has_token(request, settings) or _is_staff(request) or _is_alone(request, settings)):
        raise PermissionDenied
    site = CollectorRegistry()
    site.register(_SiteCollector())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(site)  # type: ignore[no-untyped-call]  # prometheus_client has no type there
        return HttpResponse(generate_latest(site), content_type=CONTENT_TYPE_LATEST)
    return HttpResponse(generate_latest(site) + generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def check_metrics_token(token: str) -> None:
    """Refuse a token that could be guessed; an empty one is none.

    Raises:
        SettingsError: It is too short.
    """
    if 0 < len(token) < _MIN_TOKEN_CHARS:
        raise SettingsError(
            f"Expected an ECGLENS_METRICS_TOKEN of at least {_MIN_TOKEN_CHARS} random characters, got {len(token)}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


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


def _has_token(request: HttpRequest, settings: Settings) -> bool:
    """Return whether a request has the token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_bearer = bool(settings.metrics_token) and scheme.lower() == "bearer"
    return is_bearer and secrets.compare_digest(token.strip().encode(), settings.metrics_token.encode())


def _is_alone(request: HttpRequest, settings: Settings) -> bool:
    """Return whether a request comes from this machine to a site that only this machine reaches."""
    if settings.metrics_token or settings.proxies or any(name in request.META for name in _PROXY_HEADERS):
        return False
    hosts = (host.strip() for host in settings.allowed_hosts.split(","))
    names = [split_domain_port(request.get_host())[0], *filter(None, hosts)]
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and all(map(_is_local_name, names))


def _is_local_name(host: str) -> bool:
    return host.lower() == "localhost" or _is_loopback(host.removeprefix("[").removesuffix("]"))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_staff(request: HttpRequest) -> bool:
    user = request.user
    return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff and is_mfa_enabled(user)

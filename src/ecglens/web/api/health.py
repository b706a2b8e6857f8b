"""Health of the site, for monitoring: whether it responds, and whether it can do its work."""

from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from ecglens.web.api.schemas import Health, Ready
from ecglens.web.http.problems import problem
from ecglens.web.readings.models import WorkerLife

__all__ = ["router"]

router = Router(tags=["Health"], auth=None, throttle=[])

_ALIVE = timedelta(minutes=1)


@router.get("/health", response=Health, summary="Is it up?")
def health(request: HttpRequest) -> dict[str, str]:
    """Report that the site is up."""
    return {"status": "ok"}


@router.get("/ready", response=Ready, summary="Can it work?")
def ready(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Check that the database responds, and report whether a worker is active. 503 if the database does not respond."""
    try:
        worker = WorkerLife.objects.filter(last_active_at__gt=timezone.now() - _ALIVE).exists()
    except DatabaseError:
        return problem(503, "The database does not respond; try again later.", {"Retry-After": "5"})
    return {"status": "ready", "database": True, "worker": worker}

"""Health of the site, for monitoring: whether it responds, and whether it can do its work."""

from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from ninja import Router

from ecglens.web.api.schemas import Health, Ready
from ecglens.web.http.problems import RETRY_S, problem
from ecglens.web.http.uploads import has_room
from ecglens.web.readings.models import WorkerLife

__all__ = ["router"]

router = Router(tags=["Health"], auth=None, throttle=[])


@router.get("/health", response=Health, summary="Is it up?")
def health(request: HttpRequest) -> dict[str, str]:
    """Report that the site is up."""
    return {"status": "ok"}


@router.get("/ready", response=Ready, summary="Can it work?")
def ready(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Check that the database responds and that the disk has room; report whether a worker is active."""
    try:
        worker = WorkerLife.objects.living().exists()
    except DatabaseError:
        return problem(503, "The database does not respond; try again later.", {"Retry-After": RETRY_S})
    if not has_room(0):
        return problem(503, "The disk is full; tell the operator of the site.")
    return {"status": "ready", "database": True, "worker": worker}

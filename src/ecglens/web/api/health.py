"""Whether the site answers, and whether it can do its work; for those who watch over it."""

from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from ecglens.web.api.problems import problem
from ecglens.web.api.schemas import Health, Ready
from ecglens.web.readings.models import WorkerLife

__all__ = ["router"]

router = Router(tags=["Health"], auth=None, throttle=[])

_HEARD_OF = timedelta(minutes=1)


@router.get("/health", response=Health, summary="Is it up?")
def health(request: HttpRequest) -> dict[str, str]:
    """Whether the site answers."""
    return {"status": "ok"}


@router.get("/ready", response=Ready, summary="Can it work?")
def ready(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Whether the database answers, and whether a worker was heard of. 503 where the database does not answer."""
    try:
        worker = WorkerLife.objects.filter(seen_at__gt=timezone.now() - _HEARD_OF).exists()
    except DatabaseError:
        return problem(503, "The database does not answer; try again later.", {"Retry-After": "5"})
    return {"status": "ready", "database": True, "worker": worker}

"""Health of the site: whether it responds, whether its database does, and how many workers there are."""

from dataclasses import dataclass

from django.db import DatabaseError, connection
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from ecglens.web.http.uploads import has_room
from ecglens.web.readings.models import WorkerLife

__all__ = ["Workload", "healthz", "measure_workload", "readyz"]


@dataclass(frozen=True, slots=True)
class Workload:
    """The workers of a site and the tasks that wait for them.

    Attributes:
        workers: Number of workers that are alive.
        waiting: Number of tasks that no worker has started.
        oldest_s: Seconds that the oldest of these tasks has waited; ``None`` if there is none.
    """

    workers: int
    waiting: int
    oldest_s: float | None


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Report that the site is up."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Report whether the site can do its work: its database responds, its tables exist, and its disk has room."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM readings_reading WHERE 1 = 0")
    except DatabaseError:
        return HttpResponse("the database does not respond\n", status=503, content_type="text/plain")
    if not has_room(0):
        return HttpResponse("the disk is full\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


def measure_workload() -> Workload:
    """Count the workers that are alive and the tasks that wait."""
    now = timezone.now()
    waiting = DBTaskResult.objects.filter(status=TaskResultStatus.READY)
    oldest = waiting.aggregate(at=Min("enqueued_at"))["at"]
    return Workload(
        workers=WorkerLife.objects.living().count(),
        waiting=waiting.count(),
        oldest_s=(now - oldest).total_seconds() if oldest else None,
    )

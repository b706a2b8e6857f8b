"""Command: whether anybody works on what was taken."""

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Min
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from ecglens.web.readings.models import WorkerLife
from ecglens.web.readings.worker import SILENT_S

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage workers``."""

    help = "Say how many workers live and how much waits for them; without any it ends with 1, for monitoring."

    def handle(self, *args: Any, **options: Any) -> None:
        """Count both."""
        now = timezone.now()
        alive = WorkerLife.objects.filter(seen_at__gt=now - timedelta(seconds=SILENT_S)).count()
        waiting = DBTaskResult.objects.filter(status=TaskResultStatus.READY)
        oldest = waiting.aggregate(at=Min("enqueued_at"))["at"]
        since = f", the oldest for {(now - oldest).total_seconds():.0f} s" if oldest else ""
        self.stdout.write(f"{alive} workers, {waiting.count()} tasks wait{since}")
        if not alive:
            sys.exit(1)

"""Command: report how many workers are alive and how many tasks wait."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from ecglens.web.operations.health import measure_workload

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage workers``."""

    help = "Report how many workers are alive and how many tasks wait; exits with 1 without any worker, for monitoring."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print both counts."""
        load = measure_workload()
        oldest = "" if load.oldest_s is None else f", the oldest for {load.oldest_s:.0f} s"
        self.stdout.write(f"{load.workers} workers, {load.waiting} tasks wait{oldest}")
        if not load.workers:
            sys.exit(1)

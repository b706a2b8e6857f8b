"""A worker: runs tasks from the database, reports that it is alive, and requeues the tasks of workers that died.

Signs of life are written and compared by the database's clock, since workers on several machines have several.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import get_random_string
from django_tasks.base import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from ecglens.settings import load_settings
from ecglens.web.http.log_redaction import redact_secrets
from ecglens.web.readings.deadline import limit_task
from ecglens.web.readings.models import Batch, Picture, Reading, WorkerLife
from ecglens.web.readings.store import list_files, pages
from ecglens.web.readings.tasks import requeue_unfinished
from ecglens.web.streams.models import StreamSession

__all__ = [
    "delete_expired",
    "delete_old_tasks",
    "delete_orphaned_files",
    "requeue_lost_tasks",
    "run_tasks",
]

BEAT_S = 3.0
"""Time between two signs of life."""
_FORGOTTEN = timedelta(hours=1)
"""Time after which the row of a silent worker is deleted."""
_POLL_S = 0.3
_HOUSEKEEPING_S = 600.0
_ORPHAN_AGE = timedelta(hours=6)
"""Age at which files that no row names are deleted; younger ones may belong to an upload in progress."""
_TASK_AGE = timedelta(days=2)
_NICENESS = 5
"""Requests come first, with about three times the processor time; at 19 it was seventy times, and visitors who keep
the site busy would have stopped all measuring."""
_PAUSE_S = 2.0
"""Time until another worker tries to reach a database that does not respond."""
_LOG = logging.getLogger(__name__)


class _Worker(Worker):
    """A worker whose process ends when a task hangs."""

    def run_task(self, db_task_result: "DBTaskResult[Any, Any]") -> None:
        """Run a task under its deadline."""
        with limit_task():
            super().run_task(db_task_result)


def run_tasks(*, once: bool = False, nice: bool = True, parent: int | None = None) -> None:
    """Run tasks until stopped, or until the database does not respond; the supervisor then starts another worker.

    Args:
        once: Stop when no task waits.
        nice: Give way to the serving processes.
        parent: Process that started this one; when it ends, this one stops after its current page.
    """
    if nice and hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        _run_tasks(once, parent)
    except (DatabaseError, InterfaceError) as error:
        _LOG.warning("The database does not respond: %s", redact_secrets(str(error).strip()))
        time.sleep(_PAUSE_S)
        sys.exit(1)


def _run_tasks(once: bool, parent: int | None) -> None:
    worker = _Worker(
        queue_names=["*"],
        interval=_POLL_S,
        batch=once,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=get_random_string(32),
        excluded_queue_names=[],
    )
    stopped = threading.Event()
    _beat(worker.worker_id)
    requeue_lost_tasks()
    beats = threading.Thread(target=_keep_alive, args=(worker.worker_id, stopped, parent), daemon=True)
    beats.start()
    try:
        worker.configure_signals()
        worker.run()
    finally:
        stopped.set()
        beats.join(timeout=BEAT_S)
        WorkerLife.objects.filter(pk=worker.worker_id).delete()


def requeue_lost_tasks() -> int:
    """Put tasks of silent workers back into the queue, and return how many."""
    running = list(DBTaskResult.objects.filter(status=TaskResultStatus.RUNNING).only("pk", "worker_ids"))
    # Who lives is read after what runs: a worker reports that it lives before it takes its first task.
    alive = set(WorkerLife.objects.living().values_list("pk", flat=True))
    lost = [task.pk for task in running if not alive.intersection(task.worker_ids[-1:])]
    count = DBTaskResult.objects.filter(pk__in=lost, status=TaskResultStatus.RUNNING).update(
        status=TaskResultStatus.READY, started_at=None
    )
    WorkerLife.objects.filter(last_active_at__lt=Now() - _FORGOTTEN).delete()
    return count


def delete_expired() -> int:
    """Delete readings and streams that are older than the settings allow, and return how many readings."""
    days = load_settings().retention_days
    if not days:
        return 0
    before = timezone.now() - timedelta(days=days)
    old = list(Reading.objects.filter(created_at__lt=before).values_list("pk", flat=True)[:1000])
    for pk in old:
        Reading.objects.filter(pk=pk).delete()
    Batch.objects.filter(created_at__lt=before, readings=None).delete()
    StreamSession.objects.filter(created_at__lt=before).delete()
    return len(old)


def delete_orphaned_files() -> int:
    """Delete files that no row names, such as those of an interrupted upload, and return how many."""
    names = {
        name
        for model, fields in (
            (Reading, ("page", "upload", "reading_state", "signals")),
            (Picture, ("file",)),
            (Batch, ("archive",)),
        )
        for row in model._default_manager.values_list(*fields).iterator()
        for name in row
        if name
    }
    before = timezone.now() - _ORPHAN_AGE
    orphans = [name for name in list_files() if name not in names and pages().get_modified_time(name) < before]
    for name in orphans:
        pages().delete(name)
    return len(orphans)


def delete_old_tasks() -> int:
    """Delete rows of the queue about finished tasks, and return how many."""
    before = timezone.now() - _TASK_AGE
    return DBTaskResult.objects.finished().filter(finished_at__lt=before).delete()[0]


_CHORES: tuple[Callable[[], int], ...] = (requeue_unfinished, delete_expired, delete_orphaned_files, delete_old_tasks)


def _keep_alive(worker_id: str, stopped: threading.Event, parent: int | None) -> None:
    """Report that the worker is alive, requeue lost tasks and run the chores now and then, in a thread beside it."""
    waited = _HOUSEKEEPING_S
    while not stopped.wait(BEAT_S):
        close_old_connections()
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        try:
            _beat(worker_id)
            requeue_lost_tasks()
            waited += BEAT_S
            if waited >= _HOUSEKEEPING_S:
                waited = 0.0
                for chore in _CHORES:
                    chore()
        except (DatabaseError, InterfaceError) as error:
            _LOG.warning("The database does not respond: %s", redact_secrets(str(error).strip()))
        except Exception:
            _LOG.exception("A chore failed.")
    connection.close()


def _beat(worker_id: str) -> None:
    if not WorkerLife.objects.filter(pk=worker_id).update(last_active_at=Now()):
        WorkerLife.objects.create(pk=worker_id, last_active_at=Now())

"""A worker: takes tasks from the database, says that it lives, and gives back what a worker that died had taken."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import OperationalError, close_old_connections, connection, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from django_tasks.base import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from ecglens.settings import load_settings
from ecglens.web.readings.models import Batch, Picture, Reading, WorkerLife
from ecglens.web.readings.store import every_file, pages

__all__ = ["delete_expired", "forget_old_tasks", "give_back", "sweep_files", "work"]

BEAT_S = 3.0
"""Between two signs of life."""
SILENT_S = 15.0
"""After which a worker is taken for dead."""
_POLL_S = 0.3
_HOUSEKEEPING_S = 600.0
_ORPHAN_AGE = timedelta(hours=6)
"""Of files that no row names; younger ones may be of an upload that goes on."""
_TASK_AGE = timedelta(days=2)
_NICENESS = 5
"""Answers that somebody waits for come first, with about three times the processor; at 19 it was seventy times, and
visitors who keep the site busy would have stopped all measuring."""
_LOG = logging.getLogger(__name__)


def work(*, once: bool = False, nice: bool = True, parent: int | None = None) -> None:
    """Work until stopped.

    Args:
        once: Stop when there is nothing left to do.
        nice: Leave the processor to those who answer people.
        parent: Process that started this one; when it is gone this one stops after the page that it is at.
    """
    if nice and hasattr(os, "nice"):
        os.nice(_NICENESS)
    worker = Worker(
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
    give_back()
    beats = threading.Thread(target=_keep_alive, args=(worker.worker_id, stopped, parent), daemon=True)
    beats.start()
    try:
        worker.configure_signals()
        worker.run()
    finally:
        stopped.set()
        beats.join(timeout=BEAT_S)
        WorkerLife.objects.filter(pk=worker.worker_id).delete()


def give_back() -> int:
    """Put tasks of silent workers back into the queue; how many."""
    now = timezone.now()
    alive = set(WorkerLife.objects.filter(seen_at__gt=now - timedelta(seconds=SILENT_S)).values_list("pk", flat=True))
    running = DBTaskResult.objects.filter(status=TaskResultStatus.RUNNING)
    lost = [
        task.pk
        for task in running.only("pk", "worker_ids", "started_at")
        if not alive.intersection(task.worker_ids[-1:]) and task.started_at < now - timedelta(seconds=SILENT_S / 3)
    ]
    given = DBTaskResult.objects.filter(pk__in=lost, status=TaskResultStatus.RUNNING).update(
        status=TaskResultStatus.READY, started_at=None
    )
    WorkerLife.objects.filter(seen_at__lt=now - timedelta(hours=1)).delete()
    return given


def delete_expired() -> int:
    """Delete readings that are older than the settings allow; how many."""
    days = load_settings().retention_days
    if not days:
        return 0
    before = timezone.now() - timedelta(days=days)
    old = list(Reading.objects.filter(created_at__lt=before).values_list("pk", flat=True)[:1000])
    for pk in old:
        Reading.objects.filter(pk=pk).delete()
    Batch.objects.filter(created_at__lt=before, readings=None).delete()
    return len(old)


def sweep_files() -> int:
    """Delete files that nothing in the database names, such as those of an upload that was broken off; how many."""
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
    orphans = [name for name in every_file() if name not in names and pages().get_modified_time(name) < before]
    for name in orphans:
        pages().delete(name)
    return len(orphans)


def forget_old_tasks() -> int:
    """Delete what the queue remembers of work that is done; how many rows."""
    before = timezone.now() - _TASK_AGE
    return DBTaskResult.objects.finished().filter(finished_at__lt=before).delete()[0]


_CHORES: tuple[Callable[[], int], ...] = (delete_expired, sweep_files, forget_old_tasks)


def _keep_alive(worker_id: str, stopped: threading.Event, parent: int | None) -> None:
    """Beside the work: signs of life, tasks of the dead, and now and then the chores."""
    waited = _HOUSEKEEPING_S
    while not stopped.wait(BEAT_S):
        close_old_connections()
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        try:
            _beat(worker_id)
            give_back()
            waited += BEAT_S
            if waited >= _HOUSEKEEPING_S:
                waited = 0.0
                for chore in _CHORES:
                    chore()
        except OperationalError as error:
            _LOG.warning("The database does not answer: %s", error)
        except Exception:
            _LOG.exception("A chore failed.")
    connection.close()


def _beat(worker_id: str) -> None:
    with transaction.atomic():
        WorkerLife.objects.update_or_create(pk=worker_id, defaults={"seen_at": timezone.now()})

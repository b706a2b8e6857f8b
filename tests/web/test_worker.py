"""Workers: what one that died had taken, and what is tidied up."""

import os
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from msgspec.structs import replace

from ecglens.settings import load_settings
from ecglens.web.operations import worker
from ecglens.web.readings.models import Batch, Reading, WorkerLife
from ecglens.web.readings.store import pages, store_file

pytestmark = pytest.mark.django_db(transaction=True)


def start_task(worker_id, seconds_ago):
    task = DBTaskResult.objects.get()
    task.claim(worker_id)
    DBTaskResult.objects.update(started_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_a_worker_runs_waiting_tasks_and_signs_off(upload):
    upload()
    worker.run_tasks(once=True, nice=False)

    assert Reading.objects.get().state == Reading.State.DONE
    assert not WorkerLife.objects.exists()


def test_tasks_of_a_dead_worker_are_requeued(upload):
    upload()
    WorkerLife.objects.create(pk="dead", last_active_at=timezone.now() - timedelta(seconds=worker.SILENT_S + 1))
    start_task("dead", 20)

    assert worker.requeue_lost_tasks() == 1
    worker.run_tasks(once=True, nice=False)
    assert Reading.objects.get().state == Reading.State.DONE


def test_tasks_of_a_living_worker_are_not_requeued(upload):
    upload()
    WorkerLife.objects.create(pk="alive")
    start_task("alive", 3600)

    assert worker.requeue_lost_tasks() == 0


def test_expired_readings_are_deleted_with_their_files(upload, stored_files, monkeypatch):
    month = replace(load_settings(), retention_days=30)
    monkeypatch.setattr(worker, "load_settings", lambda: month)
    for name in ("old.jpg", "new.jpg"):
        upload(name=name)
    Batch.objects.create(owner_id=Reading.objects.first().owner_id, created_at=timezone.now() - timedelta(days=31))
    Reading.objects.filter(name="old.jpg").update(created_at=timezone.now() - timedelta(days=31))

    assert worker.delete_expired() == 1
    assert [reading.name for reading in Reading.objects.all()] == ["new.jpg"]
    assert len(stored_files()) == 2  # the page and the state of its reading
    assert not Batch.objects.exists()


def test_without_a_limit_nothing_expires(upload):
    upload()
    Reading.objects.update(created_at=timezone.now() - timedelta(days=9999))

    assert worker.delete_expired() == 0


def test_orphaned_files_are_deleted(upload, stored_files):
    upload()
    old, young = store_file(b"of an interrupted upload", ".jpg"), store_file(b"of one in progress", ".jpg")
    long_ago = time.time() - 7 * 3600
    for name in (old, Reading.objects.get().page.name):
        os.utime(pages().path(name), (long_ago, long_ago))

    assert worker.delete_orphaned_files() == 1
    reading = Reading.objects.get()
    assert stored_files() == sorted([young, reading.page.name, reading.reading_state.name])


def test_finished_tasks_are_deleted(upload, work):
    upload()
    work()
    DBTaskResult.objects.update(finished_at=timezone.now() - timedelta(days=3))

    assert worker.delete_old_tasks() == 1
    assert not DBTaskResult.objects.exists()

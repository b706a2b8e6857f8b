"""Workers: what one that died had taken, and what is tidied up."""

import os
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from ecglens.settings import load_settings
from ecglens.web.readings import worker
from ecglens.web.readings.models import Batch, Reading, WorkerLife
from ecglens.web.readings.store import keep, pages

pytestmark = pytest.mark.django_db(transaction=True)


def taken(worker_id, seconds_ago):
    task = DBTaskResult.objects.get()
    task.claim(worker_id)
    DBTaskResult.objects.update(started_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_a_worker_does_what_waits_and_says_goodbye(upload):
    upload()
    worker.work(once=True, nice=False)

    assert Reading.objects.get().state == Reading.State.DONE
    assert not WorkerLife.objects.exists()


def test_what_a_dead_worker_had_taken_is_given_back(upload):
    upload()
    WorkerLife.objects.create(pk="dead", seen_at=timezone.now() - timedelta(seconds=worker.SILENT_S + 1))
    taken("dead", 20)

    assert worker.give_back() == 1
    worker.work(once=True, nice=False)
    assert Reading.objects.get().state == Reading.State.DONE


def test_what_a_living_worker_has_taken_stays_with_it(upload):
    upload()
    WorkerLife.objects.create(pk="alive")
    taken("alive", 3600)

    assert worker.give_back() == 0


def test_readings_end_with_their_time_and_their_files_with_them(upload, kept, monkeypatch):
    month = load_settings().model_copy(update={"retention_days": 30})
    monkeypatch.setattr(worker, "load_settings", lambda: month)
    for name in ("old.jpg", "new.jpg"):
        upload(name=name)
    Batch.objects.create(owner_id=Reading.objects.first().owner_id, created_at=timezone.now() - timedelta(days=31))
    Reading.objects.filter(name="old.jpg").update(created_at=timezone.now() - timedelta(days=31))

    assert worker.delete_expired() == 1
    assert [reading.name for reading in Reading.objects.all()] == ["new.jpg"]
    assert len(kept()) == 1
    assert not Batch.objects.exists()


def test_without_a_limit_nothing_ends(upload):
    upload()
    Reading.objects.update(created_at=timezone.now() - timedelta(days=9999))

    assert worker.delete_expired() == 0


def test_files_that_nothing_names_are_swept(upload, kept):
    upload()
    old, young = keep(b"of an upload that was broken off", ".jpg"), keep(b"of one that goes on", ".jpg")
    long_ago = time.time() - 7 * 3600
    for name in (old, Reading.objects.get().page.name):
        os.utime(pages().path(name), (long_ago, long_ago))

    assert worker.sweep_files() == 1
    assert kept() == sorted([young, Reading.objects.get().page.name])


def test_what_is_done_is_forgotten(upload, work):
    upload()
    work()
    DBTaskResult.objects.update(finished_at=timezone.now() - timedelta(days=3))

    assert worker.forget_old_tasks() == 1
    assert not DBTaskResult.objects.exists()

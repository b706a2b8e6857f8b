"""Workers: what one that died had taken, and what is tidied up."""

import io
import os
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from msgspec.structs import replace

from ecglens.settings import load_settings
from ecglens.web.operations import worker
from ecglens.web.readings import deadline, flows, tasks
from ecglens.web.readings.models import SILENT, Batch, Reading, WorkerLife
from ecglens.web.readings.store import pages, store_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Keep the thread of the signs of life from the tests' database, which is in memory and locks whole tables."""
    monkeypatch.setattr(worker, "BEAT_S", 600.0)


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
    WorkerLife.objects.create(pk="dead", last_active_at=timezone.now() - SILENT - timedelta(seconds=1))
    start_task("dead", 20)

    assert worker.requeue_lost_tasks() == 1
    worker.run_tasks(once=True, nice=False)
    assert Reading.objects.get().state == Reading.State.DONE


def test_tasks_of_a_living_worker_are_not_requeued(upload):
    upload()
    WorkerLife.objects.create(pk="alive")
    start_task("alive", 3600)

    assert worker.requeue_lost_tasks() == 0


def test_a_worker_whose_clock_is_wrong_is_alive(upload, monkeypatch):
    """Signs of life are compared by the database's clock, so that clocks of machines need not agree."""
    upload()
    start_task("slow clock", 0)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: datetime(2001, 1, 1, tzinfo=UTC))
        worker._beat("slow clock")
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: datetime(2101, 1, 1, tzinfo=UTC))
        assert worker.requeue_lost_tasks() == 0
        assert WorkerLife.objects.living().count() == 1
    worker._beat("slow clock")
    assert WorkerLife.objects.count() == 1


def test_a_task_that_hangs_ends_its_process():
    """It ends in native code too, which holds the lock of the interpreter."""
    script = """
import ctypes
from ecglens.web.readings import deadline
deadline.TASK_S = 0.5
with deadline.limit_task():
    ctypes.pythonapi.sleep(60)
"""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert time.monotonic() - start < 50


def test_progress_extends_the_deadline_of_a_task_only(monkeypatch):
    calls = []
    monkeypatch.setattr(deadline.faulthandler, "dump_traceback_later", lambda *_, **__: calls.append("set"))
    monkeypatch.setattr(deadline.faulthandler, "cancel_dump_traceback_later", lambda: calls.append("cancel"))

    deadline.extend_deadline()
    with deadline.limit_task():
        deadline.extend_deadline()
    deadline.extend_deadline()

    assert calls == ["set", "set", "cancel"]


def test_an_archive_whose_opening_is_interrupted_again_and_again_fails(user, page):
    file = SimpleUploadedFile("a.zip", b"PK\x03\x04")
    batch = flows.create_batch(user, [file], options=flows.create_options(user))
    Batch.objects.update(attempts=3)

    assert tasks.unpack.func(str(batch.pk)) == "failed"
    assert "interrupted 3 times" in Batch.objects.get().failure_reason


def test_unfinished_readings_without_a_task_get_one(upload, user, page):
    """Their tasks were lost, as where the database failed while the end of a task was recorded."""
    upload()
    flows.create_batch(user, [SimpleUploadedFile("a.jpg", page)], options=flows.create_options(user))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("b.jpg", page)
    flows.create_batch(user, [SimpleUploadedFile("b.zip", archive.getvalue())], options=flows.create_options(user))
    assert tasks.requeue_unfinished() == 0
    DBTaskResult.objects.all().delete()

    assert tasks.requeue_unfinished() == 3
    worker.run_tasks(once=True, nice=False)

    assert {reading.state for reading in Reading.objects.all()} == {Reading.State.DONE}
    assert Reading.objects.count() == 3
    assert tasks.requeue_unfinished() == 0


def test_results_for_which_the_disk_has_no_room_fail_and_leave_nothing(upload, work, stored_files, monkeypatch):
    upload()
    before = stored_files()
    save, saved = FileSystemStorage._save, []

    def save_some(self, name, content):
        path = save(self, name, content)
        saved.append(path)
        if len(saved) == 3:
            raise OSError(28, "No space left on device")  # after a part of the file was written
        return path

    monkeypatch.setattr(FileSystemStorage, "_save", save_some)
    work()

    reading = Reading.objects.get()
    assert reading.state == Reading.State.DONE
    assert "the disk of this site is full" in reading.failure_reason
    assert stored_files() == before


def test_a_worker_without_a_database_ends_in_one_line(monkeypatch, caplog):
    def fail(*_):
        raise OperationalError("could not connect")

    monkeypatch.setattr(worker, "_beat", fail)
    monkeypatch.setattr(worker, "_PAUSE_S", 0.0)

    with pytest.raises(SystemExit):
        worker.run_tasks(once=True, nice=False)
    assert [record.getMessage() for record in caplog.records] == ["The database does not respond: could not connect"]


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


def list_turns():
    """Return the owner of each reading that has a task, in the order of the queue."""
    owners = {str(reading.pk): reading.owner.email[:3] for reading in Reading.objects.select_related("owner")}
    return [owners[row.args_kwargs["args"][0]] for row in DBTaskResult.objects.ready()]


def test_pages_of_one_user_do_not_hold_up_those_of_another(user, other, page):
    options = flows.create_options(user)
    for owner in (user, user, user, other):
        flows.read_file(owner, page, "page.jpg", options=options)

    assert list_turns() == ["ada", "eve", "ada", "ada"]


def test_pages_of_a_large_batch_do_not_hold_up_those_of_a_small_one(user, other):
    for owner, size in ((user, 25), (other, 3)):
        batch = Batch.objects.create(owner=owner, name="batch", listed=True)
        tasks.add_pages(batch, [tasks.WaitingPage("page.jpg", 1, "upload", 1, "")] * size)

    assert list_turns() == ["ada"] * 10 + ["eve"] * 3 + ["ada"] * 15

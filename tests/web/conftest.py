"""Fixtures of the site's tests: an account that is logged in, a page, tasks that are run at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from ecglens.pages import decoding

PAGES = Path(__file__).parents[1] / "data"
PASSWORD = "correct horse battery"


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("ada@example.org", PASSWORD)


@pytest.fixture
def other(django_user_model):
    return django_user_model.objects.create_user("eve@example.org", PASSWORD)


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def page():
    return (PAGES / "MI_26.jpg").read_bytes()


@pytest.fixture
def upload(client, page):
    """Upload a page as the user, and return the response."""

    def send(content=None, name="MI_26.jpg", **fields):
        file = SimpleUploadedFile(name, page if content is None else content)
        return client.post("/disease-predict", {"file": file, **fields})

    return send


@pytest.fixture
def work(db):
    """Run the tasks that wait, and those that they create, and return how many."""

    def run():
        done = 0
        while (task := DBTaskResult.objects.ready().first()) is not None:
            task.claim("test")
            task.set_successful(import_string(task.task_path).func(*task.args_kwargs["args"]))
            done += 1
        return done

    return run


@pytest.fixture
def stored_files(transactional_db):
    """Return the names of all stored files."""
    from ecglens.web.readings.store import list_files

    return lambda: sorted(list_files())


@pytest.fixture(autouse=True)
def _patient_senders(monkeypatch):
    """Let a busy machine take its time to decode."""
    monkeypatch.setattr(decoding, "LIMITS", replace(decoding.LIMITS, sender_seconds=120.0))


@pytest.fixture(autouse=True)
def _no_throttle():
    cache.clear()


@pytest.fixture(autouse=True)
def _empty_storage():
    from ecglens.web.readings.store import list_files, pages

    yield
    for name in list(list_files()):
        pages().delete(name)

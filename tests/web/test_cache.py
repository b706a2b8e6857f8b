"""The cache on a full disk: nobody is locked out, and nobody may guess without a limit."""

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import OperationalError

from ecglens.web.http.throttle import count_request

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _database_cache(db, settings):
    settings.CACHES = {"default": {"BACKEND": "ecglens.web.http.cache.LastingCache", "LOCATION": "project_cache"}}
    call_command("createcachetable", verbosity=0)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(params=["raised", "silent"])
def full_disk(request, monkeypatch):
    def fail(*_):
        if request.param == "raised":
            raise OperationalError("database or disk is full")
        return False

    def fail_to_delete(*_):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(DatabaseCache, "_base_set", fail)
    monkeypatch.setattr(DatabaseCache, "_base_delete_many", fail_to_delete)


def test_requests_are_counted_to_their_limit_on_a_full_disk(full_disk):
    assert [count_request("caller", 3) for _ in range(5)] == [True, True, True, False, False]


def test_the_owner_can_log_in_on_a_full_disk(full_disk, user, client):
    client.logout()
    answer = client.post("/accounts/login/", {"login": user.email, "password": "correct horse battery"})
    assert answer.status_code == 302


def test_passwords_cannot_be_guessed_without_a_limit_on_a_full_disk(full_disk, user, client):
    client.logout()
    for _ in range(40):
        answer = client.post("/accounts/login/", {"login": user.email, "password": "wrong"})
        if answer.status_code == 429 or "Too many failed" in answer.content.decode():
            return
    raise AssertionError("40 guesses were answered")


def test_counts_go_on_in_the_database_once_it_can_be_written_again(monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(DatabaseCache, "_base_set", lambda *_: False)
        cache.set("key", [1])
        assert cache.get("key") == [1]
        assert not cache.add("key", [2])
    cache.set("key", [1, 2])
    assert caches["default"]._memory.get("key") is None
    assert cache.get("key") == [1, 2]
    assert cache.delete("key")
    assert not cache.has_key("key")

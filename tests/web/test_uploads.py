"""The checks of an upload before its body is there, and the cache in which requests are counted."""

import shutil
from types import SimpleNamespace

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client, override_settings
from msgspec.structs import replace

from ecglens.settings import load_settings
from ecglens.web.accounts import uploads
from ecglens.web.accounts.tokens import create_token
from ecglens.web.http import uploads as limits
from ecglens.web.http.uploads import BUSY, CALLER, FORM_BYTES, LIMIT, PREFLIGHT
from ecglens.web.project import settings as site_settings
from ecglens.web.project import views

pytestmark = pytest.mark.django_db


@pytest.fixture
def other_client(other):
    client = Client()
    client.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    return client


def check(client, path, *, length=10**6, **variables):
    """Let the site check the headers of an upload, and return its response with the variables."""
    kind = "multipart/form-data; boundary=x"
    response = client.post(path, b"", kind, **{PREFLIGHT: True, "CONTENT_LENGTH": str(length), **variables})
    return response, response.wsgi_request.META


@pytest.mark.parametrize("path", ["/disease-predict", "/batches/", "/api/v1/readings", "/api/v1/batches"])
def test_a_user_may_upload_under_a_limit(client, user, settings, path):
    limit = settings.MAX_BATCH_BYTES if "batches" in path else settings.MAX_UPLOAD_BYTES
    response, variables = check(client, path, length=limit + FORM_BYTES)

    assert response.status_code == 204
    assert (variables[CALLER], variables[LIMIT]) == (f"account:{user.pk}", limit + FORM_BYTES)
    response, variables = check(client, path, length=limit + FORM_BYTES + 1)
    assert response.status_code == 413
    assert CALLER not in variables


def test_a_visitor_may_upload_a_page_where_the_site_has_visitors(monkeypatch):
    response, variables = check(Client(), "/disease-predict")
    assert response.status_code == 204
    assert variables[CALLER].startswith("address:")
    closed = replace(load_settings(), visitors=False)
    monkeypatch.setattr(uploads, "load_settings", lambda: closed)
    response, variables = check(Client(), "/disease-predict")
    assert response["Location"] == "/accounts/login/?next=/disease-predict"
    assert CALLER not in variables


@pytest.mark.parametrize(("path", "status"), [("/batches/", 302), ("/api/v1/readings", 401), ("/api/v1/batches", 401)])
def test_a_stranger_is_refused(path, status):
    response, variables = check(Client(), path)

    assert response.status_code == status
    assert CALLER not in variables


@pytest.mark.parametrize(("scopes", "status"), [(["write"], 204), (["read"], 403)])
def test_a_program_needs_the_scope_to_write(user, scopes, status):
    _, key = create_token(user, "script", scopes)
    response, variables = check(Client(headers={"Authorization": f"Bearer {key}"}), "/api/v1/readings")

    assert response.status_code == status
    assert variables.get(CALLER) == (f"account:{user.pk}" if status == 204 else None)


@pytest.mark.parametrize("path", ["/account/", "/accounts/login/"])
def test_other_addresses_take_forms_only(path):
    response, variables = check(Client(), path, length=10**7)

    assert response.status_code == 413
    assert CALLER not in variables
    assert check(Client(), path, length=10**6)[0].status_code == 204


@pytest.mark.parametrize("path", ["/disease-predict", "/api/v1/readings"])
def test_an_upload_for_which_the_disk_has_no_room_is_refused(client, monkeypatch, path):
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda _: SimpleNamespace(free=limits.RESERVE_BYTES + 10**6 - 1))
    response, variables = check(client, path)

    assert response.status_code == 507
    assert "disk of this site is full" in response.content.decode()
    assert CALLER not in variables


@pytest.mark.parametrize(("callers", "status"), [("own", 429), ("others", 503)])
@pytest.mark.parametrize("path", ["/disease-predict", "/api/v1/readings"])
def test_an_upload_that_cannot_wait_may_come_again_later(client, path, callers, status):
    response, _ = check(client, path, **{BUSY: callers})

    assert response.status_code == status
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/readyz", "/api/v1/ready"])
def test_a_full_disk_is_not_ready(monkeypatch, path):
    assert Client().get(path).status_code == 200
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda _: SimpleNamespace(free=limits.RESERVE_BYTES - 1))

    assert Client().get(path).status_code == 503
    assert b"disk is full" in Client().get(path).content


def test_a_database_that_does_not_respond_is_503_and_not_an_error(client, monkeypatch):
    def fail(*_):
        raise OperationalError("database is locked")

    monkeypatch.setattr(views, "demo_pages", fail)
    client.raise_request_exception = False
    response = client.get("/")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert b"No stored data is lost" in response.content


def test_nobody_can_push_counters_out_of_the_cache():
    """Django's own cache evicts live entries when there are more than 300."""
    with override_settings(CACHES=site_settings.CACHES):
        call_command("createcachetable")
        cache = caches["default"]
        cache.set("failed-logins", 9, 300)
        for number in range(700):
            cache.set(f"flood-{number}", 1, 300 if number < 350 else -1)

        assert cache.get("failed-logins") == 9
        assert all(cache.get(f"flood-{number}") == 1 for number in range(350))
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM project_cache")
            assert cursor.fetchone()[0] <= 353, "what has expired is deleted"


def test_free_space_is_that_of_the_disk_of_uploads(settings):
    free = shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free
    assert limits.has_room(0) == (free > limits.RESERVE_BYTES)
    assert not limits.has_room(10**18)


@pytest.mark.parametrize("charset", ["rot13", "hex", "idna", "undefined", "latin-1", "utf-8"])
def test_forms_with_files_are_utf8_whatever_they_say(client, user, charset):
    """Some names are codecs of Python, but no character sets."""
    kind = f"multipart/form-data; boundary=B; charset={charset}"
    body = '--B\r\nContent-Disposition: form-data; name="page"\r\n\r\nü\r\n--B--\r\n'.encode()
    _, key = create_token(user, "script", ["write"])

    assert client.generic("POST", "/disease-predict", body, kind).status_code == 400
    program = Client(headers={"Authorization": f"Bearer {key}"})
    assert program.generic("POST", "/api/v1/readings", body, kind).status_code == 422

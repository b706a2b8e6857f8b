"""The API complies with its schema: valid and invalid requests are generated from it."""

from functools import lru_cache

import cv2
import pytest
import schemathesis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from tiny_models import ecg_page, write_model

from ecglens.settings import load_settings
from ecglens.web.accounts.tokens import create_token
from ecglens.web.api import access
from ecglens.web.api.openapi import api
from ecglens.web.project.wsgi import application
from ecglens.web.readings import tasks

pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.allow_header_conformance,
]


@lru_cache
def page():
    return cv2.imencode(".jpg", ecg_page(dpi=100).pixels)[1].tobytes()


openapi.format("binary", st.one_of(st.builds(page), st.binary(max_size=64)))
schema = openapi.from_dict(api.get_openapi_schema(), config=schemathesis.Config(seed=16))
schema.app = lambda environ, start: answer_and_close(environ, start)
made_up = settings(
    max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module", autouse=True)
def _tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "tiny", (2.0, 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLENS_MODELS_DIR", str(folder))
        patch.setenv("ECGLENS_MODEL", "tiny")
        patch.setattr(access, "USER_REQUESTS_A_MINUTE", 10**9)
        patch.setattr(access, "REFUSED_REQUESTS_A_MINUTE", 10**9)
        load_settings.cache_clear()
        yield
    load_settings.cache_clear()


@pytest.fixture
def head(user):
    """Return the headers of a program with every scope."""
    return {"Authorization": f"Bearer {create_token(user, 'generated', ['read', 'write'])[1]}"}


@pytest.fixture
def things(head):
    """A reading that was measured and a batch that waits."""
    program = Client(headers=head)
    reading = program.post(
        "/api/v1/readings", {"file": SimpleUploadedFile("page.jpg", page()), "explain": False}
    ).json()
    tasks.look_closer.func(reading["id"])
    batch = program.post("/api/v1/batches", {"files": SimpleUploadedFile("page.jpg", page())}).json()
    return {"readings": reading["id"], "batches": batch["id"]}


def answer_and_close(environ, start):
    """Return the site's response, closed as a server does; the test's transaction stays open."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        answer = application(environ, start)
        content = [b"".join(answer)]
        answer.close()
        return content
    finally:
        environ["wsgi.input"].close()
        for signal in signals:
            signal.connect(close_old_connections)


@schema.parametrize()
@made_up
def test_generated_requests_are_answered_as_the_schema_says(case, head):
    case.call_and_validate(headers=head, checks=CHECKS)


@schema.include(path_regex="{").parametrize()
@made_up
def test_generated_requests_for_existing_objects_are_answered_as_the_schema_says(case, head, things):
    named = {"pk": things.get(case.path.split("/")[3]), "name": "tiny" if "models" in case.path else "gray"}
    case.path_parameters = {name: named[name] for name in case.path_parameters}
    case.call_and_validate(headers=head, checks=CHECKS)

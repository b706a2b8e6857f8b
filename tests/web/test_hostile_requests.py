"""Requests that no program of good will sends are answered with a 4xx, never with an error of the site."""

import base64
import csv
import io
import json
import logging

import pytest
from allauth.account.models import EmailAddress
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ecglens.web.accounts.models import User
from ecglens.web.accounts.tokens import create_token
from ecglens.web.http.log_redaction import SecretsFilter
from ecglens.web.readings.models import Reading

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DEEP = {
    "lists": "[" * 5000 + "]" * 5000,
    "tables": '{"note": ' * 100_000 + "1" + "}" * 100_000,
    "above the limit": '{"note": ' * 101 + "1" + "}" * 101,
}
CLIENT_DATA = {"type": "webauthn.get", "challenge": "AAAA", "origin": "http://testserver"}


@pytest.fixture
def program():
    _, key = create_token(User.objects.create_user("mia@example.org", "a long password"), "test", ["read", "write"])
    return Client(headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_body_that_is_nested_too_deep_is_a_problem(program, method, body):
    address = "/api/v1/readings" + ("" if method == "post" else "/00000000-0000-4000-8000-000000000000")
    for content in (body, f'{{"corrected": {body}}}'):
        response = getattr(program, method)(address, content, content_type="application/json")

        assert response.status_code in (400, 422)
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"].startswith("Expected a request")


def encode(content):
    content = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def answer(**changes):
    """Return what a browser sends of a security key, with changes."""
    response = {
        "clientDataJSON": encode(json.dumps(CLIENT_DATA)),
        "authenticatorData": encode(b"\0" * 37),
        "signature": "AAAA",
        "userHandle": encode("1"),
        **changes,
    }
    return json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response})


NESTED_CBOR = b"\0" * 32 + b"\x80" + b"\0" * 4 + b"\x81" * 5000
ANSWERS = {
    **DEEP,
    "no JSON": "{",
    "a number": "5",
    "no rawId": '{"id": "AAAA"}',
    "no response": '{"id": "AAAA", "rawId": "AAAA", "response": []}',
    "client data nested too deep": answer(clientDataJSON=encode(DEEP["lists"])),
    "client data of other types": answer(clientDataJSON=encode("[]")),
    "authenticator data nested too deep": answer(authenticatorData=encode(NESTED_CBOR)),
    "short authenticator data": answer(authenticatorData="AAAA"),
    "a huge user": answer(userHandle=encode("9" * 400)),
    "an unknown key": answer(),
}


@pytest.mark.parametrize("credential", ANSWERS.values(), ids=ANSWERS)
def test_a_login_with_a_key_that_sent_nonsense_fails(credential):
    client = Client()
    client.get("/accounts/2fa/webauthn/login/")

    response = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})

    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("credential", ANSWERS.values(), ids=ANSWERS)
def test_a_key_that_sent_nonsense_is_not_added(client, user, credential):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client.post("/accounts/reauthenticate/", {"password": "correct horse battery"})
    assert client.get("/accounts/2fa/webauthn/add/").status_code == 200

    response = client.post("/accounts/2fa/webauthn/add/", {"name": "key", "credential": credential})

    assert response.status_code == 200
    assert "credential" in response.context["form"].errors
    assert "note" not in response.context["form"]["credential"].as_hidden()


def test_no_cell_of_an_export_is_a_formula(client, user):
    reading = Reading.objects.create(owner=user, name="＝cmd.jpg", note="\n =1+1", corrected="-x")

    export = client.post("/readings/export", {"chosen": [str(reading.pk)], "action": "csv"})

    text = export.content.decode("utf-8-sig")
    header, row = csv.reader(io.StringIO(text, newline=""))
    cells = dict(zip(header, row, strict=True))
    assert (cells["file"], cells["note"], cells["label_by_user"]) == ("'＝cmd.jpg", "\n '=1+1", "'-x")
    assert cells["page"] == "1"
    assert text.endswith("\r\n")


def test_head_of_the_api_is_get_without_the_body(program):
    for path in ("/api/v1/readings", "/api/v1/models", "/api/v1/openapi.json"):
        got, head = program.get(path), program.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["Content-Length"] == str(len(got.content))
    assert program.head("/api/v1/nothing").status_code == 404


def test_a_second_file_is_not_dropped_silently(program):
    files = [SimpleUploadedFile(f"{number}.png", b"page", "image/png") for number in range(2)]
    refused = program.post("/api/v1/readings", {"file": files})
    assert refused.status_code == 422
    assert "Expected one file, got 2" in refused.json()["detail"]


def test_a_log_message_is_short_and_only_errors_have_tracebacks():
    try:
        raise ValueError("broken")
    except ValueError as error:
        fault = (type(error), error, error.__traceback__)
    for level, has_traceback in ((logging.WARNING, False), (logging.ERROR, True)):
        record = logging.LogRecord("django.request", level, "", 0, "Not Found: /%s", ("x" * 60_000,), fault)
        assert SecretsFilter().filter(record)
        assert len(record.getMessage()) < 2100
        assert "60012 characters" in record.getMessage()
        assert bool(record.exc_text) is has_traceback

import io
import json
import subprocess
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from msgspec.structs import replace
from tiny_models import ecg_page, write_model

import ecglens
from ecglens.errors import SettingsError
from ecglens.formats.csv import read_csv
from ecglens.formats.files import write_record
from ecglens.settings import load_settings
from ecglens.web.accounts.models import AuditEntry, Token, User
from ecglens.web.accounts.tokens import create_token
from ecglens.web.api import access, installed_models, readings, schemas
from ecglens.web.api.openapi import api
from ecglens.web.http import throttle
from ecglens.web.operations.metrics import check_metrics_token
from ecglens.web.readings import flows, quota, store, tasks
from ecglens.web.readings.models import Batch, Reading, WorkerLife
from ecglens.web.readings.quota import count_stored_bytes

API = "/api/v1"
PROBLEM = "application/problem+json"
TOKEN = "a token for Prometheus of 40 characters."
NOBODY_S = "00000000-0000-4000-8000-000000000000"
DOCS = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLE = Path(__file__).parents[2] / "examples" / "read_over_api.py"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory):
    """Install a model of a few numbers, which gives the predictions."""
    folder = tmp_path_factory.mktemp("models")
    card = write_model(folder / "tiny", (2.0, 0.0), warnings=("A made-up model.",))
    write_model(folder / "other", (0.0, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLENS_MODELS_DIR", str(folder))
        patch.setenv("ECGLENS_MODEL", "tiny")
        load_settings.cache_clear()
        yield card
    load_settings.cache_clear()


@pytest.fixture(scope="module")
def page():
    done, encoded = cv2.imencode(".png", cv2.cvtColor(ecg_page().pixels, cv2.COLOR_RGB2BGR))
    assert done
    return encoded.tobytes()


@pytest.fixture
def user():
    return User.objects.create_user("mia@example.org", "a long password")


@pytest.fixture
def program(user):
    return program_of(user)


@pytest.fixture
def stranger():
    return program_of(User.objects.create_user("other@example.org", "a long password"))


def program_of(user, *scopes):
    _, key = create_token(user, "test", list(scopes or ("read", "write")))
    return Client(headers={"Authorization": f"Bearer {key}"})


def file_of(content, name="page.png"):
    return SimpleUploadedFile(name, content, "image/png")


def upload(program, content, *, headers=None, **more):
    return program.post(f"{API}/readings", {"file": file_of(content), **more}, headers=headers)


@pytest.fixture
def reading(program, page):
    """A reading that was answered and not measured yet."""
    return upload(program, page, explain=False).json()


def measure(reading):
    assert tasks.look_closer.func(reading["id"]) == "stored"


def check_problem(response, status):
    """Check that a response is a problem (RFC 9457) with a status, and return it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == PROBLEM
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_an_uploaded_page_gets_the_predictions_of_the_library(program, page, user):
    response = upload(program, page, models=["tiny", "other"])

    assert response.status_code == 201
    reading = response.json()
    assert response["Location"] == f"{API}/readings/{reading['id']}"
    expected = [ecglens.read(page, model=name).to_dict() for name in ("tiny", "other")]
    assert reading["predictions"] == json.loads(json.dumps(expected))
    assert reading["label"] == "normal"
    assert reading["state"] == "answered"
    assert reading["facts"]["page"]["number"] == 1
    entry = AuditEntry.objects.get(action="upload")
    assert (entry.actor_id, entry.object_id) == (user.pk, reading["id"])
    assert entry.token_id == Token.objects.get().pk


def test_the_schema_of_a_prediction_has_all_its_fields(page):
    expected = ecglens.read(page, model="tiny").to_dict()

    assert set(schemas.Prediction.model_fields) == set(expected)
    assert set(schemas.Layout.model_fields) == set(expected["layout"])
    assert schemas.Prediction.model_validate(expected).model_dump(mode="json") == json.loads(json.dumps(expected))


def test_later_results_are_available_once_they_were_measured(program, page):
    reading = upload(program, page).json()
    address = f"{API}/readings/{reading['id']}"
    for part in ("explanations", "measurements", "statements", "signals"):
        response = program.get(f"{address}/{part}")
        check_problem(response, 409)
        assert int(response["Retry-After"]) > 0

    measure(reading)

    after = program.get(address).json()
    assert after["state"] == "done"
    assert after["predictions"] == reading["predictions"]
    measured = program.get(f"{address}/measurements").json()
    assert measured == after["facts"]["measurements"]
    assert measured["rate_bpm"]["unit"] == "1/min"
    statements = program.get(f"{address}/statements?age=60&sex=male").json()
    assert {each["outcome"] for each in statements} <= {"met", "borderline", "not met", "cannot be evaluated"}
    assert [each["name"] for each in statements][:2] == ["pacing_spikes", "sinus_rhythm"]
    check_problem(program.get(f"{address}/statements?sex=both"), 422)
    explanations = program.get(f"{address}/explanations").json()
    assert explanations == after["explanations"]
    assert {each["label"] for each in explanations} == {"normal", "mi"}
    for address in (explanations[0]["picture"], after["pictures"]["gray"], after["pictures"]["lead:aVF"]):
        picture = program.get(address)
        assert picture["Content-Type"] in ("image/png", "image/jpeg")
        assert cv2.imdecode(bytes_of(picture), cv2.IMREAD_UNCHANGED) is not None


def bytes_of(response):
    return np.frombuffer(b"".join(response.streaming_content), np.uint8)


@pytest.mark.parametrize(
    ("form", "kind", "start"),
    [
        ("json", "application/json", b"{"),
        ("csv", "text/csv; charset=utf-8", b""),
        ("wfdb", "application/zip", b"PK"),
        ("dicom", "application/dicom", b"\0" * 128 + b"DICM"),
        ("fhir", "application/json", b"{"),
    ],
)
def test_signals_come_in_each_format(program, reading, form, kind, start):
    measure(reading)

    response = program.get(f"{API}/readings/{reading['id']}/signals?format={form}")

    assert response.status_code == 200
    assert response["Content-Type"] == kind
    assert response.content.startswith(start)
    assert AuditEntry.objects.get(action="export").detail == form


def test_missing_explanations_and_signals_are_404(program, reading):
    measure(reading)
    check_problem(program.get(f"{API}/readings/{reading['id']}/explanations"), 404)
    Reading.objects.update(signals="", facts={})
    check_problem(program.get(f"{API}/readings/{reading['id']}/signals"), 404)
    check_problem(program.get(f"{API}/readings/{reading['id']}/measurements"), 404)
    check_problem(program.get(f"{API}/readings/{reading['id']}/pictures/none"), 404)
    check_problem(program.get(f"{API}/readings/{reading['id']}/signals?format=xml"), 422)


def test_the_stored_page_is_served_as_an_image(program, reading):
    response = program.get(f"{API}/readings/{reading['id']}/page")

    assert response["Content-Type"] == "image/png"
    assert cv2.imdecode(bytes_of(response), cv2.IMREAD_COLOR).shape[2] == 3
    assert AuditEntry.objects.filter(action="see", detail="page").exists()


def test_the_same_key_with_the_same_request_gives_the_same_reading(program, stranger, page):
    key = {"Idempotency-Key": "scan 17"}

    first = upload(program, page, headers=key)
    again = upload(program, page, headers=key)
    others = upload(stranger, page, headers=key)

    assert (first.status_code, again.status_code, others.status_code) == (201, 200, 201)
    assert again.json()["id"] == first.json()["id"] != others.json()["id"]
    assert AuditEntry.objects.filter(action="upload").count() == 2
    check_problem(upload(program, page, headers=key, explain=False), 409)
    assert upload(program, page, headers={"Idempotency-Key": "SCAN 17"}).status_code == 201
    check_problem(upload(program, page, headers={"Idempotency-Key": "k" * 121}), 422)


def test_a_page_that_cannot_be_read_is_refused_and_nothing_is_stored(program, page):
    problem = check_problem(upload(program, b"no page"), 422)

    assert "page.png" in problem["detail"]
    check_problem(upload(program, page, models=["none"]), 422)
    check_problem(upload(program, page, page=0), 422)
    check_problem(upload(program, page, page=7), 422)
    check_problem(program.post(f"{API}/readings", {"file": "text"}), 422)
    assert not Reading.objects.exists()


def test_an_error_names_the_location_of_the_invalid_part(program):
    problem = check_problem(program.get(f"{API}/readings?limit=101"), 422)

    assert problem["errors"][0]["location"] == ["query", "limit"]
    assert problem["errors"][0]["detail"] == "expected a number of at most 100"
    assert "limit" in problem["detail"]
    problem = check_problem(program.post(f"{API}/readings", {}), 422)
    assert problem["errors"] == [{"location": ["file", "file"], "detail": "it is missing"}]


@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer ecgl_none", "Bearer ecgl_\xe9", "Basic bWU6bWU=", "ecgl"])
def test_requests_without_a_valid_token_are_refused(key):
    for address in ("/readings", "/batches", "/models", f"/readings/{NOBODY_S}"):
        response = Client().get(f"{API}{address}", headers={"Authorization": key})
        check_problem(response, 401)
        assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("end", ["revoked", "ended", "locked"])
def test_an_expired_token_is_refused(user, end):
    token, key = create_token(user, "old", ["read"], expires_at=timezone.now() + timedelta(days=1))
    program = Client(headers={"Authorization": f"Bearer {key}"})
    assert program.get(f"{API}/readings").status_code == 200

    if end == "revoked":
        token.revoke()
    elif end == "ended":
        Token.objects.update(expires_at=timezone.now())
    else:
        User.objects.update(is_active=False)

    assert 'error="invalid_token"' in program.get(f"{API}/readings")["WWW-Authenticate"]


def test_a_token_allows_what_its_scopes_say(user, page):
    reader, writer = program_of(user, "read"), program_of(user, "write")

    response = upload(reader, page)
    check_problem(response, 403)
    assert 'scope="write"' in response["WWW-Authenticate"]
    reading = upload(writer, page).json()
    check_problem(writer.get(f"{API}/readings/{reading['id']}"), 403)
    assert reader.get(f"{API}/readings/{reading['id']}").status_code == 200
    check_problem(reader.delete(f"{API}/readings/{reading['id']}"), 403)


def test_a_digital_ecg_is_read_like_a_page(program, tmp_path):
    pytest.importorskip("ecgdatakit")
    record = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
    content = write_record(record, tmp_path / "ecg", "aecg").read_bytes()
    reading = upload(program, content).json()
    measure(reading)

    reading = program.get(f"{API}/readings/{reading['id']}").json()
    assert reading["state"] == "done"
    assert reading["facts"]["layout"]["name"] == "12x1"
    assert reading["facts"]["measurements"]["rate_bpm"]["value"] == pytest.approx(64, abs=2)
    check_problem(upload(program, b"<rss></rss>"), 422)


def test_a_token_that_may_not_read_sees_no_note_when_it_repeats_its_upload(user, page):
    writer, key = program_of(user, "write"), {"Idempotency-Key": "scan 18"}
    reading = upload(writer, page, headers=key).json()
    change = {"note": "a secret note", "corrected": "normal"}
    address = f"{API}/readings/{reading['id']}"
    program_of(user).patch(address, data=json.dumps(change), content_type="application/json")

    again = upload(writer, page, headers=key)
    assert (again.status_code, again.json()["id"], again.json()["note"], again.json()["corrected"]) == (
        200,
        reading["id"],
        "",
        None,
    )
    assert upload(program_of(user), page, headers=key).json()["note"] == "a secret note"


def test_of_two_requests_with_one_key_at_once_one_creates_the_reading(program, page, monkeypatch):
    """The second request arrives while the page of the first one is being read."""
    key, inner = {"Idempotency-Key": "twice"}, []
    predict = flows.predict_page

    def predict_twice(*arguments):
        monkeypatch.setattr(flows, "predict_page", predict)
        inner.append(upload(program, page, headers=key).status_code)
        return predict(*arguments)

    monkeypatch.setattr(flows, "predict_page", predict_twice)

    assert (upload(program, page, headers=key).status_code, inner) == (200, [201])
    assert Reading.objects.count() == AuditEntry.objects.filter(action="upload").count() == 1


def operations():
    return [
        (method.upper(), path)
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
        if path not in (f"{API}/health", f"{API}/ready")
    ]


@pytest.mark.parametrize(("method", "path"), operations())
@pytest.mark.parametrize("scopes", [("read",), ("write",), ("read", "write")])
def test_each_operation_needs_the_scopes_of_its_method(user, page, method, path, scopes):
    """Whoever may not read sees nothing of a reading, not even in the response to a change of nothing."""
    upload(program_of(user), page)
    address = path.replace("{pk}", str(Reading.objects.get().pk)).replace("{name}", "gray").replace("{form}", "json")
    arguments = {"data": "{}", "content_type": "application/json"} if method == "PATCH" else {}
    needed = {"GET": {"read"}, "PATCH": {"read", "write"}}.get(method, {"write"})

    response = getattr(program_of(user, *scopes), method.lower())(address, **arguments)
    response.close()

    assert (response.status_code == 403) == (not needed.issubset(scopes))
    assert response.status_code < 500


def test_a_database_that_does_not_respond_is_503_and_not_an_error(program, monkeypatch):
    def fail(*_):
        raise OperationalError("database is locked")

    monkeypatch.setattr(readings, "get_user", fail)
    response = program.get(f"{API}/readings")

    check_problem(response, 503)
    assert int(response["Retry-After"]) > 0


def test_an_account_stores_up_to_its_quota(user, program, page, monkeypatch):
    upload(program, page)
    stored = count_stored_bytes(user.pk)
    assert stored == sum(store.pages().size(name) for name in store.list_files())
    small = replace(load_settings(), quota_mb=(stored + len(page) - 1) / 1024**2)
    monkeypatch.setattr(quota, "load_settings", lambda: small)

    problem = check_problem(upload(program, page), 507)
    check_problem(program.post(f"{API}/batches", {"files": [file_of(page)]}), 507)

    assert "delete readings and streams that you do not need" in problem["detail"]
    assert Reading.objects.count() == 1
    program.delete(f"{API}/readings/{Reading.objects.get().pk}")
    assert count_stored_bytes(user.pk) == 0
    assert upload(program, page).status_code == 201


def test_staff_need_a_second_factor_with_a_token_too(user):
    User.objects.update(is_staff=True)
    program = program_of(user)
    check_problem(program.get(f"{API}/readings"), 403)

    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})

    assert program.get(f"{API}/readings").status_code == 200


def test_staff_without_a_second_factor_do_not_get_in_by_session(user):
    User.objects.update(is_staff=True)
    client = Client()
    client.force_login(User.objects.get(), "django.contrib.auth.backends.ModelBackend")

    assert client.get(f"{API}/readings").status_code == 403


def test_a_login_in_the_browser_needs_the_csrf_token_to_change_something(user, page):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert client.get(f"{API}/readings").status_code == 200
    check_problem(upload(client, page), 403)

    client.get(f"{API}/docs")
    mark = {"X-CSRFToken": client.cookies["csrftoken"].value}

    assert upload(client, page, headers=mark).status_code == 201
    check_problem(client.post(f"{API}/readings", headers={"Authorization": "Bearer ecgl_none", **mark}), 401)


def test_objects_of_other_users_are_404(program, stranger, reading, page):
    measure(reading)
    batch = program.post(f"{API}/batches", {"files": file_of(page)}).json()
    own = [f"/readings/{reading['id']}", f"/batches/{batch['id']}"]
    parts = [f"{own[0]}/{part}" for part in ("explanations", "measurements", "signals", "page", "pictures/gray")]
    nowhere = check_problem(stranger.get(f"{API}/readings/{NOBODY_S}"), 404)

    for address in (*own, *parts):
        assert check_problem(stranger.get(f"{API}{address}"), 404) == nowhere
    for address in own:
        assert check_problem(stranger.delete(f"{API}{address}"), 404) == nowhere
    assert check_problem(stranger.patch(f"{API}{own[0]}", {"note": "x"}, "application/json"), 404) == nowhere
    assert stranger.get(f"{API}/readings").json()["count"] == 0
    assert stranger.get(f"{API}/batches").json()["count"] == 0
    assert stranger.get(f"{API}/readings?batch={batch['id']}").json()["items"] == []
    assert program.get(f"{API}/readings").json()["count"] == 2


def test_readings_are_listed_page_by_page(program, user):
    days = [timezone.now() - timedelta(days=days) for days in range(5)]
    readings = [Reading(owner=user, name=f"scan {n}.jpg", created_at=at, state="done") for n, at in enumerate(days)]
    readings[1].label, readings[1].note = "mi", "twelve"
    readings[2].label, readings[2].corrected = "mi", "normal"
    Reading.objects.bulk_create(readings)

    def names(query):
        return [row["name"][5] for row in program.get(f"{API}/readings?{query}").json()["items"]]

    assert names("") == ["0", "1", "2", "3", "4"]
    assert names("limit=2&page=2") == ["2", "3"]
    assert names("limit=2&page=4") == []
    assert names("q=scan 3") == ["3"]
    assert names("q=TWELVE") == ["1"]
    assert names("label=mi") == ["1"]
    assert names("label=normal") == ["2"]
    assert names("label=cannot-tell") == ["0", "3", "4"]
    assert names("state=failed") == []
    assert names(f"start={days[1]:%Y-%m-%d}&end={days[1]:%Y-%m-%d}") == ["1"]
    listing = program.get(f"{API}/readings?limit=2").json()
    assert (listing["count"], listing["page"], listing["pages"]) == (5, 1, 3)


@pytest.mark.parametrize(
    "query",
    ["q=%00", "label=%00", "end=9999-12-31", "start=0001-01-01&end=0001-01-01", "page=1000000", "q=%F0%9F%AB%80"],
)
def test_unusual_queries_match_nothing_and_break_nothing(program, reading, query):
    assert program.get(f"{API}/readings?{query}").status_code == 200


def test_a_correction_does_not_change_the_prediction(program, reading):
    address = f"{API}/readings/{reading['id']}"

    changed = program.patch(address, {"note": "Look again.", "corrected": "mi"}, "application/json").json()

    assert (changed["note"], changed["corrected"], changed["label"]) == ("Look again.", "mi", "normal")
    again = program.patch(address, {"corrected": ""}, "application/json").json()
    assert (again["note"], again["corrected"]) == ("Look again.", None)
    check_problem(program.patch(address, {"corrected": "x" * 61}, "application/json"), 422)
    check_problem(program.patch(address, {"label": "mi"}, "application/json"), 422)
    check_problem(program.patch(address, {"note": "x" * 4001}, "application/json"), 422)
    check_problem(program.patch(address, "{", "application/json"), 400)
    assert AuditEntry.objects.filter(action="change", object_id=reading["id"]).count() == 2


def test_a_deleted_reading_leaves_no_file(program, reading, django_capture_on_commit_callbacks):
    measure(reading)
    files = set(store.list_files())
    with django_capture_on_commit_callbacks(execute=True):
        response = program.delete(f"{API}/readings/{reading['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert len(files - set(store.list_files())) > 3
    check_problem(program.get(f"{API}/readings/{reading['id']}"), 404)
    assert AuditEntry.objects.get(action="delete").object_id == reading["id"]


def test_polling_is_recorded_once_a_minute(program, reading):
    for _ in range(3):
        program.get(f"{API}/readings/{reading['id']}")
    assert AuditEntry.objects.filter(action="see").count() == 1

    AuditEntry.objects.update(at=timezone.now() - timedelta(minutes=2))
    program.get(f"{API}/readings/{reading['id']}")

    assert AuditEntry.objects.filter(action="see").count() == 2


def test_many_pages_become_a_batch(program, page):
    response = program.post(
        f"{API}/batches", {"files": [file_of(page, "a.png"), file_of(b"none", "b.png")], "name": "ward 3"}
    )

    assert response.status_code == 201
    batch = response.json()
    assert (batch["name"], batch["listed"], batch["finished"]) == ("ward 3", True, False)
    assert batch["counts"] == {"pages": 2, "waiting": 2, "answered": 0, "done": 0, "failed": 0}
    rows = program.get(f"{API}/readings?batch={batch['id']}").json()["items"]
    waiting = program.get(f"{API}/readings/{rows[0]['id']}").json()
    assert (waiting["state"], waiting["predictions"], waiting["label"]) == ("waiting", [], None)
    for row in rows:
        tasks.read_waiting.func(row["id"])
        tasks.look_closer.func(row["id"])
    after = program.get(response["Location"]).json()
    assert after["finished"]
    assert after["counts"] == {"pages": 2, "waiting": 0, "answered": 0, "done": 1, "failed": 1}
    assert program.get(f"{API}/batches").json()["items"] == [after]
    failed = program.get(f"{API}/readings?state=failed").json()["items"][0]
    assert (failed["name"], failed["failure"]["stage"]) == ("b.png", "reading")
    assert program.delete(response["Location"]).status_code == 204
    assert not Batch.objects.exists()
    assert not Reading.objects.exists()


def test_a_zip_becomes_a_batch(program, page):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", page)
        archive.writestr("notes.txt", "none")
    batch = program.post(f"{API}/batches", {"files": file_of(packed.getvalue(), "all.zip")}).json()
    assert (batch["listed"], batch["finished"], batch["counts"]["pages"]) == (False, False, 0)

    tasks.unpack.func(batch["id"])

    after = program.get(f"{API}/batches/{batch['id']}").json()
    assert (after["listed"], after["skipped_files"], after["counts"]["waiting"]) == (True, 1, 1)
    two = {"files": [file_of(packed.getvalue(), "all.zip"), file_of(page)]}
    check_problem(program.post(f"{API}/batches", two), 400)
    check_problem(program.post(f"{API}/batches", {}), 422)


def test_models_are_listed_with_their_cards(program, tiny, monkeypatch):
    models = {model["name"]: model for model in program.get(f"{API}/models").json()}

    assert models["tiny"]["default"]
    assert not models["other"]["default"]
    assert models["tiny"]["labels"] == ["normal", "mi"]
    assert models["tiny"]["warnings"] == ["A made-up model."]
    alone = program.get(f"{API}/models/tiny").json()
    assert alone == {**models["tiny"], "evaluation": None}
    check_problem(program.get(f"{API}/models/none"), 404)

    measured = {"protocol": "honest", "summary": {"accuracy": {"mean": 0.5}}, "seeds": {}, "data": {"files": 3}}
    (tiny.folder / "evaluation.json").write_text(json.dumps(measured))
    evaluation = program.get(f"{API}/models/tiny").json()["evaluation"]
    assert evaluation["summary"] == {"accuracy": {"mean": 0.5}}
    assert (evaluation["protocol"], evaluation["data"], evaluation["references"]) == ("honest", {"files": 3}, {})


def test_health_needs_no_login_and_readiness_reports_workers():
    client = Client()
    assert client.get(f"{API}/health").json() == {"status": "ok"}
    assert client.get(f"{API}/ready").json() == {"status": "ready", "database": True, "worker": False}

    life = WorkerLife.objects.create(worker_id="w")
    assert client.get(f"{API}/ready").json()["worker"]
    WorkerLife.objects.filter(pk=life.pk).update(last_active_at=timezone.now() - timedelta(minutes=2))
    assert not client.get(f"{API}/ready").json()["worker"]


def test_a_database_that_does_not_respond_is_503(monkeypatch):
    def broken(*_):
        raise OperationalError("secret")

    monkeypatch.setattr(WorkerLife.objects, "living", broken)

    response = Client().get(f"{API}/ready")

    check_problem(response, 503)
    assert b"secret" not in response.content


def test_an_internal_error_reveals_no_details(program, monkeypatch, caplog):
    def broken():
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(installed_models, "list_models", broken)

    response = program.get(f"{API}/models")

    check_problem(response, 500)
    assert b"secret" not in response.content
    assert "secret of the inside" in caplog.text


@pytest.mark.parametrize("address", ["/api/", "/api/v1/", "/api/v1/none", "/api/v2/readings", f"{API}/readings/17"])
def test_unknown_addresses_are_problems_too(program, address):
    check_problem(program.get(address), 404)
    check_problem(Client(enforce_csrf_checks=True).post(address), 404)


def test_unknown_methods_are_problems_too(program):
    response = program.put(f"{API}/readings")

    check_problem(response, 405)
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("application/x-www-form-urlencoded; charset=latin-1", b"a=b"),
        ("text/plain", b"\xff"),
        ("application/json", b'{"file": 1}'),
    ],
)
def test_invalid_bodies_are_4xx(program, kind, body):
    response = program.post(f"{API}/readings", body, kind)

    assert response.status_code in (400, 422)
    check_problem(response, response.status_code)


def test_too_much_is_refused(program, settings, page):
    settings.MAX_UPLOAD_BYTES = 100
    check_problem(upload(program, page), 413)
    settings.MAX_UPLOAD_BYTES, settings.DATA_UPLOAD_MAX_NUMBER_FILES = 10**8, 2
    check_problem(program.post(f"{API}/batches", {"files": [file_of(b"x") for _ in range(3)]}), 413)


def test_a_user_with_too_many_requests_has_to_wait(user, program, stranger, monkeypatch):
    monkeypatch.setattr(access, "USER_REQUESTS_A_MINUTE", 3)
    monkeypatch.setattr(throttle.time, "time", lambda: 1_000_000.0)

    statuses = [program.get(f"{API}/models").status_code for _ in range(3)]
    response = program_of(user).get(f"{API}/models")

    assert statuses == [200, 200, 200]
    check_problem(response, 429)
    assert 0 < int(response["Retry-After"]) <= 61
    assert stranger.get(f"{API}/models").status_code == 200


def test_an_address_that_tries_tokens_has_to_wait(program, monkeypatch):
    monkeypatch.setattr(access, "REFUSED_REQUESTS_A_MINUTE", 2)
    monkeypatch.setattr(throttle.time, "time", lambda: 1_000_000.0)
    thief = Client(headers={"Authorization": "Bearer ecgl_none"})

    statuses = [thief.get(f"{API}/models").status_code for _ in range(3)]

    assert statuses == [401, 401, 429]
    assert program.get(f"{API}/models").status_code == 200


def test_the_docs_comply_with_the_content_policy():
    response = Client().get(f"{API}/docs")

    assert response.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert "https:" not in response.content.decode()


def test_the_description_has_every_operation_described(capsys):
    schema = Client().get(f"{API}/openapi.json").json()

    operations = [each for path in schema["paths"].values() for each in path.values()]
    assert len(operations) == 33
    assert len({each["operationId"] for each in operations}) == 33
    assert all(each["summary"] and each["description"] for each in operations)
    free = {path for path, methods in schema["paths"].items() for each in methods.values() if not each.get("security")}
    assert free == {f"{API}/health", f"{API}/ready"}
    assert capsys.readouterr().out == ""
    assert api.get_openapi_schema()["info"]["version"] == ecglens.__version__


def test_every_address_is_documented():
    text = DOCS.read_text(encoding="utf-8")

    for path in api.get_openapi_schema()["paths"]:
        assert path.removeprefix(API).replace("{pk}", "{id}") in text


class TestMetrics:
    def test_a_prometheus_on_this_machine_gets_the_metrics(self, program, reading):
        WorkerLife.objects.create(worker_id="w")

        text = Client(HTTP_HOST="localhost:8000").get("/metrics").content.decode()

        assert 'ecglens_readings{state="answered"} 1.0' in text
        assert "ecglens_tasks_waiting 1.0" in text
        assert "ecglens_workers_alive 1.0" in text
        assert 'route="api:create_reading",status="201"' in text
        assert reading["id"] not in text
        assert "example.org" not in text

    @pytest.mark.parametrize(
        "place",
        [
            {"REMOTE_ADDR": "10.0.0.7"},
            {"REMOTE_ADDR": ""},
            {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
            {"HTTP_FORWARDED": "for=127.0.0.1"},
            {"REMOTE_ADDR": "10.0.0.7", "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
            {"HTTP_HOST": "testserver"},
            {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "},
            {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer x"},
        ],
    )
    def test_other_clients_do_not(self, place):
        assert Client().get("/metrics", **{"HTTP_HOST": "localhost", **place}).status_code == 403

    @pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]", "LOCALHOST"])
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_the_machine_has_several_names(self, host, address, settings):
        settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
        assert Client().get("/metrics", HTTP_HOST=host, REMOTE_ADDR=address).status_code == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"proxies": 1},
            {"allowed_hosts": "ecg.example.org,127.0.0.1"},
            {"allowed_hosts": "*"},
            {"allowed_hosts": "localhost, .example.org"},
            {"allowed_hosts": "10.0.0.7"},
            {"metrics_token": TOKEN},
        ],
    )
    def test_a_proxy_that_adds_no_header_is_not_the_machine_where_others_reach_the_site(self, monkeypatch, changes):
        changed = replace(load_settings(), **changes)
        monkeypatch.setattr("ecglens.web.operations.metrics.load_settings", lambda: changed)
        assert Client().get("/metrics", HTTP_HOST="localhost").status_code == 403

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (f"Bearer {TOKEN}", 200),
            (f"bearer  {TOKEN}", 200),
            (f"Bearer {TOKEN[:-1]}", 403),
            (f"Bearer {TOKEN}x", 403),
            (f"Basic {TOKEN}", 403),
            (TOKEN, 403),
            ("Bearer é", 403),
            ("Bearer", 403),
            ("", 403),
        ],
    )
    def test_a_program_with_the_token_gets_them_from_anywhere(self, monkeypatch, header, status):
        changed = replace(load_settings(), metrics_token=TOKEN, proxies=1, allowed_hosts="ecg.example.org")
        monkeypatch.setattr("ecglens.web.operations.metrics.load_settings", lambda: changed)
        client = Client(REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_FOR="192.0.2.1")
        assert client.get("/metrics", HTTP_AUTHORIZATION=header).status_code == status

    def test_a_token_that_could_be_guessed_is_refused(self):
        check_metrics_token("")
        check_metrics_token(TOKEN)
        with pytest.raises(SettingsError, match="ECGLENS_METRICS_TOKEN of at least 32 random characters, got 31"):
            check_metrics_token("x" * 31)

    def test_staff_with_a_second_factor_do(self, user):
        client = Client(REMOTE_ADDR="10.0.0.7")
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        assert client.get("/metrics").status_code == 403
        User.objects.update(is_staff=True)
        assert client.get("/metrics").status_code == 302
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
        assert client.get("/metrics").status_code == 200

    def test_invented_methods_are_counted_as_one(self):
        client = Client(HTTP_HOST="localhost")
        client.generic("BREW", f"{API}/health")
        text = client.get("/metrics").content.decode()
        assert "BREW" not in text
        assert 'method="other"' in text


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (
            ("http://127.0.0.1:9", "none.png"),
            {"ECGLENS_TOKEN": "ecgl_x"},
            "Expected a page at none.png, but it cannot be",
        ),
        (("http://127.0.0.1:9", str(EXAMPLE)), {"ECGLENS_TOKEN": "ecgl_x"}, "Expected a site of ecglens at http://127"),
        (
            ("nowhere", str(EXAMPLE)),
            {"ECGLENS_TOKEN": "ecgl_x"},
            "Expected a site of ecglens at nowhere/api/v1/readings",
        ),
        (("http://127.0.0.1:9",), {"ECGLENS_TOKEN": "ecgl_x"}, "Read a page over the API of a site: ECGLENS_TOKEN="),
        (("http://127.0.0.1:9", "none.png"), {}, "Read a page over the API of a site: ECGLENS_TOKEN="),
    ],
)
def test_the_example_says_what_it_lacks_in_one_sentence(tmp_path, arguments, variables, message):
    command = [sys.executable, str(EXAMPLE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.django_db
def test_the_example_reads_a_page(live_server, user, page, tmp_path):
    (tmp_path / "page.png").write_bytes(page)
    _, key = create_token(user, "example", ["read", "write"])
    command = [sys.executable, str(EXAMPLE), live_server.url, str(tmp_path / "page.png")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"ECGLENS_TOKEN": key}) as example:
        end = time.monotonic() + 300
        while not Reading.objects.exists():
            assert time.monotonic() < end
            assert example.poll() is None
            time.sleep(0.1)
        measure({"id": str(Reading.objects.get().pk)})
        output, _ = example.communicate(timeout=300)

    assert example.returncode == 0
    assert output.startswith("normal {")
    assert "'normal': 0.88" in output
    assert "beats a minute" in output

"""Security of the site on a network; ``docs/asvs.md`` names these tests."""

import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import uuid
from functools import cache

import hostile_files
import pytest
from django.contrib.auth.hashers import identify_hasher
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, given, settings
from PIL import Image
from wild_files import BOMBS, damaged_files

from ecglens.errors import SettingsError
from ecglens.web.accounts.models import AuditEntry, Token
from ecglens.web.accounts.tokens import create_token
from ecglens.web.cases.flows import add_readings, create_case, review_reading
from ecglens.web.cases.models import Case, Membership, Review, Share
from ecglens.web.cases.shares import create_share
from ecglens.web.http.database import configure_database
from ecglens.web.http.keys import check_settings, create_private_folder, load_secret_key
from ecglens.web.http.log_redaction import SecretsFilter
from ecglens.web.readings import flows, pipeline, tasks
from ecglens.web.readings.models import Batch, Picture, Reading
from ecglens.web.readings.store import store_file

pytestmark = pytest.mark.django_db

OPEN = {
    "": "the start page",
    "disease-predict": "the form, for visitors too",
    "try/<slug:name>": "pages that ship",
    "try/<slug:name>/page.jpg": "pages that ship",
    "models": "what is installed",
    "models/compare": "what is installed",
    "models/<str:name>": "what is installed",
    "shared/<str:key>/": "opens with the key of a link",
    "shared/<str:key>/<uuid:pk>/": "opens with the key of a link",
    "shared/<str:key>/<uuid:pk>/page": "opens with the key of a link",
    "shared/<str:key>/<uuid:pk>/pictures/<str:name>": "opens with the key of a link",
    "api/v1/openapi.json": "the description of the API",
    "api/v1/docs": "the description of the API",
    "api/v1/health": "for a load balancer",
    "api/v1/ready": "for a load balancer",
    "api/v1/": "leads to the description",
    "api/": "leads to the description",
    "i18n/setlang/": "the language",
    "healthz": "for a load balancer",
    "readyz": "for a load balancer",
    "metrics": "has a test of its own: staff, a token, or a site's only machine",
    "manifest.webmanifest": "for phones",
    "sw.js": "for phones",
    "offline": "for phones",
}
"""Routes that need no account, each with its reason; every other one does."""


BODIES = {
    "api/v1/cases/<uuidstr:pk>/readings": {"reading": str(uuid.UUID(int=0))},
    "api/v1/readings/<uuidstr:pk>/corrections": {"content": {"speed_mm_s": 50}},
    "api/v1/reviews/<uuidstr:pk>": {"label": "mine now"},
}
"""Bodies for routes that take JSON."""
STORED = (Reading, Batch, Token, Picture, Case, Membership, Review, Share)


def routes(patterns=None, before=""):
    for each in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from routes(each.url_patterns, path)
        else:
            yield path


def ours():
    """Routes that are not allauth's own pages or Django's admin, which have tests of their own."""
    return sorted({path for path in routes() if not path.startswith(("accounts/", "admin/"))})


def fill_path(path, reading, batch, token, picture):
    pk = batch.pk if "batch" in path else token.pk if "token" in path else reading.pk
    if "cases" in path and "readings/<" not in path:
        membership = Membership.objects.get(reading=reading)
        pk = membership.case.shares.get().pk if "shares" in path else membership.case_id
    path = path.replace("<str:key>", "no-such-key-of-a-link")
    path = re.sub(r"<uuid(str)?:pk>", str(pk), path)
    path = path.replace("<slug:form>", "json").replace("<slug:name>", "normal")
    return "/" + re.sub(r"<(str:)?name>", picture.name if "pictures" in path else "compact_cnn", path)


@cache
def predict_once(content, number, options, corrections=None):
    """Return the result for a page, which the tests of each route would compute again."""
    return pipeline.predict_page(content, number, options, corrections)


@pytest.fixture
def things(user, upload, page, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(flows, "predict_page", predict_once)
        upload()
    reading = Reading.objects.get()
    Picture.objects.create(reading=reading, name="gray", file=store_file(page, ".jpg"), width=10, height=10)
    signals = {"fs_hz": 500, "leads": ["I"], "start_s": [], "quality": [], "signals": {"I": [0.0, 0.1]}}
    Reading.objects.update(signals=store_file(json.dumps(signals).encode(), ".json"), state=Reading.State.DONE)
    batch = flows.create_batch(user, [SimpleUploadedFile("a.jpg", page)], options=flows.create_options(user))
    token, _ = create_token(user, "script", ["read", "write"])
    case = create_case(user, "bed 7")
    add_readings(case, [reading])
    create_share(case, 7)
    review_reading(reading, user, label="normal")
    return Reading.objects.get(batch=None), batch, token, Picture.objects.first()


@pytest.mark.parametrize("path", ours())
def test_every_route_protects_data_of_a_user_from_others(path, things, user, other):
    """Each route is asked by nobody, by another person and by a program of another person, in every way."""
    address = fill_path(path, *things)
    before = [list(model.objects.order_by("pk").values()) for model in STORED]
    stranger = Client()
    stranger.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    _, key = create_token(other, "hers", ["read", "write"])
    nobody, program = Client(), Client()
    mine = [str(things[0].pk), str(things[1].pk), str(things[2].pk), user.email]
    with_key = {"Authorization": f"Bearer {key}"}
    content = {"data": json.dumps(BODIES.get(path, {"note": "mine now"})), "content_type": "application/json"}
    bodies = {("patch", "api/"): content, **({("post", "api/"): content} if path in BODIES else {})}
    for method in ("get", "post", "put", "patch", "delete"):
        for who, client, headers in (
            ("nobody", nobody, {}),
            ("another", stranger, {}),
            ("a program", program, with_key),
        ):
            answer = getattr(client, method)(address, **bodies.get((method, path[:4]), {}), headers=headers)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            summary = f"{who} {method} {address}: {answer.status_code}"
            assert answer.status_code < 500, summary
            if path not in OPEN and who == "nobody":
                assert answer.status_code in (302, 401, 403, 405), summary
            if "<uuid" in path:
                assert answer.status_code in (302, 401, 403, 404, 405), summary
                assert answer.status_code != 302 or "/accounts/" in answer["Location"], summary
            text = body.decode(errors="replace").replace(address, "")
            assert not [each for each in mine if each in text and each not in address], summary
    Token.objects.filter(owner=other).delete()
    after = [list(model.objects.order_by("pk").values()) for model in STORED]
    assert after == before


def test_public_routes_are_the_listed_ones():
    assert set(OPEN) <= set(ours())


@pytest.mark.parametrize("path", [path for path in ours() if not path.startswith("api/")])
def test_changes_need_the_csrf_token_of_the_sites_pages(path, things, user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(fill_path(path, *things))

    assert answer.status_code in (403, 405)
    assert Reading.objects.count() == 2


@pytest.mark.parametrize(
    "path", ["/", "/disease-predict", "/models", "/accounts/login/", "/nothing", "/api/v1/readings", "/api/v1/health"]
)
def test_every_response_has_the_security_headers(path):
    headers = Client().get(path).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"]


def test_no_page_has_anything_inline(client, things):
    paths = [
        "/",
        "/disease-predict",
        "/readings/",
        "/batches/",
        "/account/",
        "/models",
        "/cases/",
        "/review/agreement",
        "/try/normal",
        "/accounts/2fa/",
    ]
    reading, batch, *_ = things
    paths += [f"/review/{reading.pk}/", reading.membership.case.get_absolute_url()]
    paths += [f"/readings/compare?a={reading.pk}&b={reading.pk}", f"/cases/add?reading={reading.pk}"]
    for path in (*paths, reading.get_absolute_url(), batch.get_absolute_url()):
        body = client.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*(\ssrc=|application/json))|\son\w+=", body), path
        assert not re.search(r"""<(?!a )[^>]*(?:src|href|action)=["'](?:https?:)?//""", body), path


def test_cookies_are_out_of_reach(user):
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": "correct horse battery"})
    session = client.cookies["sessionid"]

    assert session["httponly"]
    assert session["samesite"] == "Lax"
    assert client.get("/disease-predict").cookies["csrftoken"]["samesite"] == "Strict"


def test_a_login_is_a_new_session(user):
    client = Client()
    client.get("/accounts/login/")
    client.session["planted"] = True
    client.session.save()
    before = client.session.session_key
    client.post("/accounts/login/", {"login": user.email, "password": "correct horse battery"})

    assert client.session.session_key != before


def test_passwords_are_stored_as_slow_hashes(django_user_model):
    from ecglens.web.project import settings as site

    assert site.PASSWORD_HASHERS[0].endswith("ScryptPasswordHasher")
    stored_hash = django_user_model.objects.create_user("b@example.org", "correct horse battery").password
    assert "horse" not in stored_hash
    assert identify_hasher(stored_hash)


@pytest.mark.parametrize(
    ("secret_key", "debug", "hosts", "words"),
    [
        ("change-me-" + "x" * 60, False, ["localhost"], "short or well-known"),
        ("short", False, ["localhost"], "short or well-known"),
        ("", False, ["ecg.example.org"], "got none for ecg.example.org"),
        ("", False, ["*"], "got none for \\*"),
        ("x" * 50, True, ["localhost", "ecg.example.org"], "got it on for ecg.example.org"),
    ],
)
def test_the_site_does_not_start_where_others_could_sign_its_cookies(secret_key, debug, hosts, words):
    with pytest.raises(SettingsError, match=words):
        check_settings(secret_key=secret_key, debug=debug, hosts=hosts)


def test_on_the_own_machine_the_site_starts_with_a_generated_key():
    check_settings(secret_key="", debug=True, hosts=["localhost", "127.0.0.1", "[::1]"])
    check_settings(secret_key="x" * 50, debug=False, hosts=["ecg.example.org"])


@pytest.mark.parametrize(
    "address", ["oracle://x:secret@y/z", "postgresql://me:secret@host", "mysql:///", "nonsense-secret"]
)
def test_an_unusable_database_is_reported_without_its_password(address, tmp_path):
    with pytest.raises(SettingsError, match="Expected an ECGLENS_DATABASE_URL such as") as caught:
        configure_database(address, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("ECGLENS_SECRET_KEY", "change-me", "ECGLENS_SECRET_KEY"),
        ("ECGLENS_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/x", "Expected a database that responds"),
    ],
)
def test_the_command_refuses_to_start_in_one_sentence(setting, value, words, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ECGLENS_", "DJANGO_"))}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-c", "from ecglens.cli import main; main()", "serve", "--port", str(port)],
        env={**clean, "ECGLENS_DATA_DIR": str(tmp_path), setting: value},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert words in done.stderr
    assert "hush" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_generated_key_is_random_and_private(tmp_path):
    folder = create_private_folder(tmp_path / "data")
    first = load_secret_key("", folder)

    assert first == load_secret_key("", folder)
    assert len(first) > 50
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_files_are_private_and_have_unguessable_names(things, stored_files):
    for name in stored_files():
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{40}(\.\w+)?", name)
        assert Client().get(f"/{name}").status_code == 404
        assert Client().get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\boot.ini", "a\x00.jpg", "<script>.jpg", "a" * 500 + ".jpg", "\u202egpj.exe"]
)
def test_a_name_is_never_a_path(upload, stored_files, name):
    upload(name=name)
    reading = Reading.objects.get()

    assert len(reading.name) <= 200
    assert not set(reading.name) & set("/\\\x00\u202e")
    assert all(re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{40}\.(jpg|npz)", each) for each in stored_files())


def test_a_file_is_what_its_bytes_say(upload, page):
    assert upload(page, "page.exe").status_code == 302
    assert upload(b"<html><script>alert(1)</script></html>", "page.jpg").status_code == 422
    assert upload(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "page.png").status_code == 422


def test_exif_metadata_is_dropped(upload, client, page):
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "Camera of Dr. X", {1: "N", 2: (52.0, 31.0, 12.0)}
    file = io.BytesIO()
    Image.open(io.BytesIO(page)).save(file, "JPEG", exif=exif, quality=95)
    client.post("/account/redaction", {})
    upload(file.getvalue())
    with Reading.objects.get().page.open("rb") as stored_page:
        content = stored_page.read()

    assert b"Camera" in file.getvalue()
    assert b"Camera" not in content
    assert len(Image.open(io.BytesIO(content)).getexif()) == 0


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_and_leaves_nothing(upload, stored_files, bomb):
    assert upload(BOMBS[bomb](), "bomb").status_code == 422
    assert stored_files() == []
    assert not Reading.objects.exists()


@pytest.mark.sqlite
def test_damaged_files_never_break_the_site_and_leave_nothing(client, stored_files):
    @given(damaged_files())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def send(content):
        answer = client.post("/disease-predict", {"file": SimpleUploadedFile("page", content)})
        assert answer.status_code in (302, 422), answer.status_code
        if answer.status_code == 422:
            assert not Reading.objects.exists()
            assert stored_files() == []
        Reading.objects.all().delete()
        Batch.objects.all().delete()
        assert stored_files() == []

    send()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nested_forms", "costly_shading"])
def test_a_pdf_that_takes_minutes_to_draw_is_refused_in_one_sentence(client, stored_files, kind):
    content = getattr(hostile_files, kind)()
    answer = client.post("/disease-predict", {"file": SimpleUploadedFile("a.pdf", content)})
    assert answer.status_code == 422
    assert "that can be decoded within" in answer.content.decode()
    assert not Reading.objects.exists()
    assert stored_files() == []


def test_a_large_body_is_refused_before_it_is_parsed(client, settings):
    answer = client.post(
        "/disease-predict", {"file": SimpleUploadedFile("a.jpg", bytes(settings.MAX_UPLOAD_BYTES + 99_999))}
    )
    program = Client().post(
        "/api/v1/readings", bytes(settings.MAX_UPLOAD_BYTES + 99_999), content_type="multipart/form-data; boundary=x"
    )

    assert (answer.status_code, program.status_code) == (413, 413)
    assert program["Content-Type"] == "application/problem+json"


def test_visitors_are_slowed_down(page, monkeypatch):
    monkeypatch.setattr("ecglens.web.readings.visitors._PAGES_A_MINUTE", 2)
    answers = [
        Client().post("/disease-predict", {"file": SimpleUploadedFile("a.jpg", b"no")}).status_code for _ in range(4)
    ]

    assert answers[:2] == [422, 422]
    assert answers[-1] == 429


def test_secrets_are_redacted_in_logs(user):
    _, key = create_token(user, "script", ["read"])
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(SecretsFilter())
    log = logging.getLogger("a log")
    log.addHandler(handler)
    try:
        log.error("Bearer %s of postgresql://me:hush@db/x at /accounts/password/reset/key/3-abc-def/", key)
        try:
            raise ValueError(key)
        except ValueError:
            log.exception("It failed.")
    finally:
        log.removeHandler(handler)

    assert key not in lines.getvalue()
    assert "hush" not in lines.getvalue()
    assert "3-abc-def" not in lines.getvalue()
    assert "ValueError" in lines.getvalue()


def test_internal_errors_reveal_no_details(client, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr(flows, "predict_page", lambda *_: {}["secret inside"])
    answer = client.post("/disease-predict", {"file": SimpleUploadedFile("a.jpg", b"x")})

    assert answer.status_code == 500
    assert b"secret inside" not in answer.content
    assert b"Traceback" not in answer.content


def test_the_audit_log_contains_neither_names_of_files_nor_notes(things, client):
    client.post(f"{things[0].get_absolute_url()}change", {"note": "Mrs. Smith"})
    entries = json.dumps(list(AuditEntry.objects.values()), default=str)

    assert "Smith" not in entries
    assert "MI_26" not in entries


def test_a_reading_that_is_deleted_during_the_work_stays_deleted(upload, stored_files, monkeypatch):
    upload()
    pk = str(Reading.objects.get().pk)
    real = tasks.measure_page

    def slow(*arguments):
        details = real(*arguments)
        Reading.objects.all().delete()
        return details

    monkeypatch.setattr(tasks, "measure_page", slow)
    tasks.look_closer.func(pk)

    assert stored_files() == []
    assert not Reading.objects.exists()
    assert tasks.look_closer.func(str(uuid.uuid4())) == "skipped"


def test_new_parent_and_existing_folders_are_closed_to_others(tmp_path):
    before = os.umask(0o022)
    try:
        deep = create_private_folder(tmp_path / "data" / "metrics" / "host")
        (tmp_path / "open").mkdir(mode=0o755)
        create_private_folder(tmp_path / "open")
    finally:
        os.umask(before)

    for folder in (deep, deep.parent, deep.parent.parent, tmp_path / "open"):
        assert folder.stat().st_mode & 0o077 == 0, folder

"""Items of the OWASP ASVS that no other test holds; the table of ``docs/asvs.md`` names these tests."""

import ast
import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from ecglens.web.accounts.models import AuditEntry, User
from ecglens.web.accounts.tokens import create_token
from ecglens.web.http.log_redaction import SecretsFilter
from ecglens.web.http.throttle import hash_address
from ecglens.web.readings.models import Reading

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
NEW = "another horse battery"
ELSEWHERE = "https://elsewhere.example/"


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def log_in(email, password=PASSWORD, **more):
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": password, **more})
    return client


def inside(client):
    return client.get("/readings/").status_code == 200


def change_password(client, old=PASSWORD, new=NEW):
    return client.post("/accounts/password/change/", {"oldpassword": old, "password1": new, "password2": new})


def reset_address(user):
    Client().post("/accounts/password/reset/", {"email": user.email})
    return re.search(r"http://testserver(/\S+)", mail.outbox[-1].body)[1]


def reset_password(client, address, new=NEW):
    form = client.get(address, follow=True)
    return client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def site_settings(tmp_path, names, **environment):
    """Return values of the site's settings, read in a fresh process."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ECGLENS_", "DJANGO_"))}
    prints = "; ".join(f"print({name!r}, getattr(settings, {name!r}))" for name in names)
    code = f"from ecglens.web.project import settings; {prints}"
    environment = {**clean, "ECGLENS_DATA_DIR": str(tmp_path), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


class TestPasswords:
    def test_the_old_one_is_needed_for_a_new_one(self, user):
        assert change_password(log_in(user.email), old="wrong horse battery").status_code == 200
        assert inside(log_in(user.email))

    @pytest.mark.parametrize(
        "password", [" spaces at both ends ", "Ünïcödé päßwörd ✓", "x1" * 64, "onlysmallletters", "739105528460"]
    )
    def test_any_characters_and_128_of_them_are_accepted_unchanged(self, user, password):
        change_password(log_in(user.email), new=password)

        assert inside(log_in(user.email, password))
        assert not inside(log_in(user.email, password.strip() if password != password.strip() else password[:-1]))
        if password.swapcase() != password:
            assert not inside(log_in(user.email, password.swapcase()))

    def test_fields_are_masked_and_open_to_password_managers(self, user):
        for client, address in ((Client(), "/accounts/login/"), (log_in(user.email), "/accounts/password/change/")):
            fields = re.findall(r"<input[^>]*name=\"(?:old)?password[^>]*>", client.get(address).content.decode())
            assert fields
            for field in fields:
                assert 'type="password"' in field
                assert re.search(r'autocomplete="(current|new)-password"', field)
                assert "onpaste" not in field

    def test_a_new_site_has_no_account(self):
        assert not User.objects.exists()

    def test_a_reset_works_once_and_leads_past_no_second_factor(self, user):
        TOTP.activate(user, generate_totp_secret())
        address = reset_address(user)
        assert Client().get(address.replace(address[-9:-1], "aaaaaaaa"), follow=True).content.count(b"password1") == 0
        client = Client()
        reset_password(client, address)

        assert not inside(client)
        answer = client.post("/accounts/login/", {"login": user.email, "password": NEW})
        assert answer["Location"] == "/accounts/2fa/authenticate/"
        reset_password(Client(), address, "a third horse battery")
        user.refresh_from_db()
        assert user.check_password(NEW)

    def test_a_reset_does_not_reveal_who_has_an_account(self, user):
        registered, unknown = (
            Client().post("/accounts/password/reset/", {"email": email}) for email in (user.email, "no@example.org")
        )

        assert (registered.status_code, registered["Location"]) == (unknown.status_code, unknown["Location"])


class TestSecondFactor:
    def test_a_code_works_once(self, user):
        secret = generate_totp_secret()
        TOTP.activate(user, secret)
        code = code_of(secret)
        first, second = log_in(user.email), log_in(user.email)
        first.post("/accounts/2fa/authenticate/", {"code": code})
        second.post("/accounts/2fa/authenticate/", {"code": code})

        assert inside(first)
        assert not inside(second)

    def test_a_recovery_code_works_once(self, user):
        TOTP.activate(user, generate_totp_secret())
        code = RecoveryCodes.activate(user).get_unused_codes()[0]
        first, second = log_in(user.email), log_in(user.email)
        first.post("/accounts/2fa/authenticate/", {"code": code})
        second.post("/accounts/2fa/authenticate/", {"code": code})

        assert inside(first)
        assert not inside(second)

    def test_guessing_codes_is_slowed_down(self, user):
        secret = generate_totp_secret()
        TOTP.activate(user, secret)
        client = log_in(user.email)
        for number in range(8):
            client.post("/accounts/2fa/authenticate/", {"code": f"00000{number}"})
        client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

        assert not inside(client)

    def test_changing_address_or_second_factor_asks_for_the_password_again(self, client, user):
        def needs_password(method, address, **data):
            again = ("/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/")
            return getattr(client, method)(f"/accounts/{address}", data).get("Location", "").startswith(again)

        assert needs_password("get", "2fa/totp/activate/")
        assert needs_password("get", "2fa/webauthn/add/")
        assert needs_password("post", "email/", action_add="", email="new@example.org")
        assert not EmailAddress.objects.filter(email="new@example.org").exists()
        TOTP.activate(user, generate_totp_secret())
        assert needs_password("get", "2fa/recovery-codes/generate/")
        assert needs_password("get", "2fa/totp/deactivate/")
        assert needs_password("post", "2fa/totp/deactivate/")
        assert Authenticator.objects.count() == 1

    def test_users_get_a_mail_when_their_password_changes(self, user, settings):
        settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
        change_password(log_in(user.email))

        assert [(each.to, "Password Changed" in each.subject) for each in mail.outbox] == [([user.email], True)]


class TestSessions:
    def test_logging_out_ends_the_session_on_the_server(self, user):
        client = log_in(user.email)
        stolen = Client()
        stolen.cookies["sessionid"] = client.cookies["sessionid"].value
        assert inside(stolen)
        client.post("/accounts/logout/")

        assert not inside(stolen)
        assert not Session.objects.filter(session_key=stolen.cookies["sessionid"].value).exists()

    def test_logging_out_needs_a_post(self, user):
        client = log_in(user.email)
        client.get("/accounts/logout/")

        assert inside(client)

    def test_a_new_password_ends_the_other_sessions(self, user):
        here, there = log_in(user.email), log_in(user.email)
        change_password(here)

        assert inside(here)
        assert not inside(there)

    def test_a_reset_password_ends_all_sessions(self, user):
        there = log_in(user.email)
        reset_password(Client(), reset_address(user))

        assert not inside(there)

    def test_a_locked_account_is_out_at_once(self, user):
        client = log_in(user.email)
        User.objects.update(is_active=False)

        assert not inside(client)

    def test_a_session_is_over_after_its_time(self, user, settings):
        client = log_in(user.email)
        assert settings.SESSION_COOKIE_AGE == 14 * 24 * 3600
        assert client.session.get_expiry_age() <= settings.SESSION_COOKIE_AGE
        Session.objects.update(expire_date="2020-01-01T00:00:00Z")

        assert not inside(client)

    def test_every_page_of_an_account_has_the_way_out(self, client):
        for address in (
            "/readings/",
            "/batches/",
            "/account/",
            "/disease-predict",
            "/accounts/email/",
            "/accounts/2fa/",
        ):
            assert 'action="/accounts/logout/"' in client.get(address).content.decode(), address


class TestBrowsers:
    @pytest.mark.parametrize("address", ["/accounts/login/", "/accounts/signup/", "/i18n/setlang/"])
    def test_nobody_is_led_to_another_site(self, user, address):
        for next_address in (ELSEWHERE, "//elsewhere.example/", "https:elsewhere.example", "javascript:alert(1)"):
            fields = {"login": user.email, "password": PASSWORD, "language": "de", "next": next_address}
            answer = Client().post(f"{address}?next={next_address}", fields, headers={"Referer": ELSEWHERE})
            assert "elsewhere" not in answer.get("Location", ""), next_address
            assert "alert" not in answer.get("Location", ""), next_address

    @pytest.mark.parametrize(
        "address", ["/", "/readings/", "/api/v1/health", "/api/v1/readings", "/static/site/site.css"]
    )
    def test_no_other_site_may_read_answers(self, client, address):
        for method in ("get", "options"):
            answer = getattr(client, method)(address, headers={"Origin": ELSEWHERE})
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
            assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
            answer.close()

    def test_other_names_of_the_site_are_refused(self, settings):
        settings.ALLOWED_HOSTS = ["ecg.example.org"]
        assert Client().get("/models", headers={"Host": "ecg.example.org"}).status_code == 200
        for headers in ({"Host": "elsewhere.example"}, {"Host": "ecg.example.org.elsewhere.example"}):
            assert Client().get("/models", headers=headers).status_code == 400

    def test_proxy_headers_are_trusted_only_behind_a_proxy(self, tmp_path, settings):
        names = ["USE_X_FORWARDED_HOST", "SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT"]
        assert site_settings(tmp_path, names) == dict(zip(names, ["False", "None", "0"], strict=True))
        assert site_settings(tmp_path, names, ECGLENS_PROXIES="1")["ALLAUTH_TRUSTED_PROXY_COUNT"] == "1"
        claimed = [RequestFactory().get("/", headers={"X-Forwarded-For": each}) for each in ("192.0.2.1", "192.0.2.2")]

        assert hash_address(claimed[0]) == hash_address(claimed[1])

    def test_with_https_cookies_are_secure_and_hsts_is_on(self, tmp_path, settings):
        cookies = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "LANGUAGE_COOKIE_SECURE"]
        named = ["SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME"]
        assert all(each.startswith("__Host-") for each in site_settings(tmp_path, named, ECGLENS_HTTPS="true").values())
        values = site_settings(tmp_path, [*cookies, "SECURE_HSTS_SECONDS"], ECGLENS_HTTPS="true")
        assert values == {**dict.fromkeys(cookies, "True"), "SECURE_HSTS_SECONDS": str(365 * 24 * 3600)}
        settings.SECURE_HSTS_SECONDS = int(values["SECURE_HSTS_SECONDS"])

        for address in ("/", "/api/v1/health", "/nothing", "/static/site/site.css"):
            answer = Client().get(address, secure=True)
            assert answer["Strict-Transport-Security"] == "max-age=31536000"
            answer.close()

    def test_cookies_are_hidden_from_scripts_and_other_sites(self, client):
        cookies = dict(client.get("/disease-predict").cookies)
        cookies |= Client().post("/i18n/setlang/", {"language": "de"}).cookies

        assert set(cookies) == {"csrftoken", "django_language"}
        assert all(each["httponly"] and each["samesite"] in ("Lax", "Strict") for each in cookies.values())

    def test_scripts_write_text_only_and_store_nothing(self):
        web = ROOT / "src" / "ecglens" / "web"
        scripts = [*web.glob("*/static/[!v]*/*.js"), *web.glob("*/templates/**/*.js")]
        assert {"upload.js", "history.js", "site.js", "sw.js"} <= {script.name for script in scripts}
        for script in scripts:
            text = script.read_text(encoding="utf-8")
            assert not re.search(r"\b(eval|Function)\(|document\.write|insertAdjacentHTML|(inn|out)erHTML", text), (
                script
            )
            assert not re.search(r"(local|session)Storage|indexedDB|document\.cookie|postMessage", text), script

    @pytest.mark.parametrize(
        ("address", "kind"),
        [
            ("/", "text/html; charset=utf-8"),
            ("/nothing", "text/html; charset=utf-8"),
            ("/healthz", "text/plain"),
            ("/api/v1/health", "application/json; charset=utf-8"),
            ("/api/v1/readings", "application/problem+json"),
            ("/manifest.webmanifest", "application/manifest+json"),
            ("/sw.js", "text/javascript"),
            ("/static/site/site.css", 'text/css; charset="utf-8"'),
        ],
    )
    def test_answers_say_what_they_are(self, address, kind):
        answer = Client().get(address)
        assert answer["Content-Type"] == kind
        answer.close()

    def test_a_stored_page_is_served_as_an_image_only(self, upload, client):
        upload(name="page.html")
        answer = client.get(f"{Reading.objects.get().get_absolute_url()}page")

        assert answer["Content-Type"] == "image/jpeg"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["Cache-Control"] == "no-store"
        answer.close()


class TestRequests:
    @pytest.mark.parametrize(
        "address", ["/", "/readings/", "/api/v1/health", "/api/v1/readings", "/static/site/site.css"]
    )
    def test_trace_is_not_answered(self, client, address):
        assert client.generic("TRACE", address, headers={"X-Mine": "seen"}).status_code in (401, 404, 405)

    @pytest.mark.parametrize(
        "address", ["/static/", "/static/site/", "/static/../settings.py", "/.git/config", "/.env"]
    )
    def test_folders_and_hidden_files_are_not_served(self, address):
        assert Client().get(address).status_code == 404

    def test_a_key_in_an_address_opens_nothing(self, user):
        _, key = create_token(user, "script", ["read"])
        for name in ("token", "key", "access_token", "Authorization"):
            assert Client().get(f"/api/v1/readings?{name}={key}").status_code == 401

    def test_fields_that_nobody_offered_are_not_written(self, upload, client, user, other):
        upload()
        reading = Reading.objects.get()
        _, key = create_token(user, "script", ["write"])
        more = {"note": "n", "owner": other.pk, "owner_id": other.pk, "label": "normal", "is_staff": True}
        client.post(f"{reading.get_absolute_url()}change", more)
        Client(headers={"Authorization": f"Bearer {key}"}).patch(
            f"/api/v1/readings/{reading.pk}", more, content_type="application/json"
        )
        client.post("/account/redaction", {"is_staff": "on", "is_superuser": "on", "email": "x@example.org"})
        sign_up = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
        Client().post("/accounts/signup/", {**sign_up, "is_staff": "on", "is_superuser": "on", "is_active": ""})

        after = Reading.objects.get()
        assert (after.owner_id, after.label) == (user.pk, reading.label)
        assert not User.objects.filter(is_staff=True).exists()
        assert not User.objects.filter(email="x@example.org").exists()

    @pytest.mark.parametrize(
        "words", ["' OR 1=1 --", "%' UNION SELECT email FROM accounts_user --", "\\", "%", "x' OR 'a'='a"]
    )
    def test_search_words_are_only_words(self, upload, client, words):
        upload()
        pk = str(Reading.objects.get().pk)
        for address in ("/readings/", "/api/v1/readings"):
            assert pk in client.get(address, {"q": "MI_26"}).content.decode()
            assert pk not in client.get(address, {"q": words}).content.decode()

    def test_a_name_cannot_break_out_of_its_place(self, client, page):
        name = '"><img src=x onerror=alert(1)>\r\nSet-Cookie: a=b.jpg'
        client.post("/disease-predict", {"file": SimpleUploadedFile(name, page)})
        body = client.get(Reading.objects.get().get_absolute_url())

        assert b"<img src=x" not in body.content
        assert "a" not in body.cookies


class TestRecords:
    def test_logins_and_logouts_are_recorded_with_time_and_account(self, user):
        client = log_in(user.email)
        client.post("/accounts/logout/")
        log_in(user.email, "wrong horse battery")
        entries = list(AuditEntry.objects.order_by("id"))

        assert [entry.action for entry in entries] == ["log in", "log out", "fail to log in"]
        assert {entry.owner_id for entry in entries} == {user.pk}
        assert all(entry.at.tzinfo is not None for entry in entries)

    def test_an_unknown_name_is_not_recorded_when_a_login_fails(self):
        log_in("nobody@example.org", "x")

        assert {(entry.action, entry.owner_id, entry.detail) for entry in AuditEntry.objects.all()} == {
            ("fail to log in", None, "")
        }

    def test_refused_requests_are_logged_on_one_line_each(self, client, caplog):
        client.get("/readings/%0d%0aERROR%20forged/")
        Client().get("/api/v1/readings%0aERROR%20forged")
        Client().get("/api/v1/readings")
        client.get("/metrics", REMOTE_ADDR="192.0.2.1")
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("django")]

        assert [each.split(":")[0].split(" (")[0] for each in lines] == [
            "Not Found",
            "Not Found",
            "Unauthorized",
            "Forbidden",
        ]
        assert not [each for each in lines if "\n" in each or "\r" in each]

    def test_changes_of_passwords_and_factors_are_recorded(self, user):
        change_password(log_in(user.email))
        secret = generate_totp_secret()
        TOTP.activate(user, secret)
        client = log_in(user.email, NEW)
        for code in ("000000", code_of(secret)):
            client.post("/accounts/2fa/authenticate/", {"code": code})
        reset_password(Client(), reset_address(user), "a third horse battery")
        entries = AuditEntry.objects.order_by("id").values_list("action", "detail")

        assert list(entries) == [
            ("log in", ""),
            ("change the password", ""),
            ("fail at the second factor", "totp"),
            ("use a second factor", "totp"),
            ("log in", ""),
            ("reset the password", ""),
        ]

    def test_lines_have_a_time_with_its_zone_and_cannot_be_forged(self, settings):
        lines = io.StringIO()
        handler = logging.StreamHandler(lines)
        handler.addFilter(SecretsFilter())
        line = settings.LOGGING["formatters"]["line"]
        handler.setFormatter(logging.Formatter(line["format"], line["datefmt"]))
        log = logging.getLogger("a log")
        log.addHandler(handler)
        try:
            log.error("GET %s broke", "/api/v1/models/x\r\n2026-01-01 ERROR forged\x1b[2J")
        finally:
            log.removeHandler(handler)

        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ERROR a log GET .* broke\n", lines.getvalue())
        assert "\x1b" not in lines.getvalue()


class TestCode:
    def test_the_site_executes_fetches_and_unpickles_nothing_that_it_receives(self):
        """No interpreter, shell, pickle, XML or address of a visitor's: what is not there cannot be misused."""
        forbidden = {
            "pickle",
            "marshal",
            "shelve",
            "xml",
            "lxml",
            "requests",
            "httpx",
            "urllib.request",
            "socketserver",
        }
        only = {"subprocess": {"server.py"}, "socket": {"server.py"}}
        for path in sorted((ROOT / "src" / "ecglens" / "web").rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                names = set()
                if isinstance(node, ast.Import):
                    names = {each.name for each in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names = {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
                elif isinstance(node, ast.Call):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    assert called not in {"system", "popen", "mark_safe", "RawSQL", "raw", "extra"}, path
                    assert not (isinstance(node.func, ast.Name) and called in {"eval", "exec", "__import__"}), path
                    assert not [each for each in node.keywords if each.arg == "shell"], path
                assert not {each for each in names if each in forbidden or each.split(".")[0] in forbidden}, path
                for name, files in only.items():
                    assert name not in names or path.name in files, path

    def test_every_dependency_has_one_version_that_installing_uses(self):
        pins = re.findall(r"^([^\s#].*)\n((?: .*\n)*)", read("constraints.txt"), re.MULTILINE)
        assert len(pins) > 100
        assert all(re.match(r"[\w.-]+==[\w.]+", pin) for pin, _ in pins)
        assert [pin for pin, hashes in pins if "--hash=sha256:" not in hashes] == [], "run: make constraints"
        assert "--constraint constraints.txt" in read("Makefile")
        assert "--constraint constraints.txt" in read("Dockerfile")

    def test_the_image_holds_no_history_tests_or_secrets(self):
        let_through = [line for line in read(".dockerignore").splitlines() if line.startswith("!")]
        assert "*" in read(".dockerignore").splitlines()
        assert not [line for line in let_through if re.search(r"\.git|\.env|tests|data", line)]

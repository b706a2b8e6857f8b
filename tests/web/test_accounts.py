"""Accounts: their way in and out, their tokens, their data, and what staff need."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client
from django.utils import timezone
from msgspec.structs import replace

from ecglens.settings import load_settings
from ecglens.web.accounts.data_export import export_user_data
from ecglens.web.accounts.models import AuditEntry, Token, User
from ecglens.web.accounts.tokens import create_token, find_token
from ecglens.web.readings.models import Reading

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


def sign_up(client, email="new@example.org", password=PASSWORD):
    return client.post("/accounts/signup/", {"email": email, "password1": password, "password2": password})


def log_in(client, email, password=PASSWORD):
    return client.post("/accounts/login/", {"login": email, "password": password})


def log_in_again(email):
    """Log in, and confirm the password again, as sensitive pages require."""
    client = Client()
    log_in(client, email)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def test_sign_up_log_out_and_log_in():
    client = Client()

    assert sign_up(client)["Location"] == "/accounts/login/"
    assert client.get("/readings/").status_code == 302
    assert log_in(client, "new@example.org")["Location"] == "/disease-predict"
    assert client.get("/readings/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/readings/").status_code == 302
    assert log_in(client, "NEW@example.org").status_code == 302
    assert client.get("/readings/").status_code == 200


def test_sign_up_can_be_disabled(monkeypatch):
    closed = replace(load_settings(), sign_up=False)
    monkeypatch.setattr("ecglens.web.accounts.adapters.load_settings", lambda: closed)
    sign_up(Client())

    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short", "password1234"])
def test_weak_passwords_are_refused(password):
    sign_up(Client(), password=password)

    assert not User.objects.exists()


def test_signing_up_does_not_reveal_whether_an_address_has_an_account(user, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    registered, unknown = (sign_up(Client(), email) for email in (user.email, "nobody@example.org"))

    assert registered["Location"] == unknown["Location"] == "/accounts/confirm-email/"
    assert User.objects.count() == 2


def test_a_password_is_reset_by_mail(user):
    client = Client()
    client.post("/accounts/password/reset/", {"email": user.email})
    address = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)[1]
    form = client.get(address, follow=True)
    client.post(form.request["PATH_INFO"], {"password1": "another horse battery", "password2": "another horse battery"})

    assert log_in(Client(), user.email, "another horse battery")["Location"] == "/disease-predict"
    assert log_in(Client(), user.email).status_code == 200


def test_guessing_passwords_is_slowed_down(user):
    answers = [log_in(Client(), user.email, f"wrong {number}") for number in range(12)]

    assert "Too many failed" in answers[-1].content.decode() or answers[-1].status_code == 429
    assert AuditEntry.objects.filter(action="fail to log in", owner_id=user.pk).count() >= 5


def test_the_password_is_changed(client, user):
    changed = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    client.post("/accounts/password/change/", changed)

    assert log_in(Client(), user.email, "another horse battery").status_code == 302


def test_staff_without_a_second_factor_get_nowhere(client, user):
    User.objects.update(is_staff=True, is_superuser=True)
    for address in ("/admin/", "/readings/", "/account/", "/"):
        assert client.get(address)["Location"] == "/accounts/2fa/", address
    assert client.get("/api/v1/readings").status_code == 403
    TOTP.activate(user, generate_totp_secret())

    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/accounts/auditentry/").status_code == 200


def test_a_second_factor_is_asked_for(user):
    TOTP.activate(user, generate_totp_secret())
    client = Client()

    assert log_in(client, user.email)["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/readings/").status_code == 302
    assert Authenticator.objects.filter(user=user).count() == 1


def test_the_administration_has_no_login_of_its_own(user):
    User.objects.update(is_staff=True, is_superuser=True)
    answer = Client().post("/admin/login/?next=/admin/", {"username": user.email, "password": PASSWORD})

    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]


def create_in_form(client, **fields):
    return client.post("/account/tokens", {"name": "script", "scopes": ["read"], "days": "30", **fields})


def test_a_token_is_shown_once_and_stored_as_a_hash(user):
    client = log_in_again(user.email)
    key = re.search(r"ecgl_[\w-]{40,}", create_in_form(client).content.decode())[0]
    token = Token.objects.get()

    assert find_token(key) == token
    assert key not in json.dumps(list(Token.objects.values()), default=str)
    assert key not in client.get("/account/").content.decode()
    assert token.scopes == ["read"]
    assert (token.expires_at - timezone.now()).days == 29
    client.post(f"/account/tokens/{token.pk}/revoke")
    assert find_token(key) is None


def test_an_expired_token_is_invalid(user):
    token, key = create_token(user, "old", ["read"], expires_at=timezone.now())

    assert not token.is_valid
    assert find_token(key) is None
    assert find_token("ecgl_" + "x" * 43) is None
    assert find_token("something else") is None


def test_a_token_of_another_is_not_revoked(client, other):
    token, key = create_token(other, "hers", ["read"])

    assert client.post(f"/account/tokens/{token.pk}/revoke").status_code == 404
    assert find_token(key) == token


def test_tokens_data_and_deletion_ask_for_the_password_again(client):
    for method, address in (("post", "/account/tokens"), ("get", "/account/data"), ("get", "/account/delete")):
        assert getattr(client, method)(address)["Location"].startswith("/accounts/reauthenticate/"), address


def test_all_own_data_comes_as_a_zip(user, upload, work):
    upload()
    work()
    client = log_in_again(user.email)
    packed = zipfile.ZipFile(io.BytesIO(b"".join(client.get("/account/data").streaming_content)))
    readings = json.loads(packed.read("readings.json"))
    pk = str(Reading.objects.get().pk)

    assert readings[0]["predictions"][0]["label"] == "mi"
    assert {f"readings/{pk}/page.jpg", f"readings/{pk}/signals.json", f"readings/{pk}/lead-V1.jpg"} <= set(
        packed.namelist()
    )
    assert any(entry["action"] == "upload" for entry in json.loads(packed.read("audit.json")))
    assert PASSWORD not in packed.read("account.json").decode()
    assert "password" not in json.loads(packed.read("account.json"))


def test_deleting_an_account_takes_everything_in_it(user, upload, work, stored_files):
    upload()
    work()
    create_token(user, "script", ["read"])
    client = log_in_again(user.email)
    wrong = client.post("/account/delete", {"email": "eve@example.org"})
    assert (wrong.status_code, User.objects.count()) == (400, 1)
    client.post("/account/delete", {"email": user.email})

    assert not User.objects.exists()
    assert not Reading.objects.exists()
    assert not Token.objects.exists()
    assert stored_files() == []
    assert user.email not in json.dumps(list(AuditEntry.objects.values()), default=str)
    assert client.get("/readings/").status_code == 302


def test_the_audit_log_records_who_viewed_and_changed_what(client, user, upload):
    upload()
    reading = Reading.objects.get()
    client.get(reading.get_absolute_url())
    client.post(f"{reading.get_absolute_url()}change", {"note": "secret words"})
    client.post(f"{reading.get_absolute_url()}delete")
    entries = AuditEntry.objects.filter(object_id=str(reading.pk)).order_by("id")

    assert [entry.action for entry in entries] == ["upload", "see", "change", "delete"]
    assert {(entry.actor_id, entry.owner_id) for entry in entries} == {(user.pk, user.pk)}
    assert "secret words" not in json.dumps(list(entries.values()), default=str)


def test_staff_see_the_audit_log_and_cannot_change_it(client, user, upload):
    User.objects.update(is_staff=True, is_superuser=True)
    TOTP.activate(user, generate_totp_secret())
    upload()
    entry, reading = AuditEntry.objects.first(), Reading.objects.get()

    assert client.get(f"/admin/accounts/auditentry/{entry.pk}/change/").status_code == 200
    assert client.post(f"/admin/accounts/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"/admin/readings/reading/{reading.pk}/change/").status_code == 200
    assert AuditEntry.objects.filter(action="see as staff", object_id=str(reading.pk)).exists()
    client.post(f"/admin/readings/reading/{reading.pk}/delete/", {"post": "yes"})
    assert AuditEntry.objects.filter(action="delete as staff", object_id=str(reading.pk)).exists()
    assert client.get("/admin/accounts/user/").status_code == 200
    assert client.get("/admin/accounts/token/").status_code == 200


def test_an_openid_provider_is_offered_where_one_is_set(tmp_path):
    """The apps are chosen when the site starts, so this is another site."""
    code = """
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
call_command("migrate", verbosity=0)
call_command("createcachetable")
print(Client().get("/accounts/login/").content.decode())
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ECGLENS_", "DJANGO_"))}
    environment = {
        "DJANGO_SETTINGS_MODULE": "ecglens.web.project.settings",
        "ECGLENS_DATA_DIR": str(tmp_path),
        "ECGLENS_OPENID_URL": "https://login.example.org",
        "ECGLENS_OPENID_CLIENT": "ecglens",
        "ECGLENS_OPENID_SECRET": "hush",
        "ECGLENS_OPENID_NAME": "Hospital account",
    }
    done = subprocess.run([sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2000:]
    assert "Hospital account" in done.stdout
    assert "/accounts/oidc/openid/login/" in done.stdout
    assert "hush" not in done.stdout


def without_token(response):
    return re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", response.content.decode())


class TestSignUpWithoutMail:
    """Nothing confirms addresses where no mail is sent, so the site must not say which ones it knows."""

    @pytest.fixture(autouse=True)
    def _passwords_are_hashed_once(self, settings, monkeypatch):
        assert settings.ACCOUNT_EMAIL_VERIFICATION == "optional"
        self.hashed = []
        encode = MD5PasswordHasher.encode
        monkeypatch.setattr(
            MD5PasswordHasher, "encode", lambda *arguments: self.hashed.append(arguments[1]) or encode(*arguments)
        )

    def test_the_response_is_the_same_whether_an_address_is_known_or_not(self, user):
        clients = Client(), Client()
        self.hashed.clear()
        answers = [
            sign_up(client, email)
            for client, email in zip(clients, (user.email.upper(), "new@example.org"), strict=True)
        ]

        assert self.hashed == [PASSWORD] * 2
        assert {(each.status_code, each["Location"], each.content) for each in answers} == {
            (302, "/accounts/login/", b"")
        }
        assert answers[0].headers.keys() == answers[1].headers.keys()
        assert answers[0].cookies.keys() == answers[1].cookies.keys()
        pages = [without_token(client.get("/accounts/login/")) for client in clients]
        assert pages[0] == pages[1]
        assert "If there was no account with this address, there is one now." in pages[0]

    def test_an_account_that_exists_keeps_its_password(self, user):
        sign_up(Client(), user.email, "another horse battery")

        assert User.objects.get().check_password(PASSWORD)

    @pytest.mark.parametrize("password", ["short", "password1234"])
    def test_a_refusal_is_the_same_too(self, user, password):
        pages = [without_token(sign_up(Client(), email, password)) for email in (user.email, "new@example.org")]

        assert pages[0].replace(user.email, "") == pages[1].replace("new@example.org", "")

    def test_an_address_that_another_request_took_in_the_meantime_is_a_known_one(self, user, monkeypatch):
        monkeypatch.setattr("ecglens.web.accounts.forms.filter_users_by_email", lambda email: [])

        assert sign_up(Client(), user.email)["Location"] == "/accounts/login/"
        assert User.objects.count() == 1

    def test_the_page_that_a_visitor_came_from_is_not_forgotten(self):
        fields = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD, "next": "/readings/"}

        assert Client().post("/accounts/signup/", fields)["Location"] == "/accounts/login/?next=%2Freadings%2F"


@pytest.mark.parametrize("verification", ["optional", "mandatory"])
def test_adding_an_address_does_not_reveal_whether_another_account_has_it(user, other, settings, verification):
    settings.ACCOUNT_EMAIL_VERIFICATION = verification
    client, answers = log_in_again(user.email) if verification == "optional" else confirm_address(user), []
    client.get("/accounts/email/")  # shows the message of the login
    for email in (other.email, "new@example.org"):
        actions = ({"action_add": "", "email": email}, {"action_primary": "", "email": email})
        actions += ({"action_remove": "", "email": user.email}, {"action_remove": "", "email": email})
        answers.append([without_token(client.post("/accounts/email/", action, follow=True)) for action in actions])

    assert [page.replace(other.email, "new@example.org") for page in answers[0]] == answers[1]
    user.refresh_from_db()
    assert user.email == "ada@example.org"


def confirm_address(user):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return log_in_again(user.email)


def test_an_address_that_was_confirmed_becomes_the_account_s_unless_another_account_has_it(user, other):
    client = confirm_address(user)
    for email in (other.email, "new@example.org"):
        EmailAddress.objects.create(user=user, email=email, verified=True)
        answer = client.post("/accounts/email/", {"action_primary": "", "email": email}, follow=True)
        user.refresh_from_db()

        assert answer.status_code == 200
        assert user.email == ("new@example.org" if email != other.email else "ada@example.org")
        assert EmailAddress.objects.get(user=user, primary=True).email == user.email


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_a_mail_that_cannot_be_sent_is_said_whether_or_not_the_address_has_an_account(user, email, monkeypatch, caplog):
    def fail(*args, **options):
        raise ConnectionRefusedError(f"no server for {email}")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)
    body = Client().post("/accounts/password/reset/", {"email": email}, follow=True).content.decode()

    assert "The mail could not be sent" in body
    assert email not in caplog.text


def test_a_site_without_a_mail_server_says_where_its_mail_is(user):
    body = Client().post("/accounts/password/reset/", {"email": user.email}, follow=True).content.decode()

    assert "This site sends no mail" in body


def test_the_export_of_an_account_has_its_cases_and_reviews(user, client):
    from ecglens.web.cases import flows

    reading = Reading.objects.create(owner=user, name="a.jpg", state="done")
    flows.add_readings(flows.create_case(user, "bed 7"), [reading])
    flows.review_reading(reading, user, label="WPW")
    with export_user_data(user) as file, zipfile.ZipFile(file) as archive:
        [case] = json.loads(archive.read("cases.json"))
        [review] = json.loads(archive.read("reviews.json"))

    assert (case["pseudonym"], case["readings"][0]["reading"]) == ("bed 7", str(reading.pk))
    assert review["label"] == "WPW"

"""Sessions of streams: private, checked by token, and refused where the server did not ask."""

import uuid

import pytest
from streams_help import make_record

from ecglens.streams import Recorder, StreamInfo, Stretch
from ecglens.web.accounts.tokens import create_token
from ecglens.web.readings.models import Reading
from ecglens.web.streams import flows
from ecglens.web.streams.folders import LIVE, SessionBusyError, find_folder, is_live, lock_session
from ecglens.web.streams.models import StreamSession
from ecglens.web.streams.views import ASK

pytestmark = pytest.mark.django_db

INFO = StreamInfo("strap", ("I", "II"), 250.0)
ADDRESSES = ["", "events", "recording", "reading", "download", "delete"]


@pytest.fixture
def session(user):
    return flows.begin_session(user, str(uuid.uuid4()), INFO)


def record_into(session, seconds=12.0):
    record = make_record(seconds=seconds)
    recorder = Recorder(find_folder(session.pk) / LIVE, INFO)
    recorder.write([Stretch(0, record.signals_mv)])
    recorder.close()


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_stream_of_another_person_is_not_there(session, other, name):
    from django.test import Client

    eve = Client()
    eve.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    address = f"/streams/{session.pk}/{name}"
    method = eve.post if name in ("recording", "reading", "delete") else eve.get
    assert method(address).status_code == 404
    assert StreamSession.objects.filter(pk=session.pk).exists()


@pytest.mark.parametrize("name", ["", "recording", "reading", "download", "delete"])
def test_who_is_not_logged_in_is_sent_to_the_login(session, name):
    from django.test import Client

    address = f"/streams/{session.pk}/{name}"
    answer = Client().post(address) if name in ("recording", "reading", "delete") else Client().get(address)
    assert answer.status_code == 302
    assert answer.url.startswith("/accounts/login/")


def test_the_pages_of_a_stream_show_it(client, session):
    assert "strap" in client.get("/streams/").content.decode()
    page = client.get(f"/streams/{session.pk}/").content.decode()
    assert "interrupted" in page
    assert "Not a patient monitor" in page


def test_only_the_server_may_ask_for_events_and_packets(client, session):
    assert client.get(f"/streams/{session.pk}/events").status_code == 404
    answer = client.post(f"/streams/{session.pk}/live", b"{}", content_type="application/x-ndjson")
    assert answer.status_code == 403


def ask(client, pk, key="", **event):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}
    return client.post(f"/streams/{pk}/live", **headers, **{ASK: event})


def test_a_stream_needs_a_token_that_may_write(client, user):
    pk = uuid.uuid4()
    assert ask(client, pk, event="check").status_code == 403
    assert ask(client, pk, "ecgl_" + "x" * 43, event="check").status_code == 403
    assert ask(client, pk, create_token(user, "r", ["read"])[1], event="check").status_code == 403
    key = create_token(user, "w", ["write"])[1]
    assert ask(client, pk, key, event="check").status_code == 204
    info = {"device": "strap", "leads": ("I",), "fs_hz": 250.0}
    assert ask(client, pk, key, event="begins", info=info).status_code == 204
    assert StreamSession.objects.get(pk=pk).owner == user
    assert ask(client, pk, key, event="begins", info={**info, "fs_hz": 5.0}).status_code == 422
    assert ask(client, pk, key, event="begins", info={**info, "leads": ("V1",)}).status_code == 422
    assert ask(client, pk, key, event="ends").status_code == 204
    assert StreamSession.objects.get(pk=pk).ended_at is not None
    assert ask(client, pk, key, event="begins", info=info).status_code == 403


def test_a_stream_that_no_shared_machine_carries_is_refused(client, user):
    key = create_token(user, "w", ["write"])[1]
    info = {"device": "x", "leads": tuple(f"L{number}" for number in range(64)), "fs_hz": 20_000.0}
    answer = ask(client, uuid.uuid4(), key, event="begins", info=info)
    assert answer.status_code == 422
    assert "at most 100,000 samples a second" in answer.json()["detail"]


def test_streams_count_in_the_quota_and_a_recording_ends_where_it_is_full(client, session, user, monkeypatch):
    from ecglens.settings import Settings
    from ecglens.web.readings import quota

    key = create_token(user, "w", ["write"])[1]
    record_into(session)
    assert ask(client, session.pk, key, event="goes on", is_recording=True).status_code == 204
    size = StreamSession.objects.get().stored_bytes
    assert size >= 2 * 2 * 3000
    assert quota.count_stored_bytes(user.pk) == size
    monkeypatch.setattr(quota, "load_settings", lambda: Settings(quota_mb=0.001))
    answer = ask(client, session.pk, key, event="goes on", is_recording=True)
    assert answer.status_code == 507
    assert "delete readings and streams" in answer.json()["detail"]
    assert ask(client, session.pk, key, event="goes on", is_recording=False).status_code == 204
    assert client.post(f"/streams/{session.pk}/recording", {"recording": "on"}).status_code == 507
    assert not flows.is_recording(session)


def test_a_recording_is_not_begun_on_a_full_disk(client, session, monkeypatch):
    monkeypatch.setattr(flows, "has_room", lambda size: False)
    answer = client.post(f"/streams/{session.pk}/recording", {"recording": "on"})
    assert answer.status_code == 507
    assert "the disk of this site is full" in answer.content.decode()
    assert not flows.is_recording(session)


def test_a_stream_that_was_deleted_or_whose_token_was_revoked_does_not_go_on(client, session, user):
    token, key = create_token(user, "w", ["write"])
    pk = session.pk
    session.delete()
    answer = ask(client, pk, key, event="goes on", is_recording=False)
    assert (answer.status_code, "that was deleted" in answer.json()["detail"]) == (404, True)
    token.delete()
    assert ask(client, pk, key, event="goes on", is_recording=False).status_code == 403


def test_a_number_of_another_persons_stream_is_refused(client, session, other):
    key = create_token(other, "w", ["write"])[1]
    info = {"device": "strap", "leads": ("I", "II"), "fs_hz": 250.0}
    assert ask(client, session.pk, key, event="begins", info=info).status_code == 403


def test_only_one_connection_sends_a_session(session):
    folder = find_folder(session.pk)
    assert not is_live(session.pk)
    with lock_session(folder):
        assert is_live(session.pk)
        with pytest.raises(SessionBusyError, match="another connection"), lock_session(folder):
            pass
    assert not is_live(session.pk)


def test_the_recording_is_switched_on_and_off(client, session):
    client.post(f"/streams/{session.pk}/recording", {"recording": "on"})
    assert flows.is_recording(session)
    client.post(f"/streams/{session.pk}/recording", {"recording": "off"})
    assert not flows.is_recording(session)


def test_the_last_seconds_become_a_reading_in_the_history(client, session):
    record_into(session)
    answer = client.post(f"/streams/{session.pk}/reading")
    reading = Reading.objects.get()
    assert answer.url == reading.get_absolute_url()
    assert reading.name.startswith("strap ")
    assert {row["lead"] for row in reading.facts["layout"]["leads"]} == {"I", "II", "III", "aVR", "aVL", "aVF"}
    assert "strap" in client.get("/readings/").content.decode()


def test_a_stream_of_a_second_gives_no_reading_but_one_sentence(client, session):
    record_into(session, seconds=2.0)
    answer = client.post(f"/streams/{session.pk}/reading", follow=True)
    assert "Expected at least 5 s of signal, got less" in answer.content.decode()
    assert not Reading.objects.exists()


def test_old_streams_are_deleted_as_readings_are(session, monkeypatch):
    from datetime import timedelta

    from django.utils import timezone

    from ecglens.settings import Settings
    from ecglens.web.operations import worker

    monkeypatch.setattr(worker, "load_settings", lambda: Settings(retention_days=30))
    worker.delete_expired()
    assert StreamSession.objects.exists()
    StreamSession.objects.update(created_at=timezone.now() - timedelta(days=31))
    worker.delete_expired()
    assert not StreamSession.objects.exists()


def test_the_data_of_an_account_names_its_streams(session, user):
    import zipfile

    from ecglens.web.accounts.data_export import export_user_data

    with export_user_data(user) as file, zipfile.ZipFile(file) as archive:
        assert str(session.pk) in archive.read("streams.json").decode()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_stream_leaves_no_file(client, user):
    session = flows.begin_session(user, str(uuid.uuid4()), INFO)
    record_into(session)
    folder = find_folder(session.pk)
    client.post(f"/streams/{session.pk}/delete")
    assert not folder.exists()
    assert not StreamSession.objects.exists()

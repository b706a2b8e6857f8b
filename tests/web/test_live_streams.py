"""Live ECGs at a real site: what senders and viewers get, whatever is sent, cut off or killed."""

import asyncio
import json
import re
import socket
import threading
import time
import uuid
from base64 import b64decode

import numpy as np
import pytest
import requests
from live_site import PASSWORD, Person, Site
from streams_help import make_record

from ecglens.streams import StreamInfo, Stretch, read_session
from ecglens.streams.json_lines import write_line
from ecglens.streams.replay import cut_packets
from ecglens.streams.site import SiteOutput

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]

RECORD = make_record(seconds=12.0)
INFO = StreamInfo("bed 1", RECORD.leads, RECORD.fs_hz)
LINES = [write_line(INFO), *(write_line(packet) for packet in cut_packets(RECORD, packet_s=0.1))]
END = '{"type": "end"}'


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"), options=("--workers", "0", "--processes", "2")).start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def ada(site):
    person = Person(site.address, "ada@example.org").sign_up()
    person.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = person.post("/account/tokens", {"name": "strap", "scopes": ["read", "write"], "days": "30"})
    person.token = re.search(r"ecgl_[\w-]{43}", answer.text)[0]
    return person


def send(site, ada, lines, pk, *, pause_s=0.0):
    """Send lines as a stream, and return the response."""

    def body():
        for line in lines:
            yield (line if isinstance(line, bytes) else line.encode()) + b"\n"
            time.sleep(pause_s)

    headers = {"Authorization": f"Bearer {ada.token}"}
    return requests.post(f"{site.address}/streams/{pk}/live", data=body(), headers=headers, timeout=60)


def watch(site, ada, pk, *, until, timeout_s=40.0):
    """Return the server-sent events up to the first one for which ``until`` holds."""
    out, end = [], time.monotonic() + timeout_s
    address = f"{site.address}/streams/{pk}/events"
    with ada.session.get(address, stream=True, timeout=timeout_s) as response:
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        name = ""
        for line in response.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                out.append((name, json.loads(line.removeprefix("data: "))))
                if until(*out[-1]):
                    return out
            assert time.monotonic() < end, [each[0] for each in out]
    return out


def in_thread(function, *arguments, **options):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments, **options)), daemon=True)
    thread.start()
    return thread, results


def wait_until_live(ada, pk):
    end = time.monotonic() + 30
    while ada.get(f"/streams/{pk}/").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_viewer_gets_every_sample_and_the_end(site, ada):
    pk = uuid.uuid4()
    # Viewers begin 10 s back, so that one who comes late still gets all of 9 s.
    thread, answers = in_thread(send, site, ada, [*LINES[:91], END], pk, pause_s=0.02)
    wait_until_live(ada, pk)
    events = watch(site, ada, pk, until=lambda name, _: name == "end")
    thread.join()
    assert answers[0].status_code == 200
    assert events[0] == ("info", INFO.to_dict())
    assert events[-1][0] == "end"
    signals = np.full((2, 2250), np.nan)
    for name, event in events:
        if name == "samples":
            part = np.frombuffer(b64decode(event["uv"]), "<i2").reshape(-1, 2).T / 1000
            assert np.isnan(signals[:, event["first"] : event["first"] + part.shape[1]]).all(), "a sample came twice"
            signals[:, event["first"] : event["first"] + part.shape[1]] = part
    np.testing.assert_allclose(signals, RECORD.signals_mv[:, :2250], atol=6e-4)
    beats = [event for name, event in events if name == "result" and event["type"] == "beat"]
    assert len(beats) == 11


def test_hostile_packets_are_refused_one_by_one_and_the_stream_goes_on(site, ada):
    pk = uuid.uuid4()
    hostile = [
        b"\xff\xfe",
        "{",
        "[" * 3000,
        '{"type": "samples", "mv": [[1], ["x"]]}',
        '{"type": "samples", "mv": [[9e9], [0]]}',
    ]
    thread, answers = in_thread(send, site, ada, [LINES[0], *hostile, *LINES[1:], END], pk, pause_s=0.01)
    wait_until_live(ada, pk)
    events = watch(site, ada, pk, until=lambda name, _: name == "end")
    thread.join()
    assert answers[0].status_code == 200
    refused = [each for name, each in events if name == "result" and each.get("kind") == "refused"]
    assert len(refused) == len(hostile)
    assert all(each["detail"].startswith("Expected") for each in refused)
    assert read_session(site.folder / "streams" / str(pk) / "live").duration_s == 12.0


def test_samples_before_the_description_are_refused(site, ada):
    answer = send(site, ada, [LINES[1], END], uuid.uuid4())
    assert answer.status_code == 422
    assert "describe the stream" in answer.json()["detail"]


def test_the_reason_why_a_description_is_refused_reaches_the_sender(site, ada):
    answer = send(site, ada, ['{"type": "info", "device": "x", "leads": ["I", "I"], "fs_hz": 250}'], uuid.uuid4())
    assert answer.status_code == 422
    assert "leads of different names" in answer.json()["detail"]


def open_stream(site, ada, content, pk=None):
    """Open a stream, and return its socket."""
    one = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    head = (
        f"POST /streams/{pk or uuid.uuid4()}/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ada.token}\r\n"
    )
    one.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(content):x}\r\n".encode() + content + b"\r\n")
    return one


def test_an_account_has_four_streams_and_health_is_answered_at_once_whatever_they_send(site, ada):
    hostile = b'{"type": "samples", "mv": [' + b"[]," * 300_000 + b"[]]}\n"
    description, numbers = LINES[0].encode() + b"\n", [uuid.uuid4() for _ in range(4)]
    senders = [open_stream(site, ada, description, pk) for pk in numbers]
    for pk in numbers:
        wait_until_live(ada, pk)
    with open_stream(site, ada, description) as fifth:
        assert b"at most 4 streams of an account" in b"".join(iter(lambda: fifth.recv(10_000), b""))
    threads = [in_thread(one.sendall, f"{len(hostile):x}\r\n".encode() + hostile + b"\r\n")[0] for one in senders]
    slowest_s = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert requests.get(f"{site.address}/healthz", timeout=10).status_code == 200
        slowest_s = max(slowest_s, time.monotonic() - began)
        time.sleep(0.05)
    for thread, one in zip(threads, senders, strict=True):
        thread.join(20)
        with one:
            assert b" 413 " in one.recv(10_000)
    assert slowest_s < 1.0


def test_a_sender_that_never_describes_its_stream_loses_its_place_within_seconds(site, ada):
    with open_stream(site, ada, b"{") as one:
        began = time.monotonic()
        one.settimeout(1.0)
        answer = b""
        while not answer and time.monotonic() - began < 20:
            try:
                answer = one.recv(10_000)
            except TimeoutError:
                one.sendall(b"1\r\n \r\n")  # a byte now and then does not help
        assert b" 408 " in answer
        assert 8 < time.monotonic() - began < 15


def test_a_second_sender_of_a_session_is_refused_while_the_first_sends(site, ada):
    pk = uuid.uuid4()
    thread, answers = in_thread(send, site, ada, [*LINES, END], pk, pause_s=0.05)
    wait_until_live(ada, pk)
    time.sleep(0.5)
    assert send(site, ada, [LINES[0], END], pk).status_code == 409
    thread.join()
    assert answers[0].status_code == 200
    assert send(site, ada, [LINES[0], END], pk).status_code == 403  # it has ended


def test_a_sender_that_is_cut_off_goes_on_with_the_same_session_and_the_gap_is_reported(site, ada):
    pk = uuid.uuid4()
    address = (site.address.removeprefix("http://").partition(":")[0], site.port)
    head = (
        f"POST /streams/{pk}/live HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nAuthorization: Bearer {ada.token}\r\n"
    )
    with socket.create_connection(address) as one:
        one.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for line in LINES[:51]:  # 5 s of signal
            content = line.encode() + b"\n"
            one.sendall(f"{len(content):x}\r\n".encode() + content + b"\r\n")
            time.sleep(0.01)
        time.sleep(1.0)
    time.sleep(1.0)
    assert "interrupted" in ada.get("/streams/").text
    thread, answers = in_thread(send, site, ada, [LINES[0], *LINES[71:], END], pk, pause_s=0.02)
    events = watch(site, ada, pk, until=lambda name, _: name == "end")
    thread.join()
    assert answers[0].status_code == 200
    gaps = [each for name, each in events if name == "result" and each.get("kind") == "gap"]
    assert [(gap["start_s"], gap["end_s"]) for gap in gaps] == [(5.0, 7.0)]
    record = read_session(site.folder / "streams" / str(pk) / "live")
    np.testing.assert_allclose(record.signals_mv[:, :1250], RECORD.signals_mv[:, :1250], atol=6e-4)
    np.testing.assert_allclose(record.signals_mv[:, 1750:], RECORD.signals_mv[:, 1750:], atol=6e-4)
    assert np.isnan(record.signals_mv[:, 1250:1750]).all()


def test_a_site_that_is_killed_and_started_again_loses_less_than_a_second(site, ada):
    output = SiteOutput(site.address, ada.token)
    record = make_record(seconds=20.0)

    async def run() -> None:
        for number, start in enumerate(range(0, 5000, 25)):
            await output.write(INFO, [Stretch(start, record.signals_mv[:, start : start + 25])], [])
            if number == 60:
                await asyncio.to_thread(site.kill)
                await asyncio.to_thread(site.start)
            await asyncio.sleep(0.03)
        await output.close()

    asyncio.run(run())
    back = read_session(site.folder / "streams" / output.session / "live")
    missing = np.isnan(back.signals_mv).any(axis=0)
    assert back.signals_mv.shape[1] == 5000
    assert missing.sum() < 250, f"{missing.sum() / 250:.2f} s are lost"
    np.testing.assert_allclose(back.signals_mv[:, ~missing], record.signals_mv[:, ~missing], atol=6e-4)

"""The server in front of Django: connections, bodies, the queue, and what a slow or hostile client can hold."""

import asyncio
import contextlib
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest
import uvicorn
from django import db
from live_site import Site
from uvicorn.config import Config

from ecglens.errors import SettingsError
from ecglens.web.http.database import configure_sqlite
from ecglens.web.http.later import IN_PARTS, LATER, Later
from ecglens.web.http.uploads import BUSY, CALLER, LIMIT, PREFLIGHT
from ecglens.web.project import settings as site_settings
from ecglens.web.serving import bodies, bridge, connections, server, site
from ecglens.web.serving.admission import Busy, FairQueue
from ecglens.web.serving.connections import SiteWorker

pytestmark = pytest.mark.sqlite

HEAD = b"Host: localhost\r\n"
LARGE = 100_000
MIGRATED = """
from ecglens.web.serving import server
server._set_up()
server._check_database()
from django.db import connection
print(server._has_tables(connection))
"""


class Application:
    """A WSGI application in the place of Django: anyone may upload at ``/upload``, nobody elsewhere."""

    def __init__(self):
        self.started, self.bodies, self.release, self.running, self.most = [], [], threading.Event(), 0, 0
        self.release.set()
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        if BUSY in environ:
            start_response("429 Too Many Requests", [("Retry-After", "10")])
            return [environ[BUSY].encode()]
        if PREFLIGHT in environ:
            if environ["PATH_INFO"] != "/upload":
                start_response("403 Forbidden", [])
                return [b"refused"]
            if int(environ["CONTENT_LENGTH"]) > LARGE:
                start_response("413 Content Too Large", [])
                return [b"too large"]
            environ[CALLER], environ[LIMIT] = environ.get("HTTP_CALLER", "somebody"), LARGE
            start_response("204 No Content", [])
            return []
        with self.lock:
            self.running += 1
            self.started.append(environ.get("HTTP_CALLER"))
            self.most = max(self.most, self.running)
        self.release.wait(30)
        body = environ["wsgi.input"].read()
        with self.lock:
            self.running -= 1
            self.bodies.append((environ["PATH_INFO"], len(body), environ))
        start_response("200 OK", [("Set-Cookie", " a=b"), ("X-Length", environ["CONTENT_LENGTH"])])
        return [b"x" * 10, b"y" * int(environ.get("HTTP_WANTED", "0"))]


@pytest.fixture
def django():
    return Application()


@pytest.fixture
def address(django, tmp_path):
    """Serve the application as ``ecglens serve`` does, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    django.site = site.Site(django, tmp_path)
    config = Config(django.site, log_config=None, timeout_keep_alive=5, **SiteWorker.CONFIG_KWARGS)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()
    django.release.set()
    server.should_exit = server.force_exit = True
    thread.join()
    listener.close()


@contextlib.contextmanager
def connect(address):
    with socket.create_connection(address, 30) as connection:
        yield connection


def read_all(connection):
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def send(address, start, body=b"", *headers, close=True):
    """Send a request, and return the status and the body of the response."""
    lines = [start.encode() + b" HTTP/1.1\r\n", HEAD, *(header + b"\r\n" for header in headers)]
    lines += [b"Connection: close\r\n"] if close else []
    lines += [b"Content-Length: %d\r\n" % len(body)] if body else []
    with connect(address) as connection:
        connection.sendall(b"".join(lines) + b"\r\n" + body)
        head, _, content = read_all(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), head, content


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_requests_reach_django_and_responses_come_back_whole(address, django):
    status, head, content = send(address, "POST /form?a=b", b"c=d", b"Wanted: 3000000")

    assert status == 200
    assert b"set-cookie: a=b" in head
    assert content.count(b"y") == 3_000_000
    [(path, length, environ)] = django.bodies
    assert (path, length, environ["QUERY_STRING"], environ["REQUEST_METHOD"]) == ("/form", 3, "a=b", "POST")


def test_headers_that_pass_for_those_of_a_proxy_are_dropped(address, django):
    send(address, "GET /", b"", b"X_Forwarded_For: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8")

    assert django.bodies[0][2]["HTTP_X_FORWARDED_FOR"] == "5.6.7.8"


@pytest.mark.parametrize("second", [b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 4\r\n\r\nabcd"])
def test_messages_with_two_lengths_are_refused(address, django, second):
    with connect(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\n" + second)
        assert b" 400 " in connection.recv(1000)
    assert django.bodies == []


@pytest.mark.parametrize(
    "message",
    [
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"X: y\r\n" * 20_000 + b"\r\n",
        bytes(range(256)) * 400,
    ],
    ids=["address", "headers", "noise"],
)
def test_what_is_no_request_is_refused_once_and_without_a_traceback(address, django, caplog, message):
    with connect(address) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(message)
        assert b" 400 " in connection.recv(1000)
    assert send(address, "GET /")[0] == 200
    assert not [each for each in caplog.records if each.exc_info]
    assert len(django.bodies) == 1


def test_an_upload_that_nobody_may_make_is_refused_before_its_body(address, django, tmp_path):
    with connect(address) as connection:
        connection.sendall(b"POST /no HTTP/1.1\r\n" + HEAD + b"Content-Length: 90000\r\nExpect: 100-continue\r\n\r\n")
        answer = connection.recv(1000)

    assert b" 403 " in answer
    assert send(address, "POST /no", bytes(90_000))[0] == 403
    assert django.bodies == []
    assert list(tmp_path.iterdir()) == []


def test_an_upload_without_a_length_is_limited_as_it_arrives(address, django):
    def send_chunks(size):
        with connect(address) as connection:
            connection.sendall(b"POST /upload HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            for start in range(0, size, 50_000):
                part = bytes(min(50_000, size - start))
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            connection.sendall(b"0\r\n\r\n")
            return connection.recv(1000).split()[1]

    assert send_chunks(LARGE) == b"200"
    assert send_chunks(LARGE + 1) == b"413"
    assert [(length, environ["CONTENT_LENGTH"]) for _, length, environ in django.bodies] == [(LARGE, str(LARGE))]


def test_slow_clients_do_not_hold_up_others(address, django):
    """Clients that send headers or bodies slowly, or do not read their response."""
    starts = [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 20\r\n\r\n",
        b"POST /upload HTTP/1.1\r\n" + HEAD + b"Content-Length: 90000\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"Wanted: 9000000\r\n\r\n",
    ]
    slow = [socket.create_connection(address, 30) for _ in range(50)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(starts[number % len(starts)])
        wait_until(lambda: len(django.bodies) == 12)
        assert send(address, "GET /healthz")[2] == b"ok\n"
        assert send(address, "GET /")[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_body_whose_parsing_costs_much_waits_and_arrives_whole(address, django, monkeypatch):
    """Each piece of a body in chunks of one byte costs 10 ms by this clock, so that its connection waits 50 ms."""
    ticks = itertools.count()
    clock = SimpleNamespace(thread_time=lambda: 0.01 * next(ticks), monotonic=time.monotonic)
    monkeypatch.setattr(connections, "time", clock)
    monkeypatch.setattr(connections.TimedProtocol, "_costly_until", 0.0)
    start = time.monotonic()
    with connect(address) as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n")
        assert connection.recv(1000).split()[1] == b"200"
    assert [length for _, length, _ in django.bodies] == [2000]
    pieces = 12_000 // connections._PIECE_BYTES
    assert connections.TimedProtocol._costly_until >= start + pieces * 0.0099 / 0.2
    assert time.monotonic() >= start + (pieces - 1) * 0.0099 / 0.2, "the last piece waited for those before"


def test_a_connection_without_a_request_is_closed(address, monkeypatch):
    monkeypatch.setattr(connections, "HEADERS_S", 0.2)
    with connect(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: y\r\n")
        assert connection.recv(100) == b""
    with connect(address) as connection:  # after a request too
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
        received = b""
        while not received.endswith(b"ok\n"):
            received += connection.recv(1000)
        connection.sendall(b"GET")
        assert connection.recv(100) == b""


def test_a_body_that_stops_is_answered_with_408(address, monkeypatch):
    monkeypatch.setattr(bodies, "_PAUSE_S", 0.2)
    for path, length in ((b"/", 20), (b"/upload", 90_000)):
        with connect(address) as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\nabc" % (path, HEAD, length))
            assert b" 408 " in connection.recv(1000)


def test_a_body_that_trickles_is_answered_with_408(monkeypatch):
    monkeypatch.setattr(bodies, "_START_S", 0.0)
    monkeypatch.setattr(bodies, "_SLOWEST_BYTES_A_S", 1e9)

    async def receive():
        return {"type": "http.request", "body": b"a", "more_body": True}

    with pytest.raises(bodies.BodyTooSlowError):
        asyncio.run(bodies.receive_body(receive, 100))


def test_a_full_disk_is_answered_with_507(address, monkeypatch):
    class Full(io.BytesIO):
        def write(self, part):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies.tempfile, "SpooledTemporaryFile", lambda *_, **__: Full())
    assert send(address, "POST /upload", bytes(90_000))[0] == 507


def test_a_response_that_is_not_read_is_given_up(monkeypatch):
    monkeypatch.setattr(bridge, "_SEND_S", 0.1)
    response = bridge.Response(200, [], io.BytesIO(b"x"))

    async def wait_for_ever(message):
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(bridge.send_response(response, wait_for_ever))
    assert response.body.closed


def test_one_person_with_too_many_uploads_that_arrive_is_refused(address, django):
    head = b"POST /upload HTTP/1.1\r\n" + HEAD + b"Content-Length: 90000\r\n\r\n"
    arriving = [socket.create_connection(address, 30) for _ in range(8)]
    for connection in arriving:
        connection.sendall(head)
    wait_until(lambda: django.site._arriving["somebody"] == 8)

    assert send(address, "POST /upload", bytes(90_000))[0] == 429
    assert send(address, "POST /upload", bytes(90_000), b"Caller: other")[0] == 200
    for connection in arriving:
        connection.close()


def test_an_upload_whose_sender_left_is_not_read(address, django):
    django.release.clear()
    head = b"POST /upload HTTP/1.1\r\n" + HEAD + b"Content-Length: 90000\r\n"
    with connect(address) as first, connect(address) as second:
        first.sendall(head + b"\r\n" + bytes(90_000))
        second.sendall(head + b"Caller: other\r\n\r\n" + bytes(90_000))
        wait_until(lambda: django.running == 2)
        with connect(address) as third:
            third.sendall(head + b"\r\n" + bytes(90_000))
            wait_until(lambda: len(django.site._uploads) == 1)
        wait_until(lambda: len(django.site._uploads) == 0)
        django.release.set()
        assert b" 200 " in first.recv(1000)
        assert b" 200 " in second.recv(1000)
    assert send(address, "POST /upload", bytes(80_000))[0] == 200
    assert [length for _, length, _ in django.bodies] == [90_000, 90_000, 80_000]


def test_one_person_with_too_many_uploads_waits_and_others_do_not(address, django, monkeypatch):
    monkeypatch.setattr(site, "_RECEIVED_EACH", 100)
    django.release.clear()
    statuses = []

    def upload(caller):
        statuses.append((caller, send(address, "POST /upload", bytes(90_000), b"Caller: " + caller)[0]))

    many = [threading.Thread(target=upload, args=(b"many",)) for _ in range(14)]
    for thread in many:
        thread.start()
    wait_until(lambda: len(statuses) == 5)  # one is read, eight wait, and five are refused
    other = threading.Thread(target=upload, args=(b"other",))
    other.start()
    wait_until(lambda: django.started == ["many", "other"])  # another's is read at once
    assert len(django.site._uploads) == 8
    django.release.set()
    for thread in (*many, other):
        thread.join()

    assert sorted(statuses) == [(b"many", 200)] * 9 + [(b"many", 429)] * 5 + [(b"other", 200)]
    assert django.most == 2


class InParts:
    """A WSGI application whose responses have a second part, which ends when it is released."""

    def __init__(self):
        self.release, self.finished, self.refused = threading.Event(), [], 0

    def __call__(self, environ, start_response):
        caller = environ["QUERY_STRING"]
        assert environ[IN_PARTS]
        environ[LATER] = Later(lambda: self.work(caller), self.decline, "en", caller)
        start_response("200 OK", [("Content-Length", "6")])
        return [b"first "]

    def work(self, caller):
        self.release.wait(30)
        self.finished.append(caller)
        return "second"

    def decline(self):
        self.refused += 1
        return "sorry"


class TestSecondParts:
    @pytest.fixture
    def django(self):
        application = InParts()
        yield application
        application.release.set()

    def test_the_first_part_is_sent_before_the_second_is_made(self, address, django):
        with connect(address) as connection:
            connection.sendall(b"GET /?a HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
            received = b""
            while b"first " not in received:
                received += connection.recv(1000)
            assert django.finished == []
            django.release.set()
            received += read_all(connection)

        assert b"content-length" not in received.lower()
        assert received.index(b"first ") < received.index(b"second")

    def test_a_reader_who_left_has_nothing_made(self, address, django):
        with connect(address) as first:
            first.sendall(b"GET /?a HTTP/1.1\r\n" + HEAD + b"\r\n")
            wait_until(lambda: django.site._later._free == 0)
            with connect(address) as second:
                second.sendall(b"GET /?b HTTP/1.1\r\n" + HEAD + b"\r\n")
                wait_until(lambda: len(django.site._later) == 1)
            wait_until(lambda: len(django.site._later) == 0)
            django.release.set()
            wait_until(lambda: django.site._later._free == 1)

        assert django.finished == ["a"]

    def test_where_too_many_wait_the_first_part_says_so(self, address, django, monkeypatch):
        monkeypatch.setattr(django.site, "_later", FairQueue(1, 8, 1))
        contents = []

        def ask():
            contents.append(send(address, "GET /?a")[2])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: django.refused == 1)
        django.release.set()
        for thread in threads:
            thread.join()

        assert sum(b"second" in content for content in contents) == 2
        assert sum(b"sorry" in content for content in contents) == 1


class TestFairQueue:
    def run(self, scenario):
        return asyncio.run(scenario())

    def test_callers_take_turns(self):
        async def scenario():
            queue, order = FairQueue(1, 100, 100), []
            await queue.enter("a")

            async def work(caller):
                await queue.enter(caller)
                order.append(caller)
                queue.leave(caller)

            tasks = [asyncio.create_task(work(caller)) for caller in "aaabbc"]
            await asyncio.sleep(0)
            queue.leave("a")
            await asyncio.gather(*tasks)
            return order

        assert self.run(scenario) == list("abcaba")

    def test_the_queue_is_bounded_for_each_caller_and_for_all(self):
        async def scenario():
            queue = FairQueue(1, 3, 2)
            await queue.enter("a")
            tasks = [asyncio.create_task(queue.enter(caller)) for caller in "aab"]
            await asyncio.sleep(0)
            kinds = []
            for caller in "ac":
                with pytest.raises(Busy) as error:
                    await queue.enter(caller)
                kinds.append(error.value.is_own)
            for caller in "aab":
                queue.leave(caller)
            await asyncio.gather(*tasks)
            return kinds, len(queue)

        assert self.run(scenario) == ([True, False], 0)

    def test_slow_requests_of_one_caller_leave_a_place_for_others(self):
        async def scenario():
            queue = FairQueue(2, 100, 100, 1)
            await queue.enter("slow")
            more = [asyncio.create_task(queue.enter("slow")) for _ in range(3)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in more)
            await asyncio.wait_for(queue.enter("other"), 5)  # at once
            other = asyncio.create_task(queue.enter("third"))
            await asyncio.sleep(0)
            queue.leave("other")
            await asyncio.wait_for(other, 5)  # before the slow ones, which wait longer
            queue.leave("slow")
            await asyncio.wait_for(more[0], 5)
            return [task.done() for task in more], len(queue)

        done, waiting = self.run(scenario)
        assert (done, waiting) == ([True, False, False], 2)

    def test_a_request_that_is_given_up_frees_its_place(self):
        async def scenario():
            queue = FairQueue(1, 10, 10)
            await queue.enter("a")
            waiting = [asyncio.create_task(queue.enter("b")) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()  # while it waits
            await asyncio.sleep(0)
            queue.leave("a")  # the second's turn comes,
            waiting[1].cancel()  # and it is given up in the same moment
            await asyncio.wait_for(waiting[2], 5)
            queue.leave("b")
            await asyncio.wait_for(queue.enter("c"), 5)
            return len(queue)

        assert self.run(scenario) == 0


def is_supervisor(process):
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return "supervise_workers" in " ".join(process.cmdline())
    return False


class TestStart:
    def test_a_server_database_without_the_tables_of_this_version_is_refused(self, monkeypatch):
        monkeypatch.setattr(db, "connection", SimpleNamespace(vendor="postgresql", ensure_connection=lambda: None))
        monkeypatch.setattr(server, "_has_tables", lambda connection: False)

        with pytest.raises(SettingsError, match="ecglens manage migrate && ecglens manage createcachetable"):
            server._check_database()

    @pytest.mark.django_db
    def test_an_empty_database_has_no_tables_and_a_migrated_one_has(self, tmp_path, settings):
        settings.CACHES = site_settings.CACHES
        empty = db.utils.ConnectionHandler({"default": configure_sqlite(str(tmp_path / "empty.sqlite3"))})["default"]
        assert not server._has_tables(empty)
        empty.close()

        clean = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        done = subprocess.run(
            [sys.executable, "-c", MIGRATED],
            env={**clean, "ECGLENS_DATA_DIR": str(tmp_path / "data"), "ECGLENS_DATABASE_URL": ""},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "True\n", done.stderr

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_the_site_stops_without_a_word_at_either_signal(self, tmp_path, number):
        running = Site(tmp_path / "data", options=("--workers", "0")).start()
        running.process.send_signal(number)

        assert running.process.wait(60) == 0
        assert "ERROR" not in running.log()
        assert "out of memory" not in running.log()

    def test_uploads_that_a_kill_interrupted_are_deleted(self, tmp_path, settings):
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        for name, age_s in (("old.upload", 4000), ("arriving.upload", 10)):
            path = tmp_path / name
            path.touch()
            os.utime(path, (time.time() - age_s,) * 2)

        server._delete_old_uploads()

        assert [path.name for path in tmp_path.iterdir()] == ["arriving.upload"]

    def test_counters_of_metrics_are_in_a_private_folder_in_memory_that_is_deleted_at_the_end(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(server, "_MEMORY", tmp_path)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "before")
        with server._metrics_folder():
            (folder,) = tmp_path.iterdir()
            (folder / "counter_1.db").touch()
            assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(folder)
            assert folder.stat().st_mode & 0o777 == 0o700
        assert list(tmp_path.iterdir()) == []

    def test_counters_of_a_killed_site_are_deleted_at_the_next_start_and_those_of_a_running_one_are_not(
        self, tmp_path, monkeypatch
    ):
        code = (
            "import sys, time; from pathlib import Path; from ecglens.web.serving import server;"
            "server._MEMORY = Path(sys.argv[1]); context = server._metrics_folder(); context.__enter__();"
            "print('ready', flush=True); time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as killed:
            assert killed.stdout.readline() == "ready\n"
            (folder,) = tmp_path.iterdir()
            server._delete_old_metrics(tmp_path)
            assert folder.exists()
            killed.kill()
            killed.wait()
        monkeypatch.setattr(server, "_MEMORY", tmp_path)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "before")
        with server._metrics_folder():
            assert not folder.exists()
            assert len(list(tmp_path.iterdir())) == 1

    def test_a_file_that_is_no_database_is_refused_by_its_name(self, tmp_path):
        (tmp_path / "ecglens.sqlite3").write_bytes(b"no database" * 1000)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "ecglens", "serve", "--port", str(port)],
            env={**clean, "ECGLENS_DATA_DIR": str(tmp_path), "ECGLENS_DATABASE_URL": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"ecglens: Expected the database of ecglens in the file '{tmp_path}/ecglens.sql")
        assert "Traceback" not in done.stderr

    def test_an_unknown_host_is_refused_by_its_name(self):
        with pytest.raises(SettingsError, match="got no-such-host.invalid, which is unknown"):
            server._check_address("no-such-host.invalid", 8000)

    def test_a_supervisor_that_was_killed_is_replaced_and_nothing_runs_on_without_the_main_process(self, tmp_path):
        site = Site(tmp_path / "data", options=("--processes", "1", "--workers", "1")).start()
        main = psutil.Process(site.process.pid)
        (supervisor,) = filter(is_supervisor, main.children())
        supervisor.kill()
        wait_until(lambda: any(is_supervisor(child) and child != supervisor for child in main.children()))

        everyone = psutil.Process(site.process.pid).children(recursive=True)
        assert len(everyone) >= 2

        site.process.kill()
        site.process.wait()
        _, alive = psutil.wait_procs(everyone, timeout=120)

        assert alive == []

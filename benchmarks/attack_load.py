"""Stages of ``attack.py`` that attack a site by load and by faults, in place of files.

Each starts ``ecglens serve`` in a folder of its own, sends it ordinary pages, and does to it what the stage is about.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from live_site import Person, Site

__all__ = ["attack_databases", "attack_kills", "attack_people", "attack_slow", "attack_twins", "attack_uploads"]

PAGE = ROOT / "tests" / "data" / "MI_26.jpg"
HEALTH_BAR_S = 1.0
PAUSE_S = 15.0
"""Time between two looks at what is finished, in s."""
SETTLE_S = 900.0
"""Time after a stage in which all accepted pages have to be finished, in s."""


class Program:
    """A program with a token of an account, which uploads pages with keys and looks at their readings.

    Args:
        address: Address of the site.
        token: Its token.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address, self._headers = address, {"Authorization": f"Bearer {token}"}
        self.answered: dict[str, str] = {}
        """Reading of each key that was answered."""
        self.statuses: Counter[str] = Counter()

    def upload(self, key: str, timeout_s: float = 60.0) -> str:
        """Upload a page under a key, and return the status or the kind of error."""
        try:
            response = requests.post(
                f"{self.address}/api/v1/readings",
                headers={**self._headers, "Idempotency-Key": key},
                files={"file": ("page.jpg", PAGE.read_bytes())},
                data={"explain": "false"},
                timeout=timeout_s,
            )
            status = str(response.status_code)
            if status in ("200", "201"):
                self.answered[key] = response.json()["id"]
        except OSError as error:
            status = type(error).__name__
        self.statuses[status] += 1
        return status

    def insist(self, key: str, patience_s: float = 120.0) -> None:
        """Upload a page until it is answered, as a careful program does."""
        end = time.monotonic() + patience_s
        while self.upload(key) not in ("200", "201") and time.monotonic() < end:
            time.sleep(0.5)

    def list_states(self) -> Counter[str]:
        """Return the number of readings in each state."""
        counts: Counter[str] = Counter()
        number, count = 1, 1
        while sum(counts.values()) < count:
            address = f"{self.address}/api/v1/readings?limit=100&page={number}"
            page = requests.get(address, headers=self._headers, timeout=60).json()
            counts.update(row["state"] for row in page["items"])
            number, count = number + 1, page["count"]
        return counts


class Health:
    """A thread that asks for the site's health five times a second while the block runs."""

    def __init__(self, address: str) -> None:
        self.seconds: list[float] = []
        self._address, self._ended = address, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Health":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def line(self) -> str:
        """The slowest answer beside its bar."""
        slowest = max(self.seconds)
        verdict = "met" if slowest <= HEALTH_BAR_S else "missed"
        return f"slowest of {len(self.seconds)} health checks: {slowest:.2f} s, bar {HEALTH_BAR_S:g} s: **{verdict}**"

    def _ask(self) -> None:
        while not self._ended.is_set():
            start = time.perf_counter()
            try:
                is_healthy = requests.get(f"{self._address}/healthz", timeout=30).status_code == 200
            except OSError:
                is_healthy = False
            self.seconds.append(time.perf_counter() - start if is_healthy else float("inf"))
            self._ended.wait(0.2)


def attack_slow(options: argparse.Namespace) -> list[str]:
    """Connect 200 clients that are slow or send chunks of one byte, and serve others meanwhile."""
    with started_site() as site:
        person = Person(site.address, "ordinary@example.org").sign_up()
        typical_s = time_uploads(person, 10)
        with Health(site.address) as health, slow_clients(site.port, options.clients):
            slow_s = time_uploads(person, 10)
            after_s = [time_get(person) for _ in range(20)]
    ratio = slow_s / typical_s
    return [
        f"{options.clients} clients that send headers, small bodies or large bodies slowly, do not read a response, or "
        "send bodies in chunks of one byte as fast as they are received:",
        "",
        f"- {health.line}.",
        f"- slowest of {len(after_s)} pages of the history: {max(after_s):.2f} s.",
        f"- median of 10 ordinary uploads: {ratio:.1f} times the typical {typical_s:.2f} s, bar 3: "
        f"**{judge(ratio <= 3)}**.",
    ]


def attack_people(options: argparse.Namespace) -> list[str]:
    """Let 200 people upload one page after the other for a minute."""
    with started_site() as site:
        programs = create_programs(site, options.people)
        with Health(site.address) as health:
            end = time.monotonic() + options.seconds

            def work(program: Program) -> None:
                while time.monotonic() < end:
                    key = uuid.uuid4().hex
                    if program.upload(key) in ("429", "503"):
                        time.sleep(2.0)

            run_at_once([lambda each=program: work(each) for program in programs])
        statuses = sum((program.statuses for program in programs), Counter())
        answered = sum(len(program.answered) for program in programs)
        counts = wait_for_all(programs)
    stored, errors = sum(counts.values()), sum(n for status, n in statuses.items() if status not in ALLOWED)
    return [
        f"{options.people} people for {options.seconds:g} s, each with one upload at a time:",
        "",
        f"- statuses: {describe(statuses)}; other than 201, 429 and 503: {errors}: **{judge(not errors)}**.",
        f"- {health.line}.",
        f"- answered {answered}, stored {stored}: **{judge(answered == stored)}**; states at the end: "
        f"{describe(counts)}.",
    ]


def attack_uploads(options: argparse.Namespace) -> list[str]:
    """Upload 500 pages in a row, and compare the memory of the processes at the end with that after 50."""
    with started_site() as site:
        (program,) = create_programs(site, 1)
        memory_mb = []
        for number in range(options.uploads):
            program.upload(str(number))
            if number + 1 in (50, options.uploads):
                memory_mb.append(measure_memory_mb(site))
        counts = wait_for_all([program])
    ratio = memory_mb[-1] / memory_mb[0]
    return [
        f"- {options.uploads} uploads in a row: {describe(program.statuses)}; states at the end: {describe(counts)}.",
        f"- memory of all processes after 50: {memory_mb[0]:.0f} MB, at the end {memory_mb[-1]:.0f} MB, "
        f"{ratio:.2f} times, bar 1.2: **{judge(ratio <= 1.2)}**.",
    ]


def attack_kills(options: argparse.Namespace) -> list[str]:
    """Kill web and worker processes with ``kill -9`` in 20 rounds, while a program uploads pages with keys."""
    generator = random.Random(options.seed)
    with started_site() as site:
        (program,) = create_programs(site, 1)
        stopped = threading.Event()
        keys: list[str] = []

        def upload() -> None:
            while not stopped.is_set():
                keys.append(uuid.uuid4().hex)
                program.insist(keys[-1])

        uploader = threading.Thread(target=upload)
        uploader.start()
        for number in range(options.rounds):
            time.sleep(generator.uniform(1.0, 4.0))
            if number % 5 == 4:
                site.kill()
                site.start()
            else:
                victims = psutil.Process(site.process.pid).children(recursive=True)
                with suppress(psutil.NoSuchProcess):
                    generator.choice(victims).kill()
        stopped.set()
        uploader.join()
        if program.statuses["500"]:
            print(site.log()[-5000:], file=sys.stderr)
        return judge_keys(program, keys, f"{options.rounds} rounds of `kill -9`, every fifth of the whole site")


def attack_databases(options: argparse.Namespace) -> list[str]:
    """Stop PostgreSQL and MariaDB for 20 s each, while a program uploads pages with keys."""
    lines: list[str] = []
    for name, address, stop, start in DATABASES:
        run(start)
        with started_site(ECGLENS_DATABASE_URL=address) as site:
            (program,) = create_programs(site, 1)
            stopped, keys = threading.Event(), list[str]()

            def upload(program: Program = program, stopped: threading.Event = stopped, keys: list[str] = keys) -> None:
                while not stopped.is_set():
                    keys.append(uuid.uuid4().hex)
                    program.insist(keys[-1])

            uploader = threading.Thread(target=upload)
            uploader.start()
            time.sleep(10)
            with Health(site.address) as health:
                run(stop)
                time.sleep(options.outage)
                run(start)
                time.sleep(10)
            stopped.set()
            uploader.join()
            title = f"{name} gone for {options.outage:g} s"
            lines += [*judge_keys(program, keys, title), f"- {health.line}.", ""]
    return lines[:-1]


def attack_twins(options: argparse.Namespace) -> list[str]:
    """Let two servers on one folder receive the same keys at the same time."""
    with started_site() as site:
        (program,) = create_programs(site, 1)
        twin = Site(site.folder)
        twin.start()
        try:
            other = Program(twin.address, program._headers["Authorization"].removeprefix("Bearer "))
            keys = [uuid.uuid4().hex for _ in range(options.keys)]
            run_at_once([lambda: [program.insist(key) for key in keys], lambda: [other.insist(key) for key in keys]])
        finally:
            twin.stop()
        statuses = program.statuses + other.statuses
        same = program.answered == other.answered
        lines = judge_keys(program, keys, f"two servers on one folder, the same {options.keys} keys at both")
    created = statuses["201"]
    return [
        *lines,
        f"- both answer with the same reading for each key: **{judge(same)}**; 201 came {created} times for "
        f"{len(keys)} keys: **{judge(created == len(keys))}**.",
    ]


ALLOWED = ("200", "201", "429", "503")
DATABASES = (
    (
        "PostgreSQL",
        "postgresql://attack:attack@127.0.0.1:5432/attack",
        ["pg_ctlcluster", "--skip-systemctl-redirect", "-m", "immediate", "15", "main", "stop"],
        ["pg_ctlcluster", "--skip-systemctl-redirect", "15", "main", "start"],
    ),
    (
        "MariaDB",
        "mysql://attack:attack@127.0.0.1:3306/attack",
        ["sh", "-c", "pkill -9 mariadbd; sleep 1"],
        ["sh", "-c", "pgrep mariadbd || start-stop-daemon --start --background --exec $(command -v mariadbd)"],
    ),
)
"""Name, address, and the commands that stop and start a server, as Debian installs it; the account has to be there."""


@contextmanager
def started_site(**settings: str) -> Iterator[Site]:
    """Run a site with two serving processes and a worker in a new folder."""
    with tempfile.TemporaryDirectory(prefix="ecglens-attack-") as folder:
        if settings.get("ECGLENS_DATABASE_URL"):
            manage = [sys.executable, "-c", "from ecglens.cli import main; main()", "manage"]
            variables = {**os.environ, **settings, "ECGLENS_DATA_DIR": f"{folder}/data"}
            for command in (["migrate", "--noinput"], ["createcachetable"]):
                subprocess.run([*manage, *command], env=variables, check=True, capture_output=True)
        site = Site(Path(folder) / "data", options=("--processes", "2", "--workers", "1"), **settings).start()
        try:
            yield site
        finally:
            site.stop()


TOKENS = """
import django, json, sys
django.setup()
from ecglens.web.accounts.models import User
from ecglens.web.accounts.tokens import create_token
print(json.dumps([create_token(User.objects.create_user(f"{name}@example.org", None), "attack", ["read", "write"])[1]
                  for name in sys.argv[1:]]))
"""


def create_programs(site: Site, count: int) -> list[Program]:
    """Create accounts with a token each, and return their programs."""
    names = [f"p{uuid.uuid4().hex}" for _ in range(count)]
    variables = {**os.environ, **site._settings, "DJANGO_SETTINGS_MODULE": "ecglens.web.project.settings"}
    done = subprocess.run([sys.executable, "-c", TOKENS, *names], env=variables, capture_output=True, check=True)
    return [Program(site.address, token) for token in json.loads(done.stdout)]


def judge_keys(program: Program, keys: Sequence[str], title: str) -> list[str]:
    """Return whether each key has one reading, which is finished, and no reading is without a key."""
    for key in keys:
        program.insist(key)
    counts = wait_for_all([program])
    missing = [key for key in keys if key not in program.answered]
    twice = len(program.answered) - len(set(program.answered.values()))
    unfinished = sum(counts.values()) - counts["done"]
    is_met = not missing and not twice and not unfinished and sum(counts.values()) == len(keys)
    return [
        f"{title}:",
        "",
        f"- {len(keys)} keys: {describe(program.statuses)}.",
        f"- lost {len(missing)}, twice {sum(counts.values()) - len(keys) + len(missing)}, not finished {unfinished}: "
        f"**{judge(is_met)}**; states at the end: {describe(counts)}.",
    ]


def wait_for_all(programs: Sequence[Program]) -> Counter[str]:
    """Wait until the readings of the programs are finished, or for some minutes, and return their states."""
    end = time.monotonic() + SETTLE_S
    while True:
        try:
            counts = sum((program.list_states() for program in programs), Counter())
            if counts["waiting"] + counts["answered"] == 0 or time.monotonic() > end:
                return counts
        except (OSError, ValueError, KeyError):
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE_S)


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """Keep clients that are slow or costly connected; those whose connection is closed connect again."""
    starts = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n",
        b"POST /disease-predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n",
        b"GET /try/normal/page.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /disease-predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    parts = (b"X: y\r\n", b"X: ", b"X: ", b"", b"1\r\nx\r\n" * 10_000)
    ended = threading.Event()

    def trickle(number: int) -> None:
        while not ended.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(starts[number % len(starts)])
                part = parts[number % len(starts)]
                while not ended.wait(1.0 if len(part) < 1000 else 0.0):
                    if part:
                        connection.sendall(part)
                    elif not connection.recv(10):
                        break

    threads = [threading.Thread(target=trickle, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def time_uploads(person: Person, count: int) -> float:
    """Return the median time of some uploads in s."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        response = person.post("/disease-predict", file=PAGE.read_bytes(), Accept="application/json")
        assert response.status_code == 200, response.text
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_get(person: Person) -> float:
    """Return the time of a page of the history in s."""
    start = time.perf_counter()
    assert person.get("/readings/").status_code == 200
    return time.perf_counter() - start


def measure_memory_mb(site: Site) -> float:
    """Return the memory of all processes of the site that no other process shares, in MB."""
    everyone = [psutil.Process(site.process.pid), *psutil.Process(site.process.pid).children(recursive=True)]
    total = 0
    for each in everyone:
        with suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().uss
    return total / 1e6


def run_at_once(tasks: Sequence[Callable[[], object]]) -> None:
    """Run tasks in a thread each."""
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(command: Sequence[str]) -> None:
    """Run a command of the machine, whatever its status."""
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def judge(is_met: bool) -> str:
    """Return the verdict on a bar."""
    return "met" if is_met else "missed"


def describe(counts: Counter[str]) -> str:
    """Return counts in words."""
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()) if count) or "none"

"""Measure the site with fifty people at once, compared with the bare model in as many processes.

The bars: no error, 95 % of uploads have their result within 1.5 s on 2 cores with 2 processes, and the site reaches at
least 60 % of the pages/s of the bare model. The result of an upload is its label with probabilities, stored in the
database with its page; the worker adds signals and explanations later, and pauses while people wait.

Each of the fifty is logged in with a separate account and connection, uploads a page, waits for the result, and looks
at it for ``--look`` seconds (bar of the time), or not at all, sent by ``wrk`` (bar of the rate). The bare model is
``ecglens.read`` of the same bytes in a loop, in as many processes at once. Loops and site take turns, since other work
on the machine affects both. Pages that are still to be measured ten seconds after a round are dropped, so that the next
round starts with an empty queue.
"""

import argparse
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from live_site import Site

TARGET = Path(__file__).with_suffix(".md")
PAGE = ROOT / "src" / "ecglens" / "demo" / "normal.jpg"
DEMOS = ("normal", "infarction", "atrial-fibrillation")
EARLY = b'id="early-answer"'
RATE_BAR, SECONDS_BAR, WORKED_OFF_S = 0.6, 1.5, 10
SCRIPT = """
local people = dofile(os.getenv("PEOPLE"))
local file = io.open(os.getenv("PAGE"), "rb"); local page = file:read("*a"); file:close()
local place, errors, thread_count = 0, 0, 0
local threads = {}
function setup(thread)
  thread:set("first", thread_count); thread_count = thread_count + 1; table.insert(threads, thread)
end
function init() place = first * math.floor(#people / 2); bad = 0 end
function request()
  place = place % #people + 1
  local one, mark = people[place], "----ecglensload"
  local body = "--" .. mark .. '\\r\\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\\r\\n\\r\\n'
    .. one.token .. "\\r\\n--" .. mark
    .. '\\r\\nContent-Disposition: form-data; name="file"; filename="page.jpg"'
    .. "\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n"
    .. page .. "\\r\\n--" .. mark .. "--\\r\\n"
  return wrk.format("POST", "/disease-predict", {
    ["Content-Type"] = "multipart/form-data; boundary=" .. mark, ["Accept"] = "application/json",
    ["Cookie"] = "sessionid=" .. one.session .. "; csrftoken=" .. one.cookie, ["Referer"] = os.getenv("SITE"),
  }, body)
end
function response(status, headers, body)
  if status ~= 200 or not body:find("heading") then bad = bad + 1 end
end
function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  local e = summary.errors
  local shape = 'RESULT {"requests": %d, "seconds": %.3f, "bad": %d, "p50": %.4f, "p95": %.4f, "p99": %.4f}\\n'
  io.write(string.format(shape,
    summary.requests, summary.duration / 1e6, wrong + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e6, latency:percentile(95) / 1e6, latency:percentile(99) / 1e6))
end
"""


ACCOUNTS = """
import django, json, sys
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.middleware.csrf import _get_new_csrf_string
from ecglens.web.accounts.models import User
people = []
for number in range(int(sys.argv[1])):
    user = User.objects.create(email=f"p{number}@example.org")
    session = SessionStore()
    session.update({SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
                    HASH_SESSION_KEY: user.get_session_auth_hash()})
    session.create()
    mark = _get_new_csrf_string()
    people.append({"token": mark, "session": session.session_key, "cookie": mark})
print(json.dumps(people))
"""


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, default=PAGE, help="file to upload")
    parser.add_argument("--people", type=int, default=50, help="number of people")
    parser.add_argument("--processes", type=int, default=2, help="processes of the site, and of the bare model")
    parser.add_argument("--workers", type=int, default=1, help="workers that measure and explain in the background")
    parser.add_argument("--look", type=float, default=3.0, help="seconds that a person looks at a result, on average")
    parser.add_argument("--seconds", type=int, default=30, help="duration of each measurement")
    parser.add_argument("--blocks", type=int, default=3, help="number of rounds")
    parser.add_argument("--lookers", type=int, default=20, help="number of people who look at answer pages")
    parser.add_argument("--answers", action="store_true", help="measure the answer pages alone")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/web_load.md")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        print(loop(options.page.read_bytes(), options.seconds))
        return
    if options.answers:
        section = answer_table(options, measure_answers(options))
        print(section)
        if options.write:
            before = TARGET.read_text(encoding="utf-8").partition("## Answer pages")[0]
            TARGET.write_text(f"{before.rstrip()}\n\n{section}", encoding="utf-8")
        return
    with tempfile.TemporaryDirectory(prefix="ecglens-load-") as folder:
        site = Site(folder, options=("--processes", str(options.processes), "--workers", str(options.workers))).start()
        try:
            people = accounts(site, options.people)
            write_people(Path(folder), people)
            load(site, options, 5)
            wait(site)
            rates, bares, calm = [], [], []
            for _ in range(options.blocks):
                before = bare(options)
                rates.append(load(site, options, options.seconds))
                after = bare(options)
                bares.append((before + after) / 2)
                wait(site)
                calm.append(visit(site, options, people))
                wait(site)
        finally:
            site.stop()
        text = table(options, rates, bares, calm) + "\n" + answer_table(options, measure_answers(options))
    print(text)
    if options.write:
        TARGET.write_text(text, encoding="utf-8")


def loop(content: bytes, seconds: float) -> float:
    """Measure the pages a second that the bare model reads."""
    import ecglens

    ecglens.read(content)
    pages, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        ecglens.read(content)
        pages += 1
    return pages / (time.perf_counter() - start)


def bare(options: argparse.Namespace) -> float:
    """Measure the pages a second of the bare model in several processes at once."""
    command = [sys.executable, __file__, "--bare", "--page", str(options.page), "--seconds", str(options.seconds // 2)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(options.processes)]
    return sum(float(process.communicate()[0]) for process in running)


def accounts(site: Site, count: int) -> list[dict[str, str]]:
    """Create people who are logged in, directly in the database, as sign-ups from one address are throttled."""
    completed = subprocess.run(
        [sys.executable, "-c", ACCOUNTS, str(count)],
        env={
            **os.environ,
            "ECGLENS_DATA_DIR": str(site.folder),
            "DJANGO_SETTINGS_MODULE": "ecglens.web.project.settings",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    people: list[dict[str, str]] = json.loads(completed.stdout)
    return people


def write_people(folder: Path, people: list[dict[str, str]]) -> None:
    """Write the people as a table of Lua, and the script of ``wrk``."""
    rows = ", ".join("{" + ", ".join(f'{name} = "{value}"' for name, value in one.items()) + "}" for one in people)
    (folder / "people.lua").write_text(f"return {{{rows}}}\n", encoding="ascii")
    (folder / "load.lua").write_text(SCRIPT, encoding="ascii")


def load(site: Site, options: argparse.Namespace, seconds: int) -> dict[str, float]:
    """Let everybody upload for some seconds, one page after the other without pauses."""
    variables = {"PEOPLE": f"{site.folder}/people.lua", "PAGE": str(options.page), "SITE": site.address}
    command = [
        "wrk",
        "-t2",
        f"-c{options.people}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        f"{site.folder}/load.lua",
    ]
    done = subprocess.run(
        [*command, site.address], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return json.loads(re.search(r"RESULT (.*)", done.stdout)[1])


def visit(site: Site, options: argparse.Namespace, people: list[dict[str, str]]) -> dict[str, float]:
    """Let everybody upload and look at the result, in threads, as wrk counts its own pauses as waiting."""
    page, waits, bad, end = options.page.read_bytes(), [], [], time.monotonic() + options.seconds

    def one(person: dict[str, str]) -> None:
        session = requests.Session()
        cookies = f"sessionid={person['session']}; csrftoken={person['cookie']}"
        head = {"Accept": "application/json", "Cookie": cookies, "Referer": site.address}
        time.sleep(options.look * random.random())
        while time.monotonic() < end:
            form, files = {"csrfmiddlewaretoken": person["token"]}, {"file": ("page.jpg", page, "image/jpeg")}
            start = time.monotonic()
            answer = session.post(f"{site.address}/disease-predict", data=form, files=files, headers=head, timeout=60)
            waits.append(time.monotonic() - start)
            if answer.status_code != 200 or "heading" not in answer.text:
                bad.append(answer.status_code)
            time.sleep(options.look * (0.5 + random.random()))

    everybody = [threading.Thread(target=one, args=(person,)) for person in people]
    start = time.monotonic()
    for each in everybody:
        each.start()
    for each in everybody:
        each.join()
    p50, p95, p99 = (sorted(waits)[min(len(waits) - 1, int(share * len(waits)))] for share in (0.5, 0.95, 0.99))
    seconds = time.monotonic() - start
    return {"requests": len(waits), "seconds": seconds, "bad": len(bad), "p50": p50, "p95": p95, "p99": p99}


def measure_answers(options: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    """Measure how long people with an account, visitors, and visitors of demo pages wait for the answer and the rest.

    Each person has an address of a proxy's header, since visitors of one address may have few pages read in a minute.
    """
    with tempfile.TemporaryDirectory(prefix="ecglens-answers-") as folder:
        processes = ("--processes", str(options.processes), "--workers", str(options.workers))
        site = Site(folder, options=processes, ECGLENS_PROXIES="1").start()
        try:
            people = accounts(site, options.lookers)
            for name in DEMOS:
                read_parts(partial(requests.get, f"{site.address}/try/{name}", headers=forward(0)), b"")
            return {
                "account": look(options, [partial(ask_account, site, options, person) for person in people]),
                "visitor": look(options, [partial(ask_visitor, site, options, n) for n in range(options.lookers)]),
                "demo": look(options, [partial(ask_demo, site, number) for number in range(options.lookers)]),
            }
        finally:
            site.stop()


def look(options: argparse.Namespace, people: list[Callable[[], tuple[float, float]]]) -> list[tuple[float, float]]:
    """Let everybody ask, look at the answer and ask again, and return the waits for the answer and for everything."""
    waits: list[tuple[float, float]] = []
    end = time.monotonic() + options.seconds

    def one(ask: Callable[[], tuple[float, float]]) -> None:
        time.sleep(options.look * random.random())
        while time.monotonic() < end:
            waits.append(ask())
            time.sleep(options.look * (0.5 + random.random()))

    everybody = [threading.Thread(target=one, args=(ask,)) for ask in people]
    for each in everybody:
        each.start()
    for each in everybody:
        each.join()
    return waits


def ask_account(site: Site, options: argparse.Namespace, person: dict[str, str]) -> tuple[float, float]:
    """Upload a page and load the page of its reading; everything else follows there by itself and is not waited for."""
    cookies = f"sessionid={person['session']}; csrftoken={person['cookie']}"
    head = {"Accept": "application/json", "Cookie": cookies, "Referer": site.address, **forward(0)}
    form, start = {"csrfmiddlewaretoken": person["token"]}, time.monotonic()
    files = {"file": ("page.jpg", options.page.read_bytes(), "image/jpeg")}
    answer = requests.post(f"{site.address}/disease-predict", data=form, files=files, headers=head, timeout=120)
    reading_page = requests.get(site.address + answer.json()["results"][0]["url"], headers=head, timeout=120)
    assert b'id="answer"' in reading_page.content
    return time.monotonic() - start, float("nan")


def ask_visitor(site: Site, options: argparse.Namespace, number: int) -> tuple[float, float]:
    """Upload a page without an account."""
    session = requests.Session()
    session.headers.update({**forward(number), "Referer": site.address})
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(f"{site.address}/disease-predict").text)
    files = {"file": ("page.jpg", options.page.read_bytes(), "image/jpeg")}
    form = {"csrfmiddlewaretoken": token[1], "explain": "on"}
    return read_parts(partial(session.post, f"{site.address}/disease-predict", data=form, files=files), EARLY)


def ask_demo(site: Site, number: int) -> tuple[float, float]:
    """Look at a demo page that somebody has looked at before."""
    name = DEMOS[number % len(DEMOS)]
    return read_parts(partial(requests.get, f"{site.address}/try/{name}", headers=forward(number)), b'id="answer"')


def read_parts(ask: Callable[..., requests.Response], mark: bytes) -> tuple[float, float]:
    """Return the seconds until a mark has arrived, and until everything has."""
    start, content, first = time.monotonic(), b"", None
    with ask(stream=True, timeout=120) as answer:
        assert answer.status_code == 200, answer.status_code
        for part in answer.iter_content(1 << 16):
            content += part
            if first is None and mark in content:
                first = time.monotonic() - start
    assert first is not None
    return first, time.monotonic() - start


def forward(number: int) -> dict[str, str]:
    """Return the header by which a proxy forwards the address of a person."""
    return {"X-Forwarded-For": f"192.0.2.{number + 1}", "X-Forwarded-Proto": "http"}


def answer_table(options: argparse.Namespace, waits: dict[str, list[tuple[float, float]]]) -> str:
    """Format the waits for answer pages in Markdown."""
    lines = [
        "## Answer pages",
        "",
        f"`python benchmarks/web_load.py {shlex.join(sys.argv[1:])}`: "
        f"{options.lookers} people of each kind, one kind after the other for {options.seconds} s, who look at each "
        f"answer for {options.look:g} s on average.",
        "",
        "| who | answers | p50, p95 s until the answer is shown | p50, p95 s until everything is |",
        "|---|---|---|---|",
    ]
    slowest = 0.0
    for who, rows in waits.items():
        columns = []
        for times in zip(*rows, strict=True):
            ordered = sorted(times)
            columns.append([ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95)])
        slowest = max(slowest, columns[0][1])
        remaining = (
            "by itself, on the same page" if columns[1][0] != columns[1][0] else "{:.2f}, {:.2f}".format(*columns[1])
        )
        lines.append(f"| {who} | {len(rows)} | {columns[0][0]:.2f}, {columns[0][1]:.2f} | {remaining} |")
    verdict = "met" if slowest <= SECONDS_BAR else "missed"
    lines += [
        "",
        f"- p95 until the answer is shown, of the slowest kind: {slowest:.2f} s, bar {SECONDS_BAR} s: **{verdict}**.",
        "",
    ]
    return "\n".join(lines)


def wait(site: Site) -> None:
    """Wait until everything is measured, or for ten seconds; then drop the remaining tasks."""
    import sqlite3
    from contextlib import closing

    start = time.monotonic()
    question = "SELECT count(*) FROM readings_reading WHERE state IN ('waiting', 'answered')"
    while True:
        with closing(sqlite3.connect(f"file:{site.folder}/ecglens.sqlite3?mode=ro", uri=True, timeout=60)) as database:
            left = database.execute(question).fetchone()[0]
        if not left:
            return
        if time.monotonic() - start > WORKED_OFF_S:
            with closing(sqlite3.connect(f"{site.folder}/ecglens.sqlite3", timeout=60)) as database:
                database.execute("DELETE FROM django_tasks_database_dbtaskresult WHERE status = 'READY'")
                database.execute("UPDATE readings_reading SET state = 'done' WHERE state = 'answered'")
                database.commit()
            return
        time.sleep(0.5)


def table(
    options: argparse.Namespace,
    rates: list[dict[str, float]],
    bares: list[float],
    calm: list[dict[str, float]],
) -> str:
    """Format the report in Markdown."""
    shares = [
        result["requests"] / result["seconds"] / bare_rate for result, bare_rate in zip(rates, bares, strict=True)
    ]
    share, slowest = statistics.median(shares), statistics.median(result["p95"] for result in calm)
    bad = int(sum(result["bad"] for result in [*rates, *calm]))
    lines = [
        "# Fifty people at once",
        "",
        f"`python benchmarks/web_load.py {shlex.join(sys.argv[1:])}`: {options.people} people, {options.processes} "
        f"processes "
        f"that answer and {options.workers} worker in the background on {len(os.sched_getaffinity(0))} cores, SQLite, "
        f"{options.page.name}, {options.seconds} s each.",
        "",
        "| round | bare model, pages/s | site without pauses, pages/s | share | p50, p95 s | site with pauses, "
        "pages/s | p50, p95, p99 s |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, (bare_rate, full, some, part) in enumerate(zip(bares, rates, calm, shares, strict=True), 1):
        lines.append(
            f"| {number} | {bare_rate:.1f} | {full['requests'] / full['seconds']:.1f} | {part:.2f} | "
            f"{full['p50']:.2f}, "
            f"{full['p95']:.2f} | {some['requests'] / some['seconds']:.1f} | {some['p50']:.2f}, {some['p95']:.2f}, "
            f"{some['p99']:.2f} |"
        )
    rate_verdict = "met" if share >= RATE_BAR else "missed"
    time_verdict = "met" if slowest <= SECONDS_BAR else "missed"
    lines += [
        "",
        f"- Errors: {bad} ({'met' if not bad else 'missed'}).",
        f"- Share of the bare model's rate: {share:.2f}, bar {RATE_BAR}: **{rate_verdict}**.",
        f"- p95 from upload to result, people who look at each result for {options.look:g} s on average: "
        f"{slowest:.2f} s, bar "
        f"{SECONDS_BAR} s: **{time_verdict}**.",
        "",
        "Without pauses nobody looks at a result before the next upload, so that the wait is the number of people "
        "over the rate; "
        "the bare model itself would let fifty wait "
        f"{options.people / statistics.median(bares):.2f} s. Signals and explanations come afterwards.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""The whole site is killed in the middle of uploads and of work, for real, and started again."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests
from live_site import Person, Site

pytestmark = [pytest.mark.nightly, pytest.mark.sqlite, pytest.mark.timeout(7200)]

PAGE = (Path(__file__).parents[1] / "data" / "MI_26.jpg").read_bytes()
KILLS = 8
UPLOADS = 2
"""Uploads at a time: their number must not depend on the speed of the workers."""
MOST_ATTEMPTS = 3
STANDSTILL_S = 300
"""Time without any change after which the site hangs; a slow machine changes something all the time."""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "data", options=("--processes", "2", "--workers", "2")).start()
    yield site
    site.stop()


ATTEMPTS = "SELECT coalesce(sum(attempts), 0) FROM readings_reading"
STATES = "SELECT state, attempts, count(*) FROM readings_reading GROUP BY state, attempts ORDER BY state, attempts"
UNFINISHED = "SELECT 1 FROM readings_reading WHERE state IN ('waiting', 'answered')"


def rows(site, question):
    with closing(sqlite3.connect(f"file:{site.folder}/ecglens.sqlite3?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(question).fetchall()


def wait(until, progress):
    """Wait for a condition as long as there is progress: no test may depend on the machine's speed."""
    last, since = progress(), time.monotonic()
    while not until():
        time.sleep(0.1)
        if progress() != last:
            last, since = progress(), time.monotonic()
        assert time.monotonic() < since + STANDSTILL_S, last


class Uploads:
    """The accepted uploads, and their allowed number; users upload until it is reached."""

    def __init__(self):
        self.accepted, self.owners, self.most = [], {}, 0
        self.stopped = threading.Event()

    def upload(self, person):
        number = 0
        while not self.stopped.is_set():
            if len(self.accepted) >= self.most:
                time.sleep(0.02)
                continue
            number += 1
            try:
                answer = person.post(
                    "/disease-predict", file=PAGE, name=f"{person.email}-{number}.jpg", Accept="application/json"
                )
            except (requests.RequestException, TypeError):
                time.sleep(0.2)
                continue
            if answer.status_code == 200:
                url = answer.json()["results"][0]["url"]
                self.owners[url] = person
                self.accepted.append(url)

    def wait_for(self, count):
        """Wait for so many more uploads."""
        least = len(self.accepted) + count
        self.most = least + UPLOADS
        wait(lambda: len(self.accepted) >= least, lambda: len(self.accepted))


def until_busy(site, uploads):
    """Wait for a worker to start a page and for another upload to be in progress."""
    [(attempts_before,)] = rows(site, ATTEMPTS)
    uploads.wait_for(UPLOADS)
    wait(lambda: rows(site, ATTEMPTS) > [(attempts_before,)], lambda: len(uploads.accepted))
    uploads.wait_for(1)


def test_each_accepted_page_is_predicted_exactly_once_or_shown_as_failed(site):
    people = [Person(site.address, f"p{number}@example.org").sign_up() for number in range(3)]
    uploads = Uploads()
    threads = [threading.Thread(target=uploads.upload, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            until_busy(site, uploads)
            site.kill()
            site.start()
        until_busy(site, uploads)
    finally:
        uploads.stopped.set()
        for thread in threads:
            thread.join()
    wait(lambda: not rows(site, UNFINISHED), lambda: rows(site, STATES))

    accepted, owners = uploads.accepted, uploads.owners
    readings = {
        f"/readings/{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}/": outcome
        for key, *outcome in rows(site, "SELECT id, state, failure_reason, attempts FROM readings_reading")
    }
    assert len(accepted) == len(set(accepted))
    assert set(accepted) <= set(readings)
    assert {state for state, _, _ in readings.values()} == {"done"}
    given_up = [attempts for _, failure, attempts in readings.values() if failure]
    assert all(attempts > MOST_ATTEMPTS for attempts in given_up)
    measured = len(readings) - len(given_up)
    assert measured > len(given_up)
    by_position = "SELECT position, count(*) FROM readings_answer GROUP BY position ORDER BY position"
    assert rows(site, by_position) == [(0, len(readings)), (1, measured)], "the signal model answers once measured"
    twice = "SELECT reading_id FROM readings_picture GROUP BY reading_id, name HAVING count(*) > 1"
    assert rows(site, twice) == []
    assert rows(site, "SELECT count(DISTINCT reading_id) FROM readings_picture") == [(measured,)]
    private = [site.folder, *site.folder.rglob("*")]
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []
    named = {
        name
        for (name,) in rows(
            site,
            "SELECT page FROM readings_reading UNION SELECT signals FROM readings_reading "
            "UNION SELECT file FROM readings_picture",
        )
    }
    named.discard("")  # the signals of a page that was given up
    assert [name for name in named if not (site.folder / "pages" / name).is_file()] == []
    for person in people:
        assert person.get(accepted[0]).status_code == (200 if person is owners[accepted[0]] else 404)

"""The whole site is killed in the middle of uploads and of work, for real, and started again."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests
from live_site import Person, Site

pytestmark = pytest.mark.sqlite

PAGE = (Path(__file__).parents[1] / "data" / "MI_26.jpg").read_bytes()
KILLS = 3
WAIT_S = 180


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "data", options=("--processes", "2", "--workers", "2")).start()
    yield site
    site.stop()


def rows(site, question):
    with closing(sqlite3.connect(f"file:{site.folder}/ecglens.sqlite3?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(question).fetchall()


def test_each_accepted_page_is_answered_exactly_once_or_shown_as_failed(site):
    people = [Person(site.address, f"p{number}@example.org").sign_up() for number in range(3)]
    accepted, owners, stopped = [], {}, threading.Event()

    def upload_on_and_on(person):
        number = 0
        while not stopped.is_set():
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
                accepted.append(url)
                owners[url] = person

    threads = [threading.Thread(target=upload_on_and_on, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        time.sleep(1.7)
        site.kill()
        site.start()
    time.sleep(1.0)
    stopped.set()
    for thread in threads:
        thread.join()
    end = time.monotonic() + WAIT_S
    while rows(site, "SELECT 1 FROM readings_reading WHERE state IN ('waiting', 'answered')"):
        assert time.monotonic() < end, rows(site, "SELECT state, count(*) FROM readings_reading GROUP BY state")
        time.sleep(0.5)

    kept = {
        f"/readings/{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}/": state
        for key, state in rows(site, "SELECT id, state FROM readings_reading")
    }
    assert len(accepted) > 3 * KILLS
    assert len(accepted) == len(set(accepted))
    assert set(accepted) <= set(kept)
    assert set(kept.values()) == {"done"}
    assert rows(site, "SELECT count(*) FROM readings_answer") == [(len(kept),)]
    twice = "SELECT reading_id FROM readings_picture GROUP BY reading_id, name HAVING count(*) > 1"
    assert rows(site, twice) == []
    assert rows(site, "SELECT count(DISTINCT reading_id) FROM readings_picture") == [(len(kept),)]
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
    assert all((site.folder / "pages" / name).is_file() for name in named)
    for person in people:
        assert person.get(accepted[0]).status_code == (200 if person is owners[accepted[0]] else 404)

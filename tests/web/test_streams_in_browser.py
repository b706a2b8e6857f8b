"""A live ECG on the site: a replayed stream is sent by the command, watched in a browser and made a reading."""

import os
import re
import subprocess
import sys
import time

import pytest
from browsing import CHROMIUM, accessible, shot, until
from live_site import PASSWORD, Person, Site
from streams_help import make_record

from ecglens.formats.files import write_record

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sqlite,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"), options=("--workers", "1")).start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def ada(site):
    person = Person(site.address, "ada@example.org").sign_up()
    person.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = person.post("/account/tokens", {"name": "strap", "scopes": ["read", "write"], "days": "30"})
    person.token = re.search(r"ecgl_[\w-]{43}", answer.text)[0]
    return person


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(site, browser, ada):
    """Open windows in which Ada is logged in; whatever a browser complains about fails the test."""
    contexts, troubles = [], []

    def open_one(width, *, person=ada):
        context = browser.new_context(viewport={"width": width, "height": 900})
        cookies = [{"name": one.name, "value": one.value, "url": site.address} for one in person.session.cookies]
        context.add_cookies(cookies)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [text for text in troubles if "status of 404" not in text] == []


class Sender:
    """``ecglens stream replay:FILE --serve`` in a process of its own."""

    def __init__(self, site, token, folder, *, seconds, device):
        record = make_record(seconds=seconds, leads=3)
        path = write_record(record, folder / device, "json")
        command = [sys.executable, "-c", "from ecglens.cli import main; main()", "stream", f"replay:{path}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        self.process = subprocess.Popen(
            [*command, "--serve", "--site", site.address],
            env={**environment, "ECGLENS_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.name = path.name

    def stop(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def sender(site, ada, tmp_path):
    senders = []

    def start(seconds=120.0, device="strap"):
        senders.append(Sender(site, ada.token, tmp_path, seconds=seconds, device=device))
        return senders[-1]

    yield start
    for each in senders:
        each.stop()


def find_stream(person, name):
    """Return the address of the live stream of a device."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for row in re.findall(r"<tr>.*?</tr>", person.get("/streams/").text, re.DOTALL):
            if name in row and "<strong>" in row:
                return re.search(r'href="(/streams/[^"]+)"', row)[1]
        time.sleep(0.2)
    raise AssertionError("the stream is not live")


@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.nightly)])
def test_a_person_watches_a_replayed_stream_live(site, window, ada, sender, width):
    one = sender(device=f"strap {width}")
    address = find_stream(ada, one.name)
    page = window(width)
    page.goto(site.address + address)
    until(page, "document.getElementById('monitor').dataset.received > 0")
    until(page, "document.getElementById('rate').textContent !== '–'")
    assert page.inner_text("#rate") == "75"
    assert page.inner_text("#status") == "Live"
    until(page, "document.getElementById('monitor').dataset.beats >= 8")
    before = int(page.locator("#monitor").get_attribute("data-received"))
    page.wait_for_timeout(2000)
    arrived = int(page.locator("#monitor").get_attribute("data-received")) - before
    assert 350 < arrived < 900, "samples arrive at another speed than that of the device"
    shot(page, "stream")
    accessible(page, "stream")
    # What is on the paper moves, and is not blank.
    first = page.evaluate("document.getElementById('paper').toDataURL()")
    until(page, f"document.getElementById('paper').toDataURL() !== '{first}'")
    page.get_by_role("button", name="Start recording").click()
    page.wait_for_selector("text=Stop recording")
    page.wait_for_timeout(4000)
    page.get_by_role("button", name="Stop recording").click()
    page.wait_for_selector("text=Download the recording")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Make a reading of the last 10 s").click()
    page.wait_for_url("**/readings/**")
    page.wait_for_selector(".measured tbody tr", timeout=120_000)
    shot(page, "stream-reading")
    assert "75" in page.inner_text(".measured")
    archive = ada.get(f"{address}download")
    assert archive.content.startswith(b"PK")


@pytest.mark.nightly
def test_two_viewers_see_the_same_stream_and_another_person_sees_nothing(site, window, ada, sender):
    one = sender(device="two")
    address = find_stream(ada, one.name)
    pages = [window(1280), window(390)]
    for page in pages:
        page.goto(site.address + address)
    for page in pages:
        until(page, "document.getElementById('monitor').dataset.beats >= 3")
    eve = Person(site.address, "eve@example.org").sign_up()
    assert eve.get(address).status_code == 404
    assert eve.get(f"{address}events").status_code == 404
    assert eve.get(f"{address}download").status_code == 404
    assert "two" not in eve.get("/streams/").text
    stranger = ada.session.__class__()
    answer = stranger.get(f"{site.address}{address}events", timeout=60, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.nightly
def test_a_stream_that_ends_says_so_and_can_be_looked_at_again(site, window, ada, sender):
    one = sender(device="short", seconds=12.0)
    address = find_stream(ada, one.name)
    page = window(1280)
    page.goto(site.address + address)
    until(page, "document.getElementById('status').textContent === 'The stream has ended'")
    page.goto(site.address + address)
    assert page.inner_text("#status") == "The stream has ended"
    page.get_by_role("button", name="Make a reading of the last 10 s").click()
    page.wait_for_url("**/readings/**")
    page.goto(site.address + address)
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/streams/")
    assert ada.get(address).status_code == 404
    assert not (site.folder / "streams" / address.split("/")[2]).exists()


def test_a_wrong_token_is_refused_with_one_sentence(site, tmp_path):
    one = Sender(site, "ecgl_" + "x" * 43, tmp_path, seconds=20.0, device="wrong")
    output, _ = one.process.communicate(timeout=60)
    assert "The site refuses the stream: Expected a valid token with the scope write" in output
    assert one.process.returncode == 2

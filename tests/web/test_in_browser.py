import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import ecglens

PAGE = Path(__file__).parents[1] / "data" / "Normal_1.jpg"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHIPPED = list((Path(ecglens.__file__).parent / "weights").glob("*/model.onnx"))
START_S = 30

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not SHIPPED and "ECGLENS_MODEL" not in os.environ, reason="no model in weights/"),
]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=1) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from ecglens.cli import main; main()", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            end = time.monotonic() + START_S
            while not answers(f"http://127.0.0.1:{port}/healthz"):
                assert server.poll() is None, "the server stopped"
                assert time.monotonic() < end, "the server did not start"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (390, True), (360, False)])
def test_a_real_page_is_uploaded_and_shown(address, browser, tmp_path, width, javascript):
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=javascript)
    page = context.new_page()
    troubles, elsewhere = [], []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else elsewhere.append(asked.url))

    page.goto(f"{address}/")
    page.screenshot(path=tmp_path / f"upload-{width}.png", full_page=True)
    page.set_input_files("#file", PAGE)
    page.get_by_role("button", name="Read the page").click()
    page.wait_for_selector("#answer")
    page.screenshot(path=tmp_path / f"reading-{width}.png", full_page=True)

    assert page.locator("figure").count() == 13
    assert page.locator(".bar").count() == 4
    assert "Not a diagnosis." in page.inner_text("main")
    assert page.locator(".measured tbody tr").count() > 15
    page.get_by_text("What was read on what was printed").click()
    assert page.get_by_alt_text("What was read, drawn on the page").is_visible()
    assert page.locator("html").evaluate("root => root.scrollWidth") <= width
    assert troubles == []
    assert elsewhere == []
    context.close()


def test_the_form_is_used_with_the_keyboard_alone(address, browser):
    page = browser.new_page()
    page.goto(f"{address}/disease-predict")
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))

    assert reached == ["A", "A", "file", "page", "BUTTON"]
    page.close()

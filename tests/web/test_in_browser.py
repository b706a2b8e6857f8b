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
ANSWER_S = 120

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
    context.set_default_timeout(1000 * ANSWER_S)
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
    (explained_with_controls if javascript else explained_without_javascript)(page)
    assert page.locator("html").evaluate("root => root.scrollWidth") <= width
    assert troubles == []
    assert elsewhere == []
    context.close()


def explained_with_controls(page):
    """Strength, switch, label and method by the keyboard, and the checks one click away."""
    shown = page.locator(".heat:visible")
    strength, switch = page.get_by_label("Strength"), page.get_by_label("Show on the page")
    assert shown.count() == 1
    sheet, heat = page.locator(".under .sheet").bounding_box(), shown.bounding_box()
    assert all(abs(sheet[side] - heat[side]) <= 1 for side in ("x", "y", "width", "height"))
    strength.focus()
    page.keyboard.press("Home")
    assert shown.evaluate("heat => getComputedStyle(heat).opacity") == "0.1"
    switch.focus()
    page.keyboard.press("Space")
    assert shown.count() == 0
    assert strength.is_disabled()
    assert page.get_by_role("status").inner_text().endswith("not shown on the page")
    switch.check()
    page.get_by_label("Label").select_option(index=1)
    page.get_by_label("Method").select_option("Occlusion by lead")
    assert shown.get_attribute("aria-label") == f"Heat over the page: {page.get_by_role('status').inner_text()}"
    assert page.locator(".why-reason:visible").count() == 1
    assert page.locator(".shares:visible li").count() == 13
    page.get_by_label("Label").select_option(index=0)
    page.locator(".checks:visible > summary").first.click()
    assert page.locator(".checks dl:visible dt").first.inner_text().startswith("Deletion: ")


def explained_without_javascript(page):
    """Each explanation is opened and closed on its own, and lies on the page while it is open."""
    shown = page.locator(".heat:visible")
    assert not page.get_by_label("Strength").is_visible()
    first, second = page.locator(".why-reason > summary").all()[:2]
    assert shown.count() == 1
    second.click()
    assert shown.count() == 1
    assert "Occlusion by lead" in shown.get_attribute("aria-label")
    second.click()
    assert shown.count() == 0
    first.click()
    assert shown.count() == 1


def test_the_form_is_used_with_the_keyboard_alone(address, browser):
    page = browser.new_page()
    page.goto(f"{address}/disease-predict")
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))

    assert reached == ["A", "A", "file", "page", "BUTTON"]
    page.close()

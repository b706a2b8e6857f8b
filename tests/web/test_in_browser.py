"""The site in a real browser, as people use it, on a desktop and on a phone."""

import io
import os
import re
import zipfile
from pathlib import Path

import pytest
from browsing import ANSWER_S, CHROMIUM, SHOTS, accessible, shot, until
from live_site import PASSWORD, Site

import ecglens

PAGES = Path(__file__).parents[1] / "data"
SHIPPED = list((Path(ecglens.__file__).parent / "weights").glob("*/model.onnx"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sqlite,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not SHIPPED and "ECGLENS_MODEL" not in os.environ, reason="no model in weights/"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site")).start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(site, browser, tmp_path):
    """Opens windows of people of their own; whatever a browser complains about fails the test."""
    contexts, troubles = [], []

    def open_one(width=1280, *, javascript=True, **more):
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=javascript, **more)
        context.set_default_timeout(1000 * ANSWER_S)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((site.address, "data:")) else troubles.append(request.url),
        )
        return page

    yield open_one
    for context in contexts:
        context.close()
    expected = ("status of 404", "status of 422", "ERR_INTERNET_DISCONNECTED")
    assert [message for message in troubles if not any(words in message for words in expected)] == []


def sign_up(page, site, email):
    page.goto(f"{site.address}/accounts/signup/")
    page.fill("#id_email", email)
    page.fill("#id_password1", PASSWORD)
    page.fill("#id_password2", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/accounts/login/")
    page.fill("#id_login", email)
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/disease-predict")


def read_page(page, site, *names):
    page.goto(f"{site.address}/disease-predict")
    page.set_input_files("#file", [PAGES / name for name in names])
    page.locator("form.upload button[type=submit]").click()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_from_sign_up_to_the_history(site, window, width):
    page = window(width)
    page.goto(site.address)
    shot(page, "start")
    accessible(page, "start")
    sign_up(page, site, f"ada{width}@example.org")
    shot(page, "upload")
    accessible(page, "upload")
    read_page(page, site, "MI_26.jpg")
    page.wait_for_selector("#answer")
    assert page.inner_text("#answer") == "Myocardial infarction"
    page.wait_for_selector(".measured tbody tr")
    shot(page, "reading")
    accessible(page, "reading")
    assert page.locator("figure").count() == 13
    assert page.locator(".bar").count() == 4 + 5, "labels of the page model and of the signal model"
    assert "Not a diagnosis." in page.inner_text("main")
    explained_with_controls(page)
    viewer(page)
    calipers(page)
    page.fill("#note", "after lunch")
    page.select_option("#corrected", "normal")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".notice.own")
    page.goto(f"{site.address}/readings/?q=lunch")
    shot(page, "history")
    accessible(page, "history")
    assert page.locator("table.list tbody tr").count() == 1
    page.goto(f"{site.address}/account/")
    shot(page, "account")
    accessible(page, "account")


def explained_with_controls(page):
    """Use strength, switch, label and method by the keyboard, and open the checks."""
    visible_layer = page.locator(".heat:visible")
    strength, switch = page.get_by_label("Strength"), page.get_by_label("Show on the page")
    status = page.locator(".layer-status")
    assert visible_layer.count() == 1
    sheet, heat = page.locator(".under .sheet").bounding_box(), visible_layer.bounding_box()
    assert all(abs(sheet[side] - heat[side]) <= 1 for side in ("x", "y", "width", "height"))
    strength.focus()
    page.keyboard.press("Home")
    assert visible_layer.evaluate("heat => getComputedStyle(heat).opacity") == "0.1"
    switch.focus()
    page.keyboard.press("Space")
    assert visible_layer.count() == 0
    assert strength.is_disabled()
    assert status.inner_text().endswith("not shown on the page")
    switch.check()
    controls = page.locator(".why-controls")
    controls.get_by_label("Label").select_option(index=1)
    controls.get_by_label("Method").select_option("Occlusion by lead")
    assert visible_layer.get_attribute("aria-label") == f"Heat map over the page: {status.inner_text()}"
    assert page.locator(".why-reason:visible").count() == 1
    assert page.locator(".shares:visible li").count() == 13
    controls.get_by_label("Label").select_option(index=0)
    page.locator(".checks:visible > summary").first.click()
    assert page.locator(".checks dl:visible dt").first.inner_text().startswith("Deletion: ")


def viewer(page):
    """Look at the signals: arrangements, zoom, cursor, calipers and waves, by mouse and by keys."""
    canvas, readout = page.locator(".viewer canvas"), page.locator(".viewer-readout")
    canvas.scroll_into_view_if_needed()
    if page.viewport_size["width"] >= 1000:
        page.evaluate("scrollTo(0, 0)")
        assert canvas.bounding_box()["y"] < 400
    height = canvas.bounding_box()["height"]
    page.select_option("[data-arrangement]", "rows")
    assert canvas.bounding_box()["height"] > 1.5 * height
    page.select_option("[data-arrangement]", "V3")
    assert canvas.bounding_box()["height"] < height
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    page.mouse.move(frame["x"] + 60, frame["y"] + frame["height"] / 2)
    assert re.fullmatch(r"V3 · \d+ ms · \S+ mV", readout.inner_text())
    canvas.focus()
    before = readout.inner_text()
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() != before
    mm = page.evaluate("document.querySelector('.viewer canvas').clientHeight")
    page.keyboard.press("+")
    assert page.evaluate("document.querySelector('.viewer canvas').clientHeight") == pytest.approx(1.25 * mm, abs=2)
    page.get_by_role("button", name="Fit").click()
    page.locator("[data-toggle=calipers]").click()
    assert "500 ms · 0.00 mV · 120/min" in readout.inner_text()
    page.locator("[data-toggle=march]").click()
    page.locator("[data-toggle=waves]").click()
    shot(page, "viewer")
    canvas.focus()
    page.keyboard.press("Shift+ArrowRight")
    assert "520 ms" in readout.inner_text()
    page.locator("[data-toggle=calipers]").click()
    accessible(page, "viewer")
    page.locator("[data-pane=page]").click()
    assert canvas.is_hidden()
    page.get_by_label("Show the digitized traces").check()
    page.wait_for_function("document.querySelector('.caliper-stage .sheet').src.endsWith('pictures/traced')")
    page.get_by_label("Show the digitized traces").uncheck()


def calipers(page):
    """Measure a second of paper by dragging over it, and move an end with the arrow keys."""
    stage, tool = page.locator(".caliper-stage"), page.locator(".calipers")
    stage.scroll_into_view_if_needed()
    frame = stage.bounding_box()
    scale = frame["width"] / float(tool.get_attribute("data-width"))
    across = 25 * float(tool.get_attribute("data-across")) * scale
    down = 10 * float(tool.get_attribute("data-down")) * scale
    left, top = frame["x"] + 0.2 * frame["width"], frame["y"] + 0.7 * frame["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + across / 2, top - down / 2, steps=4)
    page.mouse.move(left + across, top - down)
    page.mouse.up()
    ms, mv, rate = (page.locator(f".measure [data-{name}]") for name in ("ms", "mv", "rate"))
    assert float(ms.inner_text()) == pytest.approx(1000, abs=12)
    assert float(mv.inner_text()) == pytest.approx(1.0, abs=0.05)
    assert float(rate.inner_text()) == pytest.approx(60, abs=1)
    page.locator(".caliper-end").nth(1).focus()
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
    assert float(ms.inner_text()) == pytest.approx(
        1000 + 100_000 / (25 * float(tool.get_attribute("data-across"))), abs=15
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_a_batch_is_watched_until_it_is_done(site, window, tmp_path, width):
    page = window(width)
    sign_up(page, site, f"bob{width}@example.org")
    with zipfile.ZipFile(tmp_path / "ward.zip", "w") as packed:
        packed.write(PAGES / "MI_26.jpg", "a.jpg")
        packed.write(PAGES / "Normal_1.jpg", "b.jpg")
        packed.writestr("c.jpg", b"a letter")
    page.goto(f"{site.address}/batches/")
    shot(page, "batches")
    accessible(page, "batches")
    page.set_input_files("#file", tmp_path / "ward.zip")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile("/batches/.+"))
    page.wait_for_selector("text=3 pages, finished.")
    shot(page, "batch")
    accessible(page, "batch")
    assert page.locator("table.list tbody tr").count() == 3
    assert "expected JPEG, PNG" in page.inner_text("table.list")
    page.locator("table.list a").nth(1).click()
    page.wait_for_selector("#answer")


def test_many_pages_at_once_show_the_progress_of_each(site, window):
    page = window()
    sign_up(page, site, "carol@example.org")
    read_page(page, site, "MI_26.jpg", "Normal_1.jpg", "README.md")
    until(page, "document.querySelectorAll('.sent a').length === 2 && document.querySelector('.sent .bad') !== null")
    shot(page, "sent")

    assert page.locator(".sent a").all_inner_texts() == ["Myocardial infarction", "Normal"]
    assert "expected JPEG" in page.locator(".sent .bad").inner_text()
    page.goto(f"{site.address}/readings/")
    page.locator("input[name=chosen]").nth(0).check()
    page.locator("input[name=chosen]").nth(1).check()
    page.get_by_role("button", name="Side by side").click()
    page.wait_for_selector("text=What changed")
    shot(page, "compare")
    accessible(page, "compare")


def test_data_of_a_user_is_invisible_to_others(site, window):
    first, second, nobody = window(), window(), window()
    sign_up(first, site, "dora@example.org")
    read_page(first, site, "MI_26.jpg")
    first.wait_for_selector("#answer")
    address = first.url
    sign_up(second, site, "eve@example.org")

    for path in ("", "page", "sheet.pdf", "signals/csv"):
        assert second.request.get(address + path).status == 404, path
    assert second.goto(address).status == 404
    assert "There is nothing at this address" in second.inner_text("main")
    shot(second, "refused")
    accessible(second, "refused")
    nobody.goto(address)
    assert "/accounts/login/" in nobody.url
    shot(nobody, "login")
    accessible(nobody, "login")


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (360, False)])
def test_a_visitors_page_is_read_and_not_stored(site, window, width, javascript):
    page = window(width, javascript=javascript)
    read_page(page, site, "Normal_1.jpg")
    page.wait_for_selector("#answer")
    if javascript:
        shot(page, "visitor")
    else:
        explained_without_javascript(page)
        assert page.locator(".calipers").is_hidden()

    assert page.locator("figure").count() == 13
    assert "not stored" in page.inner_text("footer")


def explained_without_javascript(page):
    """Open and close each explanation on its own; it is on the page while it is open."""
    visible_layer = page.locator(".heat:visible")
    assert not page.get_by_label("Strength").is_visible()
    first, second = page.locator(".why-reason > summary").all()[:2]
    assert visible_layer.count() == 1
    second.click()
    assert visible_layer.count() == 1
    assert "Occlusion by lead" in visible_layer.get_attribute("aria-label")
    second.click()
    assert visible_layer.count() == 0
    first.click()
    assert visible_layer.count() == 1


def test_the_form_is_used_with_the_keyboard_alone(site, window):
    page = window()
    page.goto(f"{site.address}/disease-predict")
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    assert reached == ["Skip to content", "ecglens", "Read a page", "Models", "Log in", "Sign up", "file", "page"]


def test_a_demo_page_is_read_without_an_account_and_in_the_dark(site, window):
    page = window(color_scheme="dark")
    page.goto(site.address)
    page.locator(".demo a").first.click()
    page.wait_for_selector("#answer")
    shot(page, "demo-dark")
    accessible(page, "demo")

    assert page.locator("html").get_attribute("data-bs-theme") == "dark"


def test_the_site_can_be_installed_and_reports_a_missing_network(site, window):
    page = window(390)
    page.goto(site.address)
    manifest = page.request.get(site.address + page.locator("link[rel=manifest]").get_attribute("href")).json()
    page.evaluate("navigator.serviceWorker.ready")
    until(page, "caches.match('/offline').then(Boolean)")
    page.context.set_offline(True)
    page.goto(f"{site.address}/readings/")

    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    assert page.inner_text("h1") == "No network"
    page.context.set_offline(False)


def test_german_is_one_click_away(site, window):
    page = window()
    page.goto(f"{site.address}/disease-predict")
    page.get_by_role("button", name="Deutsch").click()
    until(page, "document.documentElement.lang === 'de'")
    shot(page, "deutsch")
    accessible(page, "deutsch")


def test_a_sheet_is_a_pdf_of_a_page(site, window):
    page = window()
    sign_up(page, site, "fred@example.org")
    read_page(page, site, "MI_26.jpg")
    page.wait_for_selector(".measured tbody tr")
    sheet = page.request.get(page.url + "sheet.pdf").body()
    if SHOTS:
        (Path(SHOTS) / "sheet.pdf").write_bytes(sheet)

    assert sheet.startswith(b"%PDF")
    assert len(io.BytesIO(sheet).getvalue()) > 50_000

"""The site in a real browser, as people use it, on a desktop and on a phone."""

import io
import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from askew_photo import CORNERS, take_photo
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
NARROW_FIRST = [390, pytest.param(1280, marks=pytest.mark.nightly)]
"""Widths of long ways through the site: on a phone, and in the nightly run on a desktop too."""


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


@pytest.mark.parametrize("width", NARROW_FIRST)
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


@pytest.mark.parametrize("width", NARROW_FIRST)
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


@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_sees_the_answer_before_the_rest(site, window, width):
    page = window(width)
    read_page(page, site, "MI_26.jpg")
    page.wait_for_selector("#early-answer")
    assert page.inner_text("#early-answer") == "Myocardial infarction"
    assert page.locator(".stages").is_visible()
    page.wait_for_selector(".whole-reading .measured tbody tr")
    page.wait_for_function("document.querySelector('.early') === null")
    page.wait_for_selector(".viewer canvas")
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_a_demo_has_the_diagnosis_of_its_record_beside_it(site, window, width):
    page = window(width)
    page.goto(f"{site.address}/try/infarction")
    page.wait_for_selector(".whole-reading, .viewer canvas")
    page.goto(f"{site.address}/try/infarction")
    shot(page, "demo")
    accessible(page, "demo")
    assert page.locator(".early").count() == 0
    assert "Acute myocardial infarction, posterior and inferior" in page.inner_text(".truth")


@pytest.mark.parametrize(
    ("width", "is_visitor"),
    [
        pytest.param(390, True, id="visitor-390"),
        pytest.param(1280, False, id="user-1280", marks=pytest.mark.nightly),
        pytest.param(1280, True, id="visitor-1280", marks=pytest.mark.nightly),
        pytest.param(390, False, id="user-390", marks=pytest.mark.nightly),
    ],
)
def test_the_corners_of_a_refused_photo_are_dragged_and_the_page_is_read(site, window, tmp_path, width, is_visitor):
    (tmp_path / "photo.jpg").write_bytes(take_photo())
    page = window(width)
    if not is_visitor:
        sign_up(page, site, f"gil{width}@example.org")
    page.goto(f"{site.address}/disease-predict")
    page.set_input_files("#file", tmp_path / "photo.jpg")
    page.locator("form.upload button[type=submit]").first.click()
    page.wait_for_selector("form.corrector:not(template *) .corrector-stage image[href]")
    page.wait_for_load_state()
    shot(page, "refused-visitor" if is_visitor else "refused-user")
    accessible(page, "refused")
    corrector = page.locator("form.corrector")
    assert "edges of the paper were seen" in corrector.inner_text()
    corrector.get_by_role("button", name="Whole picture").click()
    stage = corrector.locator(".corrector-stage")
    stage.scroll_into_view_if_needed()
    for number, point in enumerate(CORNERS):
        end = corrector.locator("circle").nth(number).bounding_box()
        target = stage.locator("g").evaluate(
            "(g, at) => { const to = new DOMPoint(...at).matrixTransform(g.getScreenCTM()); return [to.x, to.y]; }",
            list(point),
        )
        page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2)
        page.mouse.down()
        page.mouse.move(*target, steps=4)
        page.mouse.up()
    for _ in range(4):
        corrector.get_by_role("button", name="Turn right").click()
    shot(page, "refused-corrected")
    corrector.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#answer")
    assert page.inner_text("#answer") == "Myocardial infarction"
    if not is_visitor:
        page.goto(f"{site.address}/readings/")
        assert page.locator("table.list tbody tr").count() == 1


@pytest.mark.nightly
def test_corners_are_moved_with_the_arrow_keys(site, window, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(take_photo())
    page = window()
    page.goto(f"{site.address}/disease-predict")
    page.set_input_files("#file", tmp_path / "photo.jpg")
    page.locator("form.upload button[type=submit]").click()
    page.wait_for_selector("form.corrector")
    page.wait_for_load_state()
    value = page.locator("form.corrector input[name=corners]")
    before = value.input_value()
    page.get_by_role("button", name="Top left corner").focus()
    page.keyboard.press("Shift+ArrowRight")

    assert value.input_value() != before
    assert value.input_value().split()[1:] == before.split()[1:]


@pytest.mark.parametrize("width", NARROW_FIRST)
def test_a_reading_is_corrected_and_undone(site, window, width):
    page = window(width)
    sign_up(page, site, f"hal{width}@example.org")
    read_page(page, site, "MI_26.jpg")
    page.wait_for_selector(".measured tbody tr")
    page.get_by_role("link", name="Correct", exact=True).click()
    page.wait_for_selector(".drawing-stage")
    shot(page, "edit")
    accessible(page, "edit")
    page.select_option("select[name='name:V1']", "V2")
    page.select_option("select[name='name:V2']", "V1")
    page.fill("input[name=speed]", "50")
    page.select_option("[data-row]", "V5")
    page.get_by_role("button", name="Draw").click()
    stage = page.locator(".drawing-stage")
    stage.scroll_into_view_if_needed()
    frame = page.locator(".drawing-frame").bounding_box()
    x, y = frame["x"] + 0.5 * frame["width"], frame["y"] + 0.5 * frame["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 5, steps=5)
    page.mouse.up()
    assert "strokes: 1" in page.inner_text("[data-said]")
    page.select_option("[data-row]", "V6")
    for tool, down in (("Remove", 30), ("Box", -40)):
        page.get_by_role("button", name=tool, exact=True).click()
        stage.scroll_into_view_if_needed()
        frame = page.locator(".drawing-frame").bounding_box()
        x, y = frame["x"] + 0.5 * frame["width"], frame["y"] + 0.5 * frame["height"]
        page.mouse.move(x + 40, y + down)
        page.mouse.down()
        page.mouse.move(x, y + down + 60, steps=5)
        page.mouse.up()
    assert "strokes: 3" in page.inner_text("[data-said]")
    shot(page, "edit-drawn")
    removed = json.loads(page.input_value("input[name=traces]"))[1]
    assert (removed["lead"], removed["removed"]) == ("V6", True)
    assert removed["points"][0][0] < removed["points"][1][0]
    assert list(json.loads(page.input_value("input[name=boxes]"))) == ["V6"]
    for _ in range(3):
        page.get_by_role("button", name="Remove the last stroke").click()
    assert page.inner_text("[data-said]") == ""
    page.get_by_role("button", name="Measure again").click()
    page.wait_for_selector("text=Corrected by hand:")
    page.wait_for_selector(".measured tbody tr")
    assert "names V1 to V2, V2 to V1; speed" in page.inner_text(".notice.own")
    page.goto(page.url + "edit")
    page.get_by_role("button", name="Undo the latest").click()
    page.wait_for_selector(".measured tbody tr")
    assert page.locator("text=Corrected by hand:").count() == 0


@pytest.mark.nightly
@pytest.mark.parametrize("width", [390, 1280])
def test_a_case_from_the_history_to_comparison_link_and_review(site, window, width):
    page, guest = window(width), window(width)
    sign_up(page, site, f"ida{width}@example.org")
    page.goto(f"{site.address}/disease-predict")
    read_page(page, site, "MI_26.jpg", "Normal_1.jpg")
    until(page, "document.querySelectorAll('.sent a').length === 2")
    page.goto(f"{site.address}/readings/")
    for number in range(2):
        page.locator("input[name=chosen]").nth(number).check()
    page.get_by_role("button", name="Add to a case").click()
    page.fill("#pseudonym", "bed 7")
    shot(page, "case-add")
    accessible(page, "case-add")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".members li")
    for number, day in enumerate(("2025-05-01", "2026-02-01")):
        details = page.locator(".members details").nth(number)
        details.locator("summary").click()
        details.locator("input[type=date]").fill(day)
        details.locator("input[name=tags]").fill("before, clinic")
        details.get_by_role("button", name="Save").click()
        page.wait_for_selector("text=Saved.")
    while page.locator(".members img").count() < 2:  # both are measured
        page.wait_for_timeout(500)
        page.reload()
    shot(page, "case")
    accessible(page, "case")
    page.get_by_role("button", name="New link").click()
    link = page.inner_text("#new-link")
    shot(page, "case-link")
    guest.goto(link)
    shot(guest, "shared")
    accessible(guest, "shared")
    guest.locator(".members h2 a").first.click()
    guest.wait_for_selector(".viewer canvas")
    shot(guest, "shared-reading")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(".beats svg")
    shot(page, "compare-case")
    accessible(page, "compare-case")
    assert page.locator(".beat").count() == 12
    assert page.locator(".whisker circle").count() > 20
    page.goto(f"{site.address}/review/")
    page.wait_for_selector(".viewer canvas")
    shot(page, "review")
    accessible(page, "review")
    page.get_by_label("Myocardial infarction", exact=True).check()
    page.get_by_label("Bradycardia").check()
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_selector("text=This is the next one.")
    page.get_by_label("or another one").fill("WPW")
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_selector(".agreement")
    shot(page, "agreement")
    accessible(page, "agreement")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as a data set").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "pages.csv" in archive.namelist()

import shutil

import pytest

from ecglens.web.accounts.tokens import create_token

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_docs_call_the_api_under_the_strict_policy(live_server, user, tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api")
    _, key = create_token(user, "docs", ["read"])
    errors, elsewhere = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda sent: elsewhere.append(sent.url) if live_server.url not in sent.url else None)
        page.goto(f"{live_server.url}/api/v1/docs")
        page.click(".btn.authorize")
        page.locator(".auth-container input").first.fill(key)
        page.locator(".auth-btn-wrapper .authorize").first.click()
        page.locator(".btn-done").first.click()
        models = page.locator("#operations-Models-list_installed")
        models.locator(".opblock-summary-control").click()
        models.locator(".try-out__btn").click()
        models.locator(".execute").click()
        status = models.locator(".live-responses-table tbody .response-col_status").inner_text()
        page.screenshot(path=tmp_path / f"docs-{width}.png")
        browser.close()

    assert status.startswith("200")
    assert errors == []
    assert [url for url in elsewhere if not url.startswith("data:")] == []

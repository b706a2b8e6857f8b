"""Help for tests in a real browser: waiting, pictures for people, accessibility."""

import os
import shutil
import time
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANSWER_S = 60
SHOTS = os.environ.get("ECGLENS_SCREENSHOTS")


def until(page, question):
    """Wait until the page says yes; Playwright's own waiting needs eval, which the site forbids."""
    end = time.monotonic() + ANSWER_S
    while not page.evaluate(question):
        assert time.monotonic() < end, question
        page.wait_for_timeout(50)


def shot(page, name):
    """Keep a picture for people to look at, and see that nothing sticks out of the window."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.evaluate("for (const one of document.images) one.loading = 'eager'")
        until(page, "[...document.images].every((one) => one.complete)")
        page.screenshot(path=Path(SHOTS) / f"{name}-{page.viewport_size['width']}.png", full_page=True)
    assert page.locator("html").evaluate("root => root.scrollWidth") <= page.viewport_size["width"], name


def accessible(page, name):
    """Check that axe-core reports nothing serious."""
    violations = pytest.importorskip("axe_playwright_python.sync_playwright").Axe().run(page).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    findings = [(each["id"], [node["html"][:160] for node in each["nodes"][:3]]) for each in serious]
    assert findings == [], name

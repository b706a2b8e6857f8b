"""Make ``docs/images/disease-predict.png``: the web page after a real upload.

Run from the repository: ``python docs/make_screenshot.py``. Needs the web extra, playwright and a Chromium.
"""

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "tests" / "data" / "Normal_1.jpg"
PICTURE = ROOT / "docs" / "images" / "disease-predict.png"
VIEW = {"width": 1100, "height": 1320}
COLORS = 40
START_S = 90


def main() -> None:
    """Serve, upload, take the picture, stop."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from ecglens.cli import main; main()", "serve", "--port", str(port)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, env={**os.environ, "ECGLENS_DATA_DIR": folder}) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            _take(f"http://127.0.0.1:{port}/disease-predict")
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _take(address: str) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    PICTURE.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEW, color_scheme="light", locale="en")
        page.goto(address.replace("disease-predict", "accounts/signup/"))
        page.fill("#id_email", "ada@example.org")
        page.fill("#id_password1", "correct horse battery")
        page.fill("#id_password2", "correct horse battery")
        page.click("main button[type=submit]")
        page.wait_for_selector("#id_login")
        page.fill("#id_login", "ada@example.org")
        page.fill("#id_password", "correct horse battery")
        page.click("main button[type=submit]")
        page.wait_for_url(address)
        page.set_input_files("#file", PAGE)
        page.locator("form.upload button[type=submit]").click()
        page.wait_for_selector(".measured tbody tr")
        png = page.screenshot()
        browser.close()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()

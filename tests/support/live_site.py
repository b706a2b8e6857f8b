"""A real site in separate processes, and users of it."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import requests

PASSWORD = "correct horse battery"
_START_S = 300
_REQUEST_S = 300
"""Limits in s that only stop what hangs, because a busy machine may take long."""


class Site:
    """``ecglens serve`` with its own folder, which can be killed and started again.

    Args:
        folder: Folder for its data.
        settings: More variables of the environment.
        options: Options of the command.
    """

    def __init__(self, folder, *, options=(), **settings):
        self.folder, self._options = Path(folder), options
        self._log = self.folder.parent / f"{self.folder.name}.log"
        self._settings = {"ECGLENS_DATA_DIR": str(folder), **settings}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.process = f"http://127.0.0.1:{self.port}", None

    def start(self):
        command = [sys.executable, "-c", "from ecglens.cli import main; main()", "serve", "--port", str(self.port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        environment.pop("ECGLENS_DATABASE_URL", None)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self._options], env={**environment, **self._settings}, stdout=log, stderr=log
            )
        end = time.monotonic() + _START_S
        while not self._answers():
            assert self.process.poll() is None, f"the site stopped: {self.log()[-2000:]}"
            assert time.monotonic() < end, f"the site did not start: {self.log()[-2000:]}"
            time.sleep(0.1)
        return self

    def kill(self):
        """Kill every process of the site at once."""
        whole = psutil.Process(self.process.pid)
        everyone = [*whole.children(recursive=True), whole]
        for each in everyone:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self):
        return self._log.read_text(errors="replace")

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


class Person:
    """A user with an account and a browser session."""

    def __init__(self, address, email):
        self.address, self.email, self.session = address, email, requests.Session()

    def sign_up(self):
        self.post("/accounts/signup/", {"email": self.email, "password1": PASSWORD, "password2": PASSWORD})
        answer = self.post("/accounts/login/", {"login": self.email, "password": PASSWORD})
        assert answer.url.endswith("/disease-predict"), answer.text
        return self

    def post(self, path, fields=None, *, file=None, name="page.jpg", timeout=_REQUEST_S, **headers):
        """Send a form with its CSRF token, and return the response."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/disease-predict").text)[1]
        files = None if file is None else {"file": (name, file, "image/jpeg")}
        return self.session.post(
            self.address + path,
            data={**(fields or {}), "csrfmiddlewaretoken": token},
            files=files,
            headers={"Referer": self.address, **headers},
            timeout=timeout,
        )

    def get(self, path, **headers):
        return self.session.get(self.address + path, headers=headers, timeout=_REQUEST_S)

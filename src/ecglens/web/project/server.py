"""gunicorn around the site, and workers beside it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from ecglens.errors import SettingsError
from ecglens.settings import load_settings
from ecglens.web.project.discreet import without_secrets
from ecglens.web.project.keys import private_folder

__all__ = ["keep_working", "manage", "serve", "work"]

_THREADS = 2
_MAX_PROCESSES = 2
_TIMEOUT_S = 60
_KEEP_ALIVE_S = 30
"""Longer than people look at a page, and than proxies wait between two requests."""
_GRACE_S = 8
"""For answers that are under way when the site is stopped; containers are given 10 s."""
_WATCH_S = 0.5
_STOP_S = 5.0


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from ecglens.web.project.wsgi import application

        return application


def serve(
    host: str, port: int, *, ready: Callable[[], None], processes: int | None = None, workers: int | None = None
) -> None:
    """Serve until stopped.

    A database in a file is brought up to date first; one on a server is not, as several machines may use it.

    The site is loaded before the processes that answer are made, which share what it has loaded. Models are loaded by
    each of them, since the threads of ONNX Runtime do not survive the making of a process.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        ready: Called once the address answers.
        processes: That answer people; two, where there are as many cores, if it is ``None``.
        workers: Processes that measure and explain; the settings' number if it is ``None``.

    Raises:
        SettingsError: The address cannot be listened on, or the database does not answer.
    """
    _check_address(host, port)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder())
    _set_up()
    _check_database()
    _bring_up_to_date()
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = {
        "bind": address,
        "workers": processes or min(_MAX_PROCESSES, os.cpu_count() or 1),
        "threads": _THREADS,
        "worker_class": "gthread",
        "timeout": _TIMEOUT_S,
        "keepalive": _KEEP_ALIVE_S,
        "graceful_timeout": _GRACE_S,
        "preload_app": True,
        "loglevel": "warning",
        "when_ready": lambda server: ready(),
    }
    count = load_settings().worker_processes if workers is None else workers
    keeper = _keeper(count) if count else None
    try:
        _Server(options).run()
    finally:
        if keeper is not None:
            keeper.terminate()
            keeper.wait()


def keep_working(count: int) -> None:
    """Keep so many workers going, each in a process of its own, until stopped or until the parent is gone.

    One page must not take the site with it: a worker that ends is replaced.
    """
    parent, workers = os.getppid(), [_worker() for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while os.getppid() == parent:
            workers = [worker if worker.poll() is None else _worker() for worker in workers]
            time.sleep(_WATCH_S)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            _end(worker)


def work() -> None:
    """Measure and explain until stopped."""
    _set_up()
    from ecglens.web.readings.worker import work as go_on

    go_on(parent=os.getppid())


def manage(arguments: list[str]) -> None:
    """Run one of Django's commands."""
    _set_up()
    from django.core.management import execute_from_command_line

    execute_from_command_line(["ecglens manage", *arguments])


def _metrics_folder() -> Path:
    """Where the processes of this machine put their counts together, empty at the start."""
    folder = private_folder(private_folder(load_settings().data_dir) / "metrics" / socket.gethostname())
    for old in folder.glob("*.db"):
        old.unlink()
    return folder


def _set_up() -> None:
    """Load the site, or say in one sentence which setting cannot be used; what is written is for its owner only."""
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecglens.web.project.settings")
    import django

    django.setup()


def _check_database() -> None:
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
    except DatabaseError as error:
        why = without_secrets(str(error).strip().splitlines()[0])
        raise SettingsError(f"Expected a database that answers at DATABASE_URL, but it does not: {why}") from error


def _bring_up_to_date() -> None:
    from django.core.management import call_command
    from django.db import connection, connections

    if connection.vendor == "sqlite":
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
    connections.close_all()


def _keeper(count: int) -> "subprocess.Popen[bytes]":
    alone = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    command = f"from {__name__} import keep_working; keep_working({count})"
    return subprocess.Popen([sys.executable, "-c", command], env=alone)


def _worker() -> "subprocess.Popen[bytes]":
    """In a group of its own, so that Ctrl+C reaches it through its keeper, after the page that it is at.

    Not in a session of its own: Linux shares the processor among sessions first, and its niceness would not count.
    """
    return subprocess.Popen([sys.executable, "-c", f"from {__name__} import work; work()"], process_group=0)


def _end(worker: "subprocess.Popen[bytes]") -> None:
    try:
        worker.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _check_address(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise SettingsError(
            f"Expected an address that is free to listen on, found {host} port {port} taken or not of this machine; "
            "choose another with --host and --port."
        ) from error

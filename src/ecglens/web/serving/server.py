"""gunicorn that serves the site, and worker processes beside it."""

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from ecglens.errors import SettingsError
from ecglens.settings import load_settings
from ecglens.web.http.log_redaction import redact_secrets
from ecglens.web.serving.ballast import Ballast
from ecglens.web.serving.connections import GRACE_S

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["run_command", "run_worker", "run_worker_process", "serve", "supervise_workers"]

_MAX_PROCESSES = 2
_TIMEOUT_S = 60
"""Time without a sign of life after which a serving process is replaced."""
_KEEP_ALIVE_S = 30
"""Longer than people look at a page, and than proxies wait between two requests."""
_MEMORY = Path("/dev/shm")
_METRICS, _METRICS_LOCK = "ecglens-metrics-", "main.lock"
_WATCH_S = 0.5
_STOP_S = 5.0
_PAGE_S = 50.0
"""Time that a worker without a site has for its page when it is stopped; its container gets 60 s."""
_OLD_UPLOAD_S = 3600.0
"""Age of files of uploads that were interrupted; Django writes such a file within minutes of receiving it."""


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, options: dict[str, Any], workers: "_Workers") -> None:
        self._options, self._workers = options, workers
        super().__init__()

    def run(self) -> None:
        _Arbiter(self, self._workers).run()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application

        from ecglens.web.serving.site import Site

        return Site(get_wsgi_application(), Path(settings.FILE_UPLOAD_TEMP_DIR))


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """The main process of gunicorn, which also replaces the supervisor of the workers and looks after the disk."""

    def __init__(self, server: _Server, workers: "_Workers") -> None:
        self._measuring, self._ballast = workers, Ballast(load_settings().data_dir)
        super().__init__(server)

    def manage_workers(self) -> None:
        super().manage_workers()
        self._measuring.ensure()
        self._ballast.adjust()

    def handle_int(self) -> None:
        """Stop as at SIGTERM; gunicorn would send SIGQUIT, which its asynchronous workers do not obey."""
        self.handle_term()


class _Workers:
    """So many workers, and a process that replaces those that end."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._supervisor: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        """Start the supervisor unless it runs."""
        if self._count and (self._supervisor is None or self._supervisor.poll() is not None):
            self._supervisor = _start_supervisor(self._count)

    def stop(self) -> None:
        if self._supervisor is not None:
            self._supervisor.terminate()
            self._supervisor.wait()


def serve(
    host: str, port: int, *, ready: Callable[[], None], processes: int | None = None, workers: int | None = None
) -> None:
    """Serve until stopped.

    A database in a file is migrated first; one on a server is not, as several machines may use it.

    The site is loaded before the serving processes are forked, so that they share its memory. Each of them loads the
    models, since the threads of ONNX Runtime do not survive a fork.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        ready: Called once the address responds.
        processes: Number of serving processes; by default two, or one on a machine with one core.
        workers: Number of worker processes, which measure and explain; the number in the settings by default.

    Raises:
        SettingsError: The address cannot be listened on, or the database does not respond.
    """
    _check_address(host, port)
    with _metrics_folder():
        _allow_many_connections()
        _set_up()
        _check_database()
        _delete_old_uploads()
        options = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": processes or min(_MAX_PROCESSES, os.cpu_count() or 1),
            "worker_class": "ecglens.web.serving.connections.SiteWorker",
            "timeout": _TIMEOUT_S,
            "keepalive": _KEEP_ALIVE_S,
            "graceful_timeout": GRACE_S,
            "preload_app": True,
            "loglevel": "warning",
            "when_ready": lambda server: ready(),
        }
        with _run_workers(load_settings().worker_processes if workers is None else workers) as measuring:
            _Server(options, measuring).run()


def supervise_workers(
    count: int, parent: int | None = None, *, patience_s: float = _STOP_S, interruptible: bool = False
) -> None:
    """Run so many workers, each in a process of its own, until stopped or until the parent process ends.

    A worker that ends is replaced, so that one bad page does not stop the site.

    Args:
        count: Number of workers.
        parent: Process whose end stops them; by default, the one that started this one.
        patience_s: Time that a worker has for its page when all are stopped.
        interruptible: Whether Ctrl+C stops them; otherwise another process passes it on.
    """
    parent, workers = parent or os.getppid(), [_start_worker() for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, (lambda *_: sys.exit(0)) if interruptible else signal.SIG_IGN)
    try:
        while os.getppid() == parent:
            workers = [worker if worker.poll() is None else _start_worker() for worker in workers]
            time.sleep(_WATCH_S)
    finally:
        for worker in workers:
            worker.terminate()
        end = time.monotonic() + patience_s
        for worker in workers:
            _stop(worker, max(0.0, end - time.monotonic()))


def run_worker() -> None:
    """Measure and explain until stopped, in a process that is replaced when it hangs.

    Raises:
        SettingsError: A setting cannot be used, or the database does not respond or has not the tables of this version.
    """
    _set_up()
    _check_database()
    supervise_workers(1, patience_s=_PAGE_S, interruptible=True)


def run_worker_process(parent: int) -> None:
    """Measure and explain in this process, until it is stopped or the parent process is gone."""
    _set_up()
    from ecglens.web.operations.worker import run_tasks

    run_tasks(parent=parent)


def run_command(arguments: list[str]) -> None:
    """Run one of Django's commands."""
    _set_up()
    from django.core.management import execute_from_command_line

    execute_from_command_line(["ecglens manage", *arguments])


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Have a folder in which the processes of the site add up their counts, with a name that nobody can foresee.

    Its files are mapped into memory, where a full disk would end the process that writes to them; so they are in memory
    where the system has such a folder.
    """
    parent, main = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir()), os.getpid()
    _delete_old_metrics(parent)
    folder, lock = _create_metrics_folder(parent)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == main:  # a serving process, which was forked within the block, leaves it too
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _create_metrics_folder(parent: Path) -> tuple[str, int]:
    """Create the folder, and return it with its lock, which ends with this process."""
    while True:
        folder = tempfile.mkdtemp(prefix=_METRICS, dir=parent)
        lock = os.open(Path(folder) / _METRICS_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if Path(folder).exists():
            return folder, lock
        os.close(lock)  # another site that starts was faster


def _delete_old_metrics(parent: Path) -> None:
    """Delete folders of main processes that were killed: their locks are free.

    The lock is of a kind that serving processes do not inherit; those end by themselves when the main process is gone.
    """
    for folder in parent.glob(f"{_METRICS}*"):
        with contextlib.suppress(OSError):  # it belongs to another user, is in use, or was just deleted
            lock = os.open(folder / _METRICS_LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.lstat().st_uid == os.getuid():
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@contextmanager
def _run_workers(count: int) -> Iterator[_Workers]:
    workers, main = _Workers(count), os.getpid()
    workers.ensure()
    try:
        yield workers
    finally:
        if os.getpid() == main:
            workers.stop()


def _allow_many_connections() -> None:
    """Raise the number of files that a process may have open to what the system allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _set_up() -> None:
    """Load the site; files that it writes are readable by their owner only.

    Raises:
        SettingsError: A setting cannot be used.
    """
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecglens.web.project.settings")
    import django

    django.setup()


def _check_database() -> None:
    """Check that the database responds and has the tables of this version; a database in a file is given them."""
    from django.core.management import call_command
    from django.db import DatabaseError, connection, connections

    is_file = connection.vendor == "sqlite"
    try:
        connection.ensure_connection()
        if is_file:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("createcachetable", verbosity=0)
    except DatabaseError as error:
        reason = redact_secrets(str(error).strip().splitlines()[0])
        if is_file:
            raise SettingsError(
                f"Expected the database of ecglens in the file '{connection.settings_dict['NAME']}', got “{reason}”; "
                "restore a backup, or move the file away to start an empty one."
            ) from error
        raise SettingsError(
            f"Expected a database that responds at ECGLENS_DATABASE_URL, got “{reason}”; start it, or correct the "
            "address."
        ) from error
    if not is_file and not _has_tables(connection):
        raise SettingsError(
            "Expected the tables of this version in the database at ECGLENS_DATABASE_URL, got none or older ones; make "
            "a backup if there is data, then run: ecglens manage migrate && ecglens manage createcachetable"
        )
    connections.close_all()


def _has_tables(connection: "BaseDatabaseWrapper") -> bool:
    from django.conf import settings
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    has_cache = settings.CACHES["default"]["LOCATION"] in connection.introspection.table_names()
    return has_cache and not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _delete_old_uploads() -> None:
    """Delete uploads that were interrupted when the site was killed, but none that another machine still receives."""
    from django.conf import settings

    before = time.time() - _OLD_UPLOAD_S
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _start_supervisor(count: int) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    command = f"from {__name__} import supervise_workers; supervise_workers({count}, {os.getpid()})"
    return subprocess.Popen([sys.executable, "-c", command], env=environment)


def _start_worker() -> "subprocess.Popen[bytes]":
    """Start a worker in a process group of its own, so that Ctrl+C stops it after its page, through the supervisor.

    It has no session of its own: Linux shares the processor among sessions first, and its niceness would not count.
    """
    command = f"from {__name__} import run_worker_process; run_worker_process({os.getpid()})"
    return subprocess.Popen([sys.executable, "-c", command], process_group=0)


def _stop(worker: "subprocess.Popen[bytes]", patience_s: float) -> None:
    try:
        worker.wait(patience_s)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _check_address(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except socket.gaierror as error:
        raise SettingsError(
            f"Expected the name or address of this machine to listen on, got {host}, which is unknown; choose another "
            "with --host."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"Expected a free address of this machine to listen on, got {host} port {port}, which is in use or belongs "
            "to another machine; choose another with --host and --port."
        ) from error

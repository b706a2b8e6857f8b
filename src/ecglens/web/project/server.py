"""gunicorn around the site."""

import os
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from ecglens.errors import SettingsError

__all__ = ["serve"]

_THREADS = 2
_MAX_WORKERS = 2
_TIMEOUT_S = 60


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


def serve(host: str, port: int, *, ready: Callable[[], None]) -> None:
    """Serve until stopped.

    The site is loaded before the workers are made, so that all of them share one secret key. Models are loaded by the
    workers, since the threads of ONNX Runtime do not survive the making of a worker.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        ready: Called once the address answers.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    _check_address(host, port)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = {
        "bind": address,
        "workers": min(_MAX_WORKERS, os.cpu_count() or 1),
        "threads": _THREADS,
        "worker_class": "gthread",
        "timeout": _TIMEOUT_S,
        "preload_app": True,
        "loglevel": "warning",
        "when_ready": lambda server: ready(),
    }
    _Server(options).run()


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

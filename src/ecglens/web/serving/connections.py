"""Connections of the site: those that send no request in time are closed."""

import asyncio
import logging
import os
import signal
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]  # it ships no types

from ecglens.errors import EcgLensError
from ecglens.reading import load_runtime

__all__ = ["GRACE_S", "HEADERS_S", "NOTIFY_S", "SiteWorker"]

_LOG = logging.getLogger(__name__)
HEADERS_S = 10.0
"""Time in s for the headers of a request; a phone with a bad connection sends them within 2 s."""
NOTIFY_S = 5
"""Time in s between two signs of life for the main process."""
GRACE_S = 8
"""Time in s for requests that are being answered when the site is stopped; containers get 10 s."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 connection that is closed when the headers of a request take too long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones of another request on an idle connection start the timer again."""
        if self._is_between_requests() and self._headers_timer is None:
            self._start_timer()
        super().data_received(data)
        if not self._is_between_requests():
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _should_upgrade(self) -> bool:
        return False  # there are no web sockets, and no reason to log advice on them

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        self._headers_timer = self.loop.call_later(HEADERS_S, self._close_if_idle)

    def _stop_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _close_if_idle(self) -> None:
        self._headers_timer = None
        if self._is_between_requests():
            self.transport.close()


class SiteWorker(UvicornWorker):  # type: ignore[misc]  # uvicorn_worker ships no types
    """Serving process of gunicorn whose connections have time limits; it ends when the main process is gone."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "http": TimedProtocol,
        "interface": "asgi3",
        "lifespan": "off",
        "loop": "asyncio",
        "proxy_headers": False,  # Django and allauth count the proxies of the settings
        "server_header": False,
        "timeout_notify": NOTIFY_S,
        "timeout_graceful_shutdown": GRACE_S,
        "ws": "none",
    }

    def load_wsgi(self) -> None:
        """Load the site and its default model, before there are threads that share the memory limit of loading."""
        super().load_wsgi()
        try:
            load_runtime(None)
        except EcgLensError as error:  # an upload that asks for it gets this error
            _LOG.warning("The default model cannot be used: %s", error.detail)

    async def callback_notify(self) -> None:
        """Report to the main process that this one responds, or end when that one is gone."""
        if os.getppid() != self.ppid:
            os.kill(os.getpid(), signal.SIGTERM)
        self.notify()

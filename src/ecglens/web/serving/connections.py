"""Connections of the site: those that send no request in time are closed, and costly ones wait for the others."""

import asyncio
import logging
import os
import signal
import time
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
_PIECE_BYTES = 1 << 10
"""Number of bytes of headers or chunks that are parsed at once."""
_PIECE_S = 0.001
"""CPU time that a piece of headers may cost; those of a browser cost 3e-4 s."""
_BYTE_S = 4e-8
"""CPU time that a byte in a chunk may cost: 2e-8 s in chunks of 4 KB, 6e-6 s in chunks of one byte."""
_COSTLY_SHARE = 0.2
"""Share of a processor that all costly connections together get, so that others are answered meanwhile."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 connection that is closed when the headers of a request take too long.

    A body in chunks of one byte costs hundreds of times as much as others. Bodies in chunks wait while such ones have
    used up their share of the processor.
    """

    _costly_until: ClassVar[float] = 0.0
    """Monotonic time until which costly connections have used up their share."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._unparsed = bytearray()
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones of another request on an idle connection start the timer again."""
        if self._is_between_requests() and self._headers_timer is None:
            self._start_timer()
        self._unparsed += data
        if self._pause is None:
            self._parse()
        else:
            self.transport.pause_reading()  # uvicorn had it resumed
        if not self._is_between_requests():
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timer()
        if self._pause is not None:
            self._pause.cancel()
        super().connection_lost(exc)

    def _parse(self) -> None:
        """Parse what was received, until it has cost too much."""
        while self._unparsed:
            is_body = not self._is_between_requests()
            has_chunks = is_body and any(name == b"transfer-encoding" for name, _ in self.headers)
            wait_s = TimedProtocol._costly_until - time.monotonic()
            if has_chunks and wait_s > 0:
                self.transport.pause_reading()
                self._pause = self.loop.call_later(wait_s, self._continue)
                return
            length = _PIECE_BYTES if has_chunks or not is_body else len(self._unparsed)
            piece = bytes(self._unparsed[:length])
            del self._unparsed[:length]
            start = time.thread_time()
            super().data_received(piece)
            if self.transport.is_closing():  # after an error, nothing that follows is a request
                self._unparsed.clear()
            self._charge(time.thread_time() - start - _BYTE_S * len(piece) - (0.0 if is_body else _PIECE_S))

    def _charge(self, excess_s: float) -> None:
        """Let costly connections wait for CPU time above what is allowed."""
        if excess_s > 0:
            start = max(time.monotonic(), TimedProtocol._costly_until)
            TimedProtocol._costly_until = start + excess_s / _COSTLY_SHARE

    def _continue(self) -> None:
        self._pause = None
        if not self.transport.is_closing():
            self._parse()
        if self._pause is None and not self.flow.read_paused:
            self.transport.resume_reading()

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

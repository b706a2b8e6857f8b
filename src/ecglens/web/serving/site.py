"""The site as an ASGI application: health at once, uploads checked and queued, and Django in threads behind it."""

import asyncio
import io
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.db import close_old_connections

from ecglens.web.http.guards import HEADERS
from ecglens.web.http.later import IN_PARTS, Later
from ecglens.web.http.uploads import BUSY, CALLER, FORM_BYTES, LIMIT, PREFLIGHT
from ecglens.web.serving.admission import Busy, FairQueue
from ecglens.web.serving.bodies import (
    BodyTooLargeError,
    BodyTooSlowError,
    NoRoomError,
    Receive,
    SenderLeftError,
    drop_body,
    receive_body,
)
from ecglens.web.serving.bridge import Response, Send, WsgiApp, build_environ, run_wsgi, send_response
from ecglens.web.serving.live import LiveStreams
from ecglens.web.serving.upload_threads import UploadThreads, give_way

__all__ = ["Site"]

_LOG = logging.getLogger(__name__)
_UPLOADS_AT_ONCE = 2
"""Uploads that a serving process reads at the same time."""
_UPLOADS_AT_ONCE_EACH = 1
"""Uploads of one person that a serving process reads at the same time: slow pages of one leave a place for others."""
_WAITING_UPLOADS = 64
_WAITING_UPLOADS_EACH = 8
"""A person who selects more files sends them one after the other; a program waits as long as ``Retry-After`` says."""
_RECEIVED_EACH = 8
"""Uploads of one person that arrive at the same time."""
_LATER_AT_ONCE = 1
"""Second parts of responses that a serving process makes at the same time; first parts come before them."""
_WAITING_LATER = 8
"""Each holds a page in memory twice, as it was decoded and as it was read: some 80 MB for a photo of 12 megapixels."""
_WAITING_LATER_EACH = 4
_REQUESTS_AT_ONCE = 8
"""Other requests that a serving process answers at the same time."""
_WAITING_REQUESTS = 512
_CHECKS_AT_ONCE = 2
_EVERYBODY = ""
_RETRY_S = 10
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in {**HEADERS, "Cache-Control": "no-store"}.items()]
_TEXT = [*_HEADERS, (b"content-type", b"text/plain; charset=utf-8")]
_JSON = [*_HEADERS, (b"content-type", b"application/json; charset=utf-8")]
_HEALTH = {"/healthz": (_TEXT, b"ok\n"), "/api/v1/health": (_JSON, b'{"status": "ok"}')}
_READY = ("/readyz", "/api/v1/ready")


class _UnclearLengthError(Exception):
    """A body has two lengths."""


class Site:
    """The site in one serving process.

    Whether it is alive is answered without Django. The body of an upload is received only after Django has checked,
    from the headers alone, that its sender may upload; it waits in a queue in which each person has the same share, and
    is dropped there when its sender leaves.

    Args:
        django: Django's WSGI application.
        folder: Folder for large bodies while they arrive.
    """

    def __init__(self, django: WsgiApp, folder: Path) -> None:
        self._django, self._folder = django, folder
        self._uploads = FairQueue(_UPLOADS_AT_ONCE, _WAITING_UPLOADS, _WAITING_UPLOADS_EACH, _UPLOADS_AT_ONCE_EACH)
        self._requests = FairQueue(_REQUESTS_AT_ONCE, _WAITING_REQUESTS, _WAITING_REQUESTS)
        self._later = FairQueue(_LATER_AT_ONCE, _WAITING_LATER, _WAITING_LATER_EACH)
        self._arriving: Counter[str] = Counter()
        self._later_threads = ThreadPoolExecutor(_LATER_AT_ONCE, "later", initializer=give_way)
        self._upload_threads = UploadThreads()
        self._threads = ThreadPoolExecutor(_REQUESTS_AT_ONCE, "request")
        self._check_threads = ThreadPoolExecutor(_CHECKS_AT_ONCE, "check")
        self._live = LiveStreams(django, self._check_threads)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._live.matches(scope):
            await self._live.answer(scope, receive, send)
            return
        try:
            response = await self._respond(scope, receive)
        except SenderLeftError:
            return
        except _UnclearLengthError:
            response = _plain(400, b"The request has two lengths; send one.\n")
        except BodyTooSlowError:
            response = _plain(408, b"The request took too long; send it again over a better connection.\n")
        except Busy:
            response = _plain(503, b"Many people use the site at the moment; try again in a few seconds.\n")
        except NoRoomError as error:
            _LOG.error("A request could not be stored while it arrived: %s", error)
            response = _plain(507, b"The disk is full; try again later, or tell the site's operator.\n")
        if response.later is None:
            await send_response(response, send)
            return
        with suppress(SenderLeftError):
            await send_response(response, send, partial(self._make_later, response.later, receive))

    async def _make_later(self, later: Later, receive: Receive) -> bytes:
        """Make the second part of a response when it is the caller's turn, unless the reader leaves before."""
        run = asyncio.get_running_loop().run_in_executor
        try:
            await _wait_for_turn(self._later, later.caller, receive)
        except Busy:
            return await run(self._check_threads, later.refuse)
        try:
            return await run(self._later_threads, _run_later, later)
        finally:
            self._later.leave(later.caller)

    async def _respond(self, scope: Mapping[str, Any], receive: Receive) -> Response:
        path, is_read = scope["path"], scope["method"] in ("GET", "HEAD")
        if is_read and path in _HEALTH:
            headers, text = _HEALTH[path]
            return Response(200, headers, io.BytesIO(text))
        length = _read_length(scope)
        if length is None or length > FORM_BYTES:
            return await self._respond_to_upload(scope, receive, length)
        body, length = await receive_body(receive, FORM_BYTES)
        with body:
            if is_read and path in _READY:
                return await run_wsgi(self._django, build_environ(scope, body, length), self._check_threads)
            return await self._run_in_turn(scope, receive, (body, length), _EVERYBODY)

    async def _respond_to_upload(self, scope: Mapping[str, Any], receive: Receive, length: int | None) -> Response:
        response, environ = await self._run_check(scope, length or 0, PREFLIGHT, True)
        if CALLER not in environ:
            await _drop_unless_expected(scope, receive)
            return response
        response.body.close()
        caller = str(environ[CALLER])
        if self._arriving[caller] >= _RECEIVED_EACH:
            await _drop_unless_expected(scope, receive)
            return (await self._run_check(scope, 0, BUSY, "own"))[0]
        try:
            with self._count_arriving(caller):
                body, length = await receive_body(receive, environ[LIMIT], self._folder)
            with body:
                return await self._run_in_turn(scope, receive, (body, length), caller)
        except BodyTooLargeError as error:
            if error.has_more:
                await drop_body(receive)
            return (await self._run_check(scope, environ[LIMIT] + 1, PREFLIGHT, True))[0]
        except Busy as busy:
            return (await self._run_check(scope, 0, BUSY, "own" if busy.is_own else "others"))[0]

    async def _run_check(
        self, scope: Mapping[str, Any], length: int, variable: str, value: object
    ) -> tuple[Response, dict[str, Any]]:
        """Let Django respond to the headers of a request; it writes what it found into the variables."""
        environ = build_environ(scope, io.BytesIO(), length, **{variable: value})
        return await run_wsgi(self._django, environ, self._check_threads), environ

    async def _run_in_turn(
        self, scope: Mapping[str, Any], receive: Receive, body: tuple[IO[bytes], int], caller: str
    ) -> Response:
        """Run Django when it is the caller's turn, unless the sender leaves before."""
        queue, threads = (self._uploads, self._upload_threads) if caller else (self._requests, self._threads)
        await _wait_for_turn(queue, caller, receive)
        try:
            content, length = body
            return await run_wsgi(self._django, build_environ(scope, content, length, **{IN_PARTS: True}), threads)
        finally:
            queue.leave(caller)

    @contextmanager
    def _count_arriving(self, caller: str) -> Iterator[None]:
        """Count an upload of a caller while it arrives."""
        self._arriving[caller] += 1
        try:
            yield
        finally:
            self._arriving[caller] -= 1
            self._arriving += Counter()  # drops callers without uploads


def _read_length(scope: Mapping[str, Any]) -> int | None:
    """Return the length of a body; ``None`` where only its end tells it.

    Raises:
        _UnclearLengthError: There are two lengths, of which a proxy may believe the other one.
    """
    headers = dict(scope["headers"])
    if b"transfer-encoding" not in headers:
        return int(headers.get(b"content-length", b"0"))
    if b"content-length" in headers:
        raise _UnclearLengthError
    return None


async def _wait_for_turn(queue: FairQueue, caller: str, receive: Receive) -> None:
    """Wait for a place in a queue.

    Raises:
        SenderLeftError: The connection was closed before.
        Busy: Too many requests wait already.
    """
    turn = asyncio.ensure_future(queue.enter(caller))
    gone = asyncio.ensure_future(_wait_until_gone(receive))
    try:
        await asyncio.wait({turn, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not turn.done():
            raise SenderLeftError
        turn.result()
    finally:
        gone.cancel()
        turn.cancel()


async def _wait_until_gone(receive: Receive) -> None:
    """Wait until the sender of a request, whose body has arrived, closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def _drop_unless_expected(scope: Mapping[str, Any], receive: Receive) -> None:
    """Drop the body of a refused request, unless its sender waits with it for permission."""
    if dict(scope["headers"]).get(b"expect", b"").lower() != b"100-continue":
        await drop_body(receive)


def _run_later(later: Later) -> bytes:
    """Return the second part of a response, made over connections to the database as fresh as those of a request."""
    close_old_connections()
    try:
        return later.run()
    finally:
        close_old_connections()


def _plain(status: int, text: bytes) -> Response:
    headers = [*_TEXT, (b"connection", b"close"), (b"retry-after", str(_RETRY_S).encode())]
    return Response(status, headers, io.BytesIO(text))

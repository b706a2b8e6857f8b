"""Live ECGs in front of Django: packets are received and results sent for as long as a stream lasts.

Django says who may, from the headers alone, and stores that a stream begins and ends. Everything else is files in the
folder of the session, which every serving process reads: viewers need not be where the stream arrives.
"""

import asyncio
import io
import json
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ecglens.documents import parse_json
from ecglens.errors import EcgLensError
from ecglens.settings import load_settings
from ecglens.streams import StreamInfo
from ecglens.streams.pace import Budget
from ecglens.streams.tailing import Tail
from ecglens.web.http.guards import HEADERS
from ecglens.web.serving.bodies import Receive, SenderLeftError
from ecglens.web.serving.bridge import Response, Send, WsgiApp, build_environ, run_wsgi, send_response
from ecglens.web.streams.folders import SessionBusyError, find_places, lock_session
from ecglens.web.streams.places import NoPlaceError, Places
from ecglens.web.streams.receiving import NO_ROOM, Lines, Receiver, StreamRefusedError, create_account_budget
from ecglens.web.streams.views import ACCOUNT, ASK, FOLDER

__all__ = ["LiveStreams"]

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_PATH = re.compile(r"/streams/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/(live|events)")
_SILENCE_S = 30.0
"""Time without a byte after which a sender is gone; senders give a sign of life every 5 s."""
_INFO_S = 10.0
"""Time for the whole description, which is the first line."""
_ASK_S = 5.0
"""Interval at which Django is asked whether a stream may go on, and whether its account has room for the recording."""
_LONGEST_WAIT_S = 2.0
"""Time after which a sender that is slowed down is looked after again."""
_DROP_S = 2.0
"""Time for which more of a refused stream is dropped, so that its sender reads the reason."""
_LOOK_S = 0.05
"""Interval at which viewers get what is new."""
_CHECK_S = 30.0
"""Interval at which Django is asked whether a viewer still may."""
_PING_S = 10.0
_SEND_S = 30.0
_MAX_STREAMS, _MAX_VIEWERS = 64, 256
"""Streams and viewers of a serving process."""
_VIEWERS_EACH = 16
"""Windows in which an account may watch at a time, in all serving processes together."""
_TEXT = [(name.lower().encode(), value.encode()) for name, value in {**HEADERS, "Cache-Control": "no-store"}.items()]
_EVENTS = [*_TEXT, (b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
_PROBLEM = [*_TEXT, (b"content-type", b"application/problem+json")]


class LiveStreams:
    """Streams and viewers of one serving process.

    Args:
        django: Django's WSGI application.
        checks: Threads in which Django answers.
    """

    def __init__(self, django: WsgiApp, checks: Executor) -> None:
        self._django, self._checks = django, checks
        self._work = ThreadPoolExecutor(2, "stream")
        self._streams = self._viewers = 0
        self._sender_places, self._viewer_places = Places(find_places("senders")), Places(find_places("viewers"))
        self._budgets: dict[int, Budget] = {}

    def matches(self, scope: Mapping[str, Any]) -> bool:
        """Return whether a request is for a live stream."""
        matched = _PATH.fullmatch(scope["path"])
        return matched is not None and scope["method"] == ("POST" if matched[2] == "live" else "GET")

    async def answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Receive or send a stream until its end."""
        matched = _PATH.fullmatch(scope["path"])
        assert matched is not None
        if matched[2] == "live":
            if self._streams >= _MAX_STREAMS:
                await send_response(_problem(503, "Many streams arrive at the moment; try again later."), send)
                return
            self._streams += 1
            try:
                await self._receive(scope, receive, send)
            finally:
                self._streams -= 1
            return
        if self._viewers >= _MAX_VIEWERS:
            await send_response(_problem(503, "Many people watch at the moment; try again later."), send)
            return
        self._viewers += 1
        try:
            await self._let_watch(scope, receive, send)
        finally:
            self._viewers -= 1

    async def _ask(self, scope: Mapping[str, Any], **ask: Any) -> tuple[Response, dict[str, Any]]:
        environ = build_environ(scope, io.BytesIO(), 0, **{ASK: ask})
        return await run_wsgi(self._django, environ, self._checks), environ

    async def _receive(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        response, environ = await self._ask(scope, event="check")
        if response.status != 204 or dict(scope["headers"]).get(b"content-length") == b"0":
            await send_response(response, send)  # a refusal, or the answer to who only asks
            return
        response.body.close()
        limit = load_settings().streams
        try:
            with self._sender_places.hold(environ[ACCOUNT], limit):
                response = await self._take_stream(scope, receive, environ[ACCOUNT])
        except NoPlaceError:
            response = _problem(
                429, f"Expected at most {limit} streams of an account at a time, got one more; end another one first."
            )
        except SessionBusyError:
            response = _problem(409, "Another connection sends this stream; wait until it has ended.")
        except StreamRefusedError as error:
            response = _problem(error.status, str(error))
        except EcgLensError as error:
            response = _problem(422, str(error))
        except OSError as error:
            _LOG.error("A stream cannot be stored: %s", error)
            response = _problem(507, NO_ROOM)
        except SenderLeftError:
            return
        if response.status == 200:
            await send_response(response, send)
        else:
            await _refuse(response, receive, send)

    async def _take_stream(self, scope: Mapping[str, Any], receive: Receive, account: int) -> Response:
        """Take a stream until it ends, and return the response to its sender.

        Raises:
            SenderLeftError: The sender is gone; it may come back.
            StreamRefusedError: The stream does not go on.
            EcgLensError: Its description cannot be used.
            SessionBusyError: Another connection sends the session.
            OSError: Its folder cannot be written to.
        """
        lines, body = Lines(), _Body(receive)
        info = await self._read_info(lines, body)
        response, environ = await self._ask(scope, event="begins", info=info.to_dict() | {"leads": info.leads})
        if response.status != 204:
            return response
        response.body.close()
        folder = Path(environ[FOLDER])
        budget = self._find_budget(account)
        with lock_session(folder):
            receiver = await self._run(Receiver, info, folder, lines, budget)
            try:
                await self._take_all(scope, body, receiver)
            finally:
                await self._run(receiver.close)
                (await self._ask(scope, event="ends" if receiver.is_ended else "breaks off"))[0].body.close()
        return Response(200, [*_TEXT, (b"content-type", b"application/json")], io.BytesIO(b"{}"))

    def _find_budget(self, account: int) -> Budget:
        """Return the budget of an account, which outlives its connections; full ones of others are dropped."""
        self._budgets = {key: each for key, each in self._budgets.items() if key == account or not each.is_full}
        return self._budgets.setdefault(account, create_account_budget())

    async def _read_info(self, lines: Lines, body: "_Body") -> StreamInfo:
        """Return the description of a stream.

        Raises:
            SenderLeftError: The sender is gone.
            StreamRefusedError: It does not come in time, or is too long.
            StreamError: Something else comes first.
        """
        try:
            async with asyncio.timeout(_INFO_S):
                while (info := await self._run(lines.read_info, await body.receive())) is None:
                    continue
        except TimeoutError as error:
            raise StreamRefusedError(
                408, f"Expected a line of type info within {_INFO_S:g} s, got none; describe the stream first."
            ) from error
        return info

    async def _take_all(self, scope: Mapping[str, Any], body: "_Body", receiver: Receiver) -> None:
        """Take everything that arrives until the stream ends, no faster than it may be.

        Raises:
            SenderLeftError: The sender is gone.
            StreamRefusedError: The stream does not go on.
        """
        part, checked_s = b"", time.monotonic()
        while True:
            wait_s = await self._run(receiver.take, part)
            if receiver.is_ended:
                return
            if time.monotonic() - checked_s > _ASK_S:
                await self._ask_to_go_on(scope, receiver)
                checked_s = time.monotonic()
            if wait_s or receiver.is_waiting:
                await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))
                part = b""
            else:
                part = await body.receive()

    async def _ask_to_go_on(self, scope: Mapping[str, Any], receiver: Receiver) -> None:
        """Ask Django whether a stream may go on, and whether its account has room for more of the recording.

        A site whose database does not respond goes on with its streams.

        Raises:
            StreamRefusedError: It may not: its token was revoked, or it was deleted.
        """
        response, _ = await self._ask(scope, event="goes on", is_recording=receiver.is_recording)
        sentence = _read_detail(_read_body(response))
        if response.status == 507:
            await self._run(receiver.stop_recording, sentence)
        elif 400 <= response.status < 500:
            raise StreamRefusedError(response.status, sentence)

    async def _run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run a function of a stream in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._work, function, *arguments)

    async def _let_watch(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        response, environ = await self._ask(scope, event="watch")
        if FOLDER not in environ:
            await send_response(response, send)
            return
        response.body.close()
        try:
            with self._viewer_places.hold(environ[ACCOUNT], _VIEWERS_EACH):
                await self._watch(scope, receive, send, Path(environ[FOLDER]))
        except NoPlaceError:
            detail = f"Expected at most {_VIEWERS_EACH} windows of an account, got one more; close another one first."
            await send_response(_problem(429, detail), send)

    async def _watch(self, scope: Mapping[str, Any], receive: Receive, send: Send, folder: Path) -> None:
        await _send(send, type="http.response.start", status=200, headers=_EVENTS)
        gone = asyncio.ensure_future(_wait_until_gone(receive))
        checked = pinged = time.monotonic()
        tail: Tail | None = None
        try:
            while not gone.done():
                content = b""
                if tail is None and (folder / "session.json").exists():
                    tail = await self._run(Tail, folder)
                    content += _event("info", json.dumps(tail.info.to_dict()))
                if tail is not None:
                    content += await self._run(_read_events, tail)
                now = time.monotonic()
                if now - checked > _CHECK_S:
                    checked = now
                    _, environ = await self._ask(scope, event="watch")
                    if FOLDER not in environ:  # logged out, or the stream was deleted
                        content += _event("end", "{}")
                        await _send(send, type="http.response.body", body=content, more_body=False)
                        return
                if not content and now - pinged > _PING_S:
                    content = b": still here\n\n"
                if content:
                    pinged = now
                    await _send(send, type="http.response.body", body=content, more_body=True)
                if tail is not None and not content and await self._run(_has_ended, folder):
                    await _send(send, type="http.response.body", body=_event("end", "{}"), more_body=False)
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(gone), _LOOK_S)
        except (TimeoutError, OSError):
            return  # the viewer takes nothing any more
        finally:
            gone.cancel()


class _Body:
    """The body of a request, as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._has_more = receive, True

    async def receive(self) -> bytes:
        """Return the next bytes.

        Raises:
            SenderLeftError: The connection is closed.
            StreamRefusedError: The body is over, although the stream has not ended, or nothing comes for a long time.
        """
        if not self._has_more:
            raise StreamRefusedError(
                422, 'Expected {"type": "end"} as the last line, got the end of the request; the stream can go on.'
            )
        try:
            message = await asyncio.wait_for(self._receive(), _SILENCE_S)
        except TimeoutError as error:
            raise StreamRefusedError(
                408,
                f"Expected an empty line every few seconds, got nothing for {_SILENCE_S:g} s; send the stream again.",
            ) from error
        if message["type"] == "http.disconnect":
            raise SenderLeftError
        self._has_more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


def _read_events(tail: Tail) -> bytes:
    """Return what is new as server-sent events."""
    parts = [
        _event("samples", json.dumps({"first": each.first, "uv": b64encode(each.content).decode()}))
        for each in tail.read_samples()
    ]
    return b"".join([*parts, *(_event("result", line.decode("utf-8", "replace")) for line in tail.read_results())])


def _has_ended(folder: Path) -> bool:
    from ecglens.streams.recording import read_session_info

    try:
        return read_session_info(folder).ended_s is not None
    except EcgLensError:
        return True  # it was deleted


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


def _problem(status: int, detail: str) -> Response:
    content = json.dumps({"type": "about:blank", "status": status, "detail": detail}).encode()
    return Response(status, [*_PROBLEM, (b"connection", b"close")], io.BytesIO(content))


def _read_body(response: Response) -> bytes:
    """Return the content of a response of Django, which is used up by that."""
    with response.body as body:
        body.seek(0)
        return body.read()


def _read_detail(content: bytes) -> str:
    """Return the sentence of a problem."""
    document = parse_json(content) if content.startswith(b"{") else None
    return str(document["detail"]) if isinstance(document, dict) and "detail" in document else NO_ROOM


async def _refuse(response: Response, receive: Receive, send: Send) -> None:
    """Send a refusal to a sender that is still sending; what it sends meanwhile is dropped.

    A connection that is closed with bytes that nobody has read would be reset, and the refusal lost.
    """
    content, headers = _read_body(response), dict(response.headers)
    headers |= {b"content-length": str(len(content)).encode(), b"connection": b"close"}
    with suppress(TimeoutError):  # the sender reads nothing
        await _send(send, type="http.response.start", status=response.status, headers=list(headers.items()))
        await _send(send, type="http.response.body", body=content, more_body=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_DROP_S):
                while (await receive())["type"] != "http.disconnect":
                    continue
        await _send(send, type="http.response.body", body=b"")


async def _send(send: Send, **message: Any) -> None:
    await asyncio.wait_for(send(message), _SEND_S)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue

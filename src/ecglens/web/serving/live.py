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
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from ecglens.errors import EcgLensError, StreamError
from ecglens.streams import Monitor, Recorder, StreamInfo
from ecglens.streams.json_lines import LineParser, LineSplitter
from ecglens.streams.packets import Message
from ecglens.streams.tailing import Tail
from ecglens.web.http.guards import HEADERS
from ecglens.web.serving.bodies import Receive, SenderLeftError
from ecglens.web.serving.bridge import Response, Send, WsgiApp, build_environ, run_wsgi, send_response
from ecglens.web.streams.folders import LIVE, RECORDING, STATE, SWITCH, SessionBusyError, lock_session
from ecglens.web.streams.views import ASK, FOLDER

__all__ = ["LiveStreams"]

_LOG = logging.getLogger(__name__)
_PATH = re.compile(r"/streams/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/(live|events)")
_SILENCE_S = 30.0
"""Time without a byte after which a sender is gone; senders give a sign of life every 5 s."""
_SAVE_S = 2.0
_LOOK_S = 0.05
"""Interval at which viewers get what is new."""
_CHECK_S = 30.0
"""Interval at which Django is asked whether a viewer still may."""
_PING_S = 10.0
_SEND_S = 30.0
_SEGMENT_S, _SEGMENTS = 30.0, 3
"""Length and number of the segments that viewers read."""
_MAX_STREAMS, _MAX_VIEWERS = 64, 256
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
                await self._receive(scope, receive, send, UUID(matched[1]))
            finally:
                self._streams -= 1
            return
        if self._viewers >= _MAX_VIEWERS:
            await send_response(_problem(503, "Many people watch at the moment; try again later."), send)
            return
        self._viewers += 1
        try:
            await self._watch(scope, receive, send)
        finally:
            self._viewers -= 1

    async def _ask(self, scope: Mapping[str, Any], **ask: Any) -> tuple[Response, dict[str, Any]]:
        environ = build_environ(scope, io.BytesIO(), 0, **{ASK: ask})
        return await run_wsgi(self._django, environ, self._checks), environ

    async def _receive(self, scope: Mapping[str, Any], receive: Receive, send: Send, pk: UUID) -> None:
        response, _ = await self._ask(scope, event="check")
        if response.status != 204 or dict(scope["headers"]).get(b"content-length") == b"0":
            await send_response(response, send)  # a refusal, or the answer to who only asks
            return
        response.body.close()
        lines = _Lines(receive)
        try:
            info = await lines.read_info()
            response, environ = await self._ask(scope, event="begins", info=info.to_dict() | {"leads": info.leads})
            if response.status != 204:
                await send_response(response, send)
                return
            response.body.close()
            folder = Path(environ[FOLDER])
            with lock_session(folder):
                is_ended = await self._take_all(lines, info, folder)
            if not is_ended:
                return  # the sender is gone; it may come back
            await self._ask(scope, event="ends")
            await send_response(
                Response(200, [*_TEXT, (b"content-type", b"application/json")], io.BytesIO(b"{}")), send
            )
        except SessionBusyError:
            await send_response(_problem(409, "Another connection sends this stream; wait until it has ended."), send)
        except EcgLensError as error:
            await send_response(_problem(422, str(error)), send)
        except (SenderLeftError, TimeoutError):
            return

    async def _take_all(self, lines: "_Lines", info: StreamInfo, folder: Path) -> bool:
        """Monitor and write everything that arrives, and return whether the sender ended the stream."""
        run = asyncio.get_running_loop().run_in_executor
        receiver = await run(self._work, _Receiver, info, folder)
        is_ended = False
        try:
            while not is_ended:
                try:
                    messages, is_ended = await lines.read()
                except (SenderLeftError, TimeoutError):
                    break
                await run(self._work, receiver.take, messages)
        finally:
            await run(self._work, receiver.close, is_ended)
        return is_ended

    async def _watch(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        response, environ = await self._ask(scope, event="watch")
        if FOLDER not in environ:
            await send_response(response, send)
            return
        response.body.close()
        folder, run = Path(environ[FOLDER]), asyncio.get_running_loop().run_in_executor
        await _send(send, type="http.response.start", status=200, headers=_EVENTS)
        gone = asyncio.ensure_future(_wait_until_gone(receive))
        checked = pinged = time.monotonic()
        tail: Tail | None = None
        try:
            while not gone.done():
                content = b""
                if tail is None and (folder / "session.json").exists():
                    tail = await run(self._work, Tail, folder)
                    content += _event("info", json.dumps(tail.info.to_dict()))
                if tail is not None:
                    content += await run(self._work, _read_events, tail)
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
                if tail is not None and not content and await run(self._work, _has_ended, folder):
                    await _send(send, type="http.response.body", body=_event("end", "{}"), more_body=False)
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(gone), _LOOK_S)
        except (TimeoutError, OSError):
            return  # the viewer takes nothing any more
        finally:
            gone.cancel()


class _Lines:
    """Messages of a request's body."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._splitter, self._parser = receive, LineSplitter(), LineParser()
        self._waiting: list[Message] = []
        self._is_ended = False

    async def read_info(self) -> StreamInfo:
        """Return the description, which comes first.

        Raises:
            StreamError: Something else comes first.
        """
        while not self._waiting and not self._is_ended:
            await self._fill()
        first = self._waiting.pop(0) if self._waiting else None
        if not isinstance(first, StreamInfo):
            raise StreamError("Expected a line of type info first, got something else; describe the stream.")
        return first

    async def read(self) -> tuple[list[Message], bool]:
        """Return the messages that have arrived, and whether the stream has ended."""
        if not self._waiting and not self._is_ended:
            await self._fill()
        messages, self._waiting = self._waiting, []
        return messages, self._is_ended

    async def _fill(self) -> None:
        message = await asyncio.wait_for(self._receive(), _SILENCE_S)
        if message["type"] == "http.disconnect":
            raise SenderLeftError
        for line in self._splitter.feed(message.get("body", b"")):
            if line is not None and line.strip() == b'{"type": "end"}':
                self._is_ended = True
                return
            parsed = self._parser.read(line)
            if parsed is not None:
                self._waiting.append(parsed)
        if not message.get("more_body", False) and not self._is_ended:
            raise SenderLeftError  # the body ended without an end of the stream


class _Receiver:
    """The monitor and the files of a session; used by one thread at a time."""

    def __init__(self, info: StreamInfo, folder: Path) -> None:
        self._folder, self._info = folder, info
        state = folder / STATE
        try:
            self._monitor = Monitor(info, state=state.read_bytes() if state.is_file() else None)
        except StreamError:
            _LOG.warning("The state of the stream %s cannot be read; it starts again", folder.name)
            self._monitor = Monitor(info)
        self._live = Recorder(folder / LIVE, info, segment_s=_SEGMENT_S, keep_segments=_SEGMENTS)
        self._recording: Recorder | None = None
        self._saved_s, self._looked_s = float("-inf"), time.monotonic()
        self._switch()

    def take(self, messages: list[Message]) -> None:
        """Monitor messages, and write what follows."""
        for message in messages:
            if isinstance(message, StreamInfo):
                continue
            try:
                stretches, results = self._monitor.feed(message)
            except StreamError as error:
                _LOG.warning("A packet of the stream %s was refused: %s", self._folder.name, error)
                continue
            self._live.write(stretches, results)
            if self._recording is not None:
                self._recording.write(stretches, results)
        now = time.monotonic()
        if now - self._looked_s > 1:
            self._looked_s = now
            self._switch()
        if now - self._saved_s > _SAVE_S:  # at once the first time, so that the count never starts again
            self._saved_s = now
            self._save()

    def close(self, is_ended: bool) -> None:
        """End the files; without an end of the stream, store the state to go on from."""
        if is_ended:
            stretches, results = self._monitor.finish()
            self._live.write(stretches, results)
            if self._recording is not None:
                self._recording.write(stretches, results)
            self._live.close()
        else:
            self._save()
        if self._recording is not None:
            self._recording.close()

    def _switch(self) -> None:
        """Start or stop recording, as its owner has said."""
        is_on = (self._folder / SWITCH).exists()
        if is_on and self._recording is None:
            self._recording = Recorder(self._folder / RECORDING, self._info)
        elif not is_on and self._recording is not None:
            self._recording.close()
            self._recording = None

    def _save(self) -> None:
        part = self._folder / f".{STATE}.part"
        part.write_bytes(self._monitor.save())
        part.chmod(0o600)
        part.replace(self._folder / STATE)


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


async def _send(send: Send, **message: Any) -> None:
    await asyncio.wait_for(send(message), _SEND_S)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue

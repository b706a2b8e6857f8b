"""JSON lines from TCP, WebSocket, serial lines and stdin."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import CancelledError
from typing import IO

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.json_lines import MAX_LINE_BYTES, LineParser, LineSplitter
from ecglens.streams.packets import Message
from ecglens.streams.sources.reconnecting import Retries, keep_connected

__all__ = ["read_file", "read_serial", "read_tcp", "read_websocket"]

_CHUNK_BYTES = 1 << 16
_CONNECT_S = 10.0


def read_tcp(host: str, port: int, *, retries: Retries | None = None) -> AsyncIterator[Message]:
    """Return the messages that a TCP server sends as JSON lines.

    Args:
        host: Name or address of the server.
        port: Its port.
        retries: How a lost connection is made again; for ever by default.
    """
    parser = LineParser()

    async def connect() -> AsyncGenerator[Message, None]:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port)
        try:
            splitter = LineSplitter()
            while part := await reader.read(_CHUNK_BYTES):
                for message in _read(parser, splitter.feed(part)):
                    yield message
            for message in _read(parser, splitter.finish()):
                yield message
        finally:
            writer.close()

    return keep_connected(connect, name=f"{host}:{port}", losses=(OSError, TimeoutError), retries=retries or Retries())


def read_websocket(url: str, *, retries: Retries | None = None) -> AsyncIterator[Message]:
    """Return the messages that a WebSocket server sends, each of one or more JSON lines.

    Args:
        url: Address, ``ws://`` or ``wss://``.
        retries: How a lost connection is made again; for ever by default.

    Raises:
        MissingExtraError: websockets is not installed.
    """
    client = require("websockets.asyncio.client", extra="stream")
    errors = require("websockets.exceptions", extra="stream")
    parser = LineParser()

    async def connect() -> AsyncGenerator[Message, None]:
        connection = await client.connect(url, max_size=4 * MAX_LINE_BYTES, open_timeout=_CONNECT_S)
        try:  # as a context, it would tell the server of an error wherever the reader leaves
            async for content in connection:
                data = content.encode() if isinstance(content, str) else content
                for message in _read(parser, _split(data)):
                    yield message
        finally:
            await connection.close()

    losses = (OSError, TimeoutError, errors.WebSocketException)
    return keep_connected(connect, name=url, losses=losses, retries=retries or Retries())


def read_serial(path: str, baud: int = 115_200, *, retries: Retries | None = None) -> AsyncIterator[Message]:
    """Return the messages of a serial line, as JSON lines.

    Args:
        path: Device, such as ``/dev/ttyUSB0`` or ``COM3``.
        baud: Speed in bits a second.
        retries: How a lost line is opened again; for ever by default.

    Raises:
        MissingExtraError: pyserial is not installed.
    """
    serial = require("serial", extra="stream")
    parser = LineParser()

    async def connect() -> AsyncGenerator[Message, None]:
        port = await asyncio.to_thread(serial.Serial, path, baud, timeout=0.2)
        splitter = LineSplitter()
        try:
            while True:
                part = await asyncio.to_thread(_read_port, port)
                for message in _read(parser, splitter.feed(part)):
                    yield message
        finally:
            port.close()

    return keep_connected(connect, name=path, losses=(OSError, serial.SerialException), retries=retries or Retries())


async def read_file(stream: IO[bytes] | None = None) -> AsyncIterator[Message]:
    """Yield the messages of a file or of stdin, as JSON lines, until its end.

    Args:
        stream: An open binary file; stdin by default.

    Raises:
        StreamError: It is closed or cannot be read.
    """
    if stream is None and sys.stdin is None:
        raise StreamError("Expected JSON lines from stdin, but it is closed; pipe the stream into the command.")
    parser, splitter = LineParser(), LineSplitter()
    async for part in _read_chunks(stream or sys.stdin.buffer):
        for message in _read(parser, splitter.feed(part)):
            yield message
    for message in _read(parser, splitter.finish()):
        yield message


async def _read_chunks(stream: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a file as they come.

    A thread that waits for a silent pipe cannot be ended: the process leaves it behind. So it reads past the lock of
    the file, which the process takes at its end.
    """
    loop, chunks = asyncio.get_running_loop(), asyncio.Queue[bytes | OSError](1)
    try:
        number = stream.fileno()
    except OSError:  # bytes in memory
        yield stream.read()
        return

    def read() -> None:
        part: bytes | OSError = b"-"
        while part and not isinstance(part, OSError):
            try:
                part = os.read(number, _CHUNK_BYTES)
            except OSError as error:
                part = error
            handing = chunks.put(part)
            try:
                asyncio.run_coroutine_threadsafe(handing, loop).result()
            except (RuntimeError, CancelledError):  # the loop has ended
                handing.close()
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while part := await chunks.get():
        if isinstance(part, OSError):
            raise StreamError(f"Expected JSON lines, but they cannot be read: {part.strerror}; check the pipe.")
        yield part


def _read_port(port: "object") -> bytes:
    waiting = getattr(port, "in_waiting", 0) or 1
    return bytes(port.read(min(waiting, _CHUNK_BYTES)))  # type: ignore[attr-defined]  # pyserial ships no types


def _split(data: bytes) -> list[bytes | None]:
    splitter = LineSplitter()
    return [*splitter.feed(data), *splitter.finish()]


def _read(parser: LineParser, lines: list[bytes | None]) -> Iterator[Message]:
    """Yield the message of each line; an empty one has none."""
    for line in lines:
        message = parser.read(line)
        if message is not None:
            yield message

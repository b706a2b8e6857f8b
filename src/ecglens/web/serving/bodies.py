"""Bodies of requests: received at the speed of their sender, under a limit, before any thread works on them."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any

__all__ = ["BodyTooLargeError", "BodyTooSlowError", "NoRoomError", "SenderLeftError", "drop_body", "receive_body"]

Receive = Callable[[], Awaitable[dict[str, Any]]]

_MEMORY_BYTES = 1 << 20
"""Bodies above this are put into a temporary file without a name, of which nothing stays after a crash."""
_PAUSE_S = 20.0
"""Time in s in which some bytes must arrive."""
_SLOWEST_BYTES_A_S = 1 << 10
"""Average speed that a body must have after its first minute; a page of 3 MB takes 50 min at it."""
_START_S = 60.0
_DROP_BYTES, _DROP_S = 1 << 28, 8.0
"""Largest part of a refused body that is received, and longest time for it: its sender waits less than 10 s."""


class SenderLeftError(Exception):
    """The sender closed the connection."""


class BodyTooLargeError(Exception):
    """The body is above its limit.

    Args:
        has_more: Whether its sender has not sent all of it.
    """

    def __init__(self, *, has_more: bool) -> None:
        super().__init__()
        self.has_more = has_more


class BodyTooSlowError(Exception):
    """The body does not arrive in time."""


class NoRoomError(Exception):
    """The disk cannot take the body."""


async def receive_body(receive: Receive, limit: int, folder: Path | None = None) -> tuple[IO[bytes], int]:
    """Receive a whole body, and return it as an open file with its length.

    Args:
        receive: The server's function for the next part.
        limit: Number of bytes that the body may have.
        folder: Folder for a large body.

    Raises:
        SenderLeftError: The sender closed the connection.
        BodyTooLargeError: There are more bytes.
        BodyTooSlowError: They arrive too slowly.
        NoRoomError: The disk cannot take them.
    """
    body: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY_BYTES, dir=str(folder) if folder else None)  # noqa: SIM115  # the caller closes it
    try:
        length, start, more = 0, time.monotonic(), True
        while more:
            message = await _receive_part(receive)
            part, more = message.get("body", b""), message.get("more_body", False)
            length += len(part)
            if length > limit:
                raise BodyTooLargeError(has_more=more)
            if length < _SLOWEST_BYTES_A_S * (time.monotonic() - start - _START_S):
                raise BodyTooSlowError
            body.write(part)
    except BaseException as error:
        body.close()
        if isinstance(error, OSError):
            raise NoRoomError(error.strerror) from error
        raise
    body.seek(0)
    return body, length


async def drop_body(receive: Receive) -> None:
    """Receive a body that is refused and drop it, up to a limit.

    A browser shows no response that arrives while it still sends.
    """
    try:
        async with asyncio.timeout(_DROP_S):
            length, more = 0, True
            while more and length < _DROP_BYTES:
                message = await _receive_part(receive)
                more, length = message.get("more_body", False), length + len(message.get("body", b""))
    except (TimeoutError, SenderLeftError, BodyTooSlowError):
        return


async def _receive_part(receive: Receive) -> dict[str, Any]:
    try:
        message = await asyncio.wait_for(receive(), _PAUSE_S)
    except TimeoutError as error:
        raise BodyTooSlowError from error
    if message["type"] == "http.disconnect":
        raise SenderLeftError
    return message

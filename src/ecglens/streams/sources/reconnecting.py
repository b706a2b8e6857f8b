"""Connections that are made again when they are lost, with a longer pause after each failure."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from ecglens.errors import StreamError
from ecglens.streams.packets import Connection, Message, StreamInfo

__all__ = ["Retries", "keep_connected"]

_LOG = logging.getLogger(__name__)
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retries:
    """Rules for making a lost connection again.

    Attributes:
        attempts: How often it is tried after a loss before the stream ends; ``None`` for ever.
        first_s: Pause before the first attempt; it doubles after each failure.
        longest_s: Longest pause.
    """

    attempts: int | None = None
    first_s: float = 0.5
    longest_s: float = 30.0


async def keep_connected(
    connect: Callable[[], AsyncGenerator[Message, None]],
    *,
    name: str,
    losses: tuple[type[Exception], ...],
    retries: Retries,
    sleep: Sleep = asyncio.sleep,
) -> AsyncGenerator[Message, None]:
    """Yield the messages of a connection, and connect again when it is lost.

    Args:
        connect: Function that connects and yields messages until the connection is lost; a return is a loss too.
        name: What is connected to, for people.
        losses: Errors that mean a loss.
        retries: How the connection is made again.
        sleep: Coroutine function that waits for some seconds.

    Yields:
        The messages, without the description with which a new connection begins; ``Connection`` at each loss and at
        each new connection.

    Raises:
        StreamError: The first connection could not be made and was not to be tried again.
    """
    failures, has_worked = 0, False
    info: StreamInfo | None = None
    while True:
        is_lost, is_first, detail = False, True, "the other side ended it"
        try:
            async with aclosing(connect()) as messages:
                async for message in messages:
                    if is_lost is False and failures and has_worked:
                        yield Connection(True, f"{name} is connected again.")
                    failures, has_worked = 0, True
                    is_repeated = is_first and message == info
                    info, is_first = message if isinstance(message, StreamInfo) else info, False
                    if not is_repeated:
                        yield message
        except losses as error:
            reason = getattr(error, "strerror", None) or str(error)
            detail = " ".join(reason.split())[:200].rstrip(".") or type(error).__name__
        is_lost = True
        if failures == 0 and has_worked:
            yield Connection(False, f"{name} is lost: {detail}.")
        failures += 1
        if failures == 1 and not has_worked and retries.attempts != 0:
            _LOG.warning("There is no connection to %s yet: %s. It is tried again.", name, detail)
        if retries.attempts is not None and failures > retries.attempts:
            if not has_worked:
                raise StreamError(f"Expected a connection to {name}, but there is none: {detail}; check the address.")
            return
        await sleep(min(retries.first_s * 2 ** min(failures - 1, 16), retries.longest_s))

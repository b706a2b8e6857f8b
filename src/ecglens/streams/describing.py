"""The description of a stream before its messages, whatever a source sends first."""

from collections.abc import AsyncIterator

from ecglens.errors import StreamError
from ecglens.streams.packets import Connection, Message, Packet, Refused, StreamInfo

__all__ = ["MAX_BEFORE", "describe_first"]

MAX_BEFORE = 1000
"""Messages that may come before the description; after more of them nobody waits for it."""


async def describe_first(source: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """Yield the messages of a source, its description first.

    Who joins a source in the middle of a line, or an MQTT topic before the description, gets messages that nobody can
    use yet: those that were refused come behind the description, and the others are left out.

    Args:
        source: Messages of one stream.

    Raises:
        StreamError: The source ends without a description, sends too much before it, or yields samples before it.
    """
    refused: list[Refused] = []
    count, is_described = 0, False
    try:
        async for message in source:
            if is_described:
                yield message
                continue
            if isinstance(message, StreamInfo):
                is_described = True
                yield message
                for each in refused:
                    yield each
                continue
            if isinstance(message, Packet):
                raise _miss_description(refused)
            count += not isinstance(message, Connection)
            refused += [message] if isinstance(message, Refused) else []
            if count > MAX_BEFORE:
                raise _miss_description(refused)
        if not is_described and not count:
            raise StreamError("Expected a stream of messages, got none before its end; check what the source sends.")
        if not is_described:
            raise _miss_description(refused)
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def _miss_description(refused: list[Refused]) -> StreamError:
    reason = f"; the first of {len(refused)} messages that were refused: {refused[0].reason}" if refused else "."
    return StreamError(f"Expected a description of the stream before its first message; send its info first{reason}")

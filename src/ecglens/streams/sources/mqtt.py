"""JSON lines from an MQTT broker."""

from collections.abc import AsyncGenerator, AsyncIterator

from ecglens.extras import require
from ecglens.streams.json_lines import MAX_LINE_BYTES, LineParser, LineSplitter
from ecglens.streams.packets import Message, Refused
from ecglens.streams.sources.reconnecting import Retries, keep_connected

__all__ = ["read_mqtt"]


def read_mqtt(
    host: str,
    port: int,
    topic: str,
    *,
    user: str | None = None,
    password: str | None = None,
    retries: Retries | None = None,
) -> AsyncIterator[Message]:
    """Return the messages that a device publishes under a topic, each of one or more JSON lines.

    The description should be published as a retained message, so that who subscribes later gets it too.

    Args:
        host: Name or address of the broker.
        port: Its port.
        topic: Topic of one device; wildcards are refused, as two devices would make one stream.
        user: Name at the broker, if it asks for one.
        password: Its password.
        retries: How a lost connection is made again; for ever by default.

    Raises:
        MissingExtraError: aiomqtt is not installed.
    """
    aiomqtt = require("aiomqtt", extra="stream")
    parser = LineParser()

    async def connect() -> AsyncGenerator[Message, None]:
        async with aiomqtt.Client(host, port, username=user, password=password, timeout=10) as client:
            await client.subscribe(topic, qos=1)
            async for message in client.messages:
                payload = message.payload
                if not isinstance(payload, bytes) or len(payload) > 4 * MAX_LINE_BYTES:
                    yield Refused(f"Expected a message of at most {4 * MAX_LINE_BYTES} bytes, got a longer one.")
                    continue
                splitter = LineSplitter()
                for line in [*splitter.feed(payload), *splitter.finish()]:
                    parsed = parser.read(line)
                    if parsed is not None:
                        yield parsed

    name = f"the broker {host}:{port}"
    return keep_connected(connect, name=name, losses=(aiomqtt.MqttError,), retries=retries or Retries())

"""Outputs for results while a stream runs: JSON lines, an MQTT topic, a stream of the Lab Streaming Layer."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.packets import StreamInfo, Stretch
from ecglens.streams.results import Result

__all__ = ["JsonLinesOutput", "LslOutput", "MqttOutput", "Output", "open_output"]


class Output(Protocol):
    """A place for results."""

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Pass on samples and results."""

    async def close(self) -> None:
        """End."""


class JsonLinesOutput:
    """Results as JSON lines, each flushed at once.

    Args:
        file: An open text file.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Write a line for each result."""
        for result in results:
            self._file.write(f"{json.dumps(result.to_dict(), allow_nan=False)}\n")
        self._file.flush()

    async def close(self) -> None:
        """Flush the file; who opened it closes it."""
        self._file.flush()


class MqttOutput:
    """Results under a topic of an MQTT broker; while the broker is away, they are dropped and counted.

    Args:
        host: Name or address of the broker.
        port: Its port.
        topic: Topic, to which ``/beat``, ``/figures``, ``/event`` and so on are added.
        user: Name at the broker.
        password: Its password.
    """

    def __init__(
        self, host: str, port: int, topic: str, *, user: str | None = None, password: str | None = None
    ) -> None:
        self._aiomqtt = require("aiomqtt", extra="stream")
        self._options = {"hostname": host, "port": port, "username": user, "password": password, "timeout": 5}
        self._topic = topic
        self._client: Any = None
        self.dropped = 0

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Publish each result."""
        for result in results:
            document = {"device": info.device, **result.to_dict()}
            try:
                if self._client is None:
                    client = self._aiomqtt.Client(**self._options)
                    await client.__aenter__()
                    self._client = client
                await self._client.publish(f"{self._topic}/{document['type']}", json.dumps(document), qos=1)
            except self._aiomqtt.MqttError:
                self.dropped += 1
                await self.close()

    async def close(self) -> None:
        """Leave the broker."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(self._aiomqtt.MqttError):
                await client.__aexit__(None, None, None)


class LslOutput:
    """Samples as a stream of the Lab Streaming Layer, and results as a second one of markers.

    Args:
        name: Name of the streams; the markers' has ``-results`` behind it.
    """

    def __init__(self, name: str) -> None:
        self._pylsl = require("pylsl", extra="stream")
        self._name = name
        self._samples: Any = None
        self._markers: Any = None

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Push samples in mV and results as JSON."""
        if self._markers is None:
            self._open(info)
        for stretch in stretches:
            if self._samples is not None:
                self._samples.push_chunk(stretch.samples_mv.T.tolist())
        for result in results:
            self._markers.push_sample([json.dumps(result.to_dict(), allow_nan=False)])

    async def close(self) -> None:
        """End both streams."""
        self._samples = self._markers = None

    def _open(self, info: StreamInfo) -> None:
        lsl = self._pylsl
        if info.leads:
            description = lsl.StreamInfo(self._name, "ECG", len(info.leads), info.fs_hz, "float32", info.device)
            channels = description.desc().append_child("channels")
            for lead in info.leads:
                channel = channels.append_child("channel")
                channel.append_child_value("label", lead).append_child_value("unit", "mV")
            self._samples = lsl.StreamOutlet(description)
        markers = lsl.StreamInfo(f"{self._name}-results", "Markers", 1, 0, "string", f"{info.device}-results")
        self._markers = lsl.StreamOutlet(markers)


def open_output(address: str) -> Output:
    """Open an output.

    Args:
        address: ``mqtt://HOST:PORT/TOPIC`` or ``lsl:NAME``.

    Raises:
        StreamError: The address has none of these forms.
        MissingExtraError: What the output needs is not installed.
    """
    if address.startswith("lsl:") and address != "lsl:":
        return LslOutput(address.removeprefix("lsl:"))
    url = urlsplit(address)
    topic = unquote(url.path.removeprefix("/"))
    if url.scheme == "mqtt" and url.hostname and topic and not set("+#") & set(topic):
        user, password = (None if part is None else unquote(part) for part in (url.username, url.password))
        return MqttOutput(url.hostname, url.port or 1883, topic, user=user, password=password)
    raise StreamError(f"Expected an output as mqtt://HOST:PORT/TOPIC or lsl:NAME, got '{address[:120]}'.")

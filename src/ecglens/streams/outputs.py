"""Outputs for results while a stream runs: JSON lines, an MQTT topic, a stream of the Lab Streaming Layer."""

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.packets import StreamInfo, Stretch
from ecglens.streams.results import Result

__all__ = ["JsonLinesOutput", "LslOutput", "MqttOutput", "Output", "QueuedOutput", "open_output"]

_WAITING = 1000
"""Steps of a stream that wait for an output that is slow."""
_PATIENCE_S = 0.2
"""Time that a stream waits for a slow output before it drops results: a file is read faster than results are sent."""
_AWAY_S = 1.0
"""Time for which an MQTT broker that failed is not tried again."""
_END_S = 3.0
"""Time that an output has at the end for what still waits."""


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
        self._away_until_s = 0.0
        self.dropped, self.failure = 0, ""

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Publish each result."""
        for result in results:
            if time.monotonic() < self._away_until_s:
                self.dropped += 1
                continue
            document = {"device": info.device, **result.to_dict()}
            try:
                if self._client is None:
                    client = self._aiomqtt.Client(**self._options)
                    await client.__aenter__()
                    self._client = client
                await self._client.publish(f"{self._topic}/{document['type']}", json.dumps(document), qos=1)
                self.failure = ""
            except self._aiomqtt.MqttError as error:
                self.dropped += 1
                self.failure = str(error) or "the broker does not respond"
                await self.close()
                self._away_until_s = time.monotonic() + _AWAY_S

    async def close(self) -> None:
        """Leave the broker."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(self._aiomqtt.MqttError):
                await client.__aexit__(None, None, None)


class QueuedOutput:
    """An output that runs beside the stream, which never waits for it; results that it is too slow for are dropped.

    Args:
        output: The output itself.
        name: Name for people.
        waiting: Number of steps that may wait.
    """

    def __init__(self, output: Output, name: str, *, waiting: int = _WAITING) -> None:
        self._output, self.name = output, name
        self._queue: asyncio.Queue[tuple[StreamInfo, tuple[Stretch, ...], tuple[Result, ...]]] = asyncio.Queue(waiting)
        self._task: asyncio.Task[None] | None = None
        self._dropped, self._written, self._has_moved = 0, 0, True

    @property
    def dropped(self) -> int:
        """Results that were not sent."""
        return self._dropped + int(getattr(self._output, "dropped", 0))

    @property
    def failure(self) -> str:
        """Reason for which results are dropped at the moment, or an empty text."""
        return str(getattr(self._output, "failure", ""))

    @property
    def has_sent(self) -> bool:
        """Whether any result was sent, or there was none."""
        return not self._written or self.dropped < self._written

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Let samples and results wait for their turn; where too many do, the oldest ones are dropped."""
        self._task = self._task or asyncio.ensure_future(self._pass_on())
        if self._task.done():
            self._task.result()  # raises what ended it
        step = (info, tuple(stretches), tuple(results))
        self._written += len(step[2])
        if self._queue.full() and self._has_moved:
            self._has_moved = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await self._queue.put(step)
                    return
        if self._queue.full():
            self._dropped += len(self._queue.get_nowait()[2])
            self._queue.task_done()
        self._queue.put_nowait(step)

    async def close(self) -> None:
        """Leave the output after what waits was passed on, or when its time is over."""
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._queue.join()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while not self._queue.empty():
            self._dropped += len(self._queue.get_nowait()[2])
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._output.close()

    async def _pass_on(self) -> None:
        while True:
            info, stretches, results = await self._queue.get()
            before = int(getattr(self._output, "dropped", 0))
            try:
                await self._output.write(info, stretches, results)
            except asyncio.CancelledError:
                self._dropped += len(results) - (int(getattr(self._output, "dropped", 0)) - before)
                raise
            finally:
                self._has_moved = True
                self._queue.task_done()


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

"""From a source to results: an async iterator over what a stream says."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ecglens.errors import ModelError
from ecglens.layouts import STANDARD_LEADS
from ecglens.models.inputs import LeadBeats
from ecglens.reading import load_runtime, predict_record
from ecglens.streams.alarms import AlarmRule
from ecglens.streams.describing import describe_first
from ecglens.streams.monitor import Monitor
from ecglens.streams.packets import Message, RrIntervals, StreamInfo, Stretch
from ecglens.streams.results import LivePrediction, Result

__all__ = ["Step", "check_signal_model", "watch"]

_SILENCE_S = 1.0
"""Interval at which a silent stream is compared with the alarm rules."""
_MODEL_S = 10.0
_AHEAD = 16
"""Number of messages that are read ahead; the loop turns to other tasks as often."""


@dataclass(frozen=True, slots=True)
class Step:
    """Results of one message.

    Attributes:
        monitor: The monitor of the stream.
        message: The message; ``None`` while nothing arrives, and at the end.
        stretches: Samples that follow those before, each once.
        results: Results that they completed.
    """

    monitor: Monitor
    message: Message | None
    stretches: tuple[Stretch, ...]
    results: tuple[Result, ...]

    @property
    def info(self) -> StreamInfo:
        """The stream."""
        return self.monitor.info


def check_signal_model(model: str | os.PathLike[str]) -> None:
    """Check that a model can read a stream, before anything has arrived.

    Args:
        model: Name or folder of a model.

    Raises:
        ModelError: It cannot be used, or reads pages.
    """
    if not isinstance(load_runtime(model).recipe, LeadBeats):
        raise ModelError(f"Expected a model of beats, got '{model}', which reads pages; use another.")


async def watch(
    source: AsyncIterator[Message],
    *,
    rules: tuple[AlarmRule, ...] | None = None,
    state: bytes | None = None,
    model: str | os.PathLike[str] | None = None,
) -> AsyncIterator[Step]:
    """Monitor a source until it ends.

    Args:
        source: Messages, such as :func:`ecglens.streams.open_source` returns.
        rules: Alarm rules; those of the package by default.
        state: State of a monitor of the same stream, to go on with.
        model: Name or folder of a model of signals that reads every 10 s of a stream with twelve leads; none by
            default.

    Yields:
        A step for each message, one a second while none arrives, and one at the end.

    Raises:
        StreamError: Samples come before the description of the stream, or a packet has other leads.
        ModelError: The model cannot be used.
    """
    monitor: Monitor | None = None
    due = _MODEL_S
    silence = _Silence()
    inbox = _Inbox(describe_first(source))
    try:
        while True:
            try:
                message = await inbox.take()
            except TimeoutError:
                if monitor is not None:
                    yield Step(monitor, None, (), tuple(silence.compare(monitor)))
                continue
            if message is None:
                break
            if monitor is None:
                assert isinstance(message, StreamInfo)
                monitor = Monitor(message, rules=rules, state=state)
                silence.end()
            stretches, results = monitor.feed(message)
            if stretches or isinstance(message, RrIntervals):
                silence.end()
            else:
                results = [*results, *silence.compare(monitor)]
            if model is not None and monitor.now_s >= due:
                due = monitor.now_s // _MODEL_S * _MODEL_S + _MODEL_S
                results = [*results, *await asyncio.to_thread(_predict, monitor, model)]
            yield Step(monitor, message, tuple(stretches), tuple(results))
        if monitor is not None:
            stretches, results = monitor.finish()
            yield Step(monitor, None, tuple(stretches), tuple(results))
    finally:
        await inbox.close()


class _Inbox:
    """The next messages of a source, which is read ahead a little.

    A task for each message, with a timeout for it, would take as long as monitoring the message does.
    """

    def __init__(self, source: AsyncIterator[Message]) -> None:
        self._source = source
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(lambda _: self._messages.put_nowait(None))

    async def take(self) -> Message | None:
        """Return the next message; ``None`` at the end of the source.

        Raises:
            TimeoutError: None arrives for some time.
        """
        if self._messages.empty():
            async with asyncio.timeout(_SILENCE_S):
                message = await self._messages.get()
        else:
            message = self._messages.get_nowait()
        if message is None:
            await self._reading  # raises what ended it
        self._room.release()
        return message

    async def close(self) -> None:
        """Close the source."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._source.aclose()  # type: ignore[attr-defined]  # a generator

    async def _read(self) -> None:
        async for message in self._source:
            await self._room.acquire()
            self._messages.put_nowait(message)


class _Silence:
    """Time without samples, whatever else arrives."""

    def __init__(self) -> None:
        self._since_s = self._compared_s = time.monotonic()

    def end(self) -> None:
        """Take that samples have arrived."""
        self._since_s = self._compared_s = time.monotonic()

    def compare(self, monitor: Monitor) -> list[Result]:
        """Return the alarms of the silence so far, once in a while."""
        now = time.monotonic()
        if now - self._compared_s < 0.9 * _SILENCE_S:
            return []
        self._compared_s = now
        return monitor.wait(now - self._since_s)


def _predict(monitor: Monitor, model: Any) -> list[LivePrediction]:
    if not set(STANDARD_LEADS) <= set(monitor.info.leads):
        return []
    end = monitor.now_s
    prediction = predict_record(monitor.window.to_record(_MODEL_S), model=model)
    return [LivePrediction(max(end - _MODEL_S, 0.0), end, prediction)]

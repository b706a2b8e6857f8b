"""ECGs on the Lab Streaming Layer (LSL), from a device or a program on this network."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.json_lines import check_info
from ecglens.streams.packets import Connection, Message, Packet, Refused, StreamInfo

__all__ = ["read_lsl"]

_TO_MV = {"mv": 1.0, "millivolts": 1.0, "millivolt": 1.0, "uv": 1e-3, "µv": 1e-3, "microvolts": 1e-3}
_TO_MV |= {"microvolt": 1e-3, "v": 1e3, "volts": 1e3, "volt": 1e3}
_PULL_S = 0.1
_SILENCE_S = 3.0


async def read_lsl(name: str, *, wait_s: float = 10.0, silence_s: float = _SILENCE_S) -> AsyncIterator[Message]:
    """Yield the packets of a stream on this network.

    liblsl connects again by itself; what was lost meanwhile is a gap by the time stamps of its samples.

    Args:
        name: Name of the stream, or its type with ``type=`` before it.
        wait_s: How long to look for it.
        silence_s: Time without samples after which the connection counts as lost.

    Raises:
        StreamError: There is no such stream, or it states another unit than that of a voltage.
        MissingExtraError: pylsl or liblsl is not installed.
    """
    pylsl = _load()
    key, value = ("type", name.removeprefix("type=")) if name.startswith("type=") else ("name", name)
    matches = await asyncio.to_thread(pylsl.resolve_byprop, key, value, 1, wait_s)
    if not matches:
        raise StreamError(f"Expected a stream with the {key} '{value}' on this network, but there is none; start it.")
    inlet = pylsl.StreamInlet(matches[0], max_buflen=60, recover=True)
    try:
        details = await asyncio.to_thread(inlet.info, wait_s)
        info, scale = _describe(details)
        yield info
        last, is_lost = time.monotonic(), False
        while True:
            samples, times = await asyncio.to_thread(inlet.pull_chunk, _PULL_S, 4096)
            if not times:
                if not is_lost and time.monotonic() - last > silence_s:
                    is_lost = True
                    yield Connection(False, f"The stream {info.device} sends nothing.")
                continue
            if is_lost:
                yield Connection(True, f"The stream {info.device} sends again.")
            last, is_lost = time.monotonic(), False
            rows = np.array(samples, dtype=np.float32).T * scale
            if not np.isfinite(times[-1]) or len(rows) != len(info.leads):
                yield Refused("Expected samples with a time for each, got others.")
                continue
            for start, end in _find_runs(np.array(times), info.fs_hz):
                yield Packet(np.ascontiguousarray(rows[:, start:end]), None, float(times[end - 1]), time.time())
    finally:
        inlet.close_stream()


def _find_runs(times: np.ndarray, fs_hz: float) -> list[tuple[int, int]]:
    """Return where the samples of a chunk follow each other, as a chunk may have a gap within."""
    jumps = np.flatnonzero(np.abs(np.diff(times) * fs_hz - 1) > max(0.05 * fs_hz, 2.0)) + 1
    edges = [0, *map(int, jumps), len(times)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _describe(details: Any) -> tuple[StreamInfo, float]:
    """Return the stream and the factor that turns its values into mV."""
    labels, units = [], []
    channel = details.desc().child("channels").child("channel")
    for number in range(details.channel_count()):
        labels.append(channel.child_value("label") or f"channel {number + 1}")
        units.append(channel.child_value("unit").strip().lower())
        channel = channel.next_sibling()
    strange = [unit for unit in units if unit and unit not in _TO_MV]
    if strange or len(set(units)) != 1:
        raise StreamError(f"Expected one unit of voltage for all channels, got '{(strange or units)[0]}'.")
    scale = _TO_MV.get(units[0], 1e-3)  # LSL's convention: microvolts where nothing is stated
    return check_info(StreamInfo(details.name()[:80], tuple(labels), float(details.nominal_srate()))), scale


def _load() -> Any:
    try:
        return require("pylsl", extra="stream")
    except RuntimeError as error:  # pylsl is there, but not the library that it calls
        raise StreamError("Expected liblsl on this machine, but it is not installed; see the docs of pylsl.") from error

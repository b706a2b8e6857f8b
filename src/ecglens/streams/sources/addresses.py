"""Addresses of sources: one text names a device, a broker, a file or a port."""

import math
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from ecglens.errors import StreamError
from ecglens.formats.files import read_record
from ecglens.streams.packets import Message
from ecglens.streams.replay import replay
from ecglens.streams.sources.bluetooth import read_bluetooth
from ecglens.streams.sources.lab_streaming import read_lsl
from ecglens.streams.sources.lines import read_file, read_serial, read_tcp, read_websocket
from ecglens.streams.sources.mqtt import read_mqtt
from ecglens.streams.sources.reconnecting import Retries

__all__ = ["SCHEMES", "open_source"]

SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        "-": "JSON lines from stdin",
        "tcp://HOST:PORT": "JSON lines from a TCP server",
        "ws://HOST:PORT/PATH": "JSON lines from a WebSocket server",
        "wss://HOST:PORT/PATH": "the same with encryption",
        "mqtt://HOST:PORT/TOPIC": "JSON lines from a topic of an MQTT broker, USER:PASSWORD@ before the host if needed",
        "serial:DEVICE": "JSON lines from a serial line, ?baud=115200 for its speed",
        "ble:ADDRESS": "Polar H10, Movesense, or any strap with the heart rate service",
        "lsl:NAME": "a stream of the Lab Streaming Layer, type=ECG for the first one of a type",
        "replay:FILE": "any digital ECG, ?speed=1 for a multiple of real time, 0 for at once; ?repeat=1",
    }
)
"""Forms of an address and what they stand for."""


def open_source(address: str, *, retries: Retries | None = None) -> AsyncIterator[Message]:
    """Open a source.

    Args:
        address: One of :data:`SCHEMES`.
        retries: How a lost connection is made again; for ever by default.

    Returns:
        Its messages, the stream's description first.

    Raises:
        StreamError: The address has none of the forms.
        DatasetError: The file to replay cannot be read.
        MissingExtraError: What the source needs is not installed.
    """
    if address == "-":
        return read_file()
    scheme, _, remainder = address.partition(":")
    if scheme in ("tcp", "mqtt", "ws", "wss"):
        return _open_network(address, urlsplit(address), retries)
    path, options = _split_options(remainder)
    if not path:
        raise _refuse(address)
    match scheme:
        case "serial":
            _check_options(options, {"baud"}, address)
            return read_serial(path, _read_whole(options, "baud", 115_200, address), retries=retries)
        case "ble":
            return read_bluetooth(path, retries=retries)
        case "lsl":
            return read_lsl(path)
        case "replay":
            _check_options(options, {"speed", "repeat"}, address)
            speed = _read_option(options, "speed", 1.0, address)
            repeat = _read_whole(options, "repeat", 1, address)
            return replay(read_record(path), device=path.rpartition("/")[2][:80], speed=speed, repeat=repeat)
        case _:
            raise _refuse(address)


def _open_network(address: str, url: SplitResult, retries: Retries | None) -> AsyncIterator[Message]:
    try:
        host, port = url.hostname, url.port
    except ValueError as error:
        raise _refuse(address) from error
    if host is None:
        raise _refuse(address)
    if url.scheme in ("ws", "wss"):
        return read_websocket(address, retries=retries)
    if url.scheme == "tcp":
        if port is None:
            raise _refuse(address)
        return read_tcp(host, port, retries=retries)
    topic = unquote(url.path.removeprefix("/"))
    if not topic or "+" in topic or "#" in address:
        raise StreamError(
            f"Expected the topic of one device behind the broker's address, got '{topic}'; name one topic."
        )
    user, password = (None if part is None else unquote(part) for part in (url.username, url.password))
    return read_mqtt(host, port or 1883, topic, user=user, password=password, retries=retries)


def _split_options(text: str) -> tuple[str, dict[str, list[str]]]:
    path, _, query = text.partition("?")
    return path, parse_qs(query, keep_blank_values=True)


def _check_options(options: dict[str, list[str]], names: set[str], address: str) -> None:
    if unknown := sorted(set(options) - names):
        raise StreamError(
            f"Expected the options {', '.join(sorted(names))} in {address[:120]}, got '{unknown[0][:40]}'; correct it."
        )


def _read_option(options: dict[str, list[str]], name: str, default: float, address: str) -> float:
    text = options[name][0] if name in options else str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise StreamError(f"Expected a number from 0 on as {name} in {address[:120]}, got '{text[:40]}'; correct it.")
    return value


def _read_whole(options: dict[str, list[str]], name: str, default: int, address: str) -> int:
    value = _read_option(options, name, default, address)
    if value < 1 or value != int(value):
        raise StreamError(f"Expected a whole number from 1 on as {name} in {address[:120]}, got {value:g}; correct it.")
    return int(value)


def _refuse(address: str) -> StreamError:
    forms = ", ".join(SCHEMES)
    return StreamError(f"Expected a source as {forms}, got '{address[:120]}'; see docs/streams.md.")

"""Messages of a stream as JSON lines: the one form that TCP, WebSocket, MQTT, serial lines and stdin carry.

::

    {"type": "info", "device": "bed 1", "leads": ["I", "II"], "fs_hz": 250}
    {"type": "samples", "sequence": 0, "time_s": 12.5, "mv": [[0.01, 0.02, 0.04], [0.03, null, 0.02]]}
    {"type": "rr", "rr_s": [0.81, 0.79], "rate_bpm": 75}
    {"type": "battery", "percent": 93}

``mv`` has a list for each lead. ``null`` is a sample that the device marks as invalid. ``sequence`` counts the packets
up by one; ``time_s`` is the time of the packet's last sample by the device's own clock. Both may be left out, but then
a lost packet goes unnoticed.
Whatever comes is hostile until it is parsed: lines, rows and numbers are bounded, and a line that breaks a rule gives
one sentence and no packet.
"""

import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ecglens.documents import parse_json
from ecglens.errors import StreamError
from ecglens.layouts import canonical_lead
from ecglens.streams.packets import Battery, Connection, Message, Packet, Refused, RrIntervals, StreamInfo

__all__ = ["MAX_LINE_BYTES", "LineParser", "LineSplitter", "check_info", "write_line"]

MAX_LINE_BYTES = 1 << 20
"""Bytes that a line may have; 10 s of twelve leads at 500 Hz take 0.5 MB."""
MAX_LEADS = 64
MAX_SAMPLES = 20_000
"""Samples of each lead that a packet may have."""
MAX_FS_HZ = 20_000.0
MIN_FS_HZ = 60.0
"""Lowest rate at which QRS complexes are distinguished from T waves."""
MAX_NAME = 80
_MAX_MV = 1000.0
"""Largest voltage; more is another unit."""
_TOO_LARGE = f"Expected samples in mV of at most {_MAX_MV:g}, got larger ones; convert the unit."
_MAX_SEQUENCE = 1 << 62
_MAX_TIME_S = 1e11


class LineSplitter:
    """Lines of a flow of bytes, with a limit on what is stored of one line.

    Args:
        limit: Number of bytes that a line may have; it may be changed between two parts.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self.limit = limit
        self._start, self._is_dropping = bytearray(), False

    @property
    def is_dropping(self) -> bool:
        """Whether the line that is arriving is too long already."""
        return self._is_dropping

    def feed(self, part: bytes) -> list[bytes | None]:
        """Return the lines that end in these bytes; ``None`` for each that was too long.

        Args:
            part: The next bytes.
        """
        *ends, last = part.split(b"\n")
        lines: list[bytes | None] = []
        for end in ends:
            self._append(end)
            lines.append(None if self._is_dropping else bytes(self._start))
            self._start, self._is_dropping = bytearray(), False
        self._append(last)
        return lines

    def finish(self) -> list[bytes | None]:
        """Return the last line, which has no end."""
        return self.feed(b"\n") if self._start or self._is_dropping else []

    def _append(self, part: bytes) -> None:
        if self._is_dropping or len(self._start) + len(part) > self.limit:
            self._start, self._is_dropping = bytearray(), True
        else:
            self._start += part


class LineParser:
    """Messages of one stream from its lines.

    Args:
        info: The stream where it is known before its first line.
        clock: Function for the time at which a line arrives, in s since 1970.
    """

    def __init__(self, info: StreamInfo | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.info, self._clock = info, clock

    def read(self, line: str | bytes | None) -> Message | None:
        """Return the message of a line, :class:`Refused` for one that breaks a rule, ``None`` for an empty one.

        Args:
            line: One JSON object; ``None`` for a line that was too long.
        """
        try:
            if line is None:
                raise StreamError(
                    f"Expected a line of at most {MAX_LINE_BYTES} bytes, got a longer one; cut the packets."
                )
            return self.parse(line)
        except StreamError as error:
            return Refused(str(error))

    def parse(self, line: str | bytes) -> Message | None:
        """Return the message of a line; ``None`` for an empty line.

        Args:
            line: One JSON object.

        Raises:
            StreamError: The line is too long, no JSON, or breaks a rule of its type; the sentence says which.
        """
        if len(line) > MAX_LINE_BYTES:
            raise StreamError(
                f"Expected a line of at most {MAX_LINE_BYTES} bytes, got {len(line)}; send shorter packets."
            )
        if not line.strip():
            return None
        try:
            document = parse_json(line, allow_nan=False)
        except (ValueError, UnicodeDecodeError) as error:
            raise StreamError(f"Expected a line of JSON, but it cannot be read: {str(error)[:120]}.") from error
        if not isinstance(document, dict):
            raise StreamError("Expected a JSON object in each line, got something else.")
        kind = document.get("type")
        match kind:
            case "info":
                return self._take_info(document)
            case "samples":
                return self._read_samples(document)
            case "rr":
                return self._read_intervals(document)
            case "battery":
                return Battery(int(_read_number(document, "percent", 0, 100)))
            case "connection":
                return Connection(bool(document.get("is_connected")), str(document.get("detail", ""))[:200])
            case "refused":  # by who passed the lines on
                return Refused(str(document.get("detail", ""))[:300])
            case _:
                raise StreamError(
                    f"Expected the type info, samples, rr, battery or connection, got {str(kind)[:40]!r}."
                )

    def _take_info(self, document: dict[str, Any]) -> StreamInfo:
        leads = document.get("leads")
        if not isinstance(leads, list) or not all(isinstance(lead, str) for lead in leads):
            raise StreamError("Expected the names of the leads as a list of texts, got something else.")
        fs_hz = _read_number(document, "fs_hz", MIN_FS_HZ, MAX_FS_HZ) if leads else 1.0
        info = check_info(StreamInfo(str(document.get("device", "stream")), tuple(leads), fs_hz))
        self.info = self.info or info
        if info.leads != self.info.leads or info.fs_hz != self.info.fs_hz:
            raise StreamError(
                f"Expected the stream to stay at {self.info.fs_hz:g} Hz with {len(self.info.leads)} leads, got another "
                "description; open a new stream."
            )
        return info

    def _read_samples(self, document: dict[str, Any]) -> Packet:
        if self.info is None:
            raise StreamError(
                "Expected a line of type info before the first samples, got samples; describe the stream."
            )
        rows = document.get("mv")
        if not isinstance(rows, list) or len(rows) != len(self.info.leads) or not rows:
            got = len(rows) if isinstance(rows, list) else "no list"
            raise StreamError(f"Expected samples of {len(self.info.leads)} leads as lists in 'mv', got {got}.")
        lengths = {len(row) if isinstance(row, list) else -1 for row in rows}
        length = lengths.pop()
        if lengths or not 0 < length <= MAX_SAMPLES:
            raise StreamError(f"Expected 1 to {MAX_SAMPLES} samples, as many for each lead, got other lists.")
        try:
            with np.errstate(over="ignore"):  # a number that float32 cannot hold becomes infinite, and too large
                samples = np.array(rows, dtype=np.float32)
        except OverflowError as error:  # a whole number of hundreds of digits
            raise StreamError(_TOO_LARGE) from error
        except (TypeError, ValueError) as error:
            raise StreamError("Expected numbers or null as samples, got something else.") from error
        if samples.ndim != 2 or any(isinstance(value, str | bool) for row in rows for value in row):
            raise StreamError("Expected numbers or null as samples, got something else.")
        if float(np.nanmax(np.abs(samples), initial=0.0)) > _MAX_MV:
            raise StreamError(_TOO_LARGE)
        sequence = document.get("sequence")
        if sequence is not None and (type(sequence) is not int or not 0 <= sequence <= _MAX_SEQUENCE):
            raise StreamError("Expected a whole number from 0 on as 'sequence', got something else.")
        has_time = document.get("time_s") is not None
        time_s = _read_number(document, "time_s", -_MAX_TIME_S, _MAX_TIME_S) if has_time else None
        return Packet(samples, sequence, time_s, self._clock())

    def _read_intervals(self, document: dict[str, Any]) -> RrIntervals:
        values = document.get("rr_s", [])
        if not isinstance(values, list) or len(values) > 64:
            raise StreamError("Expected at most 64 RR intervals as a list in 'rr_s', got something else.")
        rr = tuple(_check_number(value, "rr_s", 0.1, 60.0) for value in values)
        has_rate = document.get("rate_bpm") is not None
        return RrIntervals(rr, _read_number(document, "rate_bpm", 0, 500) if has_rate else None, None, self._clock())


def check_info(info: StreamInfo) -> StreamInfo:
    """Return a stream whose description can be used.

    Raises:
        StreamError: It has too many leads, a name twice or too long, or a rate at which no beat can be detected.
    """
    leads = tuple(map(canonical_lead, info.leads))
    if len(leads) > MAX_LEADS or len(set(leads)) != len(leads):
        raise StreamError(f"Expected at most {MAX_LEADS} leads of different names, got other ones; rename them.")
    if any(not lead or len(lead) > MAX_NAME or not lead.isprintable() for lead in (*info.leads, info.device)):
        raise StreamError(
            f"Expected printable names of 1 to {MAX_NAME} characters, got others; rename device and leads."
        )
    if info.leads and not MIN_FS_HZ <= info.fs_hz <= MAX_FS_HZ:
        raise StreamError(f"Expected a sampling rate of {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz, got {info.fs_hz:g} Hz.")
    return StreamInfo(info.device, leads, info.fs_hz)


def write_line(message: Message) -> str:
    """Return a message as a line, without its end; samples to a tenth of a microvolt."""
    match message:
        case StreamInfo():
            document: dict[str, Any] = {"type": "info", **message.to_dict()}
        case Packet():
            rounded = np.round(message.samples_mv.astype(np.float64), 4)
            rows = [[None if math.isnan(value) else value for value in row] for row in rounded.tolist()]
            document = {"type": "samples", "sequence": message.sequence, "time_s": message.time_s, "mv": rows}
        case RrIntervals():
            document = {"type": "rr", "rr_s": list(message.rr_s), "rate_bpm": message.rate_bpm}
        case Battery():
            document = {"type": "battery", "percent": message.percent}
        case Connection():
            document = {"type": "connection", "is_connected": message.is_connected, "detail": message.detail}
        case Refused():
            document = {"type": "refused", "detail": message.reason}
    return json.dumps({name: value for name, value in document.items() if value is not None}, allow_nan=False)


def _read_number(document: dict[str, Any], name: str, low: float, high: float) -> float:
    return _check_number(document.get(name), name, low, high)


def _check_number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise StreamError(f"Expected a number from {low:g} to {high:g} as '{name}', got {json.dumps(value)[:40]}.")
    return float(value)

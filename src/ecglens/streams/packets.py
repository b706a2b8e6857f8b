"""Messages of a device, and what the stream makes of them: packets in, samples on one count with gaps out."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Battery",
    "Connection",
    "Faults",
    "Gap",
    "Message",
    "Packet",
    "Refused",
    "RrIntervals",
    "StreamInfo",
    "Stretch",
]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A device and what it sends.

    Attributes:
        device: Name of the device, such as its serial number.
        leads: Name of each row of its packets; empty for a device that sends RR intervals alone.
        fs_hz: Nominal sampling rate.
    """

    device: str
    leads: tuple[str, ...]
    fs_hz: float

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {"device": self.device, "leads": list(self.leads), "fs_hz": self.fs_hz}


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """Samples that arrived together.

    Attributes:
        samples_mv: ``(leads, samples)`` float32, mV; NaN where the device marks a sample as invalid.
        sequence: Number that the device counts up by one for each packet, or ``None``.
        time_s: Time of the last sample by the clock of the device, or ``None``.
        received_s: Time at which the packet arrived, in s since 1970, or ``None``.
    """

    samples_mv: NDArray[np.float32]
    sequence: int | None = None
    time_s: float | None = None
    received_s: float | None = None


@dataclass(frozen=True, slots=True)
class RrIntervals:
    """RR intervals that the device measured itself, as chest straps send them.

    Attributes:
        rr_s: Intervals in s, oldest first.
        rate_bpm: Heart rate of the device, or ``None``.
        has_contact: Whether its electrodes have skin contact, or ``None`` where it cannot say.
        received_s: Time at which they arrived, in s since 1970, or ``None``.
    """

    rr_s: tuple[float, ...]
    rate_bpm: float | None = None
    has_contact: bool | None = None
    received_s: float | None = None


@dataclass(frozen=True, slots=True)
class Battery:
    """Charge of the device's battery, in percent."""

    percent: int


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection to the device was lost or made again.

    Attributes:
        is_connected: Whether there is a connection now.
        detail: What happened, in one sentence.
    """

    is_connected: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A message could not be read; the stream goes on.

    Attributes:
        reason: What was wrong, in one sentence.
    """

    reason: str


Message = StreamInfo | Packet | RrIntervals | Battery | Connection | Refused
"""Messages of a source; the first message of a stream is its ``StreamInfo``."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples without a gap between them.

    Attributes:
        first: Number of the first sample, counted from the start of the stream; lost samples count too.
        samples_mv: ``(leads, samples)`` float32, mV.
        time_s: Time of the first sample in s since 1970 by the drift-corrected clock, or ``None``.
    """

    first: int
    samples_mv: NDArray[np.float32]
    time_s: float | None = None

    @property
    def end(self) -> int:
        """Number of the sample after the last one."""
        return self.first + int(self.samples_mv.shape[1])


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never arrived.

    Attributes:
        first: Number of the first lost sample.
        samples: How many are lost.
        start_s: Where the gap begins, in s from the start of the stream.
        end_s: Where it ends.
        reason: ``"lost"`` (packets did not arrive), ``"disconnected"``, or ``"restarted"`` (the device restarts its
            count, and at least one sample is missing).
    """

    first: int
    samples: int
    start_s: float
    end_s: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types, times to a millisecond."""
        return {**asdict(self), "start_s": round(self.start_s, 3), "end_s": round(self.end_s, 3)}


@dataclass(frozen=True, slots=True)
class Faults:
    """Counts of packets that were not what they should be.

    Attributes:
        lost_samples: Samples that never arrived.
        duplicates: Packets that arrived twice.
        reordered: Packets that arrived in another order than they were sent and were put into their place.
        late: Packets that arrived after their place was given up as a gap, or that had no place.
        refused: Messages that could not be read.
    """

    lost_samples: int = 0
    duplicates: int = 0
    reordered: int = 0
    late: int = 0
    refused: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return all counts."""
        return asdict(self)

"""Packets of Bluetooth devices, byte by byte: heart rate service, battery service, Polar H10, Movesense.

Sources: Heart Rate Service 1.0 and Battery Service of the Bluetooth SIG; Polar Measurement Data Specification (Polar
BLE SDK, technical documentation); the sample application ``gatt_sensordata_app`` of the Movesense device library.
Whatever comes over the air is bounded and checked; a packet that breaks its form raises ``StreamError``.
"""

import struct

import numpy as np

from ecglens.errors import StreamError
from ecglens.streams.packets import Battery, Packet, RrIntervals

__all__ = [
    "BATTERY_LEVEL",
    "HEART_RATE",
    "MOVESENSE_FS_HZ",
    "MOVESENSE_NOTIFY",
    "MOVESENSE_WRITE",
    "POLAR_CONTROL",
    "POLAR_DATA",
    "POLAR_FS_HZ",
    "POLAR_START_ECG",
    "POLAR_STOP_ECG",
    "movesense_subscribe",
    "parse_battery",
    "parse_heart_rate",
    "parse_movesense",
    "parse_polar",
]

HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
POLAR_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
POLAR_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
MOVESENSE_WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
MOVESENSE_NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

POLAR_FS_HZ = 130.0
POLAR_START_ECG = bytes((0x02, 0x00, 0x00, 0x01, 0x82, 0x00, 0x01, 0x01, 0x0E, 0x00))
"""Start ECG with 130 Hz and 14 bits."""
POLAR_STOP_ECG = bytes((0x03, 0x00))
MOVESENSE_FS_HZ = 125.0
MOVESENSE_MV = 0.38e-3
"""Millivolts of a step of Movesense's ECG, as its documentation says; no device was at hand to check it."""

_MAX_BYTES = 512
"""Largest value of an attribute that Bluetooth allows."""
_POLAR_ECG = 0x00
_POLAR_EPOCH_S = 946_684_800
"""Polar counts from 2000-01-01."""
_MOVESENSE_DATA = 2
_MAX_RATE_BPM = 350


def parse_heart_rate(value: bytes, *, received_s: float | None = None) -> RrIntervals:
    """Return rate and RR intervals of the heart rate service (0x2A37).

    Args:
        value: Flags, the rate in one or two bytes, energy if flag 3 is set, RR intervals in 1/1024 s if flag 4 is.
        received_s: Time of arrival in s since 1970.

    Raises:
        StreamError: The packet is shorter than its flags say, or has half an interval at its end.
    """
    _check_size(value, 2)
    flags, at = value[0], 1
    size = 2 if flags & 0x01 else 1
    _check_size(value, at + size)
    rate = int.from_bytes(value[at : at + size], "little")
    at += size + (2 if flags & 0x08 else 0)
    _check_size(value, at)
    intervals = value[at:] if flags & 0x10 else b""
    if len(intervals) % 2:
        raise StreamError(f"Expected whole RR intervals of 2 bytes each, got {len(intervals)} bytes.")
    rr = tuple(ticks / 1024 for (ticks,) in struct.iter_unpack("<H", intervals))
    has_contact = bool(flags & 0x02) if flags & 0x04 else None
    return RrIntervals(
        tuple(interval for interval in rr if interval > 0),
        float(rate) if 0 < rate <= _MAX_RATE_BPM else None,
        has_contact,
        received_s,
    )


def parse_battery(value: bytes) -> Battery:
    """Return the charge of the battery service (0x2A19).

    Raises:
        StreamError: It is not one byte from 0 to 100.
    """
    if len(value) != 1 or value[0] > 100:
        raise StreamError(f"Expected a charge of 0 to 100 in one byte, got {len(value)} bytes: {value[:8].hex()}.")
    return Battery(value[0])


def parse_polar(value: bytes, *, received_s: float | None = None) -> Packet | None:
    """Return the samples of a Polar H10, 73 in a packet at 130 Hz.

    Args:
        value: Type of measurement, time of the last sample in ns since 2000 (8 bytes), type of frame, then samples of
            3 bytes each in microvolts, all little endian.
        received_s: Time of arrival in s since 1970.

    Returns:
        The samples of the one lead; ``None`` for another measurement than the ECG.

    Raises:
        StreamError: The frame has another type, no sample, or half a sample at its end.
    """
    _check_size(value, 10)
    if value[0] != _POLAR_ECG:
        return None
    if value[9] != 0:
        raise StreamError(f"Expected an ECG frame of type 0 from Polar, got type {value[9]}; update ecglens.")
    content = value[10:]
    if not content or len(content) % 3:
        raise StreamError(f"Expected samples of 3 bytes each from Polar, got {len(content)} bytes.")
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, 3).astype(np.int32)
    microvolts = raw[:, 0] | (raw[:, 1] << 8) | (raw[:, 2] << 16)
    microvolts = np.where(microvolts >= 1 << 23, microvolts - (1 << 24), microvolts)
    time_s = int.from_bytes(value[1:9], "little") * 1e-9 + _POLAR_EPOCH_S
    return Packet((microvolts[None] * 1e-3).astype(np.float32), None, time_s, received_s)


def movesense_subscribe(reference: int = 1, fs_hz: float = MOVESENSE_FS_HZ) -> bytes:
    """Return the command that starts the ECG of a Movesense sensor.

    Args:
        reference: Number that its packets bear, 1 to 255.
        fs_hz: Sampling rate.
    """
    return bytes((1, reference)) + f"/Meas/ECG/{fs_hz:.0f}".encode()


def parse_movesense(
    value: bytes, *, reference: int = 1, fs_hz: float = MOVESENSE_FS_HZ, received_s: float | None = None
) -> Packet | None:
    """Return the samples of a Movesense sensor.

    Args:
        value: Kind of response, reference, time of the first sample in ms (4 bytes), samples of 4 bytes each.
        reference: Number of the subscription.
        fs_hz: Sampling rate.
        received_s: Time of arrival in s since 1970.

    Returns:
        The samples of the one lead; ``None`` for another response.

    Raises:
        StreamError: There is no sample, or half a sample at its end.
    """
    _check_size(value, 2)
    if value[0] != _MOVESENSE_DATA or value[1] != reference:
        return None
    content = value[6:]
    if not content or len(content) % 4:
        raise StreamError(f"Expected samples of 4 bytes each from Movesense, got {len(content)} bytes.")
    raw = np.frombuffer(content, dtype="<i4")
    if np.abs(raw.astype(np.int64)).max() * MOVESENSE_MV > 1000:
        raise StreamError("Expected samples of at most 1 V from Movesense, got larger ones.")
    first_s = int.from_bytes(value[2:6], "little") * 1e-3
    last_s = first_s + (len(raw) - 1) / fs_hz
    return Packet((raw[None] * MOVESENSE_MV).astype(np.float32), None, last_s, received_s)


def _check_size(value: bytes, least: int) -> None:
    if not least <= len(value) <= _MAX_BYTES:
        raise StreamError(f"Expected a packet of {least} to {_MAX_BYTES} bytes, got {len(value)} bytes.")

"""Packets of Bluetooth devices, byte by byte."""

import struct

import numpy as np
import pytest

from ecglens.errors import StreamError
from ecglens.streams.packets import Battery
from ecglens.streams.sources.device_packets import (
    MOVESENSE_MV,
    POLAR_START_ECG,
    movesense_subscribe,
    parse_battery,
    parse_heart_rate,
    parse_movesense,
    parse_polar,
)


def polar_frame(microvolts: list[int], ns: int, kind: int = 0, frame: int = 0) -> bytes:
    samples = b"".join(value.to_bytes(3, "little", signed=True) for value in microvolts)
    return bytes((kind,)) + ns.to_bytes(8, "little") + bytes((frame,)) + samples


@pytest.mark.parametrize(
    ("value", "rate", "rr", "contact"),
    [
        (bytes((0x00, 72)), 72, (), None),
        (bytes((0x01, 0x2C, 0x01)), 300, (), None),
        (bytes((0x06, 60)), 60, (), True),
        (bytes((0x04, 60)), 60, (), False),
        (bytes((0x10, 75)) + struct.pack("<HH", 1024, 512), 75, (1.0, 0.5), None),
        (bytes((0x18, 75, 0x10, 0x00)) + struct.pack("<H", 819), 75, (819 / 1024,), None),
        (bytes((0x16, 0)) + struct.pack("<H", 0), None, (), True),
    ],
)
def test_a_heart_rate_is_read_by_its_flags(
    value: bytes, rate: int | None, rr: tuple[float, ...], contact: bool
) -> None:
    message = parse_heart_rate(value)
    assert (message.rate_bpm, message.rr_s, message.has_contact) == (rate, rr, contact)


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x01\x50", b"\x10\x50\x01", b"\x08\x50\x01", b"\x00" * 600])
def test_a_heart_rate_that_is_cut_off_is_refused(value: bytes) -> None:
    with pytest.raises(StreamError, match="^Expected"):
        parse_heart_rate(value)


def test_73_samples_of_polar_come_with_the_time_of_the_last_one() -> None:
    microvolts = [-5, 0, 1, 8_388_607, -8_388_608, *range(68)]
    packet = parse_polar(polar_frame(microvolts, 599_618_160_123_456_789), received_s=3.0)
    assert packet is not None
    assert packet.samples_mv.shape == (1, 73)
    np.testing.assert_allclose(packet.samples_mv[0], np.array(microvolts) / 1000, rtol=1e-6)
    assert packet.time_s == pytest.approx(599_618_160.123456789 + 946_684_800, abs=1e-6)
    assert packet.received_s == 3.0


def test_another_measurement_of_polar_is_no_packet() -> None:
    assert parse_polar(polar_frame([1], 0, kind=2)) is None


@pytest.mark.parametrize("value", [b"", polar_frame([], 0), polar_frame([1], 0)[:-1], polar_frame([1], 0, frame=1)])
def test_a_polar_frame_that_breaks_its_form_is_refused(value: bytes) -> None:
    with pytest.raises(StreamError, match="^Expected"):
        parse_polar(value)


def test_the_command_that_starts_polar_asks_for_130_hz_and_14_bits() -> None:
    assert POLAR_START_ECG.hex() == "02000001820001010e00"


def test_samples_of_movesense_get_the_time_of_the_last_one() -> None:
    value = bytes((2, 1)) + struct.pack("<I16i", 8_000, *range(-8, 8))
    packet = parse_movesense(value)
    assert packet is not None
    assert packet.time_s == pytest.approx(8.0 + 15 / 125)
    np.testing.assert_allclose(packet.samples_mv[0], np.arange(-8, 8) * MOVESENSE_MV, rtol=1e-6)
    assert parse_movesense(bytes((1, 1)) + value[2:]) is None
    assert parse_movesense(bytes((2, 9)) + value[2:]) is None
    assert movesense_subscribe() == b"\x01\x01/Meas/ECG/125"


@pytest.mark.parametrize("value", [b"\x02", b"\x02\x01\x00\x00\x00\x00", b"\x02\x01\x00\x00\x00\x00\x01\x02"])
def test_a_movesense_packet_that_is_cut_off_is_refused(value: bytes) -> None:
    with pytest.raises(StreamError, match="^Expected"):
        parse_movesense(value)


def test_the_battery_is_a_byte_from_0_to_100() -> None:
    assert parse_battery(b"\x5d") == Battery(93)
    for value in (b"", b"\x65", b"\x01\x02"):
        with pytest.raises(StreamError, match="0 to 100"):
            parse_battery(value)


def test_random_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        value = rng.bytes(int(rng.integers(0, 300)))
        for parse in (parse_heart_rate, parse_polar, parse_movesense, parse_battery):
            try:
                parse(value)
            except StreamError:
                continue

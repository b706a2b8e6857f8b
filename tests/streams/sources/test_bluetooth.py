"""A simulated Bluetooth device at the level of packets: a Polar H10 that loses, doubles and reconnects."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streams_help import collect, make_record

from ecglens.errors import StreamError
from ecglens.streams import Battery, Connection, Monitor, Packet, Refused, RrIntervals, StreamInfo
from ecglens.streams.results import LiveBeat, StreamEvent
from ecglens.streams.sources import device_packets as packets
from ecglens.streams.sources.bluetooth import read_bluetooth
from ecglens.streams.sources.reconnecting import Retries

N = 73
FS = 130.0


def frame(samples_mv: np.ndarray, last_s: float) -> bytearray:
    microvolts = np.rint(samples_mv * 1000).astype(int)
    content = b"".join(int(value).to_bytes(3, "little", signed=True) for value in microvolts)
    return bytearray(b"\x00" + round(last_s * 1e9).to_bytes(8, "little") + b"\x00" + content)


class Peripheral:
    """A strap: each connection sends some frames, then the strap goes out of reach."""

    def __init__(
        self, connections: list[list[tuple[str, bytearray]]], offered: list[str], *, failures: int = 0
    ) -> None:
        self.connections, self.offered, self.failures = connections, offered, failures
        self.commands: list[tuple[str, bytes]] = []
        self.connected = 0

    def __call__(self, address: str, *, disconnected_callback: Any) -> "Client":
        return Client(self, disconnected_callback)


class Client:
    def __init__(self, device: Peripheral, lose: Any) -> None:
        self._device, self._lose, self._listeners = device, lose, {}
        self.services = [SimpleNamespace(characteristics=[SimpleNamespace(uuid=uuid) for uuid in device.offered])]

    async def connect(self) -> None:
        if self._device.failures:
            self._device.failures -= 1
            raise OSError("no answer")
        if self._device.connected >= len(self._device.connections):
            raise OSError("switched off")
        self._device.connected += 1

    async def start_notify(self, uuid: str, listener: Any) -> None:
        self._listeners[uuid] = listener
        if uuid == packets.HEART_RATE or packets.HEART_RATE not in self._device.offered:
            self._task = asyncio.ensure_future(self._send())

    async def _send(self) -> None:
        await asyncio.sleep(0.01)
        for uuid, value in self._device.connections[self._device.connected - 1]:
            self._listeners[uuid](None, value)
            await asyncio.sleep(0)
        self._lose(self)

    async def write_gatt_char(self, uuid: str, value: bytes, response: bool | None = None) -> None:
        self._device.commands.append((uuid, bytes(value)))

    async def read_gatt_char(self, uuid: str) -> bytearray:
        return bytearray((77,))

    async def disconnect(self) -> None:
        return None


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def polar(record: np.ndarray, order: list[int], drift: float = 0.0) -> list[tuple[str, bytearray]]:
    return [
        (packets.POLAR_DATA, frame(record[number * N : (number + 1) * N], (number * N + N - 1) / (FS * (1 + drift))))
        for number in order
    ]


def read(device: Peripheral, attempts: int = 1) -> list[Any]:
    source = read_bluetooth("AA:BB", client_factory=device, retries=Retries(attempts=attempts), sleep=no_sleep)
    return asyncio.run(collect(source))


POLAR = [packets.POLAR_DATA, packets.POLAR_CONTROL, packets.HEART_RATE, packets.BATTERY_LEVEL]


def test_a_polar_is_started_and_sends_ecg_rate_and_battery() -> None:
    signal = make_record(fs_hz=FS).signals_mv[1]
    heart_rate = (packets.HEART_RATE, bytearray((0x10, 75, 0x00, 0x04)))
    device = Peripheral([[*polar(signal, [0, 1]), heart_rate, (packets.POLAR_DATA, bytearray(b"\x00\x01"))]], POLAR)
    messages = read(device)
    assert messages[0] == StreamInfo("AA:BB", ("ECG",), 130.0)
    assert [type(message) for message in messages[1:]] == [Battery, Packet, Packet, RrIntervals, Refused, Connection]
    assert device.commands == [(packets.POLAR_CONTROL, packets.POLAR_START_ECG)]
    assert messages[2].samples_mv.shape == (1, 73)


def test_lost_doubled_late_packets_and_a_reconnect_leave_every_beat_at_its_place() -> None:
    seconds, drift = 120.0, 1e-4
    signal = make_record(seconds=seconds, fs_hz=FS).signals_mv[1]
    total = len(signal) // N
    first, second = list(range(total // 2)), list(range(total // 2 + 6, total))
    lost = {20, 21, 47, total // 2 + 30}
    order = [n for n in first if n not in lost]
    order.insert(12, order[10])  # doubled
    order[30], order[31] = order[31], order[30]  # overtaken
    device = Peripheral(
        [polar(signal, order, drift), polar(signal, [n for n in second if n not in lost], drift)], POLAR[:2]
    )
    messages = read(device, attempts=1)
    assert [message.is_connected for message in messages if isinstance(message, Connection)][:2] == [False, True]
    monitor = Monitor(messages[0])
    results = [result for message in messages for result in monitor.feed(message)[1]]
    results += monitor.finish()[1]
    beats = [beat for beat in results if isinstance(beat, LiveBeat)]
    gaps = [event for event in results if isinstance(event, StreamEvent) and event.kind == "gap"]
    assert round(sum(gap.values["samples"] for gap in gaps) / N) == len(lost) + 6
    assert monitor.faults.duplicates == 1
    assert monitor.faults.reordered == 1
    true = np.arange(0.5, seconds - 0.45, 0.8) + 0.045
    distances = [np.abs(true - beat.at_s).min() for beat in beats]
    assert max(distances) < 0.05
    assert len(beats) > 0.85 * len(true)
    # No RR interval spans a gap.
    for beat in beats:
        spans = [gap for gap in gaps if beat.rr_s and beat.at_s - beat.rr_s < gap.end_s and beat.at_s > gap.start_s]
        assert not spans
        assert beat.rr_s is None or beat.rr_s == pytest.approx(0.8, abs=0.05) or beat.rr_s > 1.5


def test_a_strap_without_ecg_gives_rr_intervals() -> None:
    value = bytearray((0x10, 75)) + bytearray((819).to_bytes(2, "little")) * 2
    messages = read(Peripheral([[(packets.HEART_RATE, value)] * 40], [packets.HEART_RATE]))
    assert messages[0].leads == ()
    monitor = Monitor(messages[0])
    results = [result for message in messages for result in monitor.feed(message)[1]]
    rates = [result.figures["rate_bpm"].value for result in results if getattr(result, "window", "") == "rate"]
    assert rates[-1] == pytest.approx(75, abs=1)


def test_a_device_that_is_away_at_first_is_tried_again() -> None:
    signal = make_record(fs_hz=FS).signals_mv[1]
    device = Peripheral([polar(signal, [0])], POLAR[:2], failures=2)
    assert isinstance(read(device, attempts=3)[0], StreamInfo)


def test_a_device_that_never_answers_gives_one_sentence() -> None:
    with pytest.raises(StreamError, match="Expected a connection to the device AA:BB, but there is none: switched off"):
        read(Peripheral([], POLAR))


def test_a_device_without_an_ecg_gives_one_sentence() -> None:
    with pytest.raises(StreamError, match="got one with neither"):
        read(Peripheral([[]], ["0000180a-0000-1000-8000-00805f9b34fb"]))


def test_a_machine_without_bluetooth_gives_one_sentence_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def miss(self: Client) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Client, "connect", miss)
    with pytest.raises(StreamError, match="Expected Bluetooth on this machine"):
        read(Peripheral([], POLAR))

"""ECGs and heart rates over Bluetooth Low Energy: any strap with the heart rate service, Polar H10, Movesense."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.packets import Message, Refused, StreamInfo
from ecglens.streams.sources import device_packets as packets
from ecglens.streams.sources.reconnecting import Retries, Sleep, keep_connected

__all__ = ["DeviceLost", "read_bluetooth"]

_QUEUE = 512
"""Packets that may wait for the program; more are refused, so that a program that hangs does not fill the memory."""


class DeviceLost(Exception):
    """The device is out of reach."""


def read_bluetooth(
    address: str,
    *,
    client_factory: Callable[..., Any] | None = None,
    retries: Retries | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Message]:
    """Return the messages of a device.

    Its characteristics say what it is: a Polar with measurement data and a Movesense send their ECG, any other strap
    RR intervals alone. The battery is read at each connection.

    Args:
        address: Address or, on macOS, identifier of the device.
        client_factory: Function that returns a client like ``bleak.BleakClient``; that one by default.
        retries: How a lost connection is made again; for ever by default.
        clock: Function for the time in s since 1970.
        sleep: Coroutine function that waits for some seconds.

    Raises:
        StreamError: The device has none of the services, or cannot be reached and is not to be tried again.
        MissingExtraError: bleak is not installed.
    """
    losses: tuple[type[Exception], ...] = (DeviceLost, OSError, TimeoutError)
    if client_factory is None:
        bleak = require("bleak", extra="stream")
        client_factory = bleak.BleakClient
        losses = (*losses, bleak.exc.BleakError)
    factory = client_factory

    async def connect() -> AsyncGenerator[Message, None]:
        queue: asyncio.Queue[Message | None] = asyncio.Queue(_QUEUE)
        loop = asyncio.get_running_loop()

        def put(message: Message | None) -> None:
            with suppress(asyncio.QueueFull):
                queue.put_nowait(message)

        def lose(_: Any) -> None:
            loop.call_soon_threadsafe(put, None)

        client = factory(address, disconnected_callback=lose)
        try:
            await client.connect()
        except FileNotFoundError as error:  # the socket of D-Bus
            raise StreamError(
                "Expected Bluetooth on this machine, got none that programs can use; start the Bluetooth service."
            ) from error
        try:
            yield await _start(client, address, put, clock)
            while (message := await queue.get()) is not None:
                yield message
            raise DeviceLost("the device is out of reach or switched off")
        finally:
            with suppress(Exception):  # the device may be gone already
                await client.disconnect()

    return keep_connected(
        connect, name=f"the device {address}", losses=losses, retries=retries or Retries(), sleep=sleep
    )


async def _start(
    client: Any, address: str, put: Callable[[Message | None], None], clock: Callable[[], float]
) -> StreamInfo:
    """Subscribe to everything that the device offers, and return what it is."""
    offered = {characteristic.uuid.lower() for service in client.services for characteristic in service.characteristics}

    def listen(parse: Callable[[bytes], Message | None]) -> Callable[[Any, bytearray], None]:
        def take(_: Any, value: bytearray) -> None:
            try:
                message = parse(bytes(value))
            except StreamError as error:
                message = Refused(str(error))
            if message is not None:
                put(message)

        return take

    if packets.POLAR_DATA in offered:
        info = StreamInfo(address, ("ECG",), packets.POLAR_FS_HZ)
        await client.start_notify(
            packets.POLAR_DATA, listen(lambda value: packets.parse_polar(value, received_s=clock()))
        )
        await client.write_gatt_char(packets.POLAR_CONTROL, packets.POLAR_START_ECG, response=True)
    elif packets.MOVESENSE_NOTIFY in offered:
        info = StreamInfo(address, ("ECG",), packets.MOVESENSE_FS_HZ)
        await client.start_notify(
            packets.MOVESENSE_NOTIFY, listen(lambda value: packets.parse_movesense(value, received_s=clock()))
        )
        await client.write_gatt_char(packets.MOVESENSE_WRITE, packets.movesense_subscribe(), response=True)
    elif packets.HEART_RATE in offered:
        info = StreamInfo(address, (), 1.0)
    else:
        raise StreamError(
            f"Expected a device with an ECG or a heart rate at {address}, got one with neither; wake it up, or check "
            "the address."
        )
    if packets.HEART_RATE in offered:
        await client.start_notify(
            packets.HEART_RATE, listen(lambda value: packets.parse_heart_rate(value, received_s=clock()))
        )
    if packets.BATTERY_LEVEL in offered:
        listen(packets.parse_battery)(None, await client.read_gatt_char(packets.BATTERY_LEVEL))
    return info

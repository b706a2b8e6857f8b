"""Sources against real servers on this machine: TCP, WebSocket, an MQTT broker, the Lab Streaming Layer, pipes."""

import asyncio
import gc
import io
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams_help import collect, make_record

from ecglens.errors import StreamError
from ecglens.streams import Connection, Packet, Refused, StreamInfo, open_source, watch
from ecglens.streams.json_lines import MAX_LINE_BYTES, write_line
from ecglens.streams.outputs import LslOutput, MqttOutput, open_output
from ecglens.streams.packets import Stretch
from ecglens.streams.replay import cut_packets
from ecglens.streams.results import LiveBeat
from ecglens.streams.sources.lines import read_file, read_tcp, read_websocket
from ecglens.streams.sources.mqtt import read_mqtt
from ecglens.streams.sources.reconnecting import Retries

ONCE = Retries(attempts=0)
QUICK = Retries(attempts=40, first_s=0.05, longest_s=0.2)
RECORD = make_record(seconds=4.0)
INFO = StreamInfo("bed 1", RECORD.leads, RECORD.fs_hz)
LINES = [write_line(INFO), *(write_line(packet) for packet in cut_packets(RECORD))]
HOSTILE = ["{", '{"type": "samples", "mv": [[1]]}', "x" * (MAX_LINE_BYTES + 10)]


def signals_of(messages: list[object]) -> np.ndarray:
    return np.concatenate([message.samples_mv for message in messages if isinstance(message, Packet)], axis=1)


def check_all(messages: list[object], refused: int = len(HOSTILE)) -> None:
    """Check that every packet arrived once and every hostile line was refused."""
    assert messages[0] == INFO
    np.testing.assert_allclose(signals_of(messages), RECORD.signals_mv, atol=6e-5)
    assert sum(isinstance(message, Refused) for message in messages) == refused


@asynccontextmanager
async def tcp_server(parts: list[list[str]]) -> AsyncIterator[int]:
    """Serve each connection the lines of the next part."""
    left = list(parts)

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            for line in left.pop(0) if left else ():
                writer.write(line.encode() + b"\n")
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0, limit=1 << 22)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_tcp_lines_arrive_and_hostile_ones_are_refused_one_by_one() -> None:
    async def run() -> list[object]:
        async with tcp_server([[LINES[0], *HOSTILE, *LINES[1:]]]) as port:
            return await collect(read_tcp("127.0.0.1", port, retries=ONCE))

    check_all(asyncio.run(run()))


def test_a_tcp_server_that_hangs_up_is_connected_to_again() -> None:
    async def run() -> list[object]:
        async with tcp_server([LINES[:10], [LINES[0], *LINES[10:]]]) as port:
            return await collect(read_tcp("127.0.0.1", port, retries=QUICK), limit=len(LINES) + 2)

    messages = asyncio.run(run())
    assert [message.is_connected for message in messages if isinstance(message, Connection)] == [False, True]
    check_all(messages, refused=0)


def test_a_port_where_nobody_listens_gives_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StreamError, match=f"Expected a connection to 127.0.0.1:{port}, but there is none"):
        asyncio.run(collect(read_tcp("127.0.0.1", port, retries=ONCE)))


def test_websocket_messages_arrive_as_text_and_as_bytes() -> None:
    websockets = pytest.importorskip("websockets.asyncio.server")

    async def send(connection: object) -> None:
        await connection.send(LINES[0])  # type: ignore[attr-defined]
        for line in HOSTILE:
            await connection.send(line)  # type: ignore[attr-defined]
        await connection.send("\n".join(LINES[1:20]).encode())  # type: ignore[attr-defined]
        for line in LINES[20:]:
            await connection.send(line)  # type: ignore[attr-defined]

    async def run() -> list[object]:
        async with websockets.serve(send, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await collect(read_websocket(f"ws://127.0.0.1:{port}/ecg", retries=ONCE))

    messages = asyncio.run(run())
    check_all([message for message in messages if not isinstance(message, Connection)])


def test_a_busy_websocket_that_is_left_is_closed_in_order() -> None:
    """The server gets the code of a client that goes, and nothing is raised behind the client's back."""
    websockets = pytest.importorskip("websockets.asyncio.server")
    codes, raised = [], []

    async def send(connection: Any) -> None:
        with suppress(Exception):
            for line in [LINES[0], *LINES[1:] * 50]:
                await connection.send(line)
        await connection.wait_closed()
        codes.append(connection.close_code)

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        async with websockets.serve(send, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with aclosing(watch(read_websocket(f"ws://127.0.0.1:{port}/", retries=ONCE))) as steps:
                async for step in steps:
                    if step.monitor.now_s > 2:
                        break

    asyncio.run(run())
    gc.collect()
    assert (codes, raised) == ([1000], [])


def test_lines_of_a_pipe_arrive_until_its_end() -> None:
    content = "\n".join([LINES[0], *HOSTILE, *LINES[1:]]).encode()
    check_all(asyncio.run(collect(read_file(io.BytesIO(content)))))


def test_a_serial_line_is_read(tmp_path: Path) -> None:
    pytest.importorskip("serial")
    main, side = os.openpty()
    path = os.ttyname(side)
    import termios
    import tty

    tty.setraw(side, termios.TCSANOW)

    async def run() -> list[object]:
        async def send() -> None:
            for line in LINES:
                content = line.encode() + b"\n"
                while content:
                    content = content[await asyncio.to_thread(os.write, main, content[:512]) :]

        task = asyncio.ensure_future(send())
        out = await collect(open_source(f"serial:{path}", retries=ONCE), limit=len(LINES))
        await task
        return out

    try:
        check_all(asyncio.run(run()), refused=0)
    finally:
        os.close(main)
        os.close(side)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator["Broker"]:
    if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("needs mosquitto")
    pytest.importorskip("aiomqtt")
    one = Broker(tmp_path)
    one.start()
    yield one
    one.stop()


class Broker:
    """A real MQTT broker."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.05)
        raise AssertionError("the broker does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


async def publish(port: int, topic: str, lines: list[str], *, wait_for: asyncio.Event | None = None) -> None:
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish(topic, LINES[0], qos=1, retain=True)
        if wait_for is not None:
            await wait_for.wait()
        for line in lines:
            await client.publish(topic, line, qos=1)


def test_mqtt_messages_arrive_and_a_restarted_broker_is_connected_to_again(broker: Broker) -> None:
    topic = "ward/bed 1"

    async def run() -> list[object]:
        ready, out = asyncio.Event(), []
        sending = asyncio.ensure_future(publish(broker.port, topic, [*HOSTILE[:2], *LINES[1:20]], wait_for=ready))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(40):
            async for message in read_mqtt("127.0.0.1", broker.port, topic, retries=QUICK):
                out.append(message)
                ready.set()
                packets = sum(isinstance(each, Packet) for each in out)
                if packets == 19 and not any(isinstance(each, Connection) for each in out):
                    await sending
                    broker.stop()
                    broker.start()
                if isinstance(message, Connection) and not message.is_connected:
                    sending = asyncio.ensure_future(resume())
                if packets == len(LINES) - 1:
                    break
        return out

    async def resume() -> None:
        await asyncio.sleep(0.5)
        await publish(broker.port, topic, LINES[20:])

    messages = asyncio.run(run())
    assert messages[0] == INFO
    np.testing.assert_allclose(signals_of(messages), RECORD.signals_mv, atol=6e-5)
    assert [message.is_connected for message in messages if isinstance(message, Connection)] == [False, True]
    assert sum(isinstance(message, Refused) for message in messages) == 2


def test_results_are_published_and_a_broker_that_is_away_loses_them_with_a_count(broker: Broker) -> None:
    import json

    import aiomqtt

    beats = [LiveBeat(0.5 * number) for number in range(5)]

    async def run() -> tuple[list[dict[str, object]], int]:
        out: list[dict[str, object]] = []
        sink = MqttOutput("127.0.0.1", broker.port, "out")
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("out/#", qos=1)
            await sink.write(INFO, [], beats)
            async with asyncio.timeout(10):
                async for message in client.messages:
                    assert str(message.topic) == "out/beat"
                    out.append(json.loads(message.payload))
                    if len(out) == len(beats):
                        break
        broker.stop()
        await sink.write(INFO, [], beats[:2])
        await sink.close()
        return out, sink.dropped

    documents, dropped = asyncio.run(run())
    assert [document["at_s"] for document in documents] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert all(document["device"] == "bed 1" for document in documents)
    assert dropped == 2


def test_a_stream_of_the_lab_streaming_layer_is_read_back() -> None:
    pytest.importorskip("pylsl")
    name = f"ecglens-{uuid.uuid4().hex[:8]}"

    async def run() -> list[object]:
        output = LslOutput(name)
        await output.write(INFO, [], [])

        async def send() -> None:
            await asyncio.sleep(1.0)
            for start in range(0, 1000, 50):
                await output.write(INFO, [Stretch(start, RECORD.signals_mv[:, start : start + 50])], [LiveBeat(1.0)])
                await asyncio.sleep(0.05)

        task, out = asyncio.ensure_future(send()), []
        async with asyncio.timeout(30):
            async for message in open_source(f"lsl:{name}"):
                out.append(message)
                total = sum(each.samples_mv.shape[1] for each in out if isinstance(each, Packet))
                if total >= 900:
                    break
        await task
        await output.close()
        return out

    messages = asyncio.run(run())
    assert messages[0] == StreamInfo(name, RECORD.leads, 250.0)
    signals = signals_of(messages)
    assert signals.shape[0] == 2
    starts = [n for n in range(150) if np.allclose(RECORD.signals_mv[:, n : n + 400], signals[:, :400], atol=1e-6)]
    assert len(starts) == 1, "the samples are not those that were sent"


@pytest.mark.parametrize(
    "address", ["", "x", "tcp://host", "tcp://host:99999999", "ble:", "mqtt://host/", "mqtt://host/a/#", "replay:"]
)
def test_an_address_of_no_form_gives_one_sentence(address: str) -> None:
    with pytest.raises(StreamError, match="^Expected"):
        open_source(address)


@pytest.mark.parametrize("address", ["", "mqtt://host", "lsl:", "http://host/x"])
def test_an_output_of_no_form_gives_one_sentence(address: str) -> None:
    with pytest.raises(StreamError, match="Expected an output"):
        open_output(address)

"""Streams over workers through a real Redis: one worker a device, nothing lost, nothing twice, after a kill too."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from streams_help import make_record

from ecglens.documents import parse_json
from ecglens.errors import StreamError
from ecglens.streams import Monitor, StreamInfo, replay
from ecglens.streams.replay import cut_packets
from ecglens.streams.workers import StreamWorker, connect_broker, feed_broker, results_key

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")

WORKER = """
import os, signal, sys
from ecglens.streams.workers import StreamWorker, connect_broker
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
StreamWorker(connect_broker(sys.argv[1]), name=sys.argv[2]).run(is_stopped=lambda: bool(stopped))
"""


class Server:
    """A real Redis that writes every command to its file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.url = folder, f"redis://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen(
            ["redis-server", *options, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL
        )
        for _ in range(200):
            with suppress(StreamError):
                connect_broker(self.url).close()
                return
            time.sleep(0.05)
        raise AssertionError("redis does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path)
    one.start()
    yield one
    one.stop()


def start_workers(url: str, count: int) -> list["subprocess.Popen[bytes]"]:
    code = textwrap.dedent(WORKER)
    return [subprocess.Popen([sys.executable, "-c", code, url, f"w{number}"]) for number in range(count)]


def end(workers: list["subprocess.Popen[bytes]"]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(10)
        worker.kill()
        worker.wait()


def read_results(url: str, device: str) -> list[dict[str, Any]]:
    broker = connect_broker(url)
    entries = broker.xrange(results_key(device))
    broker.close()
    numbers = [int(fields[b"number"]) for _, fields in entries]
    assert numbers == list(range(1, len(numbers) + 1)), f"results of {device} are missing, twice or out of order"
    return [parse_json(fields[b"result"]) for _, fields in entries]


def count_samples(results: list[dict[str, Any]]) -> int:
    """Return the samples of a device, after checking that each came once and in its order."""
    expected = 0
    for result in results:
        if result["type"] == "samples":
            assert result["first"] == expected, "a sample is missing or came twice"
            expected += result["samples"]
    return expected


def expected_results(device: str, seconds: float) -> list[dict[str, Any]]:
    """Return the results of one monitor that nothing happens to."""
    record = make_record(seconds=seconds, leads=3)
    monitor, out = Monitor(StreamInfo(device, record.leads, record.fs_hz)), []
    for packet in cut_packets(record):
        out += [result.to_dict() for result in monitor.feed(packet)[1]]
    return out


def keys_of(results: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """Return kind and seconds of each result except samples; times by the wall differ from run to run."""
    return [
        (each["type"], each.get("at_s", each.get("start_s")), each.get("at_s", each.get("end_s")))
        for each in results
        if each["type"] != "samples"
    ]


async def feed_all(url: str, devices: list[str], seconds: float, *, speed: float) -> None:
    broker = connect_broker(url)
    record = make_record(seconds=seconds, leads=3)
    await asyncio.gather(*(feed_broker(broker, replay(record, device=device, speed=speed)) for device in devices))
    broker.close()


def wait_for(url: str, devices: list[str], samples: int, timeout_s: float = 60.0) -> None:
    until = time.time() + timeout_s
    while time.time() < until:
        if all(count_samples(read_results(url, device)) >= samples for device in devices):
            return
        time.sleep(0.3)
    raise AssertionError({device: count_samples(read_results(url, device)) for device in devices})


def test_one_worker_gives_the_results_of_one_monitor(server: Server) -> None:
    broker = connect_broker(server.url)
    asyncio.run(feed_all(server.url, ["bed"], 20.0, speed=0))
    worker = StreamWorker(broker, name="w")
    while worker.work() or not worker.devices:
        continue
    worker.stop()
    results = read_results(server.url, "bed")
    assert count_samples(results) == 5000
    assert keys_of(results) == keys_of(expected_results("bed", 20.0))
    assert broker.xpending("ecglens:streams:packets:bed", "workers")["pending"] == 0
    broker.close()


def test_a_worker_that_lost_its_lease_changes_nothing(server: Server) -> None:
    broker = connect_broker(server.url)
    asyncio.run(feed_all(server.url, ["bed"], 4.0, speed=0))
    worker = StreamWorker(broker, name="old")
    worker._take_devices()
    broker.set("ecglens:streams:lease:bed", "another", px=60_000)
    worker.work()
    assert worker.devices == ()
    assert read_results(server.url, "bed") == []
    broker.close()


@pytest.mark.slow
def test_20_streams_survive_a_killed_worker_with_nothing_lost_and_nothing_twice(server: Server) -> None:
    devices, seconds = [f"bed {number}" for number in range(20)], 15.0
    workers = start_workers(server.url, 3)
    owners: dict[str, set[str]] = defaultdict(set)
    try:

        async def run() -> None:
            feeding = asyncio.ensure_future(feed_all(server.url, devices, seconds, speed=1.0))
            broker, began, is_killed = connect_broker(server.url), time.time(), False
            while not feeding.done():
                await asyncio.sleep(0.25)
                for device in devices:
                    lease = broker.get(f"ecglens:streams:lease:{device}")
                    if lease is not None:
                        owners[device].add(lease.decode().partition(":")[0])
                if not is_killed and time.time() - began > 6:
                    is_killed = True
                    os.kill(workers[0].pid, signal.SIGKILL)
            await feeding
            broker.close()
            assert is_killed

        asyncio.run(run())
        wait_for(server.url, devices, round(seconds * 250))
    finally:
        end(workers)
    assert sum("w0" in names and len(names) > 1 for names in owners.values()) >= 5, "no stream went on elsewhere"
    expected = keys_of(expected_results("bed", seconds))
    for device in devices:
        results = read_results(server.url, device)
        assert count_samples(results) == seconds * 250
        assert keys_of(results) == expected


@pytest.mark.slow
def test_a_broker_that_is_killed_and_started_again_loses_nothing(server: Server) -> None:
    devices, seconds = ["a", "b"], 30.0
    workers = start_workers(server.url, 2)
    try:

        async def run() -> None:
            feeding = asyncio.ensure_future(feed_all(server.url, devices, seconds, speed=3.0))
            await asyncio.sleep(4.0)
            assert 0 < await asyncio.to_thread(lambda: count_samples(read_results(server.url, "a"))) < seconds * 250
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(server.start)
            await feeding

        asyncio.run(run())
        wait_for(server.url, devices, round(seconds * 250))
    finally:
        end(workers)
    for device in devices:
        results = read_results(server.url, device)
        assert count_samples(results) == seconds * 250
        assert keys_of(results) == keys_of(expected_results(device, seconds))


def test_an_address_without_a_server_gives_one_sentence() -> None:
    with pytest.raises(StreamError, match="Expected a Redis server at 127.0.0.1:1"):
        connect_broker("redis://user:secret@127.0.0.1:1")

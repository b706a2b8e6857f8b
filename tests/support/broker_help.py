"""Help for tests and benchmarks of streams over workers: a real Redis, worker processes, and what came out."""

import asyncio
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from streams_help import make_record

from ecglens.documents import parse_json
from ecglens.errors import StreamError
from ecglens.streams import Monitor, StreamInfo, replay
from ecglens.streams.replay import cut_packets
from ecglens.streams.workers import connect_broker, feed_broker, results_key

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
    """Return kind and seconds of each result that depends on the samples alone.

    Times by the wall differ from run to run, and how long nothing arrives depends on the broker.
    """
    return [
        (each["type"], each.get("at_s", each.get("start_s")), each.get("at_s", each.get("end_s")))
        for each in results
        if each["type"] != "samples" and each.get("kind") != "no_signal"
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

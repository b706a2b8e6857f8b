"""Streams over workers through a real Redis: one worker a device, nothing lost, nothing twice, after a kill too."""

import asyncio
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker_help import (
    Server,
    count_samples,
    end,
    expected_results,
    feed_all,
    keys_of,
    read_results,
    start_workers,
    wait_for,
)
from streams_help import make_record

from ecglens.errors import StreamError
from ecglens.streams import Message, Monitor, Refused, StreamInfo
from ecglens.streams.packets import Battery
from ecglens.streams.replay import cut_packets
from ecglens.streams.workers import StreamWorker, connect_broker, feed_broker

pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path)
    one.start()
    yield one
    one.stop()


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


@pytest.mark.nightly
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
    for device in devices:
        results = read_results(server.url, device)
        assert count_samples(results) == seconds * 250
        assert keys_of(results) == keys_of(expected_results(device, seconds))


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


def feed(server: Server, messages: list[Message]) -> int:
    async def source() -> AsyncIterator[Message]:
        for message in messages:
            yield message

    broker = connect_broker(server.url)
    count = asyncio.run(feed_broker(broker, source()))
    broker.close()
    return count


def work(worker: StreamWorker) -> None:
    """Let a worker process all packets that there are."""
    time.sleep(0.5)
    while worker.work() or not worker.devices:
        worker._renewed_s = -1e9


def make_messages(leads: int = 3, **options: Any) -> list[Message]:
    record = make_record(seconds=10.0, leads=leads)
    return [StreamInfo("bed", record.leads, 250.0), *(replace(p, **options) for p in cut_packets(record))]


def events_of(server: Server, device: str = "bed") -> list[tuple[str, str]]:
    return [(each["kind"], each["detail"]) for each in read_results(server.url, device) if each["type"] == "event"]


@pytest.mark.parametrize("options", [{}, {"sequence": None}, {"sequence": None, "time_s": None}])
def test_a_device_that_is_fed_a_second_time_is_monitored_a_second_time(server: Server, options: dict[str, Any]) -> None:
    broker = connect_broker(server.url)
    worker = StreamWorker(broker)
    for _ in range(2):
        feed(server, make_messages(**options))
        work(worker)
    results = read_results(server.url, "bed")
    firsts = [each["first"] for each in results if each["type"] == "samples"]
    assert sum(each["samples"] for each in results if each["type"] == "samples") == 5000
    assert min(first for first in firsts if first >= 2500) > 2500, "nothing is glued"
    assert [kind for kind, _ in events_of(server) if kind != "irregular_rhythm"] == ["connection", "connection", "gap"]
    worker.stop()
    broker.close()


def test_a_device_that_returns_with_other_leads_begins_again_and_its_workers_live(server: Server) -> None:
    broker = connect_broker(server.url)
    worker = StreamWorker(broker)
    feed(server, make_messages(3))
    work(worker)
    feed(server, make_messages(1))
    work(worker)
    worker.stop()
    feed(server, make_messages(2))
    other = StreamWorker(broker)
    work(other)
    results = read_results(server.url, "bed")
    assert [each["first"] for each in results if each["type"] == "samples"].count(0) == 3
    assert [kind for kind, detail in events_of(server) if "other leads" in detail] == ["connection"] * 2
    other.stop()
    broker.close()


def test_an_error_in_one_stream_ends_it_with_a_sentence_and_the_worker_goes_on(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = connect_broker(server.url)
    worker = StreamWorker(broker)
    feed(server, make_messages())
    take = Monitor.feed

    def fail(self: Monitor, message: Message) -> Any:
        if self.now_s > 5:
            raise ZeroDivisionError
        return take(self, message)

    monkeypatch.setattr(Monitor, "feed", fail)
    work(worker)
    assert events_of(server)[-1] == (
        "connection",
        "The program failed on a message of the device. The stream ends until it is fed again.",
    )
    worker.stop()
    monkeypatch.undo()
    other = StreamWorker(broker)
    feed(server, make_messages())
    work(other)
    assert [each["first"] for each in read_results(server.url, "bed") if each["type"] == "samples"].count(0) == 2
    other.stop()
    broker.close()


def test_refusals_have_their_reason_and_silence_rings_whatever_arrives(server: Server) -> None:
    broker = connect_broker(server.url)
    now = [0.0]
    worker = StreamWorker(broker, clock=lambda: now[0])
    feed(server, [Refused("Expected more."), make_messages()[0], Battery(80)])
    work(worker)
    assert ("refused", "Expected more.") in events_of(server)
    for _ in range(5):
        now[0] += 1.0
        feed(server, [make_messages()[0], Battery(80)])
        worker.work()
    assert "no_signal" in dict(events_of(server))
    worker.stop()
    broker.close()


def test_an_address_without_a_server_gives_one_sentence() -> None:
    with pytest.raises(StreamError, match="Expected a Redis server at 127.0.0.1:1"):
        connect_broker("redis://user:secret@127.0.0.1:1")

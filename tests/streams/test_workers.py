"""Streams over workers through a real Redis: one worker a device, nothing lost, nothing twice, after a kill too."""

import asyncio
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

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

from ecglens.errors import StreamError
from ecglens.streams.workers import StreamWorker, connect_broker

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


def test_an_address_without_a_server_gives_one_sentence() -> None:
    with pytest.raises(StreamError, match="Expected a Redis server at 127.0.0.1:1"):
        connect_broker("redis://user:secret@127.0.0.1:1")

"""Dask sends files to whoever reads them: this machine's cores, or any cluster that has a Dask scheduler.

A task is a chunk of files, sized by what files cost, and few tasks are under way at a time, so that neither a million
files nor slow ones burden the scheduler. Dask gives the chunk of a worker that went away to another.
"""

import math
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.batch.readers import Answer, close_readers, read_chunk
from ecglens.errors import BatchError
from ecglens.extras import require

__all__ = ["Item", "cluster", "read_all"]

_CHUNK_SECONDS = 2.0
"""How long a task should take: long beside what sending it costs, short beside what its loss costs."""
_FIRST_CHUNK = 8
_MOST_FILES = 512
_MOST_BYTES = 8_000_000
"""Of a chunk's files that travel with it."""
_TASKS_A_SLOT = 2
"""Under way for each thread of a worker: one that it reads, one that waits there."""
_SLOTS_HOLD_SECONDS = 5.0
_WAIT_SECONDS = 60.0
"""For a cluster's first worker."""
_MOST_LOSSES = 3
"""Of a file, each with the machines of several attempts of Dask's own, before it is given up."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file to read.

    Attributes:
        number: Of its entry in the journal.
        entry: Where it is.
        data: Its bytes, where they have no place to be read from.
        losses: How often the machines that read it went away.
    """

    number: int
    entry: Entry
    data: bytes | None = field(default=None, repr=False)
    losses: int = 0


@contextmanager
def cluster(*, workers: int, scheduler: str | None) -> Iterator[Any]:
    """A Dask client.

    Args:
        workers: Processes that read on this machine, where there is no scheduler.
        scheduler: Address of a cluster's.

    Raises:
        BatchError: Nobody answers there, or nobody works there.
        MissingExtraError: Dask is not installed.
    """
    dask, distributed = require("dask", extra="batch"), require("distributed", extra="batch")
    quiet = distributed.utils.silence_logging_cmgr("error")  # stderr is for the progress
    settings = {
        "distributed.admin.large-graph-warning-threshold": "1GB",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.profile.enabled": False,
        # Dask remembers so many messages whole, and a message may have the bytes of files in it.
        "distributed.admin.low-level-log-length": 1,
    }
    with quiet, dask.config.set(settings):
        own = None if scheduler is not None else _own_cluster(distributed, workers)
        try:
            with _client(distributed, scheduler or own) as client:
                yield client
        finally:
            if own is not None:
                own.close()


def read_all(
    items: Iterator[Item], *, files: int, job: Job, client: Any, take: Callable[[Sequence[tuple[int, Answer]]], None]
) -> None:
    """Read files and hand over their answers as they come.

    Args:
        items: Taken as they are needed, never many at once.
        files: How many there are, so that the last chunks are small ones.
        job: What is asked of each.
        client: Of :func:`cluster`.
        take: Gets the answers of a chunk by the numbers of its items.

    Raises:
        BatchError: A worker cannot read for this job, or the scheduler went away.
    """
    flow = _Flow(client, job, items, files)
    try:
        for future in flow.done:
            chunk = flow.landed(future)
            lost = _lost(future)
            if lost:
                take(flow.again(chunk))
            else:
                answers, seconds = future.result()
                flow.learn(seconds, len(chunk))
                take([(item.number, answer) for item, answer in zip(chunk, answers, strict=True)])
            future.release()
            flow.fill()
    finally:
        flow.stop()


def _lost(future: Any) -> bool:
    """Whether the workers that had a chunk went away; raises what else went wrong."""
    if future.status == "finished":
        return False
    if future.status != "error":
        raise BatchError("The scheduler went away; what was answered is kept, start again to go on.")
    error = future.exception()
    if isinstance(error, require("distributed", extra="batch").KilledWorker):
        return True
    if isinstance(error, BatchError):
        raise error
    raise BatchError(
        f"A worker cannot read pages ({type(error).__name__}: {error}); every machine needs the same ecglens and dask."
    ) from error


class _Flow:
    """What is under way: never more than the workers can use, in chunks that fit how long files take."""

    def __init__(self, client: Any, job: Job, items: Iterator[Item], files: int) -> None:
        self.done = require("distributed", extra="batch").as_completed(loop=client.loop)
        self._under_way: dict[Any, tuple[Any, list[Item]]] = {}
        self._client, self._job, self._items, self._left = client, job, items, files
        self._again: list[Item] = []
        self._file_seconds = _CHUNK_SECONDS / _FIRST_CHUNK
        self._run, self._number = f"ecglens-pages-{uuid.uuid4().hex}", 0
        self._slots, self._slots_until = 1, 0.0
        self.fill()

    def fill(self) -> None:
        """Send chunks until enough are under way."""
        while len(self._under_way) < _TASKS_A_SLOT * self._slot_count() and (chunk := self._next_chunk()):
            key = (self._run, self._number)
            self._number += 1
            told = [(item.entry, item.data) for item in chunk]
            future = self._client.submit(read_chunk, told, self._job, self._run, key=key, pure=False)
            self._under_way[key] = future, chunk
            self.done.add(future)

    def landed(self, future: Any) -> list[Item]:
        """The files of a chunk that is under way no more."""
        return self._under_way.pop(future.key)[1]

    def stop(self) -> None:
        """Take back what is under way, and end the processes that read."""
        if self._client.status == "running":
            self._client.cancel([future for future, _ in self._under_way.values()], force=True)
            self._client.run(close_readers, self._run, on_error="ignore")
        close_readers(self._run)

    def learn(self, seconds: float, files: int) -> None:
        """Let the next chunks fit what the last took."""
        self._file_seconds += 0.3 * (seconds / files - self._file_seconds)

    def again(self, chunk: Sequence[Item]) -> list[tuple[int, Answer]]:
        """Send the files of a lost chunk once more, each alone; those that were lost too often fail."""
        worn = [item for item in chunk if item.losses + 1 >= _MOST_LOSSES]
        kept = [item for item in chunk if item.losses + 1 < _MOST_LOSSES]
        self._again += [Item(item.number, item.entry, item.data, item.losses + 1) for item in kept]
        reason = "The machines that read this file went away each time; look at the cluster's log."
        return [(item.number, Answer(failure="lost", reason=reason)) for item in worn]

    def _next_chunk(self) -> list[Item]:
        if self._again:
            return [self._again.pop()]
        by_time = round(_CHUNK_SECONDS / max(self._file_seconds, 1e-9))
        by_end = math.ceil(self._left / (_TASKS_A_SLOT * self._slot_count()))
        chunk: list[Item] = []
        size = 0
        for item in islice(self._items, max(1, min(by_time, by_end, _MOST_FILES))):
            chunk.append(item)
            size += len(item.data or b"")
            if size > _MOST_BYTES:
                break
        self._left -= len(chunk)
        return chunk

    def _slot_count(self) -> int:
        """Threads of all workers, which come and go."""
        now = time.monotonic()
        if now > self._slots_until:
            self._slots = max(1, sum(self._client.nthreads().values()))
            self._slots_until = now + _SLOTS_HOLD_SECONDS
        return self._slots


def _own_cluster(distributed: Any, workers: int) -> Any:
    """Dask in this process, which no one else can reach; each of its threads has a process that reads."""
    served = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with warnings.catch_warnings():
        # Dask looks for an address of its own, and warns where a machine has no network.
        warnings.filterwarnings("ignore", "Couldn't detect a suitable IP address", RuntimeWarning)
        return distributed.SpecCluster(
            {0: {"cls": distributed.Worker, "options": {"nthreads": workers, "memory_limit": 0, **served}}},
            {"cls": distributed.Scheduler, "options": {"protocol": "inproc://", **served}},
        )


def _wait_for_workers(client: Any, where: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError as error:
        raise BatchError(
            f"Expected workers at {where}, found none within {_WAIT_SECONDS:g} s; start some: dask worker {where}"
        ) from error


@contextmanager
def _client(distributed: Any, where: Any) -> Iterator[Any]:
    try:
        if isinstance(where, str):
            distributed.comm.resolve_address(where)
        client = distributed.Client(where, set_as_default=False, timeout=_WAIT_SECONDS / 2)
    except (OSError, ValueError) as error:
        raise BatchError(
            f"Expected a Dask scheduler at {where}, such as tcp://host:8786, but nobody answers."
        ) from error
    try:
        _wait_for_workers(client, where)
        yield client
    except distributed.core.CommClosedError as error:
        raise BatchError("The scheduler went away; what was answered is kept, start again to go on.") from error
    finally:
        client.close()

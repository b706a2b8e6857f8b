"""Distribute files with Dask to the cores of this machine, or to a cluster with a Dask scheduler.

A task is a chunk of files whose size depends on how long files take. Few tasks are submitted at a time, so that neither
a million files nor slow files burden the scheduler. If a worker disappears, Dask gives its chunk to another.
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
from ecglens.batch.readers import FileResult, close_readers, read_chunk
from ecglens.errors import BatchError
from ecglens.extras import require

__all__ = ["Item", "cluster", "read_all"]

_LOST_SCHEDULER = "The connection to the scheduler was lost. Finished pages are stored; run the same command to resume."
_CHUNK_SECONDS = 2.0
"""Target duration of a task in s: long compared with the cost of sending it, short compared with that of losing it."""
_FIRST_CHUNK = 8
_MOST_FILES = 512
_MOST_BYTES = 8_000_000
"""A chunk stops growing once the files that are sent with it have more bytes than this."""
_TASKS_PER_THREAD = 2
"""Submitted tasks for each thread of a worker: one that it reads, and one that waits there."""
_THREAD_COUNT_SECONDS = 5.0
_WAIT_SECONDS = 60.0
"""Time limit in s for the first worker of a cluster to appear."""
_MOST_LOSSES = 3
"""A file fails after its task was lost this often. Dask itself makes several attempts before it reports a loss."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file to read.

    Attributes:
        number: Number of its entry in the journal.
        entry: Name and location of the file.
        data: Bytes of the file if they cannot be read from a location of their own.
        losses: Number of times that the task was lost because its workers disappeared.
    """

    number: int
    entry: Entry
    data: bytes | None = field(default=None, repr=False)
    losses: int = 0


@contextmanager
def cluster(*, workers: int, scheduler: str | None) -> Iterator[Any]:
    """Start or connect to a Dask cluster, and yield its client.

    Args:
        workers: Number of processes that read on this machine if there is no scheduler.
        scheduler: Address of the scheduler of a cluster.

    Raises:
        BatchError: The scheduler does not respond, or it has no workers.
        MissingExtraError: Dask is not installed.
    """
    dask, distributed = require("dask", extra="batch"), require("distributed", extra="batch")
    quiet = distributed.utils.silence_logging_cmgr("error")  # stderr is reserved for the progress
    settings = {
        "distributed.admin.large-graph-warning-threshold": "1GB",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.profile.enabled": False,
        # Dask keeps this many complete messages in memory, and a message may contain the bytes of files.
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
    items: Iterator[Item],
    *,
    files: int,
    job: Job,
    client: Any,
    store: Callable[[Sequence[tuple[int, FileResult]]], None],
) -> None:
    """Read files and pass on their results as they arrive.

    Args:
        items: Files to read. The iterator is advanced only as far as needed.
        files: Number of files, so that the last chunks can be small.
        job: What to read from each page.
        client: Client of :func:`cluster`.
        store: Called with the results of a chunk, each with the number of its item.

    Raises:
        BatchError: A worker cannot read pages for this job, or the connection to the scheduler was lost.
    """
    queue = _Queue(client, job, items, files)
    try:
        for future in queue.done:
            chunk = queue.pop(future)
            if _is_lost(future):
                store(queue.retry(chunk))
            else:
                results, seconds = future.result()
                queue.adjust(seconds, len(chunk))
                store([(item.number, result) for item, result in zip(chunk, results, strict=True)])
            future.release()
            queue.fill()
    finally:
        queue.stop()


def _is_lost(future: Any) -> bool:
    """Return whether the workers of a chunk disappeared, and raise any other error."""
    if future.status == "finished":
        return False
    if future.status != "error":
        raise BatchError(_LOST_SCHEDULER)
    error = future.exception()
    if isinstance(error, require("distributed", extra="batch").KilledWorker):
        return True
    if isinstance(error, BatchError):
        raise error
    raise BatchError(
        f"A worker cannot read pages ({type(error).__name__}: {error}); every machine needs the same ecglens and dask."
    ) from error


class _Queue:
    """The submitted tasks: no more than the workers can use, in chunks whose size depends on how long files take."""

    def __init__(self, client: Any, job: Job, items: Iterator[Item], files: int) -> None:
        self.done = require("distributed", extra="batch").as_completed(loop=client.loop)
        self._submitted: dict[Any, tuple[Any, list[Item]]] = {}
        self._client, self._job, self._items, self._left = client, job, items, files
        self._to_retry: list[Item] = []
        self._file_seconds = _CHUNK_SECONDS / _FIRST_CHUNK
        self._run, self._number = f"ecglens-pages-{uuid.uuid4().hex}", 0
        self._threads, self._threads_until = 1, 0.0
        self.fill()

    def fill(self) -> None:
        """Submit chunks until there are enough for all workers."""
        while len(self._submitted) < _TASKS_PER_THREAD * self._count_threads() and (chunk := self._next_chunk()):
            key = (self._run, self._number)
            self._number += 1
            files = [(item.entry, item.data) for item in chunk]
            future = self._client.submit(read_chunk, files, self._job, self._run, key=key, pure=False)
            self._submitted[key] = future, chunk
            self.done.add(future)

    def pop(self, future: Any) -> list[Item]:
        """Remove a finished task and return its files."""
        return self._submitted.pop(future.key)[1]

    def stop(self) -> None:
        """Cancel the submitted tasks and end the processes that read pages."""
        if self._client.status == "running":
            self._client.cancel([future for future, _ in self._submitted.values()], force=True)
            self._client.run(close_readers, self._run, on_error="ignore")
        close_readers(self._run)

    def adjust(self, seconds: float, files: int) -> None:
        """Adjust the size of the next chunks to the time that the last chunk took."""
        self._file_seconds += 0.3 * (seconds / files - self._file_seconds)

    def retry(self, chunk: Sequence[Item]) -> list[tuple[int, FileResult]]:
        """Schedule the files of a lost chunk again, each alone, or let those fail that were lost too often."""
        failed = [item for item in chunk if item.losses + 1 >= _MOST_LOSSES]
        remaining = [item for item in chunk if item.losses + 1 < _MOST_LOSSES]
        self._to_retry += [Item(item.number, item.entry, item.data, item.losses + 1) for item in remaining]
        reason = "The machines that read this file disappeared each time; see the log of the cluster."
        return [(item.number, FileResult(failure="lost", reason=reason)) for item in failed]

    def _next_chunk(self) -> list[Item]:
        if self._to_retry:
            return [self._to_retry.pop()]
        by_time = round(_CHUNK_SECONDS / max(self._file_seconds, 1e-9))
        by_end = math.ceil(self._left / (_TASKS_PER_THREAD * self._count_threads()))
        chunk: list[Item] = []
        size = 0
        for item in islice(self._items, max(1, min(by_time, by_end, _MOST_FILES))):
            chunk.append(item)
            size += len(item.data or b"")
            if size > _MOST_BYTES:
                break
        self._left -= len(chunk)
        return chunk

    def _count_threads(self) -> int:
        """Count the threads of all workers, again every few seconds, because workers come and go."""
        now = time.monotonic()
        if now > self._threads_until:
            self._threads = max(1, sum(self._client.nthreads().values()))
            self._threads_until = now + _THREAD_COUNT_SECONDS
        return self._threads


def _own_cluster(distributed: Any, workers: int) -> Any:
    """Start Dask in this process, where no other process can reach it; each thread has a process that reads pages."""
    no_dashboard = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with warnings.catch_warnings():
        # Dask determines an address of its own, and warns if the machine has no network.
        warnings.filterwarnings("ignore", "Couldn't detect a suitable IP address", RuntimeWarning)
        return distributed.SpecCluster(
            {0: {"cls": distributed.Worker, "options": {"nthreads": workers, "memory_limit": 0, **no_dashboard}}},
            {"cls": distributed.Scheduler, "options": {"protocol": "inproc://", **no_dashboard}},
        )


def _wait_for_workers(client: Any, address: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError as error:
        raise BatchError(
            f"Expected workers at {address}, got none within {_WAIT_SECONDS:g} s; start some: dask worker {address}"
        ) from error


@contextmanager
def _client(distributed: Any, address: Any) -> Iterator[Any]:
    """Connect to a scheduler, by its address or as an object, and yield the client."""
    try:
        if isinstance(address, str):
            distributed.comm.resolve_address(address)
        client = distributed.Client(address, set_as_default=False, timeout=_WAIT_SECONDS / 2)
    except (OSError, ValueError) as error:
        raise BatchError(
            f"Expected a Dask scheduler at {address}, such as tcp://host:8786, but it does not respond."
        ) from error
    try:
        _wait_for_workers(client, address)
        yield client
    except distributed.core.CommClosedError as error:
        raise BatchError(_LOST_SCHEDULER) from error
    finally:
        client.close()

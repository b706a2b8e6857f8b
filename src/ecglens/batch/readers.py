"""Read pages for a Dask worker, in a separate process for each thread that is started again if a page ends it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.documents import parse_json
from ecglens.errors import BatchError

__all__ = ["FileResult", "PageReader", "Row", "close_readers", "read_chunk"]

_ATTEMPTS = 2
"""Number of times that a page is read before it fails. After an attempt that ends the process, a new one is started."""

_WAS_STOPPED = "The run was stopped; start it again to resume."
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
}
"""Use one core, and reserve no memory before it is needed, because it would count against the limit."""


@dataclass(frozen=True, slots=True)
class Row:
    """The row of a page as it is stored.

    Attributes:
        page: Number of the page in the file, from 1.
        failure: One of ``ecglens.batch.rows.FAILURES``, or ``None``.
        text: The columns as JSON.
    """

    page: int
    failure: str | None
    text: str


@dataclass(slots=True)
class FileResult:
    """The rows of a file, or the reason why there are none.

    Attributes:
        sha256: Hash of its bytes; ``None`` if they could not be read, which ``failure`` and ``reason`` explain.
        rows: The rows of its pages.
        files: Contents of the files to store next to the table, by path relative to the folder of the result.
        failure: Why there is no row, one of ``ecglens.batch.rows.FAILURES``.
        reason: The same in a sentence.
        pages: Number of pages of the file, 1 until it is known.
    """

    sha256: str | None = None
    rows: list[Row] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    failure: str | None = None
    reason: str | None = None
    pages: int = 1

    def add(self, reply: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Add a reply of the reading process and the files that came with it."""
        self.sha256 = reply.get("sha256", self.sha256)
        self.pages = reply.get("pages", self.pages)
        if "unreachable" in reply:
            self.failure, self.reason = "unreachable", reply["unreachable"]
        if "row" in reply:
            self.rows.append(Row(reply["page"], reply.get("failure"), reply["row"]))
            self.files |= files

    def add_failure(self, page: int, failure: str, reason: str) -> None:
        """Add a failed page, or let the whole file fail if its bytes were never read."""
        if self.sha256 is None:
            self.failure, self.reason = failure, reason
        else:
            row = {"page": page, "failure": failure, "reason": reason}
            self.rows.append(Row(page, failure, json.dumps(row)))


def read_chunk(items: Sequence[tuple[Entry, bytes | None]], job: Job, run: str) -> tuple[list[FileResult], float]:
    """Read some files. This is the task that Dask distributes.

    Args:
        items: Entries, with the bytes of those that cannot be read from a location of their own.
        job: What to read from each page.
        run: Identifier of the run that the reading processes belong to.

    Returns:
        A result for each file, and the time for all of them in s.

    Raises:
        BatchError: This machine cannot read pages for the job.
    """
    reader, start = _own_reader(job, run), time.perf_counter()
    return [reader.read(entry, data) for entry, data in items], time.perf_counter() - start


def close_readers(run: str) -> None:
    """End the reading processes of a run on this machine."""
    with _LOCK:
        _STOPPED.append(run)
        for key in [key for key in _READERS if key[1] == run]:
            _READERS.pop(key).close()


class PageReader:
    """A process that reads pages, one at a time.

    Args:
        job: What to read from each page.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def read(self, entry: Entry, data: bytes | None = None, *, first: int = 1, last: int | None = None) -> FileResult:
        """Read the pages of a file.

        A page that ends the process is read once more by a new process, because an earlier page may have left the first
        one in a bad state. If it ends the new process too, the page fails, and reading continues with the next page.

        Args:
            entry: Name and location of the file.
            data: Bytes of the file if the entry has no location of its own.
            first: Number of the first page to read.
            last: Number of the last page to read; the last page of the file if ``None``.

        Raises:
            BatchError: No process can be started on this machine, or the run was stopped.
        """
        result, page, endings = FileResult(pages=first), first, Counter[int]()
        while page <= result.pages:
            ending = self._request(entry, data, (page, last), result)
            if ending is None:
                break
            page = result.rows[-1].page + 1 if result.rows else first
            endings[page] += 1
            if endings[page] == _ATTEMPTS:
                result.add_failure(page, *ending)
                page += 1
        return result

    def close(self) -> None:
        """End the process, even if it is reading a page."""
        self._closed = True
        self._end()

    def _request(
        self, entry: Entry, data: bytes | None, pages: tuple[int, int | None], result: FileResult
    ) -> tuple[str, str] | None:
        """Request pages of a file and add them to its result.

        Returns:
            The failure and its reason in a sentence if the process ended before the last page, else ``None``.
        """
        process = self._running_process()
        size = None if data is None else len(data)
        request = {"entry": entry.to_json(), "page": pages[0], "last": pages[1], "bytes": size}
        try:
            _send(process, request, data or b"")
            while True:
                reply = _receive(process)
                if "gone" in reply:
                    self._end()
                    return "memory", self._describe_memory_failure()
                result.add(
                    reply, {name: _receive_bytes(process, size) for name, size in reply.get("files", {}).items()}
                )
                if "done" in reply:
                    return None
        except (EOFError, BrokenPipeError):
            return self._describe_exit(self._end())

    def _describe_memory_failure(self) -> str:
        return (
            f"Expected a page that is read within {self._job.memory_mb} MB of memory, got one that needs more; "
            "scan it at a lower resolution, or allow more memory."
        )

    def _describe_exit(self, code: int) -> tuple[str, str]:
        """Return the failure and its reason for the exit code of a process, negative for a signal."""
        if code == -signal.SIGALRM:
            seconds = self._job.page_seconds
            return "time", f"Expected a page that is read within {seconds:g} s, got one that takes longer."
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        return "crash", f"Expected a page that can be read, got one that ends the process that reads it ({ending})."

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise BatchError(_WAS_STOPPED)
        if self._process is None:
            self._process = _start(self._job)
        return self._process

    def _end(self) -> int:
        """End the process and return its exit code, which shows if it had ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        with process:
            return process.wait()


_READERS: dict[tuple[int, str], PageReader] = {}
_STOPPED: deque[str] = deque(maxlen=100)
"""Stopped runs, whose last tasks may still arrive on this machine."""
_LOCK = threading.Lock()


def _own_reader(job: Job, run: str) -> PageReader:
    """Return the reader of the calling thread; a thread has one reader at a time."""
    thread = threading.get_ident()
    with _LOCK:
        if run in _STOPPED:
            raise BatchError(_WAS_STOPPED)
        for key in [key for key in _READERS if key[0] == thread and key[1] != run]:
            _READERS.pop(key).close()
        return _READERS.setdefault((thread, run), PageReader(job))


def _start(job: Job) -> "subprocess.Popen[bytes]":
    """Start a process and wait until it is ready for its first page."""
    path = os.pathsep.join(part for part in sys.path if part)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecglens.batch.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
        )
    except OSError as error:
        raise BatchError(f"A process that reads pages could not be started: {error.strerror or error}.") from error
    try:
        _send(process, job.to_dict())
        reply = _receive(process)
    except (EOFError, BrokenPipeError):
        reply = {"refused": "A process that reads pages ended as soon as it was started; try: ecglens read PAGE"}
    if "refused" in reply:
        process.kill()
        with process:
            process.wait()
        raise BatchError(reply["refused"])
    return process


def _send(process: "subprocess.Popen[bytes]", request: Mapping[str, Any], data: bytes = b"") -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode() + b"\n" + data)
    process.stdin.flush()


def _receive(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    reply: dict[str, Any] = parse_json(line)
    return reply


def _receive_bytes(process: "subprocess.Popen[bytes]", size: int) -> bytes:
    assert process.stdout is not None
    data = process.stdout.read(size)
    if len(data) < size:
        raise EOFError
    return data

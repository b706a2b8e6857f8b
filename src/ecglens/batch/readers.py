"""Whoever reads pages for a Dask worker: a process of its own for each thread, started again when a page ends it."""

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
from ecglens.errors import BatchError

__all__ = ["Answer", "PageReader", "Row", "close_readers", "read_chunk"]

_ATTEMPTS = 2
"""Of a page, each in a process that has read nothing before or nothing that ended it."""

_WAS_STOPPED = "The run was stopped; start it again to go on."
_LEAN = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
}
"""One core, and no memory that is reserved before it is needed: it would count against the limit."""


@dataclass(frozen=True, slots=True)
class Row:
    """A page's row as it is kept.

    Attributes:
        page: Number in the file, from 1.
        failure: One of ``ecglens.batch.rows.FAILURES``, or ``None``.
        text: The columns as JSON.
    """

    page: int
    failure: str | None
    text: str


@dataclass(slots=True)
class Answer:
    """What came of a file.

    Attributes:
        sha256: Of its bytes; ``None`` where they could not be had, which ``failure`` and ``reason`` explain.
        rows: A page each.
        files: What is kept beside the table, by its place below the result's folder.
        failure: Why there is no row, one of ``ecglens.batch.rows.FAILURES``.
        reason: The same in a sentence.
        pages: How many pages the file has, as far as that is known.
    """

    sha256: str | None = None
    rows: list[Row] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    failure: str | None = None
    reason: str | None = None
    pages: int = 1

    def take(self, said: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Add what the reading process said."""
        self.sha256 = said.get("sha256", self.sha256)
        self.pages = said.get("pages", self.pages)
        if "unreachable" in said:
            self.failure, self.reason = "unreachable", said["unreachable"]
        if "row" in said:
            self.rows.append(Row(said["page"], said.get("failure"), said["row"]))
            self.files |= files

    def fail(self, page: int, failure: str, reason: str) -> None:
        """Add that a page has no answer; of a file whose bytes were never seen, that it has none."""
        if self.sha256 is None:
            self.failure, self.reason = failure, reason
        else:
            told = {"page": page, "failure": failure, "reason": reason}
            self.rows.append(Row(page, failure, json.dumps(told)))


def read_chunk(items: Sequence[tuple[Entry, bytes | None]], job: Job, run: str) -> tuple[list[Answer], float]:
    """Read some files: the task that Dask sends about.

    Args:
        items: Entries, with their bytes where they have no place to be read from.
        job: What is asked.
        run: Whose processes these are.

    Returns:
        An answer each, and the seconds that all took.

    Raises:
        BatchError: This machine cannot read pages for the job.
    """
    reader, began = _own_reader(job, run), time.perf_counter()
    return [reader.read(entry, data) for entry, data in items], time.perf_counter() - began


def close_readers(run: str) -> None:
    """End this machine's processes of a run."""
    with _LOCK:
        _STOPPED.append(run)
        for key in [key for key in _READERS if key[1] == run]:
            _READERS.pop(key).close()


class PageReader:
    """A process that reads pages, one at a time.

    Args:
        job: What is asked of each.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def read(self, entry: Entry, data: bytes | None = None, *, first: int = 1, last: int | None = None) -> Answer:
        """Every page of a file from the first one on.

        A page that ends the process is read once more by a new one, since another page may have left the first in a bad
        state. The second time the page fails, and the file's next page has its turn.

        Args:
            entry: Where the file is.
            data: Its bytes, where the entry does not tell where they are.
            first: Page to begin with.
            last: Page to end with; the file's last one where it is ``None``.

        Raises:
            BatchError: No process can be started here, or the run was stopped.
        """
        found, page, ends = Answer(pages=first), first, Counter[int]()
        while page <= found.pages:
            ending = self._ask(entry, data, (page, last), found)
            if ending is None:
                break
            page = found.rows[-1].page + 1 if found.rows else first
            ends[page] += 1
            if ends[page] == _ATTEMPTS:
                found.fail(page, *ending)
                page += 1
        return found

    def close(self) -> None:
        """End the process, whatever it does."""
        self._closed = True
        self._end()

    def _ask(
        self, entry: Entry, data: bytes | None, pages: tuple[int, int | None], found: Answer
    ) -> tuple[str, str] | None:
        """Take a file's answers between two pages; where the process ended before, why, as word and sentence."""
        process = self._running()
        size = None if data is None else len(data)
        asked = {"entry": entry.to_json(), "page": pages[0], "last": pages[1], "bytes": size}
        try:
            _tell(process, asked, data or b"")
            while True:
                said = _heard(process)
                if "gone" in said:
                    self._end()
                    return "memory", self._too_large()
                found.take(said, {name: _bytes(process, size) for name, size in said.get("files", {}).items()})
                if "done" in said:
                    return None
        except (EOFError, BrokenPipeError):
            return self._why(self._end())

    def _too_large(self) -> str:
        return (
            f"Expected a page that is read within {self._job.memory_mb} MB of memory, found one that needs more; "
            "scan it at a lower resolution, or allow more memory."
        )

    def _why(self, code: int) -> tuple[str, str]:
        if code == -signal.SIGALRM:
            seconds = self._job.page_seconds
            return "time", f"Expected a page that is read within {seconds:g} s, found one that takes longer."
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return "crash", f"Expected a page that can be read, found one that ends the process that reads it ({how})."

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise BatchError(_WAS_STOPPED)
        if self._process is None:
            self._process = _started(self._job)
        return self._process

    def _end(self) -> int:
        """End the process, and how it ended if it did so by itself."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        with process:
            return process.wait()


_READERS: dict[tuple[int, str], PageReader] = {}
_STOPPED: deque[str] = deque(maxlen=100)
"""Runs whose last tasks may still arrive here."""
_LOCK = threading.Lock()


def _own_reader(job: Job, run: str) -> PageReader:
    """The calling thread's reader; a thread has one at a time."""
    thread = threading.get_ident()
    with _LOCK:
        if run in _STOPPED:
            raise BatchError(_WAS_STOPPED)
        for key in [key for key in _READERS if key[0] == thread and key[1] != run]:
            _READERS.pop(key).close()
        return _READERS.setdefault((thread, run), PageReader(job))


def _started(job: Job) -> "subprocess.Popen[bytes]":
    """A process that is ready for its first page."""
    path = os.pathsep.join(part for part in sys.path if part)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecglens.batch.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_LEAN, "PYTHONPATH": path},
        )
    except OSError as error:
        raise BatchError(f"Expected to start a process that reads pages, but {error.strerror or error}.") from error
    try:
        _tell(process, job.to_dict())
        said = _heard(process)
    except (EOFError, BrokenPipeError):
        said = {"refused": "Expected a process that reads pages to start, but it ended at once; try: ecglens read PAGE"}
    if "refused" in said:
        process.kill()
        with process:
            process.wait()
        raise BatchError(said["refused"])
    return process


def _tell(process: "subprocess.Popen[bytes]", said: Mapping[str, Any], data: bytes = b"") -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(said).encode() + b"\n" + data)
    process.stdin.flush()


def _heard(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    told: dict[str, Any] = json.loads(line)
    return told


def _bytes(process: "subprocess.Popen[bytes]", size: int) -> bytes:
    assert process.stdout is not None
    data = process.stdout.read(size)
    if len(data) < size:
        raise EOFError
    return data

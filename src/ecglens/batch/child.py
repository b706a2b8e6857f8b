"""Main function of the process that reads pages, one at a time, with limits on memory and time set by the system.

``ecglens.batch.readers`` starts the process and sends it a job, then files, each as a JSON line on stdin. The process
replies with JSON lines on stdout and never sends code. A page that exceeds the limits ends this process and nothing
else.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from select import select
from typing import Any, BinaryIO

import cv2

from ecglens import __version__
from ecglens.batch.entries import Entry, FetchError
from ecglens.batch.fetching import fetch_with_parts
from ecglens.batch.job import Job
from ecglens.documents import parse_json
from ecglens.errors import BatchError, EcgLensError, EcgReadError
from ecglens.models.cards import CARD_FILE, sha256_of
from ecglens.models.registry import SIGNAL_MODEL, find_model
from ecglens.pages.ifd import MAX_FRAMES
from ecglens.pages.read import count_pages

__all__ = ["main"]

_IDLE_SECONDS = 300.0
"""A process without requests exits after this time in s, so that none outlives a run that was killed."""
_MOST_PAGES = MAX_FRAMES - 1
"""Maximum number of pages of a file. In a TIFF, at most one more is counted."""
_MEMORY_SHARE = 0.95
"""Share of the memory limit that is available at once; libraries that are loaded later need the remainder."""

_PageFunction = Callable[[bytes, int, str, Job], Any]


def main() -> None:
    """Serve requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one handles Ctrl+C
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be mistaken for a reply
    try:
        job = Job.from_dict(parse_json(requests.readline()))
        server = _Server(job, _load_page_function(job), requests, replies)
    except EcgLensError as error:
        _send(replies, {"refused": str(error)})
        return
    _limit_memory(job.memory_mb)
    _send(replies, {"ready": True})
    try:
        server.serve()
    except BrokenPipeError:
        os._exit(0)  # the process that sent the request is gone


class _Server:
    """Read the requested files, one after the other."""

    def __init__(self, job: Job, page_function: _PageFunction, requests: BinaryIO, replies: BinaryIO) -> None:
        self._job, self._page_function, self._requests, self._replies = job, page_function, requests, replies

    def serve(self) -> None:
        """Serve requests until they end or none arrives for a while."""
        while select([self._requests], [], [], _IDLE_SECONDS)[0]:
            line = self._requests.readline()
            if not line:
                return
            try:
                self._read_file(parse_json(line))
            except MemoryError:
                # The remaining memory may be too fragmented for an ordinary page, so a new process takes over.
                _send(self._replies, {"gone": "memory"})
                os._exit(1)

    def _read_file(self, request: Mapping[str, Any]) -> None:
        """Read a file from the requested page on, and send a reply for each page."""
        entry = Entry.from_json(request["entry"])
        sent = None if request["bytes"] is None else self._requests.read(request["bytes"])
        with _time_limit(self._job.page_seconds):
            try:
                if sent is None:
                    data, digest = fetch_with_parts(entry, max_bytes=self._job.max_file_bytes)
                else:
                    data, digest = sent, sha256(sent).hexdigest()
            except FetchError as error:
                _send(self._replies, {"unreachable": str(error), "done": True})
                return
        _send(self._replies, {"sha256": digest})
        number = request["page"]
        with _time_limit(self._job.page_seconds):
            # Count before any page is read: a page that fails or ends this process must not hide those after it.
            pages = max(number, request["last"] or count_pages(data, apart=False))
        if pages > _MOST_PAGES:
            reason = f"Expected a file of at most {_MOST_PAGES} pages, got more; split it."
            _send(self._replies, {**_failure(number, "not_a_page", reason), "page": number}, done=True)
            return
        _send(self._replies, {"pages": pages})
        while number <= pages:
            with _time_limit(self._job.page_seconds):
                reply, files = self._read_page(data, number, f"{digest}-{number}")
                _send(self._replies, {**reply, "page": number}, files, done=number >= pages)
            number += 1

    def _read_page(self, data: bytes, number: int, stem: str) -> tuple[dict[str, Any], Mapping[str, bytes]]:
        """Read a page and return the reply and the files to store next to the table."""
        try:
            result = self._page_function(data, number, stem, self._job)
            return {"row": _to_json({"page": number, **result.row})}, result.files
        except EcgReadError as error:
            if isinstance(error.__cause__, MemoryError):
                raise MemoryError from error
            return _failure(number, "not_a_page", _capitalize_detail(error)), {}
        except MemoryError:
            raise
        # A bug may cost the page that triggers it, but not the other million pages.
        except Exception as error:
            if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
                raise MemoryError from error
            reason = f"This page triggers an error in the program: {type(error).__name__}: {error}"
            return _failure(number, "error", " ".join(reason.split())), {}


def _load_page_function(job: Job) -> _PageFunction:
    """Load the function that reads pages, and its model, so that the time limit of the first page does not cover it."""
    cv2.setNumThreads(1)
    if job.version != __version__:
        raise BatchError(f"Expected ecglens {job.version} on every machine, got {__version__} on one; install it.")
    module, _, name = job.answer.partition(":")
    page_function: _PageFunction = getattr(importlib.import_module(module), name)
    if {"signals", "measurements"} & set(job.parts):
        importlib.import_module("ecglens.measuring.measure")
        importlib.import_module("pyarrow.parquet" if job.signal_format == "parquet" else "ecglens.formats.wfdb")
    if "explanation" in job.parts:
        importlib.import_module("ecglens.models.explain")
    if "label" in job.parts:
        from ecglens.reading import load_runtime

        hashes = {job.model: job.model_sha256, **({SIGNAL_MODEL: job.signal_sha256} if job.signal_sha256 else {})}
        for model, expected in hashes.items():
            if sha256_of(find_model(model).folder / CARD_FILE) != expected:
                raise BatchError(f"Expected the same model '{model}' on every machine, got another on one; copy it.")
            load_runtime(model)
    return page_function


def _limit_memory(memory_mb: int) -> None:
    """Limit the memory of this process, counting what it uses already (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kilobytes = {
        name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "kB" in value
    }
    available = max(memory_mb * 1e6 * _MEMORY_SHARE - kilobytes["VmRSS"] * 1024, 0)
    limit = kilobytes["VmData"] * 1024 + int(available)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _failure(number: int, failure: str, reason: str) -> dict[str, Any]:
    return {"failure": failure, "row": _to_json({"page": number, "failure": failure, "reason": reason})}


def _capitalize_detail(error: EcgReadError) -> str:
    """Return the detail of an error as a sentence, without the name of the file, which the row contains."""
    return error.detail[:1].upper() + error.detail[1:]


def _to_json(row: Mapping[str, Any]) -> str:
    """Return a row as JSON that every parser accepts: without NaN, and encodable as UTF-8."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Let the system end the process if the block takes longer than some seconds."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _send(
    replies: BinaryIO, reply: dict[str, Any], files: Mapping[str, bytes] | None = None, *, done: bool = False
) -> None:
    """Send a reply as a line, followed by the bytes of the files that it names."""
    sizes = {name: len(content) for name, content in (files or {}).items()}
    line = {**reply, **({"files": sizes} if sizes else {}), **({"done": True} if done else {})}
    replies.write(json.dumps(line).encode() + b"\n" + b"".join((files or {}).values()))
    replies.flush()


if __name__ == "__main__":
    main()

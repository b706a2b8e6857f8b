"""The process that opens pages: one at a time, with a limit on memory and time that the system itself holds.

It is started by ``ecglens.batch.readers``, is told a job, then files, one JSON line each on stdin, and answers in JSON
lines on stdout; nothing that comes out of it is code. A page that breaks out of its limits ends this process and
nothing else.
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
from ecglens.batch.entries import Entry, FetchError, fetch
from ecglens.batch.job import Job
from ecglens.errors import BatchError, EcgLensError, EcgReadError
from ecglens.models.cards import CARD_FILE, sha256_of
from ecglens.models.registry import find_model
from ecglens.pages.ifd import MAX_FRAMES
from ecglens.pages.read import count_pages

__all__ = ["main"]

_IDLE_SECONDS = 300.0
"""A process that nobody asks anything ends, so that none outlives a run that was killed."""
_MOST_PAGES = MAX_FRAMES - 1
"""Of a file; a TIFF's are counted up to one more."""
_MEMORY_SHARE = 0.95
"""Of what a reader may take; the rest is for libraries that are mapped later."""

_Answerer = Callable[[bytes, int, str, Job], Any]


def main() -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started us
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    try:
        job = Job.from_dict(json.loads(questions.readline()))
        server = _Server(job, _prepared(job), questions, answers)
    except EcgLensError as error:
        _send(answers, {"refused": str(error)})
        return
    _limit_memory(job.memory_mb)
    _send(answers, {"ready": True})
    try:
        server.serve()
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone


class _Server:
    """Answers for one file after the other."""

    def __init__(self, job: Job, answerer: _Answerer, questions: BinaryIO, answers: BinaryIO) -> None:
        self._job, self._answerer, self._questions, self._answers = job, answerer, questions, answers

    def serve(self) -> None:
        """Until nobody asks any more."""
        while select([self._questions], [], [], _IDLE_SECONDS)[0]:
            line = self._questions.readline()
            if not line:
                return
            try:
                self._file(json.loads(line))
            except MemoryError:
                # What is left may be in pieces too small for an ordinary page; a new process has all of it.
                _send(self._answers, {"gone": "memory"})
                os._exit(1)

    def _file(self, asked: Mapping[str, Any]) -> None:
        """A file from one of its pages on, an answer a page."""
        entry = Entry.from_json(asked["entry"])
        given = None if asked["bytes"] is None else self._questions.read(asked["bytes"])
        with _time_limit(self._job.page_seconds):
            try:
                data = fetch(entry, max_bytes=self._job.max_file_bytes) if given is None else given
            except FetchError as error:
                _send(self._answers, {"unreachable": str(error), "done": True})
                return
        digest = sha256(data).hexdigest()
        _send(self._answers, {"sha256": digest})
        number = asked["page"]
        with _time_limit(self._job.page_seconds):
            # Before any page is read: one that fails, or ends this process, must not hide those behind it.
            pages = max(number, asked["last"] or count_pages(data))
        if pages > _MOST_PAGES:
            reason = f"Expected a file of at most {_MOST_PAGES} pages, found more; split it."
            _send(self._answers, {**_failed(number, "not_a_page", reason), "page": number}, done=True)
            return
        _send(self._answers, {"pages": pages})
        while number <= pages:
            with _time_limit(self._job.page_seconds):
                said, files = self._page(data, number, f"{digest}-{number}")
                _send(self._answers, {**said, "page": number}, files, done=number >= pages)
            number += 1

    def _page(self, data: bytes, number: int, stem: str) -> tuple[dict[str, Any], Mapping[str, bytes]]:
        """What is said of a page, and what is kept beside the table."""
        try:
            found = self._answerer(data, number, stem, self._job)
            return {"row": _text({"page": number, **found.row})}, found.files
        except EcgReadError as error:
            if isinstance(error.__cause__, MemoryError):
                raise MemoryError from error
            return _failed(number, "not_a_page", _sentence(error)), {}
        except MemoryError:
            raise
        # A fault of ours costs the page that shows it, not the other million.
        except Exception as error:
            if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
                raise MemoryError from error
            reason = f"The program has a fault that this page shows: {type(error).__name__}: {error}"
            return _failed(number, "error", " ".join(reason.split())), {}


def _prepared(job: Job) -> _Answerer:
    """The function that answers, with its model loaded, so that no page is charged for it."""
    cv2.setNumThreads(1)
    if job.version != __version__:
        raise BatchError(f"Expected ecglens {job.version} on every machine, found {__version__} on one; install it.")
    module, _, name = job.answer.partition(":")
    answerer: _Answerer = getattr(importlib.import_module(module), name)
    if {"signals", "measurements"} & set(job.what):
        importlib.import_module("ecglens.measuring.measure")
        importlib.import_module("pyarrow.parquet" if job.signal_format == "parquet" else "ecglens.formats.wfdb")
    if "explanation" in job.what:
        importlib.import_module("ecglens.models.explain")
    if "label" in job.what:
        from ecglens.reading import load_runtime

        found = sha256_of(find_model(job.model).folder / CARD_FILE)
        if found != job.model_sha256:
            raise BatchError(f"Expected the same model '{job.model}' on every machine, found another on one; copy it.")
        load_runtime(job.model)
    return answerer


def _limit_memory(memory_mb: int) -> None:
    """Let the process grow from what it is to what it may be; beyond that, memory is refused (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kilobytes = {
        name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "kB" in value
    }
    room = max(memory_mb * 1e6 * _MEMORY_SHARE - kilobytes["VmRSS"] * 1024, 0)
    limit = kilobytes["VmData"] * 1024 + int(room)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _failed(number: int, failure: str, reason: str) -> dict[str, Any]:
    return {"failure": failure, "row": _text({"page": number, "failure": failure, "reason": reason})}


def _sentence(error: EcgReadError) -> str:
    """Without the name in front, which the row has."""
    return error.detail[:1].upper() + error.detail[1:]


def _text(row: Mapping[str, Any]) -> str:
    """A row as JSON that every reader of JSON takes."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """The system ends the process when the time is over, wherever it is then."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _send(
    answers: BinaryIO, said: dict[str, Any], files: Mapping[str, bytes] | None = None, *, done: bool = False
) -> None:
    """A line, and after it the bytes of the files that it names."""
    kept = {name: len(content) for name, content in (files or {}).items()}
    line = {**said, **({"files": kept} if kept else {}), **({"done": True} if done else {})}
    answers.write(json.dumps(line).encode() + b"\n" + b"".join((files or {}).values()))
    answers.flush()


if __name__ == "__main__":
    main()

"""Decoding in other processes, which are ended when a file takes too long or too much memory.

A file of two kilobytes can hold a picture that takes minutes to draw, and no decoder can be stopped from within. The
processes wait for the next file; each decodes one file at a time.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from select import select
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.pages.source import Decoded, SourceFile
from ecglens.records import PageText

__all__ = ["LIMITS", "DecodingLimits", "count_pages_apart", "decode_apart", "decode_for_sender", "run_apart"]

_BENCHMARK = "`python benchmarks/decoding.py`: benchmarks/decoding.md"


@dataclass(frozen=True)
class DecodingLimits:
    """Limits of a process that decodes files."""

    cpu_seconds: int = threshold(
        5,
        "s",
        "CPU time for a file; a page of 100 megapixels takes 2 s.",
        low="Large scans are refused.",
        high="A hostile file occupies a processor for longer.",
        evidence=_BENCHMARK,
    )
    wall_seconds: float = threshold(
        60.0,
        "s",
        "Time for a file of the person who runs the program; a busy machine gives a process a part of a processor.",
        low="Large scans are refused on busy machines.",
        high="A file that waits for something without computing holds the program up for longer.",
        evidence=_BENCHMARK,
    )
    sender_seconds: float = threshold(
        9.0,
        "s",
        "Time for a file that someone sends to a site, so that the sender has an answer within 10 s.",
        low="Large scans are refused on busy machines.",
        high="The sender of a hostile file waits longer than 10 s on a busy machine.",
        evidence="`python benchmarks/attack.py files`: benchmarks/attack.md",
    )
    memory_mb: int = threshold(
        1000,
        "MB",
        "Memory for a file; a page of 100 megapixels takes 400 to 800 MB beside its file.",
        low="Large scans are refused.",
        high="A few hostile files at once exhaust the machine.",
        evidence=_BENCHMARK,
    )
    wait_seconds: float = threshold(
        60.0,
        "s",
        "Time that a file waits for a process.",
        low="Files are refused when many arrive at once.",
        high="Their senders wait longer for the refusal.",
    )


LIMITS = DecodingLimits()

_AT_ONCE = max(2, os.cpu_count() or 1)
"""Number of files that are decoded at the same time."""
_REUSED_BYTES = 32 << 20
"""Size up to which the file of an idle process keeps its memory for the next page."""
_CHUNK_BYTES = 1 << 20
"""Number of bytes that are sent at once."""


def decode_apart(file: SourceFile, kind: str) -> Decoded:
    """Decode a file in another process.

    Args:
        file: The file.
        kind: Its format, as ``read`` names it.

    Raises:
        EcgReadError: As the decoder of the format, or the file takes too long or too much memory.
    """
    return _decode(file, kind, LIMITS.wall_seconds)


def run_apart(file: SourceFile, converter: str) -> bytes:
    """Let a function convert a file in another process, for a sender who waits for the answer.

    Args:
        file: The file.
        converter: Function that takes the file and returns bytes, as ``module:name``.

    Raises:
        EcgReadError: As the function, or the file takes too long or too much memory.
    """
    request = {"count": False, "converter": converter, "name": file.name, "page": file.page}
    _, body = _ask({**request, "max_megapixels": file.max_megapixels}, file.data, file.name, LIMITS.sender_seconds)
    return body.tobytes()


def _decode(file: SourceFile, kind: str, wall_seconds: float) -> Decoded:
    request = {"count": False, "kind": kind, "name": file.name, "page": file.page}
    reply, body = _ask({**request, "max_megapixels": file.max_megapixels}, file.data, file.name, wall_seconds)
    at = int(np.prod(reply["shape"]))
    pixels, curves = body[:at].reshape(reply["shape"]), []
    for shape in reply["curves"]:
        size = 4 * int(np.prod(shape))
        curves.append(body[at : at + size].copy().view(np.float32).reshape(shape))
        at += size
    texts = msgspec.convert(reply["texts"], tuple[PageText, ...])
    return Decoded(pixels, reply["pages"], tuple(reply["warnings"]), tuple(curves), texts)


def decode_for_sender(file: SourceFile, kind: str) -> Decoded:
    """Decode a file in another process, for a sender who waits for the answer.

    Args:
        file: The file.
        kind: Its format, as ``read`` names it.

    Raises:
        EcgReadError: As :func:`decode_apart`, after a shorter time.
    """
    return _decode(file, kind, LIMITS.sender_seconds)


def count_pages_apart(data: bytes) -> int:
    """Count the pages of a file in another process; 1 where its bytes do not say, or it takes too long.

    Args:
        data: The whole file.
    """
    try:
        reply, _ = _ask({"count": True}, data, "bytes", LIMITS.wall_seconds)
    except EcgReadError:
        return 1
    return int(reply["pages"])


def _ask(
    request: Mapping[str, Any], data: bytes, name: str, wall_seconds: float
) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Send a request to an idle process, and return its reply and the bytes behind it."""
    if not _SLOTS.acquire(timeout=LIMITS.wait_seconds):
        raise EcgReadError(
            code="busy", source=name, detail="expected time to decode the file, but many others wait; send it again."
        )
    try:
        process = _take_process()
        try:
            answer = process.ask(request, data, name, wall_seconds)
        except EcgReadError:
            if process.is_usable():  # it refused the file, and waits for the next one
                _IDLE.append(process)
            raise
        except BaseException:
            process.end()
            raise
        _IDLE.append(process)
        return answer
    finally:
        _SLOTS.release()


class _Process:
    """A process that decodes files."""

    def __init__(self) -> None:
        path = os.pathsep.join(part for part in sys.path if part)
        self._pixels = _open_shared_file()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecglens.pages.decoding_child", str(self._pixels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            pass_fds=(self._pixels,),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)  # a process that hangs reads nothing

    def is_usable(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def end(self) -> int:
        """End the process and return its exit code, negative for a signal that had ended it."""
        self._process.kill()
        self._close_pixels()
        with self._process:
            return self._process.wait()

    def forget(self) -> None:
        """Leave the process to the one that started it."""
        self._close_pixels()
        self._process.returncode = 0

    def _close_pixels(self) -> None:
        if self._pixels >= 0:
            os.close(self._pixels)
            self._pixels = -1

    def ask(
        self, request: Mapping[str, Any], data: bytes, name: str, wall_seconds: float
    ) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """Send a request, and return the reply and the bytes behind it."""
        deadline = time.monotonic() + wall_seconds
        is_page = "converter" not in request
        remedy = "save the page as a PNG" if is_page else "send a shorter recording"
        smaller = "save the page at a lower resolution" if is_page else remedy
        try:
            self._send(json.dumps({**request, "bytes": len(data)}).encode() + b"\n", deadline)
            self._send(data, deadline)
            reply = self._receive_line(deadline)
            if "error" in reply:
                raise EcgReadError(**reply["error"])
            if "gone" in reply:
                self.end()
                raise _refuse(name, f"within {LIMITS.memory_mb} MB of memory, found one that needs more", smaller)
            sizes = [int(np.prod(reply["shape"]))] if "shape" in reply else []
            sizes += [4 * int(np.prod(shape)) for shape in reply.get("curves", ())]
            return reply, self._take(sum(sizes))
        except TimeoutError as error:
            self.end()
            raise _refuse(name, f"within {wall_seconds:g} s, found one that takes longer", remedy) from error
        except (EOFError, BrokenPipeError) as error:
            if self.end() == -signal.SIGXCPU:
                took = f"within {LIMITS.cpu_seconds} s of computing time, found one that takes longer"
                raise _refuse(name, took, remedy) from error
            took = f"within {LIMITS.memory_mb} MB of memory, found one that ends its decoder"
            raise _refuse(name, took, remedy) from error

    def _send(self, data: bytes, deadline: float) -> None:
        remaining = memoryview(data)
        while remaining:
            if not select([], [self._in], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError
            remaining = remaining[os.write(self._in, remaining[:_CHUNK_BYTES]) :]

    def _receive_line(self, deadline: float) -> dict[str, Any]:
        received = bytearray()
        while not received.endswith(b"\n"):
            received += self._read_some(1 << 16, deadline)
        reply: dict[str, Any] = parse_json(received)
        return reply

    def _take(self, size: int) -> NDArray[np.uint8]:
        """Take the bytes that the process left in the file that both have open."""
        body = np.empty(size, np.uint8)
        view, at = body.data, 0
        while at < size:
            count = os.preadv(self._pixels, [view[at:]], at)
            if not count:
                raise EOFError
            at += count
        if size > _REUSED_BYTES:
            os.ftruncate(self._pixels, 0)
        return body

    def _read_some(self, size: int, deadline: float) -> bytes:
        self._wait(deadline)
        some = os.read(self._out, size)
        if not some:
            raise EOFError
        return some

    def _wait(self, deadline: float) -> None:
        if not select([self._out], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError


_SLOTS = threading.BoundedSemaphore(_AT_ONCE)
_IDLE: list[_Process] = []
"""Processes that wait for a file."""


def _take_process() -> _Process:
    """Take an idle process, or start one."""
    while True:
        try:
            process = _IDLE.pop()
        except IndexError:
            return _Process()
        if process.is_usable():
            return process
        process.end()  # it ended by itself after a while


@atexit.register
def _end_idle() -> None:
    for process in _IDLE:
        process.end()


def _forget_idle() -> None:
    """Forget the processes of the one that this was forked from, which still uses them."""
    for process in _IDLE:
        process.forget()
    _IDLE.clear()


os.register_at_fork(after_in_child=_forget_idle)


def _refuse(name: str, limit: str, remedy: str) -> EcgReadError:
    return EcgReadError(
        code="too_costly", source=name, detail=f"expected a file that can be decoded {limit}; {remedy}."
    )


def _open_shared_file() -> int:
    """Open a file without a name, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pixels")
    descriptor, name = tempfile.mkstemp()
    os.unlink(name)
    return descriptor

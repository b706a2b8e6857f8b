"""Main function of the process that decodes files, one at a time, under limits that the system sets.

``ecglens.pages.decoding`` starts it. A request is a JSON line on stdin with the file's bytes behind it; the reply is a
JSON line on stdout, and never code. Pixels and curves are left in a file without a name that both processes have open.
A file that exceeds the limits ends this process and nothing else.
"""

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import Any, BinaryIO

import cv2
import msgspec
import numpy as np

from ecglens.documents import parse_json
from ecglens.errors import EcgReadError
from ecglens.pages.decoding import LIMITS
from ecglens.pages.read import count_pages, decode_here
from ecglens.pages.source import Decoded, SourceFile

__all__ = ["main"]

_IDLE_SECONDS = 300.0
"""A process without requests ends after this time in s."""


def main() -> None:
    """Serve requests until stdin ends, or none arrives for a while."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one handles Ctrl+C
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be mistaken for a reply
    cv2.setNumThreads(1)
    _limit_memory(LIMITS.memory_mb)
    try:
        while select([requests], [], [], _IDLE_SECONDS)[0]:
            line = requests.readline()
            if not line:
                return
            request = parse_json(line)
            data = requests.read(request["bytes"])
            _limit_time(LIMITS.cpu_seconds)
            _serve(request, data, replies, int(sys.argv[1]))
    except BrokenPipeError:
        os._exit(0)  # the process that sent the request is gone


def _serve(request: dict[str, Any], data: bytes, replies: BinaryIO, pixels: int) -> None:
    try:
        if request["count"]:
            _send(replies, {"pages": count_pages(data, apart=False)})
            return
        file = SourceFile(data, request["name"], request["page"], request["max_megapixels"])
        if "converter" in request:
            _send_bytes(replies, _find_converter(request["converter"])(file), pixels)
        else:
            _send_page(replies, decode_here(file, request["kind"]), pixels)
    except EcgReadError as error:
        if isinstance(error.__cause__, MemoryError):
            _give_up(replies)
        _send(replies, {"error": {"code": error.code, "source": error.source, "detail": error.detail}})
    except MemoryError:
        _give_up(replies)


def _find_converter(location: str) -> Callable[[SourceFile], bytes]:
    """Return the function that the requesting process names as ``module:name``."""
    module, _, name = location.partition(":")
    converter: Callable[[SourceFile], bytes] = getattr(importlib.import_module(module), name)
    return converter


def _give_up(replies: BinaryIO) -> None:
    """End the process: the remaining memory may be too fragmented for an ordinary page."""
    _send(replies, {"gone": "memory"})
    os._exit(1)


def _send_page(replies: BinaryIO, page: Decoded, pixels: int) -> None:
    curves = [np.ascontiguousarray(curve, dtype=np.float32) for curve in page.curves]
    at = 0
    for content in (np.ascontiguousarray(page.pixels).data, *(curve.data for curve in curves)):
        at = _leave(pixels, content.cast("B"), at)
    _send(
        replies,
        {
            "shape": page.pixels.shape,
            "pages": page.pages,
            "warnings": page.warnings,
            "curves": [curve.shape for curve in curves],
            "texts": msgspec.to_builtins(page.texts),
        },
    )


def _send_bytes(replies: BinaryIO, content: bytes, pixels: int) -> None:
    _leave(pixels, memoryview(content), 0)
    _send(replies, {"shape": [len(content)]})


def _leave(descriptor: int, content: memoryview, at: int) -> int:
    """Write to a file from a position on, and return the position behind it."""
    while content:
        count = os.pwrite(descriptor, content, at)
        at, content = at + count, content[count:]
    return at


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


def _limit_time(seconds: int) -> None:
    """Let the system end this process after some further seconds of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard))


def _limit_memory(memory_mb: int) -> None:
    """Limit the memory of this process beyond what its libraries use (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    status = Path("/proc/self/status").read_text(encoding="ascii")
    used_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    limit = used_kb * 1024 + memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main()

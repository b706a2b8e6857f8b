"""A limit on the memory that a file from outside may take, for code that builds what the file describes."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["limit_memory"]

_STATUS = Path("/proc/self/status")
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def limit_memory(megabytes: float) -> Iterator[None]:
    """Let allocations fail within the block that would take more than some MB (Linux only).

    The system counts the whole process: other threads share the limit while the block runs. Blocks of several threads
    run one after the other, since each restores the limit that it saw.

    Args:
        megabytes: MB beyond what the process has when the block begins.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    with _ONE_AT_A_TIME:
        yield from _limit(megabytes)


def _limit(megabytes: float) -> Iterator[None]:
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used_kb = next(
        int(line.split()[1]) for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmData")
    )
    limit = used_kb * 1024 + int(megabytes * 1e6)
    bounds = [each for each in (limit, before, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))

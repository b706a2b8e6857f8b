"""The deadline of a worker's task: a process whose task makes no progress in time ends, whatever it hangs in.

The task is then given to another worker, and failed after some attempts. Python's watchdog thread needs no lock of the
interpreter, so that it also ends a process that hangs in native code.
"""

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TASK_S", "extend_deadline", "limit_task"]

TASK_S = 180.0
"""Time in s without progress; the slowest page takes about 20 s to measure and explain on a busy machine."""


class _Watchdog:
    """Python's watchdog thread, of which a process has one."""

    is_set = False

    def set(self) -> None:
        faulthandler.dump_traceback_later(TASK_S, exit=True, file=sys.__stderr__ or sys.stderr)
        self.is_set = True

    def cancel(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self.is_set = False


_WATCHDOG = _Watchdog()


@contextmanager
def limit_task() -> Iterator[None]:
    """End the process, with a traceback in its log, when the block takes too long without progress."""
    _WATCHDOG.set()
    try:
        yield
    finally:
        _WATCHDOG.cancel()


def extend_deadline() -> None:
    """Report progress: the time of the task begins again, where it is limited."""
    if _WATCHDOG.is_set:
        _WATCHDOG.set()

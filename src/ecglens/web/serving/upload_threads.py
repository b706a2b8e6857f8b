"""Threads that read uploads: one that works for long gives way to the others, so that ordinary pages stay fast.

Linux lets a thread lower its own priority, and raise it again only with rights that no site should have. A thread whose
priority was lowered therefore ends after its upload, and another one takes its place.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connections

__all__ = ["UploadThreads", "give_way"]

_SLOW_S = 0.5
"""Time after which an upload counts as slow; an ordinary page takes 0.1 s."""
_NICENESS = 4
"""Priority of a slow upload: it has 0.4 of the time of an ordinary one where both want to run."""
_CAN_GIVE_WAY = sys.platform == "linux"
"""Elsewhere a priority is that of the whole process."""

P = ParamSpec("P")
T = TypeVar("T")


def give_way(thread: int = 0) -> None:
    """Lower the priority of a thread, where that is possible.

    Args:
        thread: Its number in the system; the calling thread by default.
    """
    if _CAN_GIVE_WAY:
        os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)


class UploadThreads(Executor):
    """As many threads as there are uploads at a time; the caller limits their number."""

    def __init__(self) -> None:
        self._idle: list[ThreadPoolExecutor] = []
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread, as :meth:`concurrent.futures.Executor.submit` does."""
        with self._lock:
            thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "upload")

        def run() -> T:
            number, is_slow = threading.get_native_id(), False

            def lower() -> None:
                nonlocal is_slow
                with self._lock:
                    if not timer.finished.is_set():
                        is_slow = True
                        give_way(number)

            timer = threading.Timer(_SLOW_S, lower)
            timer.daemon = True
            timer.start()
            try:
                return fn(*args, **kwargs)
            finally:
                with self._lock:
                    timer.cancel()
                    if not is_slow:
                        self._idle.append(thread)
                if is_slow:
                    connections.close_all()
                    thread.shutdown(wait=False)

        return thread.submit(run)

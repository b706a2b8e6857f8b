"""Threads of uploads: slow ones give way."""

import os
import sys
import threading
import time

import pytest

from ecglens.web.serving import upload_threads
from ecglens.web.serving.upload_threads import UploadThreads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has priorities of threads.")


def look(seconds: float = 0.0) -> tuple[int, int]:
    """Return the thread and its priority after some time."""
    time.sleep(seconds)
    number = threading.get_native_id()
    return number, os.getpriority(os.PRIO_PROCESS, number)


def test_a_slow_upload_gives_way_and_the_next_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, default = UploadThreads(), os.getpriority(os.PRIO_PROCESS, 0)
    first = threads.submit(look).result(10)
    assert first[1] == default
    assert threads.submit(look).result(10) == first
    monkeypatch.setattr(upload_threads, "_SLOW_S", 0.05)
    slow = threads.submit(look, 0.5).result(10)
    assert slow == (first[0], max(default, 4))
    after = threads.submit(look).result(10)
    assert after[1] == default
    assert after[0] != slow[0]


def test_uploads_run_beside_each_other_and_their_errors_come_back() -> None:
    threads, both = UploadThreads(), threading.Barrier(2, timeout=10)
    waiting = [threads.submit(both.wait) for _ in range(2)]
    assert sorted(each.result(10) for each in waiting) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(10)
    assert threads.submit(look).result(10)[1] == os.getpriority(os.PRIO_PROCESS, 0)

"""Time that the search for the leads of a page may take: CPU time of its thread, more of it on a slower machine.

What is found must not depend on how fast or how busy the machine is, and a page made to be searched for long must not
hold it up. Only where someone waits for the answer, the clock on the wall counts too.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property

import cv2
import numpy as np

from ecglens.records import Page

__all__ = ["LIMIT_S", "SearchTime", "end_searches_after", "is_overdue", "measure_slowness"]

LIMIT_S = 3.0
"""CPU time after which no further view of a page is tried: real pages whose leads are located need up to 2.3 s, hostile
ones needed 18 s."""
_MAX_SLOWNESS = 1.5
"""Largest factor by which a search may take longer on a slow machine."""
_SAMPLE_S = 0.005
"""CPU time of the sample of work on the machine on which ``LIMIT_S`` was measured."""
_SAMPLES = 3
_SAMPLE_SHAPE = (600, 800)
_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""Time by ``time.monotonic`` at which searches end, where there is one."""


@contextmanager
def end_searches_after(seconds: float) -> Iterator[None]:
    """End searches for leads some seconds from now by the wall clock, because someone waits for the answer.

    Args:
        seconds: On a machine that is not busy, more than a search may take.
    """
    token = _DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def is_overdue() -> bool:
    """Return whether someone waits for an answer for which no more time can be spent on a search."""
    deadline = _DEADLINE.get()
    return deadline is not None and time.monotonic() >= deadline


class SearchTime:
    """CPU time of a search, which begins when this object is made.

    Args:
        spent_s: CPU time of earlier searches for the leads of the same page.
    """

    def __init__(self, spent_s: float = 0.0) -> None:
        self._start_s = time.thread_time() - spent_s

    @property
    def spent_s(self) -> float:
        """CPU time of this search and of the earlier ones."""
        return time.thread_time() - self._start_s

    @property
    def is_over(self) -> bool:
        """Whether no further view may be tried."""
        if is_overdue():
            return True
        return self.spent_s >= LIMIT_S and self.spent_s >= LIMIT_S * self._slowness

    def limit(self, views: Iterable[Page]) -> Iterator[Page]:
        """Yield the views of a page until the time is over."""
        views = iter(views)
        while not self.is_over and (view := next(views, None)) is not None:
            yield view

    @cached_property
    def _slowness(self) -> float:
        return min(max(1.0, measure_slowness()), _MAX_SLOWNESS)


def measure_slowness() -> float:
    """Measure how many times as long as on the machine of the limits this one takes for the same work at present."""
    pixels = np.random.default_rng(0).integers(0, 256, _SAMPLE_SHAPE, dtype=np.uint8)
    times = []
    for _ in range(_SAMPLES):
        start_s = time.thread_time()
        blurred = cv2.GaussianBlur(pixels, (0, 0), 3)
        dark = blurred < np.median(blurred[: _SAMPLE_SHAPE[0] // 2], axis=0)
        cv2.connectedComponentsWithStats(dark.astype(np.uint8))
        times.append(time.thread_time() - start_s)
    return min(times) / _SAMPLE_S

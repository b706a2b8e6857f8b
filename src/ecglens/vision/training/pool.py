"""Samples that another process renders while a network trains, a new one every few steps.

The samples, and the steps at which each of them replaces an older one, depend only on the seed, not on the speed of the
machine: the training waits for a sample that is not ready.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Generic, TypeVar

__all__ = ["SamplePool", "open_pool"]

Sample = TypeVar("Sample")

_AHEAD = 8
"""Number of samples that are rendered before they are needed."""


class SamplePool(Generic[Sample]):
    """The newest samples of a stream.

    Args:
        stream: Samples in the order of their seeds.
        size: Largest number of samples in the pool.
    """

    def __init__(self, stream: Iterator[Sample], size: int) -> None:
        self._stream = stream
        self._size = size
        self._oldest = 0
        self.samples: list[Sample] = []

    def add(self, number: int) -> None:
        """Take the next samples of the stream; the oldest ones leave."""
        for _ in range(number):
            sample = next(self._stream)
            if len(self.samples) < self._size:
                self.samples.append(sample)
                continue
            self.samples[self._oldest] = sample
            self._oldest = (self._oldest + 1) % self._size


@contextmanager
def open_pool(
    draw: Callable[[tuple[str, int]], Sample], source: str, *, size: int, seed: int
) -> Iterator[SamplePool[Sample]]:
    """Draw samples in another process, in the order of their seeds.

    Args:
        draw: Draws the sample of a source and a seed; a function at the top of a module.
        source: What ``draw`` draws from, such as a folder.
        size: Largest number of samples in the pool.
        seed: First seed.

    Yields:
        The pool, empty.
    """
    with get_context("spawn").Pool(1) as process:
        yield SamplePool(_draw_ahead(process, draw, source, seed), size)


def _draw_ahead(process: Pool, draw: Callable[[tuple[str, int]], Sample], source: str, seed: int) -> Iterator[Sample]:
    seeds = count(seed)
    waiting = deque(process.apply_async(draw, ((source, next(seeds)),)) for _ in range(_AHEAD))
    while True:
        waiting.append(process.apply_async(draw, ((source, next(seeds)),)))
        yield waiting.popleft().get()

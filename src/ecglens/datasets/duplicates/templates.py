"""Print that all pages of one look have in common, which is no evidence that two of them are one recording.

A recorder prints frame, separators, pulses and names at the same places of every page. In a set mixed from several
recorders no average over all pages shows that. It is determined for each pair again: of a sample of distinct pages,
those that have most of what the two have in common are of their look, and what these share is left out of the
comparison.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST", "Looks"]

FEWEST = 16
"""Number of distinct pages from which on what pages share can be separated from what two of them show."""

_SAMPLE = 2048
_NEAREST = 32
"""Pages of the sample that represent a look. With 32, 13 pairs of public pages mistaken for copies among 4,000 rendered
ones fall to an agreement of 0.89 at most and 200 planted copies stay at 0.92 or above."""


class Looks:
    """A sample of distinct pages, by which what a pair has in common is judged.

    Args:
        packed: ``(pages, bytes)`` uint8, packed bits of the ink, bytes a multiple of 8.
        distinct: Index of one page of each recording, as far as is known.
        seed: Random seed of the sample.
    """

    def __init__(self, packed: NDArray[np.uint8], distinct: Sequence[int] | NDArray[np.intp], *, seed: int) -> None:
        chosen = np.random.default_rng(seed).permutation(np.asarray(distinct, dtype=np.intp))[:_SAMPLE]
        self._pages = packed[np.sort(chosen)]
        self._size = np.sqrt(1.0 + np.bitwise_count(self._pages.view(np.uint64)).sum(axis=1))

    def __bool__(self) -> bool:
        return len(self._pages) >= FEWEST

    def share(self, common: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Compute the share of the pages of a pair's look that have ink at each place.

        Args:
            common: ``(height, width)``, true where both pages of the pair have ink.

        Returns:
            ``(height, width)`` in [0, 1].
        """
        held = np.bitwise_count(self._pages.view(np.uint64) & np.packbits(common).view(np.uint64)).sum(axis=1)
        nearest = np.argsort(-(held / self._size), kind="stable")[:_NEAREST]
        ink = np.unpackbits(self._pages[nearest], axis=1)[:, : common.size].mean(axis=0, dtype=np.float32)
        return np.asarray(ink.reshape(common.shape), dtype=np.float32)

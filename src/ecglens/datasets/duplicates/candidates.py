"""Candidates for copies among the pages of a large set, without comparing all pairs.

Each coarse signature becomes bits: the sides of random planes on which it lies. Pages are sorted by many random choices
of these bits, and each is compared with its next neighbors in every order (Charikar 2002, doi:10.1145/509907.509965).
The number of comparisons is that of the pages times a constant.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

__all__ = ["ALL_PAIRS", "candidate_pairs", "link"]

ALL_PAIRS = 2000
"""Number of pages up to which all pairs are compared."""

_LIKELY, _LIKELY_OF_MANY = 0.6, 0.7
"""Correlation of two coarse signatures below which they are no candidates, in a small and in a large set. The least of
120 copies of public pages (crop, size, compression as in benchmarks/audit_copies.py) was 0.866."""

_BITS = 512
_ORDERS, _KEY, _NEXT = 96, 32, 8
"""Sorted orders, bits of the key of each, and neighbors with which a page is compared in each."""

_UNLIKE = 149
"""Bits that differ, above which a pair has no correlation of 0.7: their mean of 130 and two standard deviations."""

_TRIES = 3
"""A pair of a large set is tried while one of its pages has failed less often than this, the most similar first."""

_BLOCK = 4096


def candidate_pairs(coarse: NDArray[np.float32], *, seed: int) -> tuple[NDArray[np.intp], int | None]:
    """Find pairs of pages whose coarse signatures are similar.

    Args:
        coarse: ``(pages, values)``, each row of length 1.
        seed: Random seed of the planes.

    Returns:
        ``(pairs, 2)``, the most similar first, the earlier page of each first; and how often a page may fail, ``None``
        where the set is small enough to try all.
    """
    few = len(coarse) <= ALL_PAIRS
    likely = _LIKELY if few else _LIKELY_OF_MANY
    pairs = np.argwhere(np.triu(coarse @ coarse.T >= likely, 1)) if few else _neighbors(_sketches(coarse, seed), seed)
    similarity = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        one, other = pairs[start : start + _BLOCK].T
        similarity[start : start + _BLOCK] = np.einsum("ij,ij->i", coarse[one], coarse[other], dtype=np.float32)
    likely_rows = np.flatnonzero(similarity >= likely)
    order = likely_rows[np.argsort(-similarity[likely_rows], kind="stable")]
    return pairs[order].astype(np.intp), None if few else _TRIES


def link(
    count: int, pairs: NDArray[np.intp], same: Callable[[int, int], bool], tries: int | None
) -> list[tuple[int, int]]:
    """Try pairs in their order, but none that others have already linked.

    Args:
        count: Number of pages.
        pairs: Pairs from :func:`candidate_pairs`.
        same: Function that returns whether two pages are one recording.
        tries: How often a page may fail, or ``None``.

    Returns:
        The pairs that are one recording.
    """
    recordings = DisjointSet(range(count))
    failed = [0] * count
    linked = []
    for one, other in pairs.tolist():
        if tries is not None and min(failed[one], failed[other]) >= tries:
            continue
        if recordings.connected(one, other):
            continue
        if same(one, other):
            linked.append((one, other))
            recordings.merge(one, other)
        else:
            failed[one] += 1
            failed[other] += 1
    return linked


def _sketches(coarse: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
    """Return ``(pages, _BITS)``: on which side of each random plane a page lies, 0 or 1."""
    planes = np.random.default_rng(seed).standard_normal((coarse.shape[1], _BITS)).astype(np.float32)
    sides = np.empty((len(coarse), _BITS), dtype=np.uint8)
    for start in range(0, len(coarse), _BLOCK):
        sides[start : start + _BLOCK] = coarse[start : start + _BLOCK] @ planes > 0
    return sides


def _neighbors(sides: NDArray[np.uint8], seed: int) -> NDArray[np.intp]:
    """Find distinct pairs that are near each other in one of the orders and differ in few bits."""
    count, rng = len(sides), np.random.default_rng(seed + 1)
    words = np.packbits(sides, axis=1).view(np.uint64)
    powers = 1 << np.arange(_KEY, dtype=np.int64)
    keys = np.empty(0, dtype=np.int64)
    for _ in range(_ORDERS):
        order = np.argsort(sides[:, rng.choice(_BITS, _KEY, replace=False)] @ powers, kind="stable")
        sorted_words = words[order]
        new = [keys]
        for step in range(1, _NEXT + 1):
            unlike = np.bitwise_count(sorted_words[step:] ^ sorted_words[:-step]).sum(axis=1, dtype=np.int64)
            near = np.flatnonzero(unlike <= _UNLIKE)
            one, other = order[near], order[near + step]
            new.append(np.minimum(one, other) * count + np.maximum(one, other))
        keys = np.unique(np.concatenate(new))
    return np.stack([keys // count, keys % count], axis=1)

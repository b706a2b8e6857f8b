"""Signatures of the traces of a page, for finding near-copies that share nothing but the curve.

All pages of a recorder look alike: frame, grid, separators, names and print are the same, and hashes of the whole page
take any two of them for copies. The signature holds the ink of the traces alone, cut out by its own extent, so that it
does not depend on margins, size, colour or compression. Candidates come from locality-sensitive hashing (Charikar
2002, doi:10.1145/509907.509965) of signatures less what all pages share; each candidate is laid over the other by
enhanced correlation (Evangelidis and Psarakis 2008, doi:10.1109/TPAMI.2008.113) and its ink compared point by point.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "WIDTH", "grid_rows", "near_copies", "same_traces", "trace_signature"]

WIDTH, HEIGHT = 320, 120
"""Columns and rows of a signature."""

STANDARD_WIDTH = 1100
"""Pages are brought to this width first, so that ink is as dark in a small copy as in a large one."""

_INK = 0.6
"""Ink is darker than this share of the paper's own level; printed grids are lighter at the standard width."""

_LONG, _HIGH = 60, 36
"""Strokes of a trace reach further than this in px at the standard width; letters and words do not."""

_FULL = 0.4
"""Share of a signature above which it is a picture or noise; traces leave most of the paper free."""

_SAME_INK = 0.942
"""Agreement of two pages from which on they are one recording. Of 393 distinct recordings the two most alike reach
0.932; of 1,200 copies resized (0.5 to 1.5), recompressed (quality 30 to 80) and cropped (up to 3 % an edge), three stay
below."""

_WORTH_LAYING = 0.5
"""Agreement below which two pages are not laid over each other; copies as above reach 0.6 before."""

_COARSE = (64, 24)
_LIKELY = 0.6
"""Correlation of two coarse signatures below which they are not laid over each other."""

_TABLES, _BITS = 48, 12
_BUCKET = 6
"""Distinct pages of one bucket that a page is compared with; this keeps the work in step with the number of pages."""

_ALL_PAIRS = 2000
"""Up to so many distinct pages, coarse signatures are all compared; above, random planes find the candidates."""

_SHARED_FROM = 16
"""From so many pages on, what most of them share is taken out before they are compared."""


def grid_rows(gray: NDArray[np.uint8]) -> tuple[int, int] | None:
    """First and last row of the trace area of a page: where nearly every stretch of a row has grid or ink.

    Args:
        gray: ``(height, width)`` uint8.

    Returns:
        Row where it begins and row after its end, or ``None`` where no such area is at least a tenth of the page high.
    """
    level = float(np.percentile(gray, 95))
    reach = max(3, gray.shape[1] // 160)
    spread = cv2.erode(gray, np.ones((reach, reach), np.uint8))  # dots of a grid grow together, words do not
    share = (spread < 0.975 * level).mean(axis=1)
    run = max(6, gray.shape[0] // 60)
    filled = np.convolve(share > 0.6, np.ones(run), "valid") >= 0.9 * run
    rows = np.flatnonzero(filled)
    if not len(rows) or rows[-1] + run - rows[0] < gray.shape[0] / 10:
        return None
    return int(rows[0]), int(rows[-1] + run)


def trace_signature(gray: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Signature of a page.

    Args:
        gray: ``(height, width)`` uint8, any size.

    Returns:
        Packed bits of a ``(HEIGHT, WIDTH)`` image of the ink, cut out by the extent of the traces, or ``None`` where
        there are no traces.
    """
    ink = _ink(standard_size(gray))
    traces = _strokes(ink)
    rows, columns = np.flatnonzero(traces.sum(axis=1) >= 2), np.flatnonzero(traces.sum(axis=0) >= 2)
    if len(rows) < ink.shape[0] * 0.05 or len(columns) < ink.shape[1] * 0.3:
        return None
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    small = cv2.resize(box, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    inked = small > 0.08
    return None if inked.mean() > _FULL else np.packbits(inked)


def _ink(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    level = float(np.percentile(gray, 90))
    ink = (gray < _INK * level).astype(np.uint8)
    for axis in (1, 0):
        rule = (ink.mean(axis=axis) > 0.8).astype(np.uint8)
        near = cv2.dilate(rule[:, None], np.ones((7, 1), np.uint8))[:, 0] > 0
        ink[near if axis == 1 else (slice(None), near)] = 0
    return ink


def _strokes(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink without rules, specks and letters: what tells where the traces are."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide, high = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    solid = stats[:, cv2.CC_STAT_AREA] > 0.4 * wide * high
    kept = ((wide > _LONG) | (high > _HIGH)) & ~(solid & (wide > 0.1 * ink.shape[1]))
    kept[0] = False
    return np.asarray(kept[parts], dtype=np.uint8)


def standard_size(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The page at ``STANDARD_WIDTH``."""
    scale = STANDARD_WIDTH / gray.shape[1]
    if abs(scale - 1) < 0.02:
        return gray
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=way), dtype=np.uint8)


def near_copies(signatures: Sequence[NDArray[np.uint8]], *, seed: int = 0) -> list[tuple[int, int]]:
    """Pairs of pages that show the same traces.

    Time grows with the number of pages: each is compared with a bounded number of others of each hash bucket. Memory is
    10 kB a page.

    Args:
        signatures: From :func:`trace_signature`.
        seed: Of the random planes.

    Returns:
        Pairs ``(earlier, later)`` that together link all pages of one recording.
    """
    if len(signatures) < 2:
        return []
    packed = np.stack(signatures)
    shared = _shared(packed)
    coarse = _all_coarse(packed, shared)
    parent = list(range(len(packed)))

    def root(page: int) -> int:
        while parent[page] != page:
            parent[page] = parent[parent[page]]
            page = parent[page]
        return page

    pairs: list[tuple[int, int]] = []
    seen: set[tuple[int, int]] = set()
    for members in _buckets(coarse, seed):
        known: list[int] = []
        for page in members:
            for other in known:
                pair = (min(other, page), max(other, page))
                if root(other) == root(page) or pair in seen or float(coarse[other] @ coarse[page]) < _LIKELY:
                    continue
                seen.add(pair)
                if same_traces(packed[other], packed[page], shared):
                    pairs.append(pair)
                    parent[root(pair[1])] = root(pair[0])
            if len(known) < _BUCKET and all(root(page) != root(other) for other in known):
                known.append(page)
    return pairs


def same_traces(one: NDArray[np.uint8], other: NDArray[np.uint8], shared: NDArray[np.float32] | None = None) -> bool:
    """Whether two signatures show the same curves.

    Args:
        one: Packed signature.
        other: Packed signature.
        shared: ``(HEIGHT, WIDTH)`` share of pages that have ink at each place, or ``None``.
    """
    return ink_overlap(one, other, shared) >= _SAME_INK


def ink_overlap(one: NDArray[np.uint8], other: NDArray[np.uint8], shared: NDArray[np.float32] | None = None) -> float:
    """Share of the ink of two signatures that lies on the other's, the smaller of both ways, after laying one over."""
    first, second = _image(one), _image(other)
    quick = _agreement(first, second, shared)
    if quick >= _SAME_INK or quick < _WORTH_LAYING:
        return quick
    return max(quick, _agreement(first, _laid_over(first, second), shared))


def _agreement(first: NDArray[np.float32], second: NDArray[np.float32], shared: NDArray[np.float32] | None) -> float:
    """Mean of the ink in common, the smaller of both ways, and the correlation of the slightly blurred ink."""
    weight = np.float32(1.0) if shared is None else np.clip(1 - 2 * shared, 0, 1).astype(np.float32)
    soft = [cv2.GaussianBlur(image * weight, (0, 0), 1.5) for image in (first, second)]
    alike = float(np.corrcoef(soft[0].ravel(), soft[1].ravel())[0, 1]) if min(s.max() for s in soft) > 0 else 0.0
    return min(_covered(first, second, shared), 0.5 + alike / 2)


def _image(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.unpackbits(packed)[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH).astype(np.float32)


def _covered(first: NDArray[np.float32], second: NDArray[np.float32], shared: NDArray[np.float32] | None) -> float:
    weight = 1.0 if shared is None else np.clip(1 - 2 * shared, 0, 1)
    shares = []
    for ink, cover in ((first, second), (second, first)):
        own = ink * weight
        shares.append(float((own * cv2.dilate(cover, np.ones((3, 3), np.uint8))).sum() / max(float(own.sum()), 1.0)))
    return min(shares)


def _laid_over(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """``second`` moved and scaled a little so that it lies on ``first``; as it was where no motion fits."""
    motion = np.eye(2, 3, dtype=np.float32)
    blurred = [cv2.GaussianBlur(image, (0, 0), 2.0) for image in (first, second)]
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        _, found = cv2.findTransformECC(blurred[0], blurred[1], motion, cv2.MOTION_AFFINE, ends)
    except cv2.error:  # it did not converge: the two have nothing in common
        return second
    moved = cv2.warpAffine(second, found, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(moved > 0.4, dtype=np.float32)


def _shared(packed: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    if len(packed) < _SHARED_FROM:
        return None
    total = np.zeros(HEIGHT * WIDTH, dtype=np.float64)
    for start in range(0, len(packed), 512):
        total += np.unpackbits(packed[start : start + 512], axis=1)[:, : HEIGHT * WIDTH].sum(axis=0)
    return (total / len(packed)).reshape(HEIGHT, WIDTH).astype(np.float32)


def _all_coarse(packed: NDArray[np.uint8], shared: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Coarse signatures less what all pages share: ``(pages, values)``, each of length 1."""
    rows = np.stack([_coarse(_image(row)) for row in packed])
    if shared is not None:
        rows -= _coarse(shared)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return rows


def _buckets(coarse: NDArray[np.float32], seed: int) -> Iterator[list[int]]:
    """Pages that may be copies: alike ones of a small set; in a large one those on the same sides of random planes."""
    if len(coarse) <= _ALL_PAIRS:
        alike = np.triu(coarse @ coarse.T >= _LIKELY, 1)
        yield from ([one, other] for one, other in np.argwhere(alike).tolist())
        return
    rng = np.random.default_rng(seed)
    bits = int(np.clip(np.log2(len(coarse)) + 4, _BITS, 24))
    powers = 1 << np.arange(bits, dtype=np.int64)
    for _ in range(_TABLES):
        planes = rng.standard_normal((coarse.shape[1], bits)).astype(np.float32)
        codes = (coarse @ planes > 0) @ powers
        order = np.argsort(codes, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            if len(members) > 1:
                yield members.tolist()


def _coarse(image: NDArray[np.float32]) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(image, (0, 0), 3.0)
    return np.asarray(cv2.resize(soft, _COARSE, interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()

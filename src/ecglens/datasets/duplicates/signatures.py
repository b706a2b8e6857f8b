"""Signatures of the traces of a page, for finding near-copies that share nothing but the traces.

All pages of a recorder look similar: frame, grid, separators, names and print are the same, and hashes of the whole
page mistake any two of them for copies. The signature holds the ink of the traces alone, cropped to its own extent, so
that it does not depend on margins, size, color or compression. Candidates are pages whose coarse signatures, minus what
all pages share, are similar (``ecglens.datasets.duplicates.candidates``); one is aligned with the other by enhanced
correlation
(Evangelidis and Psarakis 2008, doi:10.1109/TPAMI.2008.113) and their ink compared point by point, in the end without
what pages of their look share (``ecglens.datasets.duplicates.templates``).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecglens.datasets.duplicates.candidates import candidate_pairs, link
from ecglens.datasets.duplicates.templates import FEWEST, Looks

__all__ = [
    "COARSE",
    "HEIGHT",
    "WIDTH",
    "coarse_signature",
    "grid_rows",
    "near_copies",
    "same_traces",
    "trace_gray",
    "trace_signature",
]

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
"""Agreement of two pages from which on they are one recording. Of 393 distinct recordings the two most similar reach
0.932; of 1,200 copies resized (0.5 to 1.5), recompressed (quality 30 to 80) and cropped (up to 3 % an edge), seven stay
below."""

_WORTH_LAYING = 0.5
"""Agreement below which two pages are not laid over each other; copies as above reach 0.6 before."""

_WORTH_REFINING = 0.9
"""Correlation after laying over at half the size below which it is not done at the whole; copies reach 0.97."""

_STILL_SAME = 0.92
"""Agreement from which on two pages are one recording even without what pages of their look share. It parts no copy of
the 1,200 above from its page."""

COARSE = (64, 24)
"""Columns and rows of a coarse signature."""

Motion = NDArray[np.float32]
"""``(2, 3)``: an affine map from one signature's places to another's."""


def grid_rows(gray: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Find the first and last row of the trace area of a page, where nearly every part of a row has grid or ink.

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


def trace_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert the page to gray with red, pink and orange grids as light as paper, whatever lies on them.

    Args:
        pixels: ``(height, width, 3)`` uint8 RGB.
    """
    return np.asarray(np.maximum(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), pixels[..., 0]), dtype=np.uint8)


def trace_signature(gray: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Compute the signature of a page.

    Args:
        gray: ``(height, width)`` uint8, any size, from :func:`trace_gray`.

    Returns:
        Packed bits of a ``(HEIGHT, WIDTH)`` image of the ink, cropped to the extent of the traces, or ``None`` where
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


def coarse_signature(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blur and shrink a signature to ``(columns x rows,)`` of ``COARSE``; copies have nearly the same."""
    return _coarse(_image(packed))


def _ink(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    level = float(np.percentile(gray, 90))
    ink = (gray < _INK * level).astype(np.uint8)
    for axis in (1, 0):
        rule = (ink.mean(axis=axis) > 0.8).astype(np.uint8)
        near = cv2.dilate(rule[:, None], np.ones((7, 1), np.uint8))[:, 0] > 0
        ink[near if axis == 1 else (slice(None), near)] = 0
    return ink


def _strokes(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ink without rules, specks and letters, which shows where the traces are."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide, high = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    solid = stats[:, cv2.CC_STAT_AREA] > 0.4 * wide * high
    is_trace = ((wide > _LONG) | (high > _HIGH)) & ~(solid & (wide > 0.1 * ink.shape[1]))
    is_trace[0] = False
    return np.asarray(is_trace[parts], dtype=np.uint8)


def standard_size(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize the page to ``STANDARD_WIDTH``."""
    scale = STANDARD_WIDTH / gray.shape[1]
    if abs(scale - 1) < 0.02:
        return gray
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=way), dtype=np.uint8)


def near_copies(signatures: Sequence[NDArray[np.uint8]], *, seed: int = 0) -> list[tuple[int, int]]:
    """Find pairs of pages that show the same traces.

    Time grows with the number of pages: each is compared with a bounded number of others (``duplicates.candidates``).
    Pages that are linked in this way are compared once more without what all pages of their template share
    (``duplicates.templates``). Memory is 11 kB a page.

    Args:
        signatures: Signatures from :func:`trace_signature`.
        seed: Random seed of the planes.

    Returns:
        Pairs ``(earlier, later)`` that together link all pages of one recording.
    """
    if len(signatures) < 2:
        return []
    packed = np.stack(signatures)
    shared = _common_ink(packed)
    pairs, tries = candidate_pairs(_all_coarse(packed, shared), seed=seed)
    motions: dict[tuple[int, int], Motion | None] = {}

    def same(one: int, other: int) -> bool:
        agreement, motion = _align_best(_image(packed[one]), _image(packed[other]), shared)
        if agreement >= _SAME_INK:
            motions[one, other] = motion
        return agreement >= _SAME_INK

    linked = link(len(packed), pairs, same, tries)
    part = _components(len(packed), linked)
    looks = Looks(packed, np.unique(part, return_index=True)[1], seed=seed)
    if not linked or not looks:
        return linked

    def same_beyond_looks(one: int, other: int) -> bool:
        if (one, other) not in motions and not same(one, other):
            return False
        first, second = _image(packed[one]), _move(_image(packed[other]), motions[one, other])
        common = (first > 0) & (cv2.dilate(second, np.ones((3, 3), np.uint8)) > 0)
        return _agreement(first, second, looks.share(common)) >= _STILL_SAME

    return link(len(packed), pairs[part[pairs[:, 0]] == part[pairs[:, 1]]], same_beyond_looks, tries)


def same_traces(one: NDArray[np.uint8], other: NDArray[np.uint8], shared: NDArray[np.float32] | None = None) -> bool:
    """Return whether two signatures show the same traces.

    Args:
        one: Packed signature.
        other: Packed signature.
        shared: ``(HEIGHT, WIDTH)`` share of pages that have ink at each place, or ``None``.
    """
    return ink_overlap(one, other, shared) >= _SAME_INK


def ink_overlap(one: NDArray[np.uint8], other: NDArray[np.uint8], shared: NDArray[np.float32] | None = None) -> float:
    """Compute the share of the ink of two aligned signatures that lies on the other's, the smaller of both ways."""
    return _align_best(_image(one), _image(other), shared)[0]


def _align_best(
    first: NDArray[np.float32], second: NDArray[np.float32], shared: NDArray[np.float32] | None
) -> tuple[float, Motion | None]:
    """Return the agreement of two images with the second aligned best, and the motion that aligns it, if any."""
    quick = _agreement(first, second, shared)
    if quick >= _SAME_INK or quick < _WORTH_LAYING:
        return quick, None
    motion = _find_motion(first, second)
    slow = quick if motion is None else _agreement(first, _move(second, motion), shared)
    return (slow, motion) if slow > quick else (quick, None)


def _agreement(first: NDArray[np.float32], second: NDArray[np.float32], shared: NDArray[np.float32] | None) -> float:
    """Return the smaller of the ink in common, of both ways, and the rescaled correlation of slightly blurred ink."""
    weight = np.float32(1.0) if shared is None else np.clip(1 - 2 * shared, 0, 1).astype(np.float32)
    soft = [cv2.GaussianBlur(image * weight, (0, 0), 1.5) for image in (first, second)]
    correlation = float(np.corrcoef(soft[0].ravel(), soft[1].ravel())[0, 1]) if min(s.max() for s in soft) > 0 else 0.0
    return min(_coverage(first, second, shared), 0.5 + correlation / 2)


def _image(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.unpackbits(packed)[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH).astype(np.float32)


def _coverage(first: NDArray[np.float32], second: NDArray[np.float32], shared: NDArray[np.float32] | None) -> float:
    weight = 1.0 if shared is None else np.clip(1 - 2 * shared, 0, 1)
    shares = []
    for ink, cover in ((first, second), (second, first)):
        own = ink * weight
        shares.append(float((own * cv2.dilate(cover, np.ones((3, 3), np.uint8))).sum() / max(float(own.sum()), 1.0)))
    return min(shares)


def _find_motion(first: NDArray[np.float32], second: NDArray[np.float32]) -> Motion | None:
    """Find the small motion and scaling that aligns ``second`` with ``first``, or ``None`` where none fits."""
    blurred = [cv2.GaussianBlur(image, (0, 0), 2.0) for image in (first, second)]
    half = [cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) for image in blurred]
    try:
        return None if _fit_motion(half, 15)[0] < _WORTH_REFINING else _fit_motion(blurred, 60)[1]
    except cv2.error:  # it did not converge: the two have nothing in common
        return None


def _move(image: NDArray[np.float32], motion: Motion | None) -> NDArray[np.float32]:
    if motion is None:
        return image
    moved = cv2.warpAffine(image, motion, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(moved > 0.4, dtype=np.float32)


def _fit_motion(images: Sequence[np.ndarray], steps: int) -> tuple[float, Motion]:
    """Return the correlation of two images once the second is moved, and the motion."""
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4)
    motion = np.eye(2, 3, dtype=np.float32)
    correlation, fitted = cv2.findTransformECC(images[0], images[1], motion, cv2.MOTION_AFFINE, ends)
    return correlation, np.asarray(fitted, dtype=np.float32)


def _components(count: int, linked: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Number the recordings of the pages, by the pairs that link them."""
    rows, columns = np.array(linked, dtype=np.intp).reshape(-1, 2).T
    links = coo_array((np.ones(len(linked)), (rows, columns)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.intp)


def _common_ink(packed: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    if len(packed) < FEWEST:
        return None
    total = np.zeros(HEIGHT * WIDTH, dtype=np.float64)
    for start in range(0, len(packed), 512):
        total += np.unpackbits(packed[start : start + 512], axis=1)[:, : HEIGHT * WIDTH].sum(axis=0)
    return (total / len(packed)).reshape(HEIGHT, WIDTH).astype(np.float32)


def _all_coarse(packed: NDArray[np.uint8], shared: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return coarse signatures minus what all pages share: ``(pages, values)``, each of length 1."""
    rows = np.stack([_coarse(_image(row)) for row in packed])
    if shared is not None:
        rows -= _coarse(shared)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return rows


def _coarse(image: NDArray[np.float32]) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(image, (0, 0), 3.0)
    return np.asarray(cv2.resize(soft, COARSE, interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()

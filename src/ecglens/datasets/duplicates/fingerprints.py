"""Fingerprints of a model's training pages, which identify a copy and cannot be turned back into a page.

A model folder carries them, so that whoever scores the model on their own pages learns which of them it was trained on.
A fingerprint is the hash of the file, which identifies the same bytes for certain, and the sides of random planes on
which the coarse traces lie (Charikar 2002, doi:10.1145/509907.509965), which identify a copy that was cropped, resized
or saved again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.duplicates.signatures import COARSE, coarse_signature, trace_gray, trace_signature
from ecglens.datasets.file_facts import file_digest
from ecglens.errors import DatasetError, EcgReadError
from ecglens.pages.read import read_page

__all__ = ["Copy", "TrainingPages"]

_BITS = 2048
_SAME_CORRELATION = 0.89
"""Correlation of the coarse traces above which two pages are one recording (``benchmarks/training_pages.md``)."""

_FARTHEST = round(_BITS * float(np.arccos(_SAME_CORRELATION)) / np.pi)
"""Bits that differ between two pages of that correlation."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a page that a model was trained on.

    Attributes:
        index: Index of its path among the given ones.
        kind: ``"bytes"`` where the files are the same, ``"traces"`` where the traces have the same fingerprint.
    """

    index: int
    kind: Literal["bytes", "traces"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPages:
    """Fingerprints of the pages that a model was trained on.

    Attributes:
        digests: SHA-256 of each file, hexadecimal.
        sketches: ``(pages, 256)`` uint8, packed bits; of the pages that have traces.
        common: ``(1536,)`` float32, the mean of their coarse traces: what all pages of a recorder share.
    """

    digests: tuple[str, ...]
    sketches: NDArray[np.uint8] = field(repr=False)
    common: NDArray[np.float32] = field(repr=False)

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "TrainingPages":
        """Compute the fingerprints of some files; those that are no pages have their hash only."""
        traces = [coarse for coarse in map(_coarse, paths) if coarse is not None]
        rows = np.stack(traces) if traces else np.zeros((0, COARSE[0] * COARSE[1]), np.float32)
        common = rows.mean(axis=0) if len(rows) > 1 else np.zeros(rows.shape[1], np.float32)
        digests = tuple(sorted({digest for digest in map(file_digest, paths) if digest}))
        return cls(digests, _sketches(rows - common), np.asarray(common, dtype=np.float32))

    def copies_in(self, paths: Sequence[Path]) -> tuple[Copy, ...]:
        """Find which of some files are copies of training pages."""
        digests = set(self.digests)
        matches = []
        for index, path in enumerate(paths):
            if file_digest(path) in digests:
                matches.append(Copy(index, "bytes"))
            elif (coarse := _coarse(path)) is not None and self._has(coarse):
                matches.append(Copy(index, "traces"))
        return tuple(matches)

    def save(self, path: Path) -> None:
        """Write the fingerprints as ``.npz``."""
        hashes = np.frombuffer(bytes.fromhex("".join(self.digests)), np.uint8).reshape(-1, 32)
        with path.open("wb") as stream:
            np.savez_compressed(stream, digests=hashes, sketches=self.sketches, common=self.common)

    @classmethod
    def load(cls, path: Path) -> "TrainingPages":
        """Read what :meth:`save` wrote.

        Raises:
            DatasetError: The file cannot be read.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                digests, sketches, common = (stored[name] for name in ("digests", "sketches", "common"))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DatasetError(
                f"Expected fingerprints of training pages at {path.name}, got something else."
            ) from error
        return cls(tuple(bytes(row).hex() for row in digests), sketches, common)

    def _has(self, coarse: NDArray[np.float32]) -> bool:
        if not len(self.sketches):
            return False
        query = _sketches((coarse - self.common)[None])
        return int(np.bitwise_count(self.sketches ^ query).sum(axis=1).min()) <= _FARTHEST


def _coarse(path: Path) -> NDArray[np.float32] | None:
    """Return the coarse traces of a page, ``None`` where there are none."""
    try:
        pixels = read_page(path).pixels
    except EcgReadError:
        return None
    signature = trace_signature(trace_gray(pixels))
    return None if signature is None else coarse_signature(signature)


def _sketches(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.packbits(rows @ _planes() > 0, axis=1)


@cache
def _planes() -> NDArray[np.float32]:
    """Return planes that are the same on every machine: NumPy guarantees it only for a generator's raw bits."""
    size = COARSE[0] * COARSE[1] * _BITS
    bits = np.unpackbits(np.random.PCG64(0).random_raw(size // 64).astype("<u8").view(np.uint8))
    return (2.0 * bits - 1.0).reshape(-1, _BITS).astype(np.float32)

"""Rows of stored inputs with their targets, and how they become batches of tensors."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Samples", "order_rows", "batches", "prefetch"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What a model learns from, or is scored on.

    Attributes:
        stored: One array for each input of the model, ``(stored rows, *shape)``, as the cache keeps them: uint8 for
            pixels, float32 for signals. May be memory-mapped.
        scaling: For each input mean and standard deviation, broadcastable on one row; the model reads
            ``(stored - mean) / std``.
        rows: ``(n,)`` intp, which stored rows these are.
        targets: ``(n,)`` int64, index of each row's label.
    """

    stored: tuple[NDArray[Any], ...]
    scaling: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    rows: NDArray[np.intp]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: NDArray[np.intp], device: torch.device) -> tuple[tuple[Tensor, ...], Tensor]:
        """Scaled inputs and targets of some of the samples.

        Args:
            chosen: ``(b,)`` indices into the samples.
            device: Where the tensors go; pixels travel there as bytes.

        Returns:
            One ``(b, *shape)`` float32 tensor for each input, and ``(b,)`` int64 targets.
        """
        rows = self.rows[chosen]
        order = np.argsort(rows, kind="stable")  # a file is read in its order
        inputs = []
        for stored, (mean, std) in zip(self.stored, self.scaling, strict=True):
            values = np.empty((len(rows), *stored.shape[1:]), stored.dtype)
            values[order] = stored[rows[order]]
            there = torch.from_numpy(values).to(device, non_blocking=True).float()
            scaled = (there - torch.as_tensor(mean, device=device)) / torch.as_tensor(std, device=device)
            inputs.append(scaled.to(memory_format=torch.channels_last) if scaled.ndim == 4 else scaled)
        return tuple(inputs), torch.from_numpy(self.targets[chosen]).to(device)

    def counts(self, labels: int) -> NDArray[np.intp]:
        """Number of rows of each label, ``(labels,)``."""
        return np.bincount(self.targets, minlength=labels).astype(np.intp)


def order_rows(targets: NDArray[np.int64], balance: str, rng: np.random.Generator) -> NDArray[np.intp]:
    """The order in which an epoch shows its rows.

    Args:
        targets: ``(n,)``.
        balance: ``"sampling"`` draws n rows so that each label comes as often as the others, ``"repeat"`` repeats rarer
            labels until each has as many rows as the commonest, anything else shows each row once.
        rng: Of the draw.
    """
    counts = np.bincount(targets)
    if balance == "sampling":
        share = 1.0 / counts[targets] / np.count_nonzero(counts)
        return rng.choice(len(targets), size=len(targets), p=share / share.sum()).astype(np.intp)
    shown = np.arange(len(targets), dtype=np.intp)
    if balance == "repeat":
        parts = []
        for label in np.flatnonzero(counts):
            members = np.flatnonzero(targets == label)
            whole, rest = divmod(int(counts.max()), len(members))
            parts += [np.tile(members, whole), rng.choice(members, size=rest, replace=False)]
        shown = np.concatenate(parts).astype(np.intp)
    return rng.permutation(shown)


def batches(order: NDArray[np.intp], batch_size: int) -> list[NDArray[np.intp]]:
    """Parts of nearly equal size, none above ``batch_size``: a last batch of one row would spoil batch statistics."""
    return np.array_split(order, -(-len(order) // batch_size))


def prefetch(make: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """``map(make, items)``, each made in a second thread while the one before it is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[_Result] | None = None
        for item in items:
            following = thread.submit(make, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()

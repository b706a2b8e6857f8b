"""Samples: rows of stored inputs with their targets, from which batches of tensors are created."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Samples", "batches", "order_rows", "prefetch"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples to train or to evaluate a model on.

    Attributes:
        stored: One array for each input of the model, ``(stored rows, *shape)``, as the cache stores them: uint8 for
            pixels, float32 for signals. They may be memory-mapped.
        scaling: Mean and standard deviation of each input, broadcastable to one row; the model reads
            ``(stored - mean) / std``.
        rows: ``(n,)`` intp, index of each sample in the stored rows.
        targets: ``(n,)`` int64, index of each sample's label.
    """

    stored: tuple[NDArray[Any], ...]
    scaling: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    rows: NDArray[np.intp]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: NDArray[np.intp], device: torch.device) -> tuple[tuple[Tensor, ...], Tensor]:
        """Load the scaled inputs and the targets of some samples.

        Args:
            chosen: ``(b,)`` indices into the samples.
            device: Device of the tensors; pixels are transferred as bytes.

        Returns:
            One ``(b, *shape)`` float32 tensor for each input, and ``(b,)`` int64 targets.
        """
        rows = self.rows[chosen]
        order = np.argsort(rows, kind="stable")  # read memory-mapped files sequentially
        inputs = []
        for stored, (mean, std) in zip(self.stored, self.scaling, strict=True):
            values = np.empty((len(rows), *stored.shape[1:]), stored.dtype)
            values[order] = stored[rows[order]]
            on_device = torch.from_numpy(values).to(device, non_blocking=True).float()
            scaled = (on_device - torch.as_tensor(mean, device=device)) / torch.as_tensor(std, device=device)
            inputs.append(scaled.to(memory_format=torch.channels_last) if scaled.ndim == 4 else scaled)
        return tuple(inputs), torch.from_numpy(self.targets[chosen]).to(device)

    def counts(self, labels: int) -> NDArray[np.intp]:
        """Count the samples of each label, ``(labels,)``."""
        return np.bincount(self.targets, minlength=labels).astype(np.intp)


def order_rows(targets: NDArray[np.int64], balance: str, rng: np.random.Generator) -> NDArray[np.intp]:
    """Order the rows of an epoch at random.

    Args:
        targets: Index of each row's label, ``(n,)``.
        balance: ``"sampling"`` samples n rows with all labels equally likely, ``"repeat"`` repeats rows of rarer labels
            until each label has as many rows as the most common one, and anything else uses each row once.
        rng: Random generator.

    Returns:
        Indices of the rows.
    """
    counts = np.bincount(targets)
    if balance == "sampling":
        share = 1.0 / counts[targets] / np.count_nonzero(counts)
        return rng.choice(len(targets), size=len(targets), p=share / share.sum()).astype(np.intp)
    indices = np.arange(len(targets), dtype=np.intp)
    if balance == "repeat":
        parts = []
        for label in np.flatnonzero(counts):
            members = np.flatnonzero(targets == label)
            whole, remainder = divmod(int(counts.max()), len(members))
            parts += [np.tile(members, whole), rng.choice(members, size=remainder, replace=False)]
        indices = np.concatenate(parts).astype(np.intp)
    return rng.permutation(indices)


def batches(order: NDArray[np.intp], batch_size: int) -> list[NDArray[np.intp]]:
    """Split rows into batches of similar size, at most ``batch_size``.

    A last batch of a single row would distort batch statistics.
    """
    return np.array_split(order, -(-len(order) // batch_size))


def prefetch(make: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield ``make(item)`` for each item; the next result is computed in a second thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[_Result] | None = None
        for item in items:
            following = thread.submit(make, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()

"""Prepared pages of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.recordings import Recordings
from ecglens.errors import TrainingError
from ecglens.models.train.cache import Entry, PageCache
from ecglens.models.train.devices import World
from ecglens.models.train.recipe import Recipe
from ecglens.models.train.samples import Samples

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Pages as the model's stored inputs.

    Attributes:
        recordings: Table of recordings.
        recipe: Recipe to train.
        targets: ``(rows of the table,)`` int64, index of each row's label.
        stored: One ``(pages, rows of a page, *shape)`` array for each input, memory-mapped.
        places: ``(rows of the table,)`` intp, index of each row's page in ``stored``; -1 if it was not requested.
        damaged: Indices of the damaged copies in ``stored``, by row of the table.
    """

    recordings: Recordings
    recipe: Recipe
    targets: NDArray[np.int64]
    stored: tuple[NDArray[Any], ...]
    places: NDArray[np.intp]
    damaged: dict[int, list[int]]

    def samples(self, rows: NDArray[np.intp], *, damaged: bool = False) -> Samples:
        """Return the samples of some pages, page by page.

        Args:
            rows: Rows of the table.
            damaged: Whether to append the damaged copies.
        """
        copies = [(int(row), place) for row in rows for place in self.damaged.get(int(row), ())] if damaged else []
        pages = np.concatenate([self.places[rows], np.array([place for _, place in copies], dtype=np.intp)])
        labels = self.targets[np.concatenate([rows, np.array([row for row, _ in copies], dtype=np.intp)])]
        each = len(self.recipe.input.rows)
        return Samples(
            stored=tuple(values.reshape(-1, *values.shape[2:]) for values in self.stored),
            scaling=tuple(self.recipe.input.scaling(name) for name in self.recipe.input.shapes),
            rows=(pages[:, None] * each + np.arange(each)).ravel(),
            targets=np.repeat(labels, each),
        )


def prepare(
    recordings: Recordings,
    recipe: Recipe,
    rows: NDArray[np.intp],
    *,
    cache: Path,
    workers: int,
    world: World,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Prepare the pages of some rows of a table, and their damaged copies.

    Args:
        recordings: Table of recordings.
        recipe: Recipe to train.
        rows: Rows of the table to prepare.
        cache: Folder of prepared pages.
        workers: Number of processes.
        world: Processes that train together; the first one prepares the pages, and the others wait.
        progress: Function called with the number of prepared pages and the number of pages to prepare.

    Raises:
        TrainingError: A page cannot be used.
    """
    plain = [Entry(recordings[int(row)].path) for row in rows]
    copies = _copies(recordings, recipe, rows)
    pages = PageCache(cache, recipe.input)
    entries = [*plain, *(entry for _, entry in copies)]
    indices, reasons = world.broadcast(
        pages.fill(entries, workers=workers, progress=progress) if world.is_first else None
    )
    _raise_for_unusable_pages(reasons, len(plain))
    places = np.full(len(recordings), -1, dtype=np.intp)
    places[rows] = indices[: len(plain)]
    damaged: dict[int, list[int]] = {}
    for (row, _), place in zip(copies, indices[len(plain) :].tolist(), strict=True):
        if place >= 0:  # too damaged to be read
            damaged.setdefault(row, []).append(place)
    targets = np.array([recipe.labels.index(row.label) for row in recordings], dtype=np.int64)
    return Prepared(recordings, recipe, targets, pages.open(), places, damaged)


def _copies(recordings: Recordings, recipe: Recipe, rows: Sequence[int] | NDArray[np.intp]) -> list[tuple[int, Entry]]:
    plan = recipe.damage
    copies = []
    for row in rows:
        for copy in range(plan.copies):
            rng = np.random.default_rng([copy, *recordings[int(row)].recording.encode()])
            kind = plan.kinds[rng.integers(len(plan.kinds))]
            damage = (kind, plan.strength * (1 - rng.random()), int(rng.integers(2**31)))
            copies.append((int(row), Entry(recordings[int(row)].path, damage)))
    return copies


def _raise_for_unusable_pages(reasons: dict[int, str], pages: int) -> None:
    unusable = [reason for number, reason in reasons.items() if number < pages]
    if unusable:
        others = f" {len(unusable) - 1} more of {pages} pages cannot be used either." if len(unusable) > 1 else ""
        raise TrainingError(f"{unusable[0]}{others} Remove such pages from the table.")

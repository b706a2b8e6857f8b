"""Splits of a table of recordings, by protocol: ``honest``, ``as-published``, leave-one-out and the data set's own.

The protocols are those of docs/evaluation: ``honest`` scores one file of each recording and keeps groups whole;
``as-published`` splits files at random, copies included, and exists only to show what figures measured so mean.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.recordings import Recordings
from ecglens.documents import check_version, dump_document, parse_json
from ecglens.errors import DatasetError
from ecglens.extras import require

__all__ = [
    "AS_PUBLISHED",
    "Fold",
    "Split",
    "as_published",
    "check_disjoint",
    "from_split_column",
    "honest",
    "inner",
    "leave_one_out",
]

AS_PUBLISHED = "as-published"


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Two sides of one split.

    Attributes:
        train: ``(n,)`` intp, rows of the table to train on.
        test: ``(m,)`` intp, rows to score.
        name: Name of the test side, such as the batch that was left out.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Folds with the protocol that made them, stored in a file beside a training run.

    Attributes:
        protocol: ``"honest"``, ``"as-published"``, ``"given"`` or ``"leave-one-out:COLUMN"``.
        seed: Random seed, 0 where nothing was random.
        folds: Folds over the same table.
    """

    protocol: str
    seed: int
    folds: tuple[Fold, ...]

    def save(self, path: str | Path, recordings: Recordings) -> None:
        """Write the split as JSON, files named as in ``recordings.keys()``.

        Args:
            path: Path of the file; its folder is created if it does not exist.
            recordings: The table that was split.
        """
        keys = recordings.keys()
        folds = [
            {"name": fold.name, "train": [keys[i] for i in fold.train], "test": [keys[i] for i in fold.test]}
            for fold in self.folds
        ]
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"protocol": self.protocol, "seed": self.seed, "folds": folds}
        path.write_text(dump_document("ecglens-split", content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path, recordings: Recordings) -> "Split":
        """Read a split for a table of recordings and check that nothing is on two sides.

        Args:
            path: A file that :meth:`save` wrote.
            recordings: The table, wherever its files are now.

        Raises:
            DatasetError: The file is no split, names a file that the table lacks, or has a recording or group on two
                sides under another protocol than as-published.
        """
        path = Path(path)
        rows = {key: index for index, key in enumerate(recordings.keys())}
        try:
            document = dict(parse_json(path.read_text(encoding="utf-8")))
            protocol, seed = str(document["protocol"]), int(document["seed"])
            named = [(fold["train"], fold["test"], str(fold.get("name", ""))) for fold in document["folds"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(
                f"Expected a split saved by ecglens in {path.name}, but it cannot be read so."
            ) from error
        check_version(document, "ecglens-split", path.name)
        missing = [key for train, test, _ in named for key in [*train, *test] if key not in rows]
        if missing:
            raise DatasetError(
                f"The split {path.name} names '{missing[0]}' and {len(missing) - 1} more that are not in the table; "
                "use the table that it was made from."
            )
        folds = tuple(Fold(_rows([rows[k] for k in a]), _rows([rows[k] for k in b]), name) for a, b, name in named)
        split = cls(protocol, seed, folds)
        check_disjoint(recordings, split)
        return split


def honest(recordings: Recordings, *, seed: int, folds: int = 5) -> tuple[Fold, ...]:
    """Split one file of each recording into folds, stratified by label, that keep groups whole.

    Args:
        recordings: The table; copies are left out of every fold.
        seed: Random seed.
        folds: Number of folds.

    Returns:
        Folds whose test sides together hold each recording once.

    Raises:
        DatasetError: A label has fewer recordings than there are folds.
        MissingExtraError: scikit-learn is not installed.
    """
    chosen = recordings.canonical_indices()
    parts = _grouped_folds(recordings, chosen, seed=seed, folds=folds)
    split = tuple(Fold(chosen[train], chosen[test], f"fold {n}") for n, (train, test) in enumerate(parts))
    check_disjoint(recordings, Split("honest", seed, split))
    return split


def inner(
    recordings: Recordings, fold: Fold, *, seed: int, fraction: float = 0.15, by_file: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split the training side of a fold once more, for early stopping and every other choice.

    Args:
        recordings: The table.
        fold: Its test side is not touched.
        seed: Random seed.
        fraction: Approximate share of the training side to hold out.
        by_file: Split files at random as the as-published protocol does, instead of keeping groups whole.

    Returns:
        Rows to train on and rows to validate on.

    Raises:
        DatasetError: No such split has every label on both sides.
    """
    _check_fraction(fraction)
    if by_file:
        train, test = _by_file(recordings, fold.train, seed=seed, fraction=fraction)
        return train, test
    pairs = {(recordings[int(i)].label, recordings[int(i)].group) for i in fold.train}
    fewest = min(Counter(label for label, _ in pairs).values())
    parts = _grouped_folds(recordings, fold.train, seed=seed, folds=max(2, min(round(1 / fraction), fewest)))
    for train, test in parts:
        sides = fold.train[train], fold.train[test]
        if _labels_of(recordings, sides[0]) == _labels_of(recordings, sides[1]):
            check_disjoint(recordings, Split("honest", seed, (Fold(*sides),)))
            return sides
    raise DatasetError(
        "Expected groups that can be split with every label on both sides, but no split of the training side has them; "
        "use a larger fraction or merge rare labels."
    )


def as_published(recordings: Recordings, *, seed: int, test_fraction: float = 0.2) -> tuple[Fold, ...]:
    """Split files at random, copies included, label by label: one fold.

    Args:
        recordings: The table, including copies.
        seed: Random seed.
        test_fraction: Share of each label's files on the test side.

    Raises:
        DatasetError: A label has fewer than two files.
    """
    _check_fraction(test_fraction)
    everything = np.arange(len(recordings), dtype=np.intp)
    train, test = _by_file(recordings, everything, seed=seed, fraction=test_fraction)
    return (Fold(train, test, AS_PUBLISHED),)


def leave_one_out(recordings: Recordings, column: str = "batch") -> tuple[Fold, ...]:
    """Make one fold for each value of a column, which is the test side; one file of each recording.

    Rows of the other values whose group is also on the test side are left out of training.

    Args:
        recordings: The table.
        column: Such as ``batch`` or ``source``.

    Raises:
        DatasetError: There is no such column, it has one value, or nothing is left to train on.
    """
    chosen = recordings.canonical_indices()
    values = np.array(recordings.column(column))
    groups = np.array(recordings.column("group"))
    distinct = sorted(set(values[chosen].tolist()))
    if len(distinct) < 2:
        raise DatasetError(f"Expected at least two values in column '{column}' to leave one out, got {distinct}.")
    folds = []
    for value in distinct:
        test = chosen[values[chosen] == value]
        train = chosen[(values[chosen] != value) & ~np.isin(groups[chosen], groups[test])]
        if not len(train):
            raise DatasetError(f"Every group is also in {column} '{value}', so nothing is left to train on.")
        folds.append(Fold(train, test, value))
    return tuple(folds)


def from_split_column(
    recordings: Recordings, *, train: Sequence[str] = ("train",), test: Sequence[str] = ("test",)
) -> tuple[Fold, ...]:
    """Return the split that the data set came with, from the column ``split``: one fold.

    Args:
        recordings: The table.
        train: Values of ``split`` that mean the training side.
        test: Values that mean the test side.

    Raises:
        DatasetError: One of the sides is empty.
    """
    sides = np.array(recordings.column("split"))
    fold = Fold(
        np.flatnonzero(np.isin(sides, list(train))).astype(np.intp),
        np.flatnonzero(np.isin(sides, list(test))).astype(np.intp),
        "given",
    )
    if not len(fold.train) or not len(fold.test):
        names = ", ".join(sorted({side or "none" for side in sides.tolist()}))
        raise DatasetError(f"Expected the splits '{train[0]}' and '{test[0]}' in the table, got {names}.")
    return (fold,)


def check_disjoint(recordings: Recordings, split: Split) -> None:
    """Refuse a split in which a recording or group is on two sides, unless its protocol is as-published.

    Args:
        recordings: The table that was split.
        split: Its folds.

    Raises:
        DatasetError: A file, a recording or a group is on both sides of a fold.
    """
    if split.protocol == AS_PUBLISHED:
        return
    for fold in split.folds:
        for column in ("recording", "group"):
            values = recordings.column(column)
            shared = {values[i] for i in fold.train} & {values[i] for i in fold.test}
            if shared:
                of_fold = f" of {fold.name}" if fold.name else ""
                raise DatasetError(
                    f"Expected every {column} on one side, but {len(shared)} are on both sides{of_fold}, such as "
                    f"'{min(shared)}'; split with protocol 'honest', or name the protocol '{AS_PUBLISHED}'."
                )


def _grouped_folds(
    recordings: Recordings, chosen: NDArray[np.intp], *, seed: int, folds: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    labels = np.array(recordings.column("label"))[chosen]
    groups = np.array(recordings.column("group"))[chosen]
    for label in recordings.labels:
        count, apart = int(np.sum(labels == label)), len(set(groups[labels == label].tolist()))
        if apart < folds:
            raise DatasetError(
                f"Expected at least {folds} groups of recordings labeled '{label}' for {folds} folds, got "
                f"{count} recordings in {apart} groups; add recordings, merge labels or ask for fewer folds."
            )
    splitter = require("sklearn.model_selection", extra="train").StratifiedGroupKFold(
        n_splits=folds, shuffle=True, random_state=seed
    )
    return [(_rows(train), _rows(test)) for train, test in splitter.split(labels, labels, groups)]


def _by_file(
    recordings: Recordings, chosen: NDArray[np.intp], *, seed: int, fraction: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    generator = np.random.default_rng(seed)
    labels = np.array(recordings.column("label"))[chosen]
    held: list[NDArray[np.intp]] = []
    for label in sorted(set(labels.tolist())):
        members = chosen[labels == label]
        if len(members) < 2:
            raise DatasetError(f"Expected at least two files labeled '{label}' to split, got one.")
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(generator.permutation(members)[:count])
    test = np.sort(np.concatenate(held)).astype(np.intp)
    return np.setdiff1d(chosen, test).astype(np.intp), test


def _labels_of(recordings: Recordings, rows: NDArray[np.intp]) -> set[str]:
    return {recordings[int(i)].label for i in rows}


def _rows(values: Iterable[int] | NDArray[np.intp]) -> NDArray[np.intp]:
    return np.asarray(list(values), dtype=np.intp)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise DatasetError(f"Expected a fraction between 0 and 1 to hold out, got {fraction}.")

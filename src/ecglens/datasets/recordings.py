"""The table of recordings that training, evaluation, splitting and auditing share: one row a file.

A row has the file's path, its label, the recording that it shows and the group that it must stay with. Copies of one
recording are several rows with the same ``recording``; :meth:`Recordings.canonical` selects one of them.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.tables import read_table, write_rows

__all__ = ["COLUMNS", "Recording", "Recordings"]

COLUMNS = ("path", "label", "recording", "group", "split", "source")

_PATH_COLUMNS = ("path", "page", "file", "filename")
_NO = frozenset({"no", "false", "0"})


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of a data set.

    Attributes:
        path: The file.
        label: Label of the recording.
        recording: Name of the recording that it shows; copies of one page share it.
        group: Name of what must stay on one side of a split, such as a patient or a printed exam number.
        split: The side on which the data set itself put the file, or ``None``.
        source: Name of the data set or the kind of source.
        extra: Further columns by name, such as ``batch`` or ``printed_rate_bpm``.
    """

    path: Path
    label: str
    recording: str
    group: str
    split: str | None = None
    source: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """Return the row in plain types, extra columns included."""
        return {
            "path": self.path.as_posix(),
            "label": self.label,
            "recording": self.recording,
            "group": self.group,
            "split": self.split,
            "source": self.source,
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Recordings:
    """A table of recordings.

    Attributes:
        rows: One for each file.
    """

    rows: tuple[Recording, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Recording:
        return self.rows[index]

    @property
    def labels(self) -> tuple[str, ...]:
        """Distinct labels in alphabetical order."""
        return tuple(sorted({row.label for row in self.rows}))

    def column(self, name: str) -> tuple[str, ...]:
        """Return the values of one column as text, ``""`` where a row has none.

        Args:
            name: One of ``COLUMNS`` or an extra column.

        Raises:
            DatasetError: No row has such a column.
        """
        if name in COLUMNS:
            return tuple(str(getattr(row, name) or "") for row in self.rows)
        if not any(name in row.extra for row in self.rows):
            available = ", ".join([*COLUMNS, *sorted({key for row in self.rows for key in row.extra})])
            raise DatasetError(f"Expected a column '{name}' in the table of recordings, but it has only {available}.")
        return tuple(row.extra.get(name, "") for row in self.rows)

    def codes(self, name: str) -> NDArray[np.intp]:
        """Return a column as numbers: ``(rows,)``, the index of each value among the sorted distinct ones."""
        return np.unique(np.array(self.column(name), dtype=str), return_inverse=True)[1].astype(np.intp)

    def subset(self, indices: Iterable[int]) -> "Recordings":
        """Select the rows at ``indices``, in that order."""
        return Recordings(tuple(self.rows[int(index)] for index in indices))

    def canonical_indices(self) -> NDArray[np.intp]:
        """Return the index of one row for each recording: the one marked canonical by the audit, or else the first."""
        chosen: dict[str, int] = {}
        for index, row in enumerate(self.rows):
            if row.extra.get("canonical", "yes").lower() not in _NO:
                chosen.setdefault(row.recording, index)
        return np.array(sorted(chosen.values()), dtype=np.intp)

    def canonical(self) -> "Recordings":
        """Select one row for each recording."""
        return self.subset(self.canonical_indices())

    def counts(self) -> dict[str, int]:
        """Count the files of each label."""
        return dict(sorted(Counter(row.label for row in self.rows).items()))

    def keys(self) -> tuple[str, ...]:
        """Return a name of each file that does not depend on where the data set is: its path below the root of all."""
        if not self.rows:
            return ()
        paths = [os.path.abspath(row.path) for row in self.rows]
        root = os.path.commonpath([os.path.dirname(path) for path in paths])
        return tuple(Path(os.path.relpath(path, root)).as_posix() for path in paths)

    @classmethod
    def from_csv(cls, path: str | Path) -> "Recordings":
        """Read a table of recordings.

        ``label`` and one of ``path``, ``page``, ``file`` or ``filename`` must be there; ``recording`` is the path
        without its ending where it is missing and ``group`` the recording. Every other column goes into ``extra``.

        Args:
            path: A CSV file with a header line; paths in it are relative to its folder.

        Raises:
            DatasetError: The file cannot be read, has no rows or lacks a column.
        """
        path = Path(path)
        header, rows = _read_rows(path)
        path_column = next((name for name in _PATH_COLUMNS if name in header), None)
        if path_column is None or "label" not in header:
            raise DatasetError(
                f"Expected the columns 'path' and 'label' in {path.name}, got {', '.join(header) or 'no header'}."
            )
        if not rows:
            raise DatasetError(f"Expected at least one recording in {path.name}, but it has a header only.")
        return cls(tuple(_row(values, path, path_column, line) for line, values in enumerate(rows, start=2)))

    def to_csv(self, path: str | Path) -> None:
        """Write the table; paths are written relative to the folder of the file.

        Args:
            path: Path of the file; its folder is created if it does not exist.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        extra = list(dict.fromkeys(name for row in self.rows for name in row.extra))
        with path.open("w", newline="", encoding="utf-8") as stream:
            columns = [*COLUMNS, *extra]
            rows = (_values_for_table(row, path.parent) for row in self.rows)
            write_rows(stream, chain([columns], ([row.get(name, "") for name in columns] for row in rows)))


def _values_for_table(row: Recording, folder: Path) -> dict[str, Any]:
    relative = Path(os.path.relpath(row.path, folder)).as_posix()
    return {**row.to_dict(), "path": relative, "split": row.split or ""}


def _read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        header, rows = read_table(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"Expected a CSV table of recordings at {path}, but it cannot be read: {error}.") from error
    return header, [dict(zip_longest(header, row[: len(header)], fillvalue="")) for row in rows]


def _row(values: Mapping[str, str], table: Path, path_column: str, line: int) -> Recording:
    name, label = values[path_column].strip(), values["label"].strip()
    if not name or not label:
        raise DatasetError(f"Expected a path and a label in line {line} of {table.name}, but one of them is empty.")
    recording = values.get("recording") or Path(name).with_suffix("").as_posix()
    extra = {key: value for key, value in values.items() if key and key not in COLUMNS and key != path_column}
    return Recording(
        path=table.parent / name,
        label=label,
        recording=recording,
        group=values.get("group") or recording,
        split=values.get("split") or None,
        source=values.get("source") or table.stem,
        extra=MappingProxyType(extra),
    )

"""Predictions of one model on pages whose label is known, on disk and in memory."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.tables import read_table, write_rows

__all__ = ["Predictions", "list_cautions", "match_pages", "read_predictions", "write_predictions"]

_COLUMNS = ("recording", "group", "label", "fold")
_PREFIX = "p_"
_MOST_FOLDS = 2**31
_ROUNDED = 0.005
"""Largest rounding error of a probability with two decimals."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One prediction a page.

    Attributes:
        recordings: Name of each page's recording; several pages may show one, and then have a column ``file``.
        groups: Group of each page, such as a patient.
        labels: Names in the order of the probabilities.
        targets: ``(pages,)`` intp, index of the true label.
        probabilities: ``(pages, labels)``, rows sum to 1.
        folds: ``(pages,)`` intp, the fold whose model was not trained on the page; all 0 where there was one model.
        extra: Further columns by name, such as ``batch`` or ``printed_rate_bpm``.
    """

    recordings: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    targets: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    folds: NDArray[np.intp]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def group_codes(self) -> NDArray[np.intp]:
        """The groups as numbers, ``(pages,)``."""
        return np.unique(np.array(self.groups, dtype=str), return_inverse=True)[1].astype(np.intp)

    @property
    def pages(self) -> tuple[str, ...]:
        """Unique names of the pages: the recording, or the column ``file`` where some show the same."""
        once = len(set(self.recordings)) == len(self)
        return self.recordings if once else self.extra.get("file", self.recordings)

    def subset(self, rows: NDArray[np.intp]) -> "Predictions":
        """Select some of the pages, in the order of ``rows``."""

        def of(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(values[int(row)] for row in rows)

        return Predictions(
            of(self.recordings),
            of(self.groups),
            self.labels,
            self.targets[rows],
            self.probabilities[rows],
            self.folds[rows],
            {name: of(values) for name, values in self.extra.items()},
        )


def match_pages(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """Select the pages that both answered, in one order, with the labels in one order.

    Raises:
        DatasetError: They have other labels, no page in common, or another true label for one.
    """
    if set(first.labels) != set(second.labels):
        raise DatasetError(
            f"Expected the same labels in both, got {', '.join(first.labels)} and {', '.join(second.labels)}."
        )
    places = {}
    for part in (first, second):
        if len(set(part.pages)) != len(part):
            raise DatasetError("Expected each page once in both, but one of them answers some twice.")
        places[id(part)] = {name: row for row, name in enumerate(part.pages)}
    shared = [name for name in first.pages if name in places[id(second)]]
    if not shared:
        raise DatasetError("Expected pages that both answered, but they have no recording in common.")
    one = first.subset(np.array([places[id(first)][name] for name in shared], dtype=np.intp))
    other = second.subset(np.array([places[id(second)][name] for name in shared], dtype=np.intp))
    order = [second.labels.index(label) for label in first.labels]
    renamed = np.array([first.labels.index(label) for label in second.labels], dtype=np.intp)[other.targets]
    unlike = np.flatnonzero(renamed != one.targets)
    if unlike.size:
        raise DatasetError(f"Expected one true label a recording, but '{shared[unlike[0]]}' has two.")
    turned = Predictions(
        other.recordings, one.groups, first.labels, renamed, other.probabilities[:, order], other.folds, other.extra
    )
    return one, turned


def list_cautions(predictions: Predictions) -> tuple[str, ...]:
    """List what a reader must know of a table before its figures, a sentence each: unusual rows, labels and groups."""
    recordings, groups = predictions.recordings, predictions.groups
    cautions = []
    pages = Counter(zip(recordings, predictions.extra.get("file", recordings), strict=True))
    again = [name for (name, _), times in pages.items() if times > 1]
    if again:
        cautions.append(f"{_some(again)} is in several rows, and each of them counts.")
    truths: dict[str, set[int]] = {}
    for name, target in zip(recordings, predictions.targets.tolist(), strict=True):
        truths.setdefault(name, set()).add(target)
    torn = [name for name, labels in truths.items() if len(labels) > 1]
    if torn:
        cautions.append(f"{_some(torn)} has more than one true label.")
    true = np.bincount(predictions.targets, minlength=len(predictions.labels))
    absent = [label for label, pages in zip(predictions.labels, true, strict=True) if not pages]
    if absent:
        cautions.append(
            f"No page is truly {' or '.join(absent)}: recall, AUROC and average precision averaged over labels are "
            "undefined; so are precision and F1, or they count 0 where pages are predicted as that."
        )
    folds: dict[str, set[int]] = {}
    for name, fold in zip(groups, predictions.folds.tolist(), strict=True):
        folds.setdefault(name, set()).add(fold)
    spread = [name for name, held in folds.items() if len(held) > 1]
    if spread:
        cautions.append(
            f"{_some(spread, 'group')} has pages in more than one fold: if the folds are those of cross-validation, "
            "models were trained on groups that they answer."
        )
    if len(set(groups)) == len(predictions) > 1:
        cautions.append("Each page is a group of its own: where a person has several, the intervals are too narrow.")
    return tuple(cautions)


def _some(names: Sequence[str], thing: str = "recording") -> str:
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"The {thing} '{names[0]}'{others}"


def read_predictions(path: str | Path, *, named: bool = False) -> Predictions:
    """Read a table of predictions: CSV as :func:`ecglens.tables.read_table` reads it, or Parquet by its suffix.

    ``label`` (the true one) and a column ``p_NAME`` for each label must be there; ``recording`` is the row's number
    where it is missing or blank, ``group`` the recording and ``fold`` 0. Every other column is read too. Probabilities
    may have two decimals; they are scaled to sum to 1.

    Args:
        path: The file.
        named: Whether each row must name its recording, as it must where rows of two tables are to be paired.

    Raises:
        DatasetError: The file cannot be read, a column is missing, or a value is none.
        MissingExtraError: The file is Parquet and pyarrow is not installed.
    """
    path = Path(path)
    columns = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    labels = tuple(name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX))
    if "label" not in columns or len(labels) < 2:
        raise DatasetError(
            f"Expected the columns 'label' and '{_PREFIX}NAME' for each of at least two labels in {path.name}, "
            f"got {', '.join(columns) or 'none'}."
        )
    true = columns["label"]
    if not true:
        raise DatasetError(f"Expected at least one answer in {path.name}, but it has a header only.")
    unknown = sorted(set(true) - set(labels))
    if unknown:
        raise DatasetError(f"{path.name} has the label '{unknown[0]}', but no column '{_PREFIX}{unknown[0]}'.")
    nameless = [""] * len(true)
    if named and not all(columns.get("recording", nameless)):
        raise DatasetError(
            f"Expected the column 'recording' with a name in every row of {path.name}: without it pages of two tables "
            "cannot be paired."
        )
    recordings = tuple(name or str(number) for number, name in enumerate(columns.get("recording", nameless), start=1))
    return Predictions(
        recordings=recordings,
        groups=tuple(g or r for g, r in zip(columns.get("group", nameless), recordings, strict=True)),
        labels=labels,
        targets=np.array([labels.index(name) for name in true], dtype=np.intp),
        probabilities=_probabilities(columns, labels, path),
        folds=_whole(columns.get("fold", nameless), path),
        extra={
            name: tuple(values)
            for name, values in columns.items()
            if name not in _COLUMNS and not name.startswith(_PREFIX)
        },
    )


def write_predictions(predictions: Predictions, path: str | Path) -> None:
    """Write a table of predictions as :func:`read_predictions` reads it.

    Args:
        predictions: One prediction a page.
        path: A ``.csv`` or ``.parquet`` file; its folder is created if it does not exist.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Sequence[object]] = {
        "recording": predictions.recordings,
        "group": predictions.groups,
        "label": [predictions.labels[target] for target in predictions.targets],
        "fold": predictions.folds.tolist(),
        **{_PREFIX + name: predictions.probabilities[:, n].tolist() for n, name in enumerate(predictions.labels)},
        **predictions.extra,
    }
    if path.suffix.lower() == ".parquet":
        table = require("pyarrow", extra="table").table(dict(columns))
        require("pyarrow.parquet", extra="table").write_table(table, path)
        return
    text = io.StringIO()
    write_rows(text, [columns, *zip(*columns.values(), strict=True)])
    path.write_text(text.getvalue(), encoding="utf-8")


def _csv(path: Path) -> dict[str, list[str]]:
    try:
        header, rows = read_table(path)
    except OSError as error:
        raise DatasetError(
            f"Expected a table of answers at {path}, but it cannot be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise DatasetError(f"Expected a table of answers at {path}, but it cannot be read: {error}.") from error
    twice = next((name for place, name in enumerate(header) if name in header[:place]), None)
    if twice is not None:
        raise DatasetError(f"Expected each column once in {path.name}, but '{twice}' is there twice.")
    uneven = next((number for number, row in enumerate(rows, start=1) if len(row) != len(header)), None)
    if uneven is not None:
        raise DatasetError(f"Expected {len(header)} values in row {uneven} of {path.name}, but it has another number.")
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


def _parquet(path: Path) -> dict[str, list[str]]:
    try:
        table = require("pyarrow.parquet", extra="table").read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are of these two kinds
        raise DatasetError(f"Expected a table of answers at {path}, but it cannot be read as Parquet.") from error
    return {
        name: ["" if value is None else str(value) for value in table[name].to_pylist()] for name in table.column_names
    }


def _probabilities(columns: Mapping[str, Sequence[str]], labels: Sequence[str], path: Path) -> NDArray[np.float64]:
    values = np.array([_numbers(columns[_PREFIX + name], _PREFIX + name, path) for name in labels]).T
    sums = values.sum(axis=1)
    apart = _ROUNDED * len(labels) + 1e-9
    wrong = np.flatnonzero(~((values >= 0).all(axis=1) & (np.abs(sums - 1) <= apart)))
    if wrong.size:
        raise DatasetError(
            f"Expected probabilities of at least 0 that sum to 1 in each row of {path.name}, but row {wrong[0] + 1} "
            f"has {', '.join(f'{value:.4g}' for value in values[wrong[0]])}."
        )
    return np.asarray(values / sums[:, None], dtype=np.float64)


def _numbers(texts: Sequence[str], column: str, path: Path) -> NDArray[np.float64]:
    """Read numbers with a decimal point or comma."""
    numbers = np.empty(len(texts))
    for row, text in enumerate(texts):
        try:
            numbers[row] = float(text.replace(",", "."))
        except ValueError:
            raise DatasetError(
                f"Expected numbers in the column '{column}' of {path.name}, but row {row + 1} has '{text}'."
            ) from None
    return numbers


def _whole(texts: Sequence[str], path: Path) -> NDArray[np.intp]:
    """Read the folds, all 0 where no row has one."""
    if not any(texts):
        return np.zeros(len(texts), dtype=np.intp)
    numbers = _numbers(texts, "fold", path)
    wrong = np.flatnonzero(~((np.abs(numbers) < _MOST_FOLDS) & (numbers == np.floor(numbers))))
    if wrong.size:
        raise DatasetError(
            f"Expected whole numbers in the column 'fold' of {path.name}, but row {wrong[0] + 1} has "
            f"'{texts[wrong[0]]}'."
        )
    return numbers.astype(np.intp)

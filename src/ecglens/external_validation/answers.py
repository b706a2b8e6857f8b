"""Predictions of a model folder on labeled pages, and which of these it was trained on."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.duplicates.fingerprints import TrainingPages
from ecglens.datasets.file_facts import file_digest
from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError, EcgReadError
from ecglens.evaluation.guidelines import NEW_PAGES, PAGES
from ecglens.evaluation.predictions import Predictions
from ecglens.evaluation.sections import Section
from ecglens.models.cards import FINGERPRINTS_FILE
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page

__all__ = ["TRAINED_ON", "Answers", "Refusal", "answer_pages"]

TRAINED_ON = "learnt by the model"
"""Column of the predictions that marks the pages that the model was trained on; stored tables have this name."""

Progress = Callable[[int, int], None]
"""Called with the number of pages done and of all."""

_FIGURES = re.compile(r" \([^()]*\d[^()]*\)")
"""Figures in brackets, in which two instances of the same reason differ."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A page without probabilities.

    Attributes:
        row: Row of the table.
        reason: Reason, one sentence.
    """

    row: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A model's predictions for a table of pages, and the pages that it refused.

    Attributes:
        predictions: Predictions on the pages that the model answers for, even below its threshold.
        rows: ``(pages,)``, the row of the table behind each.
        refused: The other pages.
        below: Answered pages whose highest probability is below the model's threshold.
        trained_on: Pages of the table that are copies of training pages, by kind; ``None`` where the model's folder has
            no fingerprints of them.
        copies: Answered pages whose file is the same as that of an earlier page; they are in one group with it.
    """

    predictions: Predictions
    rows: NDArray[np.intp]
    refused: tuple[Refusal, ...]
    below: int
    trained_on: tuple[int, int] | None
    copies: int = 0

    @property
    def requested(self) -> int:
        """Number of pages of the table."""
        return len(self.rows) + len(self.refused)

    def section(self) -> Section:
        """Return a section with the number of pages requested, answered and refused."""
        answered, requested = len(self.rows), self.requested
        right = self.predictions.probabilities.argmax(axis=1) == self.predictions.targets
        rows = [
            ["", "pages", "share"],
            ["requested", str(requested), "100.0 %"],
            ["answered, on which the figures are", str(answered), _share(answered, requested)],
            ["answered and right", str(int(right.sum())), _share(int(right.sum()), requested)],
            [
                "answered below the model's threshold, shown as 'not sure'",
                str(self.below),
                _share(self.below, requested),
            ],
            ["refused", str(len(self.refused)), _share(len(self.refused), requested)],
        ]
        reasons: dict[str, int] = {}
        for one in self.refused:
            reason = _FIGURES.sub("", one.reason)
            reasons[reason] = reasons.get(reason, 0) + 1
        most_common = sorted(reasons.items(), key=lambda item: -item[1])[:8]
        rows += [[f"refused: {reason}", str(count), _share(count, requested)] for reason, count in most_common]
        topic = NEW_PAGES if self.trained_on == (0, 0) else PAGES
        return Section("Pages", "", tuple(tuple(row) for row in rows), topic=topic)

    def refusals(self, recordings: Recordings) -> Section:
        """Return a section with each refused page and its reason.

        Args:
            recordings: The table of the pages.
        """
        rows = [("page", "reason"), *((recordings[one.row].path.name, one.reason) for one in self.refused)]
        return Section("Refused pages", "They are left out of the figures.", tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """List what a reader must know before the figures: whether the model was trained on these pages, and copies."""
        if not self.copies:
            return (self._overlap(),)
        repeat = "1 of the answered pages is" if self.copies == 1 else f"{self.copies} of the answered pages are"
        return (
            self._overlap(),
            f"{repeat} the same file as another of them and counted each time; ecglens audit finds copies, also those "
            "that were saved again.",
        )

    def _overlap(self) -> str:
        if self.trained_on is None:
            return (
                "Whether the model was trained on these pages is not known: its folder has no fingerprints of its "
                "training pages."
            )
        requested, (same, same_traces) = self.requested, self.trained_on
        if not same + same_traces:
            return f"None of the {requested} pages is known as a copy of a page that the model was trained on."
        return (
            f"{same + same_traces} of the {requested} pages are copies of pages that the model was trained on, {same} "
            f"the same file and {same_traces} with the same traces: these figures are no measure of what it does on "
            "new pages."
        )


def answer_pages(recordings: Recordings, runtime: Runtime, *, progress: Progress | None = None) -> Answers:
    """Predict every page of a table.

    Args:
        recordings: One row a page.
        runtime: The model.
        progress: Called with the number of pages done and of all.

    Raises:
        DatasetError: The table has a label that the model does not have, or none of its pages is answered.
    """
    labels = runtime.card.labels
    unknown = sorted(set(recordings.labels) - set(labels))
    if unknown:
        raise DatasetError(
            f"Expected labels out of {', '.join(labels)}, which the model {runtime.card.name} knows, got "
            f"'{unknown[0]}'; name what the folders mean with --labels."
        )
    rows, probabilities, refused = [], [], []
    below = 0
    for row, recording in enumerate(recordings):
        result = _predict(recording.path, runtime)
        if isinstance(result, str):
            refused.append(Refusal(row, result))
        else:
            rows.append(row)
            probabilities.append(result)
            below += max(result) < runtime.card.abstain_below
        if progress is not None:
            progress(row + 1, len(recordings))
    if not rows:
        raise DatasetError(f"The model answers for none of the {len(refused)} pages. The first: {refused[0].reason}")
    answered_rows = np.array(rows, dtype=np.intp)
    trained_on = _find_training_pages(recordings, runtime.card.folder / FINGERPRINTS_FILE)
    predictions = _predictions(
        recordings, answered_rows, np.array(probabilities), labels, None if trained_on is None else set(trained_on)
    )
    firsts = _firsts([recordings[row].path for row in rows])
    return Answers(
        replace(predictions, groups=tuple(predictions.groups[first] for first in firsts)),
        answered_rows,
        tuple(refused),
        below,
        None if trained_on is None else _count_kinds(trained_on),
        sum(first != place for place, first in enumerate(firsts)),
    )


def _predict(path: Path, runtime: Runtime) -> list[float] | str:
    """Return the probabilities, or the reason why there are none."""
    try:
        prediction = examine_page(read_page(path), runtime).prediction
    except EcgReadError as error:
        return error.detail[:1].upper() + error.detail[1:]
    if prediction.probabilities is None:
        return prediction.abstention.reason if prediction.abstention else "It gave no probabilities."
    return [float(prediction.probabilities[label]) for label in runtime.card.labels]


def _firsts(paths: list[Path]) -> list[int]:
    """Return for each file the place of the first file with the same bytes."""
    first: dict[str, int] = {}
    return [first.setdefault(file_digest(path), place) for place, path in enumerate(paths)]


def _find_training_pages(recordings: Recordings, path: Path) -> dict[int, str] | None:
    if not path.is_file():
        return None
    copies = TrainingPages.load(path).copies_in([row.path for row in recordings])
    return {copy.index: copy.kind for copy in copies}


def _count_kinds(trained_on: dict[int, str]) -> tuple[int, int]:
    """Count the pages with the same bytes as a training page, and those with the same traces."""
    kinds = list(trained_on.values())
    return kinds.count("bytes"), kinds.count("traces")


def _predictions(
    recordings: Recordings,
    rows: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    labels: tuple[str, ...],
    trained_on: set[int] | None,
) -> Predictions:
    table, keys = recordings.subset(rows), recordings.keys()
    extra = {name: table.column(name) for name in sorted({name for row in table for name in row.extra})}
    extra["file"] = tuple(keys[row] for row in rows)
    if trained_on is not None:
        extra[TRAINED_ON] = tuple("yes" if row in trained_on else "no" for row in rows.tolist())
    return Predictions(
        recordings=table.column("recording"),
        groups=table.column("group"),
        labels=labels,
        targets=np.array([labels.index(name) for name in table.column("label")], dtype=np.intp),
        probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
        folds=np.zeros(len(rows), dtype=np.intp),
        extra=extra,
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"

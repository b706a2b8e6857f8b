"""What a model folder answers on labelled pages, and which of these it has learnt."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.duplicates.fingerprints import SeenPages
from ecglens.datasets.file_facts import file_digest
from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError, EcgReadError
from ecglens.evaluation.guidelines import NEW_PAGES, PAGES
from ecglens.evaluation.predictions import Predictions
from ecglens.evaluation.report import Section
from ecglens.models.cards import SEEN_FILE
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page

__all__ = ["LEARNT", "Answered", "Refused", "answer_pages"]

LEARNT = "learnt by the model"
"""The column of the answers that tells which pages the model was trained on."""

Told = Callable[[int, int], None]
"""Hears how many pages are done, of how many."""


_FIGURES = re.compile(r" \([^()]*\d[^()]*\)")
"""What two reasons differ in that are one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A page without probabilities.

    Attributes:
        row: Of the table.
        reason: One sentence.
    """

    row: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What came of a table of pages.

    Attributes:
        predictions: On the pages that the model answers for, whether or not it is sure enough of a label.
        rows: ``(pages,)``, the row of the table behind each.
        refused: The other pages.
        below: Answered pages whose highest probability is below the model's threshold.
        learnt: Pages of the table that are copies of training pages, by kind; ``None`` where the model's folder has no
            fingerprints of them.
        copies: Answered pages whose file is the same as that of a page before them; they are in one group with it.
    """

    predictions: Predictions
    rows: NDArray[np.intp]
    refused: tuple[Refused, ...]
    below: int
    learnt: tuple[int, int] | None
    copies: int = 0

    @property
    def asked(self) -> int:
        """Pages of the table."""
        return len(self.rows) + len(self.refused)

    def section(self) -> Section:
        """How many pages were asked, answered and refused."""
        answered, asked = len(self.rows), self.asked
        right = self.predictions.probabilities.argmax(axis=1) == self.predictions.targets
        rows = [
            ["", "pages", "share"],
            ["asked", str(asked), "100.0 %"],
            ["answered, on which the figures are", str(answered), _share(answered, asked)],
            ["answered and right", str(int(right.sum())), _share(int(right.sum()), asked)],
            [
                "answered below the model's threshold, shown as 'cannot tell'",
                str(self.below),
                _share(self.below, asked),
            ],
            ["refused", str(len(self.refused)), _share(len(self.refused), asked)],
        ]
        reasons: dict[str, int] = {}
        for one in self.refused:
            reason = _FIGURES.sub("", one.reason)
            reasons[reason] = reasons.get(reason, 0) + 1
        commonest = sorted(reasons.items(), key=lambda item: -item[1])[:8]
        rows += [[f"refused: {reason}", str(count), _share(count, asked)] for reason, count in commonest]
        topic = NEW_PAGES if self.learnt == (0, 0) else PAGES
        return Section("Pages", "", tuple(tuple(row) for row in rows), topic=topic)

    def refusals(self, recordings: Recordings) -> Section:
        """Each refused page with its reason.

        Args:
            recordings: The table of which the pages are.
        """
        rows = [("page", "reason"), *((recordings[one.row].path.name, one.reason) for one in self.refused)]
        return Section("Refused pages", "They are left out of the figures.", tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """What a reader must know before the figures: whether the model has learnt these pages, and copies in them."""
        if not self.copies:
            return (self._overlap(),)
        repeat = "1 of the answered pages is" if self.copies == 1 else f"{self.copies} of the answered pages are"
        return (
            self._overlap(),
            f"{repeat} the same file as another of them and counted each time; ecglens audit finds copies, also those "
            "that were saved anew.",
        )

    def _overlap(self) -> str:
        if self.learnt is None:
            return (
                "Whether the model was trained on these pages is not known: its folder has no fingerprints of its "
                "training pages."
            )
        asked, (same, alike) = self.asked, self.learnt
        if not same + alike:
            return f"None of the {asked} pages is known as a copy of a page that the model was trained on."
        return (
            f"{same + alike} of the {asked} pages are copies of pages that the model was trained on, {same} the same "
            f"file and {alike} with the same traces: these figures are no measure of what it does on new pages."
        )


def answer_pages(recordings: Recordings, runtime: Runtime, *, told: Told | None = None) -> Answered:
    """Ask a model for every page of a table.

    Args:
        recordings: One row a page.
        runtime: The model.
        told: Hears of the progress.

    Raises:
        DatasetError: The table has a label that the model does not know, or none of its pages is answered.
    """
    labels = runtime.card.labels
    unknown = sorted(set(recordings.labels) - set(labels))
    if unknown:
        raise DatasetError(
            f"Expected labels out of {', '.join(labels)}, which the model {runtime.card.name} knows, but found "
            f"'{unknown[0]}'; name what the folders mean with --labels."
        )
    rows, probabilities, refused = [], [], []
    below = 0
    for row, recording in enumerate(recordings):
        found = _asked(recording.path, runtime)
        if isinstance(found, str):
            refused.append(Refused(row, found))
        else:
            rows.append(row)
            probabilities.append(found)
            below += max(found) < runtime.card.abstain_below
        if told is not None:
            told(row + 1, len(recordings))
    if not rows:
        raise DatasetError(f"The model answers for none of the {len(refused)} pages. The first: {refused[0].reason}")
    kept = np.array(rows, dtype=np.intp)
    learnt = _learnt(recordings, runtime.card.folder / SEEN_FILE)
    predictions = _predictions(
        recordings, kept, np.array(probabilities), labels, None if learnt is None else set(learnt)
    )
    firsts = _firsts([recordings[row].path for row in rows])
    return Answered(
        replace(predictions, groups=tuple(predictions.groups[first] for first in firsts)),
        kept,
        tuple(refused),
        below,
        None if learnt is None else (sum(kind == "bytes" for kind in learnt.values()), _alike(learnt)),
        sum(first != place for place, first in enumerate(firsts)),
    )


def _asked(path: Path, runtime: Runtime) -> list[float] | str:
    """The probabilities, or why there are none."""
    try:
        prediction = examine_page(read_page(path), runtime).prediction
    except EcgReadError as error:
        return error.detail[:1].upper() + error.detail[1:]
    if prediction.probabilities is None:
        return prediction.abstention.reason if prediction.abstention else "It gave no probabilities."
    return [float(prediction.probabilities[label]) for label in runtime.card.labels]


def _firsts(paths: list[Path]) -> list[int]:
    """Place of the first file with the same bytes, of each file."""
    seen: dict[str, int] = {}
    return [seen.setdefault(file_digest(path), place) for place, path in enumerate(paths)]


def _learnt(recordings: Recordings, path: Path) -> dict[int, str] | None:
    if not path.is_file():
        return None
    copies = SeenPages.load(path).copies_in([row.path for row in recordings])
    return {copy.index: copy.kind for copy in copies}


def _alike(learnt: dict[int, str]) -> int:
    return sum(kind == "traces" for kind in learnt.values())


def _predictions(
    recordings: Recordings,
    rows: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    labels: tuple[str, ...],
    learnt: set[int] | None,
) -> Predictions:
    table, keys = recordings.subset(rows), recordings.keys()
    extra = {name: table.column(name) for name in sorted({name for row in table for name in row.extra})}
    extra["file"] = tuple(keys[row] for row in rows)
    if learnt is not None:
        extra[LEARNT] = tuple("yes" if row in learnt else "no" for row in rows.tolist())
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

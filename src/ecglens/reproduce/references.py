"""References that learn no weights: the most common label, and the printed rate alone."""

from collections.abc import Sequence

import numpy as np

from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Split
from ecglens.errors import DatasetError
from ecglens.evaluation.predictions import Predictions
from ecglens.evaluation.references import majority, nearest

__all__ = ["REFERENCES", "reference_predictions"]

REFERENCES = ("majority", "nearest")
_RATE = "printed_rate_bpm"


def reference_predictions(kind: str, recordings: Recordings, split: Split, labels: Sequence[str]) -> Predictions:
    """Predict the test sides of a split with a reference, fitted to each training side.

    Args:
        kind: One of :data:`REFERENCES`.
        recordings: The table.
        split: Split of the table.
        labels: Labels in the order of the probabilities.

    Raises:
        DatasetError: The table has no printed rates.
    """
    targets = np.array([labels.index(row.label) for row in recordings], dtype=np.intp)
    parts = []
    for fold in split.folds:
        if kind == "majority":
            parts.append(majority(targets[fold.train], pages=len(fold.test), labels=len(labels)))
        else:
            rates = _rates(recordings)
            parts.append(nearest(rates[fold.train], targets[fold.train], rates[fold.test], labels=len(labels)))
    rows = np.concatenate([fold.test for fold in split.folds])
    table, keys = recordings.subset(rows), recordings.keys()
    return Predictions(
        recordings=table.column("recording"),
        groups=table.column("group"),
        labels=tuple(labels),
        targets=targets[rows],
        probabilities=np.concatenate(parts),
        folds=np.concatenate([np.full(len(fold.test), number) for number, fold in enumerate(split.folds)]),
        extra={"file": tuple(keys[row] for row in rows)},
    )


def _rates(recordings: Recordings) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    texts = [row.extra.get(_RATE, "") for row in recordings]
    if not all(texts):
        raise DatasetError(
            f"Expected the printed rate of every page in the column {_RATE}, but {texts.count('')} of {len(texts)} "
            "have none; leave the row printed-rate out."
        )
    return np.array([float(text) for text in texts])

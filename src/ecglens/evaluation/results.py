"""Results of an evaluation and of a comparison, as frozen values that plots and reports are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.predictions import Predictions

__all__ = ["Band", "Comparison", "Difference", "Evaluation"]

Band = tuple[tuple[float, float, float], ...]
"""Points of a curve, each with the ends of its 95 % interval."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All figures of one model on one set of pages.

    Attributes:
        name: Name of the model.
        predictions: Its predictions.
        files: Number of files behind the pages, copies included.
        scored: Figures as :func:`ecglens.evaluation.classification.figures` gives them.
        intervals: 95 % intervals by bootstrap over groups: by figure, by ``label/figure``, and by ``coverage/share`` of
            the points of ``coverage``; ``None`` where there is none, as with one group or where all resamples agree.
        references: Figures of the controls that the model has to beat, by name.
        reference_intervals: 95 % intervals of these.
        subgroups: Pages, accuracy and its interval by column and value.
        coverage: Share of pages answered and share right, most confident pages first.
        reliability: Pages, mean confidence and share right by bin of confidence.
        decision: Net benefit of acting on a label over threshold probabilities, beside acting on all; by label.
        bands: 95 % intervals along the curves by ``reliability`` (at the mean confidence of each bin) and, of each
            label, ``roc/LABEL`` (recall over the share of false alarms), ``precision_recall/LABEL`` (precision over
            recall) and ``decision/LABEL``; points without an interval are left out, and all where all resamples agree.
        draws: Resamples of the bootstrap.
        notes: What a reader must know before the figures, a sentence each.
    """

    name: str
    predictions: Predictions
    files: int
    scored: Mapping[str, Any]
    intervals: Mapping[str, tuple[float, float] | None]
    references: Mapping[str, Mapping[str, float | None]]
    reference_intervals: Mapping[str, Mapping[str, tuple[float, float] | None]]
    subgroups: Mapping[str, Mapping[str, Mapping[str, Any]]]
    coverage: tuple[tuple[float, float], ...]
    reliability: tuple[tuple[int, float, float], ...]
    decision: Mapping[str, tuple[tuple[float, float, float], ...]]
    bands: Mapping[str, Band]
    draws: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation in plain types, without the predictions."""
        counts = np.bincount(self.predictions.targets, minlength=len(self.predictions.labels))
        return {
            "model": self.name,
            "notes": list(self.notes),
            "files": self.files,
            "pages": len(self.predictions),
            "recordings": len(set(self.predictions.recordings)),
            "groups": len(set(self.predictions.groups)),
            "draws": self.draws,
            "labels": dict(zip(self.predictions.labels, counts.tolist(), strict=True)),
            "figures": dict(self.scored),
            "intervals": {name: None if ends is None else list(ends) for name, ends in self.intervals.items()},
            "references": {name: dict(values) for name, values in self.references.items()},
            "reference_intervals": {
                name: {figure: None if ends is None else list(ends) for figure, ends in values.items()}
                for name, values in self.reference_intervals.items()
            },
            "subgroups": {name: {key: dict(row) for key, row in rows.items()} for name, rows in self.subgroups.items()},
            "coverage": [list(point) for point in self.coverage],
            "reliability": [list(row) for row in self.reliability],
            "decision": {label: [list(point) for point in points] for label, points in self.decision.items()},
            "bands": {name: [list(point) for point in points] for name, points in self.bands.items()},
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two models.

    Attributes:
        first: Value of the first model, ``None`` where it is undefined.
        second: Value of the second.
        interval: 95 % interval of first minus second.
        p: P-value of no difference.
        adjusted_p: The same after Holm over the family of all tests of the comparison.
    """

    first: float | None
    second: float | None
    interval: tuple[float, float] | None = None
    p: float | None = None
    adjusted_p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the difference in plain types."""
        difference = None if self.first is None or self.second is None else self.first - self.second
        return {
            "first": self.first,
            "second": self.second,
            "difference": difference,
            "interval": None if self.interval is None else list(self.interval),
            "p": self.p,
            "adjusted_p": self.adjusted_p,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Differences of two models on the same pages.

    Attributes:
        names: Names of the two.
        pages: Pages that both answered.
        recordings: Recordings of these.
        groups: Groups of these.
        figures: Differences by paired bootstrap over groups.
        right: McNemar's test of being right on the same pages.
        auroc: By label, DeLong's test of the areas under the ROC curve.
        left_out: Pages that one of them alone answered.
        draws: Resamples of the bootstrap.
        notes: What a reader must know of the tables, a sentence each.
    """

    names: tuple[str, str]
    pages: int
    recordings: int
    groups: int
    figures: Mapping[str, Difference]
    right: Difference
    auroc: Mapping[str, Difference]
    left_out: int
    draws: int
    notes: tuple[str, ...] = ()

    @property
    def tests(self) -> list[tuple[str, str, Difference]]:
        """Each compared figure with the name of its test and the difference."""
        return [
            *((FIGURES[name], "paired bootstrap", difference) for name, difference in self.figures.items()),
            (FIGURES["accuracy"], "McNemar", self.right),
            *((f"AUROC of {name}", "DeLong", difference) for name, difference in self.auroc.items()),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison in plain types."""
        return {
            "models": list(self.names),
            "pages": self.pages,
            "recordings": self.recordings,
            "groups": self.groups,
            "left_out": self.left_out,
            "draws": self.draws,
            "notes": list(self.notes),
            "figures": {name: difference.to_dict() for name, difference in self.figures.items()},
            "right_on_the_same_pages": self.right.to_dict(),
            "auroc": {name: difference.to_dict() for name, difference in self.auroc.items()},
        }

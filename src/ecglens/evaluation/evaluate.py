"""Everything that is reported of one model: figures with intervals, curves, subgroups, beside what it has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.bootstrap import group_intervals
from ecglens.evaluation.classification import figures
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.points import at_coverages, reliability
from ecglens.evaluation.predictions import Predictions, in_common
from ecglens.evaluation.references import majority, nearest

__all__ = [
    "Evaluation",
    "decision_curve",
    "evaluate",
    "headline",
    "references_of",
]

_BY_LABEL = ("precision", "recall", "specificity", "f1", "auroc", "average_precision")
_PARTS = 10
_FEWEST = 10  # pages of a subgroup that is worth a row
_RATE = "printed_rate_bpm"
_RATE_EDGES = (60.0, 80.0, 100.0)
_RATE_BANDS = ("below 60/min", "60 to 80/min", "80 to 100/min", "100/min and more", "rate unknown")
_THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 51))


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What one model's answers are worth.

    Attributes:
        name: Of the model.
        predictions: Its answers.
        files: Files that stand behind the pages, copies included.
        scored: Figures as :func:`ecglens.evaluation.classification.figures` gives them.
        intervals: 95 % intervals by bootstrap over groups: by figure, by ``label/figure``, and by ``coverage/share`` of
            the points of ``coverage``.
        references: Figures of what it has to beat, by name.
        reference_intervals: 95 % intervals of these.
        subgroups: By column and value, the pages, accuracy and its interval.
        coverage: Share answered and share right, surest pages first.
        reliability: By bin of confidence the pages, mean confidence and share right.
        decision: Net benefit of acting on a label over threshold probabilities, beside acting on all; by label.
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
    notes: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """The evaluation as tables."""
        from ecglens.evaluation.report import to_markdown  # it is a report on this

        return to_markdown(self)

    def plot(self) -> dict[str, bytes]:
        """Every picture as PNG by its name: confusion, roc, precision_recall, reliability, coverage, decision.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from ecglens.evaluation.curves import draw

        return draw(self)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation in plain types, without the answers."""
        counts = np.bincount(self.predictions.targets, minlength=len(self.predictions.labels))
        return {
            "model": self.name,
            "notes": list(self.notes),
            "files": self.files,
            "pages": len(self.predictions),
            "recordings": len(set(self.predictions.recordings)),
            "groups": len(set(self.predictions.groups)),
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
        }


def evaluate(
    predictions: Predictions,
    *,
    name: str = "model",
    files: int | None = None,
    rng: np.random.Generator,
    draws: int = 2000,
    references: Mapping[str, Predictions] | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Score a model's answers.

    Args:
        predictions: One answer a page; for cross-validation those of all folds together.
        name: Of the model.
        files: Files behind the pages where copies were left out.
        rng: Of the bootstrap.
        draws: Of the bootstrap over groups.
        references: Answers of control models, by name, such as ``ecglens.evaluation.names.CONTROLS``; pages that the
            model did not answer are left out. The majority label and, where the table has it, the printed rate alone
            are added.
        notes: What a reader must know before the figures, a sentence each.

    Raises:
        DatasetError: A control has other labels, no page in common, or another true label for one.
    """
    targets, probabilities, labels = predictions.targets, predictions.probabilities, predictions.labels
    given = {key: in_common(predictions, control)[1] for key, control in (references or {}).items()}
    beaten = {
        key if len(control) == len(predictions) else f"{key}, on {len(control)} pages": control
        for key, control in (references_of(predictions) | given).items()
    }
    return Evaluation(
        name=name,
        predictions=predictions,
        files=len(predictions) if files is None else files,
        scored=figures(targets, probabilities, labels),
        intervals=group_intervals(predictions.group_codes, partial(_drawn, predictions), rng=rng, draws=draws),
        references={key: headline(control, np.arange(len(control))) for key, control in beaten.items()},
        reference_intervals={
            key: group_intervals(control.group_codes, partial(headline, control), rng=rng, draws=draws)
            for key, control in beaten.items()
        },
        subgroups=_subgroups(predictions, rng, draws),
        coverage=at_coverages(targets, probabilities),
        reliability=reliability(targets, probabilities),
        decision={
            label: decision_curve(targets == number, probabilities[:, number], _THRESHOLDS)
            for number, label in enumerate(labels)
        },
        notes=tuple(notes),
    )


def headline(predictions: Predictions, rows: NDArray[np.intp]) -> dict[str, float | None]:
    """The single figures over some of the pages, by the keys of :data:`ecglens.evaluation.names.FIGURES`."""
    scored = figures(predictions.targets[rows], predictions.probabilities[rows], predictions.labels)
    return {name: scored[name] for name in FIGURES}


def references_of(predictions: Predictions) -> dict[str, Predictions]:
    """What any model has to beat: the commonest label of these pages, and the printed rate alone where there is one.

    Args:
        predictions: Answers. The rate is learnt on pages of the other folds or, where all are of one fold, such as
            anyone's folder of pages, of other tenths of the groups; with one group there is none. The commonest label
            is that of all pages: left out of its own count, each label of a balanced table would be the rarest.
    """
    count, targets = len(predictions.labels), predictions.targets
    always = majority(targets, pages=len(targets), labels=count)
    found = {"majority label": replace(predictions, probabilities=always)}
    rates = _numbers(predictions, _RATE)
    if rates is None:
        return found
    rated = predictions.subset(np.flatnonzero(np.isfinite(rates)))
    rates, folds = rates[np.isfinite(rates)], rated.folds
    if len(np.unique(folds)) < 2:
        folds = rated.group_codes % _PARTS
    if len(np.unique(folds)) > 1:
        by_rate = np.empty_like(rated.probabilities)
        for fold in np.unique(folds):
            here = folds == fold
            by_rate[here] = nearest(rates[~here], rated.targets[~here], rates[here], labels=count)
        found["printed rate alone, 15 nearest"] = replace(rated, probabilities=by_rate)
    return found


def decision_curve(
    positive: NDArray[np.bool_], score: NDArray[np.float64], thresholds: tuple[float, ...]
) -> tuple[tuple[float, float, float], ...]:
    """Net benefit over threshold probabilities (Vickers and Elkin, DOI 10.1177/0272989X06295361).

    At threshold t acting on a page weighs a false alarm t / (1 - t) as heavy as a hit: TP / n - FP / n * t / (1 - t).

    Args:
        positive: ``(pages,)``, whether a page has the label.
        score: ``(pages,)``, the label's probability.
        thresholds: In (0, 1).

    Returns:
        For each threshold the net benefit of acting where the score is at least as high, and of acting on all pages.
    """
    count, prevalence = len(positive), float(positive.mean())
    points = []
    for threshold in thresholds:
        weight = threshold / (1 - threshold)
        acted = score >= threshold
        hits, alarms = np.count_nonzero(acted & positive), np.count_nonzero(acted & ~positive)
        points.append((threshold, float(hits - alarms * weight) / count, prevalence - (1 - prevalence) * weight))
    return tuple(points)


def _drawn(predictions: Predictions, rows: NDArray[np.intp]) -> dict[str, float | None]:
    scored = figures(predictions.targets[rows], predictions.probabilities[rows], predictions.labels)
    by_label = {f"{label}/{name}": values[name] for label, values in scored["by_label"].items() for name in _BY_LABEL}
    points = at_coverages(predictions.targets[rows], predictions.probabilities[rows])
    by_coverage = {f"coverage/{share:g}": right for share, right in points}
    return {**{name: scored[name] for name in FIGURES}, **by_label, **by_coverage}


def _subgroups(predictions: Predictions, rng: np.random.Generator, draws: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy in bands of the printed rate and for each value of the columns that have few."""
    columns = {name: np.array(values) for name, values in predictions.extra.items() if 2 <= len(set(values)) <= 8}
    rates = _numbers(predictions, _RATE)
    if rates is not None:
        columns.pop(_RATE, None)
        places = np.where(np.isnan(rates), len(_RATE_EDGES) + 1, np.digitize(rates, _RATE_EDGES))
        columns["printed rate"] = np.array(_RATE_BANDS)[places]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    right = predictions.probabilities.argmax(axis=1) == predictions.targets
    for name, values in columns.items():
        for value in _RATE_BANDS if name == "printed rate" else sorted(set(values.tolist())):
            rows = np.flatnonzero(values == value)
            if len(rows) < _FEWEST:
                continue
            ends = group_intervals(
                predictions.group_codes[rows],
                partial(_share_right, right[rows]),
                rng=rng,
                draws=draws,
            )
            accuracy = float(right[rows].mean())
            interval = list(ends["accuracy"] or ()) or None
            found.setdefault(name, {})[value] = {"pages": len(rows), "accuracy": accuracy, "interval": interval}
    return found


def _share_right(right: NDArray[np.bool_], drawn: NDArray[np.intp]) -> dict[str, float | None]:
    return {"accuracy": float(right[drawn].mean())}


def _numbers(predictions: Predictions, column: str) -> NDArray[np.float64] | None:
    texts = predictions.extra.get(column)
    if texts is None:
        return None
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return None

"""Everything that is reported of one model: figures with intervals, curves, subgroups, beside what it has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.evaluation.bootstrap import Told, all_or_nothing, drawn_figures, interval, share_interval
from ecglens.evaluation.calibration import bins_of
from ecglens.evaluation.classification import COVERAGE, Scorer
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.points import (
    COVERAGES,
    SHARES,
    THRESHOLDS,
    at_coverages,
    decision_curve,
    drawn_points,
    reliability,
)
from ecglens.evaluation.predictions import Predictions, cautions, in_common
from ecglens.evaluation.references import majority, nearest

__all__ = [
    "Evaluation",
    "evaluate",
    "headline",
    "references_of",
]

_BY_LABEL = ("precision", "recall", "specificity", "f1", "auroc", "average_precision")
_PARTS = 10
_FEWEST = 10  # pages of a subgroup that is worth a row
_ROUNDING = 1e-9  # what sums of the same draws may differ by
_SINGLE, _CURVE = "figure:", "curve:"  # of what is drawn: a label may be called as either is
_RATE = "printed_rate_bpm"
_RATE_EDGES = (60.0, 80.0, 100.0)
_RATE_BANDS = ("below 60/min", "60 to 80/min", "80 to 100/min", "100/min and more", "rate unknown")

Band = tuple[tuple[float, float, float], ...]
"""Where a point stands, and the ends of its 95 % interval."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What one model's answers are worth.

    Attributes:
        name: Of the model.
        predictions: Its answers.
        files: Files that stand behind the pages, copies included.
        scored: Figures as :func:`ecglens.evaluation.classification.figures` gives them.
        intervals: 95 % intervals by bootstrap over groups: by figure, by ``label/figure``, and by ``coverage/share`` of
            the points of ``coverage``; ``None`` where there is none, as of one group or where every draw says the same.
        references: Figures of what it has to beat, by name.
        reference_intervals: 95 % intervals of these.
        subgroups: By column and value, the pages, accuracy and its interval.
        coverage: Share answered and share right, surest pages first.
        reliability: By bin of confidence the pages, mean confidence and share right.
        decision: Net benefit of acting on a label over threshold probabilities, beside acting on all; by label.
        bands: 95 % intervals along the curves by ``reliability`` (at the mean confidence of each bin) and, of each
            label, ``roc/LABEL`` (recall over the share of false alarms), ``precision_recall/LABEL`` (precision over
            recall) and ``decision/LABEL``; points without an interval are left out, and all where every draw says the
            same.
        draws: Of the bootstrap.
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


def evaluate(
    predictions: Predictions,
    *,
    name: str = "model",
    files: int | None = None,
    rng: np.random.Generator,
    draws: int = 2000,
    references: Mapping[str, Predictions] | None = None,
    notes: Sequence[str] = (),
    told: Told | None = None,
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
        notes: What a reader must know before the figures, a sentence each; what is unusual about the table is added.
        told: Hears how many draws are done, of all.

    Raises:
        DatasetError: A control has other labels, no page in common, or another true label for one.
    """
    targets, probabilities, labels = predictions.targets, predictions.probabilities, predictions.labels
    given = {key: _beside(predictions, key, control) for key, control in (references or {}).items()}
    beaten = {
        key if len(control) == len(predictions) else f"{key}, on {len(control)} pages": control
        for key, control in (references_of(predictions) | given).items()
    }
    scorers = {key: scorer_of(control) for key, control in beaten.items()}
    scorer, counter = scorer_of(predictions), _Counter(told, draws * (1 + len(beaten)))
    samples = drawn_figures(predictions.group_codes, partial(_drawn, scorer), rng=rng, draws=draws, told=counter.part())
    scored = scorer.figures()
    return Evaluation(
        name=name,
        predictions=predictions,
        files=len(predictions) if files is None else files,
        scored=scored,
        intervals=_intervals(predictions, scorer, _of(_SINGLE, samples) | _by_share(samples)),
        references={key: headline(control) for key, control in scorers.items()},
        reference_intervals={
            key: _intervals(
                beaten[key],
                control,
                drawn_figures(
                    beaten[key].group_codes, partial(headline, control), rng=rng, draws=draws, told=counter.part()
                ),
            )
            for key, control in scorers.items()
        },
        subgroups=_subgroups(predictions, scorer.right, rng, draws),
        coverage=at_coverages(targets, probabilities),
        reliability=reliability(targets, probabilities),
        decision={
            label: decision_curve(targets == number, probabilities[:, number]) for number, label in enumerate(labels)
        },
        bands=_bands(predictions, scorer, _of(_CURVE, samples)),
        draws=draws,
        notes=(*notes, *cautions(predictions), *_rate_cautions(predictions)),
    )


def _beside(predictions: Predictions, key: str, control: Predictions) -> Predictions:
    try:
        return in_common(predictions, control)[1]
    except DatasetError as error:
        raise DatasetError(f"The control '{key}' cannot stand beside these answers. {error}") from error


def scorer_of(predictions: Predictions) -> Scorer:
    """What scores these answers."""
    return Scorer(predictions.targets, predictions.probabilities, predictions.labels)


def headline(scorer: Scorer, counts: NDArray[np.intp] | None = None) -> dict[str, float | None]:
    """The single figures, by the keys of :data:`ecglens.evaluation.names.FIGURES`."""
    scored = scorer.figures(counts)
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
    rates = _rates(predictions)
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


class _Counter:
    """Draws of several bootstraps, told as one."""

    def __init__(self, told: Told | None, of: int) -> None:
        self._told, self._of, self._before = told, of, 0

    def part(self) -> Told | None:
        """Of the bootstrap that comes next."""
        told, before = self._told, self._before
        if told is None:
            return None

        def heard(done: int, draws: int) -> None:
            told(before + done, self._of)
            self._before = before + draws

        return heard


def _drawn(scorer: Scorer, counts: NDArray[np.intp]) -> dict[str, float | NDArray[np.float64] | None]:
    scored = scorer.figures(counts)
    by_label = {f"{label}/{name}": values[name] for label, values in scored["by_label"].items() for name in _BY_LABEL}
    single = {name: scored[name] for name in FIGURES} | by_label
    drawn: dict[str, float | NDArray[np.float64] | None] = {_SINGLE + name: value for name, value in single.items()}
    drawn.update((_CURVE + name, points) for name, points in drawn_points(scorer, counts).items())
    return drawn


def _of(kind: str, samples: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name.removeprefix(kind): values for name, values in samples.items() if name.startswith(kind)}


def _by_share(samples: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The points of coverage, a figure each."""
    return {f"coverage/{share:g}": samples[f"{_CURVE}coverage"][:, n] for n, share in enumerate(COVERAGES)}


def _intervals(
    predictions: Predictions, scorer: Scorer, samples: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[float, float] | None]:
    """Of single figures."""
    shares, groups = _shares(predictions, scorer), predictions.group_codes
    return {name: _ends(values, groups, shares.get(name)) for name, values in samples.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """What a figure that is a share of pages counts: these pages, and which of all pages hit."""

    pages: NDArray[np.bool_]
    hits: NDArray[np.bool_]


def _shares(predictions: Predictions, scorer: Scorer) -> dict[str, _Share]:
    """Of each figure that is a share of pages."""
    right, falling = scorer.right, np.sort(scorer.confidence)[::-1]

    def surest(share: float) -> _Share:
        return _Share(scorer.confidence >= falling[max(1, round(share * len(falling))) - 1], right)

    found = {f"coverage/{share:g}": surest(share) for share in COVERAGES}
    found |= {"accuracy": surest(1.0), "right_at_coverage": surest(COVERAGE)}
    for number, label in enumerate(predictions.labels):
        answered, true = scorer.answers == number, predictions.targets == number
        found[f"{label}/precision"] = _Share(answered, right)
        found[f"{label}/recall"] = _Share(true, right)
        found[f"{label}/specificity"] = _Share(~true, ~answered)
    return found


def _ends(values: NDArray[np.float64], groups: NDArray[np.intp], share: _Share | None) -> tuple[float, float] | None:
    """The interval: of a share that is all or nothing the exact one; where every draw says the same none."""
    exact = None if share is None else all_or_nothing(groups[share.pages], share.hits[share.pages])
    ends = exact or interval(values)
    return ends if ends is not None and ends[1] - ends[0] > _ROUNDING else None


def _bands(predictions: Predictions, scorer: Scorer, samples: Mapping[str, NDArray[np.float64]]) -> dict[str, Band]:
    """Of the curves."""
    groups, place = predictions.group_codes, bins_of(scorer.confidence)
    bins = {number: place == number for number in np.unique(place).tolist()}
    found = [
        (
            float(scorer.confidence[here].mean()),
            _ends(samples["reliability"][:, number], groups, _Share(here, scorer.right)),
        )
        for number, here in bins.items()
    ]
    bands: dict[str, Band] = {"reliability": tuple((at, *ends) for at, ends in found if ends is not None)}
    for kind, places in (("roc", SHARES), ("precision_recall", SHARES), ("decision", THRESHOLDS)):
        for label in predictions.labels:
            columns = samples[f"{kind}/{label}"].T
            points = [(at, interval(values)) for at, values in zip(places, columns, strict=True)]
            band = tuple((at, *ends) for at, ends in points if ends is not None)
            wide = any(high - low > _ROUNDING for _, low, high in band)
            bands[f"{kind}/{label}"] = band if wide else ()
    return bands


def _subgroups(
    predictions: Predictions, right: NDArray[np.bool_], rng: np.random.Generator, draws: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy in bands of the printed rate and for each value of the columns that have few."""
    columns = {name: np.array(values) for name, values in predictions.extra.items() if 2 <= len(set(values)) <= 8}
    rates = _rates(predictions)
    if rates is not None:
        places = np.where(np.isnan(rates), len(_RATE_EDGES) + 1, np.digitize(rates, _RATE_EDGES))
        columns[_RATE] = np.array(_RATE_BANDS)[places]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    codes = predictions.group_codes
    for name, values in columns.items():
        for value in _RATE_BANDS if name == _RATE and rates is not None else sorted(set(values.tolist())):
            rows = np.flatnonzero(values == value)
            if len(rows) < _FEWEST:
                continue
            ends = share_interval(codes[rows], right[rows], rng=rng, draws=draws)
            accuracy, between = float(right[rows].mean()), None if ends is None else list(ends)
            shown = "printed rate" if name == _RATE and "printed rate" not in columns else name
            found.setdefault(shown, {})[value] = {"pages": len(rows), "accuracy": accuracy, "interval": between}
    return found


def _rates(predictions: Predictions) -> NDArray[np.float64] | None:
    """Printed rates in bpm, NaN where there is none; ``None`` where no page has one."""
    texts = predictions.extra.get(_RATE)
    rates = None if texts is None else np.array([_rate(text) for text in texts])
    return None if rates is None or np.isnan(rates).all() else rates


def _rate(text: str) -> float:
    try:
        rate = float(text.replace(",", "."))
    except ValueError:
        return np.nan
    return rate if 0 < rate < np.inf else np.nan


def _rate_cautions(predictions: Predictions) -> list[str]:
    odd = [text for text in predictions.extra.get(_RATE, ()) if text and np.isnan(_rate(text))]
    if not odd:
        return []
    return [f"{len(odd)} of the values of {_RATE} are no rate, such as '{odd[0]}', and count as unknown."]

"""Evaluation of one model: figures with intervals, curves and subgroups, beside the controls that it has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.evaluation.bootstrap import Progress, all_or_nothing, interval, resample_figures, share_interval
from ecglens.evaluation.calibration import bins_of
from ecglens.evaluation.classification import COVERAGE, Scorer
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.points import (
    COVERAGES,
    SHARES,
    THRESHOLDS,
    at_coverages,
    decision_curve,
    reliability,
    resample_curves,
)
from ecglens.evaluation.predictions import Predictions, list_cautions, match_pages
from ecglens.evaluation.references import majority, nearest
from ecglens.evaluation.results import Band, Evaluation

__all__ = [
    "build_references",
    "compute_headline",
    "evaluate",
    "make_scorer",
]

_BY_LABEL = ("precision", "recall", "specificity", "f1", "auroc", "average_precision")
_PARTS = 10
_FEWEST = 10  # pages of a subgroup that is worth a row
_ROUNDING = 1e-9  # difference of sums of the same pages by rounding
_SINGLE, _CURVE = "figure:", "curve:"  # prefixes of resampled values, as a label may have the name of a curve
_RATE = "printed_rate_bpm"
_RATE_EDGES = (60.0, 80.0, 100.0)
_RATE_BANDS = ("below 60/min", "60 to 80/min", "80 to 100/min", "100/min and more", "rate unknown")


def evaluate(
    predictions: Predictions,
    *,
    name: str = "model",
    files: int | None = None,
    rng: np.random.Generator,
    draws: int = 2000,
    references: Mapping[str, Predictions] | None = None,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Score a model's predictions.

    Args:
        predictions: One prediction a page; for cross-validation those of all folds together.
        name: Name of the model.
        files: Files behind the pages where copies were left out.
        rng: Random generator of the bootstrap.
        draws: Resamples of the bootstrap over groups.
        references: Predictions of control models, by name, such as ``ecglens.evaluation.names.CONTROLS``; pages that
            the model did not answer are left out. The majority label and, where the table has it, the printed rate
            alone are added.
        notes: What a reader must know before the figures, a sentence each; what is unusual about the table is added.
        progress: Called with the number of resamples done and of all.

    Raises:
        DatasetError: A control has other labels, no page in common, or another true label for one.
    """
    targets, probabilities, labels = predictions.targets, predictions.probabilities, predictions.labels
    own = {key: _match_control(predictions, key, control) for key, control in (references or {}).items()}
    controls = {
        key if len(control) == len(predictions) else f"{key}, on {len(control)} pages": control
        for key, control in (build_references(predictions) | own).items()
    }
    scorers = {key: make_scorer(control) for key, control in controls.items()}
    scorer, counter = make_scorer(predictions), _Counter(progress, draws * (1 + len(controls)))
    samples = resample_figures(
        predictions.group_codes, partial(_score_resample, scorer), rng=rng, draws=draws, progress=counter.part()
    )
    scored = scorer.figures()
    return Evaluation(
        name=name,
        predictions=predictions,
        files=len(predictions) if files is None else files,
        scored=scored,
        intervals=_intervals(predictions, scorer, _of(_SINGLE, samples) | _by_share(samples)),
        references={key: compute_headline(control) for key, control in scorers.items()},
        reference_intervals={
            key: _intervals(
                controls[key],
                control,
                resample_figures(
                    controls[key].group_codes,
                    partial(compute_headline, control),
                    rng=rng,
                    draws=draws,
                    progress=counter.part(),
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
        notes=(*notes, *list_cautions(predictions), *_rate_cautions(predictions)),
    )


def make_scorer(predictions: Predictions) -> Scorer:
    """Return a scorer of these predictions."""
    return Scorer(predictions.targets, predictions.probabilities, predictions.labels)


def compute_headline(scorer: Scorer, counts: NDArray[np.intp] | None = None) -> dict[str, float | None]:
    """Compute the single figures, by the keys of :data:`ecglens.evaluation.names.FIGURES`."""
    scored = scorer.figures(counts)
    return {name: scored[name] for name in FIGURES}


def build_references(predictions: Predictions) -> dict[str, Predictions]:
    """Predict with controls that any model has to beat: the most common label, and the printed rate where there is one.

    Args:
        predictions: Predictions of the model. The rate's control is fitted to pages of the other folds or, where all
            are of one fold, such as a folder of pages, to other tenths of the groups; with one group there is none. The
            most common label is that of all pages: left out of its own count, each label of a balanced table would be
            the rarest.
    """
    count, targets = len(predictions.labels), predictions.targets
    always = majority(targets, pages=len(targets), labels=count)
    references = {"majority label": replace(predictions, probabilities=always)}
    rates = _rates(predictions)
    if rates is None:
        return references
    rated = predictions.subset(np.flatnonzero(np.isfinite(rates)))
    rates, folds = rates[np.isfinite(rates)], rated.folds
    if len(np.unique(folds)) < 2:
        folds = rated.group_codes % _PARTS
    if len(np.unique(folds)) > 1:
        by_rate = np.empty_like(rated.probabilities)
        for fold in np.unique(folds):
            here = folds == fold
            by_rate[here] = nearest(rates[~here], rated.targets[~here], rates[here], labels=count)
        references["printed rate alone, 15 nearest"] = replace(rated, probabilities=by_rate)
    return references


class _Counter:
    """Progress of several bootstraps, reported as one."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def part(self) -> Progress | None:
        """Return the callback of the bootstrap that comes next."""
        progress, before = self._progress, self._before
        if progress is None:
            return None

        def report(done: int, draws: int) -> None:
            progress(before + done, self._total)
            self._before = before + draws

        return report


def _match_control(predictions: Predictions, key: str, control: Predictions) -> Predictions:
    try:
        return match_pages(predictions, control)[1]
    except DatasetError as error:
        raise DatasetError(f"The control '{key}' cannot be compared with these predictions. {error}") from error


def _score_resample(scorer: Scorer, counts: NDArray[np.intp]) -> dict[str, float | NDArray[np.float64] | None]:
    scored = scorer.figures(counts)
    by_label = {f"{label}/{name}": values[name] for label, values in scored["by_label"].items() for name in _BY_LABEL}
    single = {name: scored[name] for name in FIGURES} | by_label
    values: dict[str, float | NDArray[np.float64] | None] = {_SINGLE + name: value for name, value in single.items()}
    values.update((_CURVE + name, points) for name, points in resample_curves(scorer, counts).items())
    return values


def _of(kind: str, samples: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name.removeprefix(kind): values for name, values in samples.items() if name.startswith(kind)}


def _by_share(samples: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return each point of the coverage curve as a figure."""
    return {f"coverage/{share:g}": samples[f"{_CURVE}coverage"][:, n] for n, share in enumerate(COVERAGES)}


def _intervals(
    predictions: Predictions, scorer: Scorer, samples: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[float, float] | None]:
    """Compute the intervals of single figures."""
    shares, groups = _shares(predictions, scorer), predictions.group_codes
    return {name: _ends(values, groups, shares.get(name)) for name, values in samples.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """A figure that is a share of pages: the pages that it counts, and which of all pages are hits."""

    pages: NDArray[np.bool_]
    hits: NDArray[np.bool_]


def _shares(predictions: Predictions, scorer: Scorer) -> dict[str, _Share]:
    """Return each figure that is a share of pages."""
    right, falling = scorer.right, np.sort(scorer.confidence)[::-1]

    def most_confident(share: float) -> _Share:
        return _Share(scorer.confidence >= falling[max(1, round(share * len(falling))) - 1], right)

    shares = {f"coverage/{share:g}": most_confident(share) for share in COVERAGES}
    shares |= {"accuracy": most_confident(1.0), "right_at_coverage": most_confident(COVERAGE)}
    for number, label in enumerate(predictions.labels):
        answered, true = scorer.answers == number, predictions.targets == number
        shares[f"{label}/precision"] = _Share(answered, right)
        shares[f"{label}/recall"] = _Share(true, right)
        shares[f"{label}/specificity"] = _Share(~true, ~answered)
    return shares


def _ends(values: NDArray[np.float64], groups: NDArray[np.intp], share: _Share | None) -> tuple[float, float] | None:
    """Return the interval: the exact one of a share that is all or nothing, and none where all resamples agree."""
    exact = None if share is None else all_or_nothing(groups[share.pages], share.hits[share.pages])
    ends = exact or interval(values)
    return ends if ends is not None and ends[1] - ends[0] > _ROUNDING else None


def _bands(predictions: Predictions, scorer: Scorer, samples: Mapping[str, NDArray[np.float64]]) -> dict[str, Band]:
    """Compute the bands of the curves."""
    groups, place = predictions.group_codes, bins_of(scorer.confidence)
    bins = {number: place == number for number in np.unique(place).tolist()}
    points_of_bins = [
        (
            float(scorer.confidence[here].mean()),
            _ends(samples["reliability"][:, number], groups, _Share(here, scorer.right)),
        )
        for number, here in bins.items()
    ]
    bands: dict[str, Band] = {"reliability": tuple((at, *ends) for at, ends in points_of_bins if ends is not None)}
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
    """Compute the accuracy in bands of the printed rate and for each value of the columns that have few."""
    columns = {name: np.array(values) for name, values in predictions.extra.items() if 2 <= len(set(values)) <= 8}
    rates = _rates(predictions)
    if rates is not None:
        places = np.where(np.isnan(rates), len(_RATE_EDGES) + 1, np.digitize(rates, _RATE_EDGES))
        columns[_RATE] = np.array(_RATE_BANDS)[places]
    subgroups: dict[str, dict[str, dict[str, Any]]] = {}
    codes = predictions.group_codes
    for name, values in columns.items():
        for value in _RATE_BANDS if name == _RATE and rates is not None else sorted(set(values.tolist())):
            rows = np.flatnonzero(values == value)
            if len(rows) < _FEWEST:
                continue
            ends = share_interval(codes[rows], right[rows], rng=rng, draws=draws)
            accuracy, between = float(right[rows].mean()), None if ends is None else list(ends)
            title = "printed rate" if name == _RATE and "printed rate" not in columns else name
            subgroups.setdefault(title, {})[value] = {"pages": len(rows), "accuracy": accuracy, "interval": between}
    return subgroups


def _rates(predictions: Predictions) -> NDArray[np.float64] | None:
    """Return the printed rates in bpm, NaN where there is none; ``None`` where no page has one."""
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

"""Plots of evaluations and comparisons, each as a PNG."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.names import LOSSES
from ecglens.evaluation.points import hits_and_alarms
from ecglens.evaluation.results import Comparison, Evaluation
from ecglens.extras import require

__all__ = ["PLOTS", "draw", "draw_differences"]

_LOG = logging.getLogger(__name__)

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Colors that people with a color vision deficiency can distinguish (Okabe and Ito)."""

_LONGEST, _LONGEST_ROW = 28, 48  # letters of a label, and of the title of a row
_MOST_COUNTS = 15  # labels whose counts can be read in a confusion matrix


def draw(evaluation: Evaluation) -> dict[str, bytes]:
    """Draw every plot of an evaluation, and return the PNGs by their files' stems.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = require("matplotlib.figure", extra="plot")
    plots, has_boxes = {}, False
    for name, paint in PLOTS.items():
        figure = figures.Figure(figsize=(4.6, 4.2), layout="constrained")
        paint(figure.subplots(), evaluation)
        plots[name], boxes = _png(figure)
        has_boxes = has_boxes or boxes
    if has_boxes:
        _LOG.warning("The font of the pictures lacks some letters of the labels, which are drawn as boxes.")
    return plots


def _png(figure: Any) -> tuple[bytes, bool]:
    """Return a figure as PNG, and whether letters that its font lacks are drawn as boxes."""
    stream = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue(), any("missing from font" in str(warning.message) for warning in caught)


def _short(name: str, *, longest: int = _LONGEST) -> str:
    """Return a name from data for a plot: shortened to the available room, and never read as a formula."""
    short = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return short.replace("$", r"\$")


def draw_differences(comparison: Comparison) -> bytes:
    """Draw the differences of two models with their intervals as a PNG; figures without an interval are left out.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = [
        (
            (title if test == "paired bootstrap" else f"{title} ({test})") + (", less is better" * (title in LOSSES)),
            row.first - row.second,
            row.interval,
        )
        for title, test, row in reversed(comparison.tests)
        if row.first is not None and row.second is not None and row.interval is not None
    ]
    figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(6.4, 1.2 + 0.4 * len(rows)), layout="constrained"
    )
    axes = figure.subplots()
    for place, (_, apart, ends) in enumerate(rows):
        axes.plot(ends, (place, place), color=_COLORS[0], linewidth=1.4)
        axes.plot(apart, place, "o", color=_COLORS[0], markersize=5)
    axes.axvline(0, color="black", linewidth=0.7)
    axes.set_yticks(range(len(rows)), [_short(title, longest=_LONGEST_ROW) for title, _, _ in rows])
    first, second = (_short(name, longest=_LONGEST_ROW) for name in comparison.names)
    axes.set(ylim=(-0.6, len(rows) - 0.4))
    figure.supxlabel(f"{first}\nless {second}, with the 95 % interval", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    return _png(figure)[0]


def _confusion(axes: Any, evaluation: Evaluation) -> None:
    """Draw the confusion matrix: rows are true labels, the color is the share of the row."""
    counts = np.array(evaluation.scored["confusion"])
    labels = evaluation.predictions.labels
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    many = len(labels) > _MOST_COUNTS
    for row, column in () if many else np.ndindex(counts.shape):
        dark = shares[row, column] > 0.5
        axes.text(column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black")
    names, size = list(map(_short, labels)), 4 if many else None
    axes.set_xticks(range(len(labels)), names, rotation=90 if many else 30, ha="center" if many else "right", size=size)
    axes.set_yticks(range(len(labels)), names, size=size)
    axes.set(xlabel="answer", ylabel="true label", title="Confusion matrix")


def _roc(axes: Any, evaluation: Evaluation) -> None:
    for color, label, positive, score in _each(evaluation):
        if positive.all():
            continue
        _band(axes, evaluation, f"roc/{label}", color)
        hits, alarms = hits_and_alarms(positive, score)
        axes.plot(alarms / (~positive).sum(), hits / positive.sum(), color=color, label=_short(label))
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, label="by chance")
    axes.set(xlabel="1 - specificity", ylabel="recall", ylim=(0, 1.03))
    axes.set_title(_title(evaluation, "roc", "ROC, each label against the others"))
    _legend(axes)


def _precision_recall(axes: Any, evaluation: Evaluation) -> None:
    for color, label, positive, score in _each(evaluation):
        _band(axes, evaluation, f"precision_recall/{label}", color)
        hits, alarms = (values[1:] for values in hits_and_alarms(positive, score))
        recall, precision = hits / positive.sum(), hits / (hits + alarms)
        axes.plot([0, *recall], [precision[0], *precision], color=color, label=_short(label))
        axes.axhline(positive.mean(), color=color, linewidth=0.6, linestyle=":")
    axes.plot([], [], color="black", linewidth=0.6, linestyle=":", label="by chance")
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axes.set_title(_title(evaluation, "precision_recall", "Precision and recall"))
    _legend(axes)


def _reliability(axes: Any, evaluation: Evaluation) -> None:
    pages, confidence, right = (np.array(column) for column in zip(*evaluation.reliability, strict=True))
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
    for at, low, high in evaluation.bands["reliability"]:
        axes.plot((at, at), (low, high), color=_COLORS[0], linewidth=1, alpha=0.5)
    axes.scatter(confidence, right, s=12 + 240 * pages / pages.sum(), color=_COLORS[0], alpha=0.7)
    axes.plot(confidence, right, color=_COLORS[0], linewidth=0.8)
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="confidence", ylabel="share right")
    bars = "; bars: 95 %" if evaluation.bands["reliability"] else ""
    axes.set_title(f"Reliability; area of a point: its pages{bars}")


def _coverage(axes: Any, evaluation: Evaluation) -> None:
    share, right = zip(*evaluation.coverage, strict=True)
    bounded = [(at, *ends) for at in share if (ends := evaluation.intervals[f"coverage/{at:g}"]) is not None]
    if bounded:
        at, low, high = zip(*bounded, strict=True)
        axes.fill_between(at, low, high, color=_COLORS[0], alpha=0.15, linewidth=0)
    axes.plot(share, right, color=_COLORS[0], marker=".")
    axes.set(
        xlabel="share of pages answered, most confident first",
        ylabel="share right",
        title="Coverage against accuracy" + "; band: 95 %" * bool(bounded),
    )
    axes.grid(alpha=0.3)


def _decision(axes: Any, evaluation: Evaluation) -> None:
    lowest = 0.0
    for color, label, _, _ in _each(evaluation):
        threshold, model, everyone = zip(*evaluation.decision[label], strict=True)
        _band(axes, evaluation, f"decision/{label}", color)
        axes.plot(threshold, model, color=color, label=_short(label))
        axes.plot(threshold, everyone, color=color, linewidth=0.7, linestyle=":")
        lowest = min(lowest, *model)
    axes.axhline(0, color="black", linewidth=0.7, label="act on none")
    axes.plot([], [], color="black", linewidth=0.7, linestyle=":", label="act on all")
    axes.set(xlabel="threshold probability", ylabel="net benefit", ylim=(max(lowest, -0.05) - 0.02, None))
    axes.set_title(_title(evaluation, "decision", "Decision curves"))
    _legend(axes)


def _legend(axes: Any) -> None:
    """Put the legend below the plot, where it can cover nothing."""
    axes.figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)


def _band(axes: Any, evaluation: Evaluation, name: str, color: str) -> None:
    if band := evaluation.bands[name]:
        at, low, high = zip(*band, strict=True)
        axes.fill_between(at, low, high, color=color, alpha=0.12, linewidth=0)


def _title(evaluation: Evaluation, kind: str, title: str) -> str:
    """Return a plot's title, which explains the bands and names how many labels are left out, if any."""
    has_bands = any(evaluation.bands[f"{kind}/{label}"] for _, label, _, _ in _each(evaluation))
    count = len(np.unique(evaluation.predictions.targets))
    few = f"\nof the {len(_COLORS)} most common labels of {count}" if count > len(_COLORS) else ""
    return title + "; bands: 95 %" * has_bands + few


def _each(evaluation: Evaluation) -> list[tuple[str, str, NDArray[np.bool_], NDArray[np.float64]]]:
    """Return color, name, truth and score of each label that some pages have; if there are many, of the most common."""
    predictions = evaluation.predictions
    counts = np.bincount(predictions.targets, minlength=len(predictions.labels))
    common = np.argsort(-counts, kind="stable")[: len(_COLORS)]
    return [
        (color, predictions.labels[number], predictions.targets == number, predictions.probabilities[:, number])
        for color, number in zip(_COLORS, sorted(common.tolist()), strict=False)
        if counts[number]
    ]


PLOTS: Mapping[str, Callable[[Any, Evaluation], None]] = {
    "confusion": _confusion,
    "roc": _roc,
    "precision_recall": _precision_recall,
    "reliability": _reliability,
    "coverage": _coverage,
    "decision": _decision,
}
"""Functions that draw the plots of an evaluation, by file stem, in the order of the report."""

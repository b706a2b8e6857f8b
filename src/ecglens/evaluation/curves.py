"""The pictures of an evaluation, each as a PNG."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecglens.evaluation.names import LOSSES
from ecglens.evaluation.points import hits_and_alarms
from ecglens.extras import require

if TYPE_CHECKING:
    from ecglens.evaluation.compare import Comparison
    from ecglens.evaluation.evaluate import Evaluation

__all__ = ["PICTURES", "draw", "draw_differences"]

_LOG = logging.getLogger(__name__)

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Colours that people who see few of them can tell apart (Okabe and Ito)."""


def draw(evaluation: "Evaluation") -> dict[str, bytes]:
    """Every picture by its file's stem.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = require("matplotlib.figure", extra="plot")
    drawn = {}
    for name, paint in PICTURES.items():
        figure = figures.Figure(figsize=(4.6, 4.2), layout="constrained")
        paint(figure.subplots(), evaluation)
        drawn[name] = _png(figure)
    return drawn


def _png(figure: Any) -> bytes:
    """A figure; letters that its font lacks are drawn as boxes, and that is logged once."""
    stream = io.BytesIO()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        figure.savefig(stream, format="png", dpi=130)
    if any("missing from font" in str(warning.message) for warning in heard):
        _LOG.warning("The font of the pictures lacks some letters of the labels, which are drawn as boxes.")
    return stream.getvalue()


def draw_differences(comparison: "Comparison") -> bytes:
    """What two models differ by, with intervals, as a PNG; figures without an interval are left out.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = [
        (
            (title if test == "paired bootstrap" else f"{title} ({test})") + (", less is better" * (title in LOSSES)),
            found.first - found.second,
            found.interval,
        )
        for title, test, found in reversed(comparison.tests)
        if found.first is not None and found.second is not None and found.interval is not None
    ]
    figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(6.4, 1.2 + 0.4 * len(rows)), layout="constrained"
    )
    axes = figure.subplots()
    for place, (_, apart, ends) in enumerate(rows):
        axes.plot(ends, (place, place), color=_COLOURS[0], linewidth=1.4)
        axes.plot(apart, place, "o", color=_COLOURS[0], markersize=5)
    axes.axvline(0, color="black", linewidth=0.7)
    axes.set_yticks(range(len(rows)), [title for title, _, _ in rows])
    first, second = comparison.names
    axes.set(ylim=(-0.6, len(rows) - 0.4))
    figure.supxlabel(f"{first}\nless {second}, with the 95 % interval", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    return _png(figure)


def _confusion(axes: Any, evaluation: "Evaluation") -> None:
    """Rows are true labels; the colour is the share of the row."""
    counts = np.array(evaluation.scored["confusion"])
    labels = evaluation.predictions.labels
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        dark = shares[row, column] > 0.5
        axes.text(column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="answer", ylabel="true label", title="Confusion matrix")


def _roc(axes: Any, evaluation: "Evaluation") -> None:
    for colour, label, positive, score in _each(evaluation):
        _band(axes, evaluation, f"roc/{label}", colour)
        hits, alarms = hits_and_alarms(positive, score)
        axes.plot(alarms / max(1, (~positive).sum()), hits / positive.sum(), color=colour, label=label)
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
    axes.set(xlabel="1 - specificity", ylabel="recall", title=_titled(evaluation, "ROC, each label against the others"))
    axes.legend(frameon=False, fontsize=8)


def _precision_recall(axes: Any, evaluation: "Evaluation") -> None:
    for colour, label, positive, score in _each(evaluation):
        _band(axes, evaluation, f"precision_recall/{label}", colour)
        hits, alarms = (values[1:] for values in hits_and_alarms(positive, score))
        axes.plot(hits / positive.sum(), hits / (hits + alarms), color=colour, label=label)
        axes.axhline(positive.mean(), color=colour, linewidth=0.6, linestyle=":")
    axes.plot([], [], color="black", linewidth=0.6, linestyle=":", label="by chance")
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axes.set_title(_titled(evaluation, "Precision and recall"))
    axes.legend(frameon=False, fontsize=8)


def _reliability(axes: Any, evaluation: "Evaluation") -> None:
    pages, confidence, right = (np.array(column) for column in zip(*evaluation.reliability, strict=True))
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
    for at, low, high in evaluation.bands["reliability"]:
        axes.plot((at, at), (low, high), color=_COLOURS[0], linewidth=1, alpha=0.5)
    axes.scatter(confidence, right, s=12 + 240 * pages / pages.sum(), color=_COLOURS[0], alpha=0.7, clip_on=False)
    axes.plot(confidence, right, color=_COLOURS[0], linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")
    bars = "; bars: 95 %" if evaluation.bands["reliability"] else ""
    axes.set_title(f"Reliability; area of a point: its pages{bars}")


def _coverage(axes: Any, evaluation: "Evaluation") -> None:
    share, right = zip(*evaluation.coverage, strict=True)
    ends = [found for point in share if (found := evaluation.intervals[f"coverage/{point:g}"]) is not None]
    banded = len(ends) == len(share)
    if banded:
        axes.fill_between(share, *zip(*ends, strict=True), color=_COLOURS[0], alpha=0.15, linewidth=0)
    axes.plot(share, right, color=_COLOURS[0], marker=".")
    axes.set(
        xlabel="share of pages answered, surest first",
        ylabel="share right",
        title="Coverage against accuracy" + "; band: 95 %" * banded,
    )
    axes.grid(alpha=0.3)


def _decision(axes: Any, evaluation: "Evaluation") -> None:
    lowest = 0.0
    for colour, (label, points) in zip(_COLOURS, evaluation.decision.items(), strict=False):
        threshold, model, everyone = zip(*points, strict=True)
        _band(axes, evaluation, f"decision/{label}", colour)
        axes.plot(threshold, model, color=colour, label=label)
        axes.plot(threshold, everyone, color=colour, linewidth=0.7, linestyle=":")
        lowest = min(lowest, *model)
    axes.axhline(0, color="black", linewidth=0.7, label="act on none")
    axes.plot([], [], color="black", linewidth=0.7, linestyle=":", label="act on all")
    axes.set(xlabel="threshold probability", ylabel="net benefit", ylim=(max(lowest, -0.05) - 0.02, None))
    axes.set_title(_titled(evaluation, "Decision curves"))
    axes.figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=3)


def _band(axes: Any, evaluation: "Evaluation", name: str, colour: str) -> None:
    if band := evaluation.bands[name]:
        at, low, high = zip(*band, strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)


def _titled(evaluation: "Evaluation", title: str) -> str:
    banded = any(evaluation.bands[f"roc/{label}"] for label in evaluation.predictions.labels)
    return f"{title}; bands: 95 %" if banded else title


def _each(evaluation: "Evaluation") -> list[tuple[str, str, NDArray[np.bool_], NDArray[np.float64]]]:
    """Colour, name, truth and score of each label that some pages have."""
    predictions = evaluation.predictions
    return [
        (_COLOURS[number % len(_COLOURS)], label, positive, predictions.probabilities[:, number])
        for number, label in enumerate(predictions.labels)
        if (positive := predictions.targets == number).any()
    ]


PICTURES: Mapping[str, Callable[[Any, "Evaluation"], None]] = {
    "confusion": _confusion,
    "roc": _roc,
    "precision_recall": _precision_recall,
    "reliability": _reliability,
    "coverage": _coverage,
    "decision": _decision,
}
"""By file stem, in the order of the report."""

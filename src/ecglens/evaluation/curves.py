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

_LONGEST, _LONGEST_ROW = 28, 48  # letters of a label, and of a line that tells what was compared
_MOST_COUNTED = 15  # labels whose counts can be read in a confusion matrix


def draw(evaluation: "Evaluation") -> dict[str, bytes]:
    """Every picture by its file's stem.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = require("matplotlib.figure", extra="plot")
    drawn, lacking = {}, False
    for name, paint in PICTURES.items():
        figure = figures.Figure(figsize=(4.6, 4.2), layout="constrained")
        paint(figure.subplots(), evaluation)
        drawn[name], boxes = _png(figure)
        lacking = lacking or boxes
    if lacking:
        _LOG.warning("The font of the pictures lacks some letters of the labels, which are drawn as boxes.")
    return drawn


def _png(figure: Any) -> tuple[bytes, bool]:
    """A figure, and whether letters that its font lacks are drawn as boxes."""
    stream = io.BytesIO()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue(), any("missing from font" in str(warning.message) for warning in heard)


def _shown(name: str, *, longest: int = _LONGEST) -> str:
    """A name from data in a picture: as it stands, but no formula, and not longer than there is room."""
    short = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return short.replace("$", r"\$")


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
    axes.set_yticks(range(len(rows)), [_shown(title, longest=_LONGEST_ROW) for title, _, _ in rows])
    first, second = (_shown(name, longest=_LONGEST_ROW) for name in comparison.names)
    axes.set(ylim=(-0.6, len(rows) - 0.4))
    figure.supxlabel(f"{first}\nless {second}, with the 95 % interval", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    return _png(figure)[0]


def _confusion(axes: Any, evaluation: "Evaluation") -> None:
    """Rows are true labels; the colour is the share of the row."""
    counts = np.array(evaluation.scored["confusion"])
    labels = evaluation.predictions.labels
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    many = len(labels) > _MOST_COUNTED
    for row, column in () if many else np.ndindex(counts.shape):
        dark = shares[row, column] > 0.5
        axes.text(column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black")
    names, size = list(map(_shown, labels)), 4 if many else None
    axes.set_xticks(range(len(labels)), names, rotation=90 if many else 30, ha="center" if many else "right", size=size)
    axes.set_yticks(range(len(labels)), names, size=size)
    axes.set(xlabel="answer", ylabel="true label", title="Confusion matrix")


def _roc(axes: Any, evaluation: "Evaluation") -> None:
    for colour, label, positive, score in _each(evaluation):
        if positive.all():
            continue
        _band(axes, evaluation, f"roc/{label}", colour)
        hits, alarms = hits_and_alarms(positive, score)
        axes.plot(alarms / (~positive).sum(), hits / positive.sum(), color=colour, label=_shown(label))
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, label="by chance")
    axes.set(xlabel="1 - specificity", ylabel="recall", ylim=(0, 1.03))
    axes.set_title(_titled(evaluation, "roc", "ROC, each label against the others"))
    _legend(axes)


def _precision_recall(axes: Any, evaluation: "Evaluation") -> None:
    for colour, label, positive, score in _each(evaluation):
        _band(axes, evaluation, f"precision_recall/{label}", colour)
        hits, alarms = (values[1:] for values in hits_and_alarms(positive, score))
        recall, precision = hits / positive.sum(), hits / (hits + alarms)
        axes.plot([0, *recall], [precision[0], *precision], color=colour, label=_shown(label))
        axes.axhline(positive.mean(), color=colour, linewidth=0.6, linestyle=":")
    axes.plot([], [], color="black", linewidth=0.6, linestyle=":", label="by chance")
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axes.set_title(_titled(evaluation, "precision_recall", "Precision and recall"))
    _legend(axes)


def _reliability(axes: Any, evaluation: "Evaluation") -> None:
    pages, confidence, right = (np.array(column) for column in zip(*evaluation.reliability, strict=True))
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
    for at, low, high in evaluation.bands["reliability"]:
        axes.plot((at, at), (low, high), color=_COLOURS[0], linewidth=1, alpha=0.5)
    axes.scatter(confidence, right, s=12 + 240 * pages / pages.sum(), color=_COLOURS[0], alpha=0.7)
    axes.plot(confidence, right, color=_COLOURS[0], linewidth=0.8)
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="confidence", ylabel="share right")
    bars = "; bars: 95 %" if evaluation.bands["reliability"] else ""
    axes.set_title(f"Reliability; area of a point: its pages{bars}")


def _coverage(axes: Any, evaluation: "Evaluation") -> None:
    share, right = zip(*evaluation.coverage, strict=True)
    known = [(at, *ends) for at in share if (ends := evaluation.intervals[f"coverage/{at:g}"]) is not None]
    if known:
        at, low, high = zip(*known, strict=True)
        axes.fill_between(at, low, high, color=_COLOURS[0], alpha=0.15, linewidth=0)
    axes.plot(share, right, color=_COLOURS[0], marker=".")
    axes.set(
        xlabel="share of pages answered, surest first",
        ylabel="share right",
        title="Coverage against accuracy" + "; band: 95 %" * bool(known),
    )
    axes.grid(alpha=0.3)


def _decision(axes: Any, evaluation: "Evaluation") -> None:
    lowest = 0.0
    for colour, label, _, _ in _each(evaluation):
        threshold, model, everyone = zip(*evaluation.decision[label], strict=True)
        _band(axes, evaluation, f"decision/{label}", colour)
        axes.plot(threshold, model, color=colour, label=_shown(label))
        axes.plot(threshold, everyone, color=colour, linewidth=0.7, linestyle=":")
        lowest = min(lowest, *model)
    axes.axhline(0, color="black", linewidth=0.7, label="act on none")
    axes.plot([], [], color="black", linewidth=0.7, linestyle=":", label="act on all")
    axes.set(xlabel="threshold probability", ylabel="net benefit", ylim=(max(lowest, -0.05) - 0.02, None))
    axes.set_title(_titled(evaluation, "decision", "Decision curves"))
    _legend(axes)


def _legend(axes: Any) -> None:
    """Below the picture, where it can cover nothing."""
    axes.figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)


def _band(axes: Any, evaluation: "Evaluation", name: str, colour: str) -> None:
    if band := evaluation.bands[name]:
        at, low, high = zip(*band, strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)


def _titled(evaluation: "Evaluation", kind: str, title: str) -> str:
    """With what the bands are, where there are some, and which labels are drawn, where some are not."""
    banded = any(evaluation.bands[f"{kind}/{label}"] for _, label, _, _ in _each(evaluation))
    seen = len(np.unique(evaluation.predictions.targets))
    few = f"\nof the {len(_COLOURS)} commonest labels of {seen}" if seen > len(_COLOURS) else ""
    return title + "; bands: 95 %" * banded + few


def _each(evaluation: "Evaluation") -> list[tuple[str, str, NDArray[np.bool_], NDArray[np.float64]]]:
    """Colour, name, truth and score of each label that some pages have, the commonest where they are many."""
    predictions = evaluation.predictions
    counts = np.bincount(predictions.targets, minlength=len(predictions.labels))
    commonest = np.argsort(-counts, kind="stable")[: len(_COLOURS)]
    return [
        (colour, predictions.labels[number], predictions.targets == number, predictions.probabilities[:, number])
        for colour, number in zip(_COLOURS, sorted(commonest.tolist()), strict=False)
        if counts[number]
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

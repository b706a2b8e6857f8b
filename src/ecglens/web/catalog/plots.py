"""Plots as numbers for SVG elements; without style and script, so that the site's content policy stays strict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ecglens.labels import format_probability
from ecglens.web.catalog.evaluations import Evaluation, Seed

__all__ = [
    "Line",
    "Mark",
    "Plot",
    "Tick",
    "plot_coverage",
    "plot_reliability",
    "plot_roc",
    "project_interval",
]

WIDTH, HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 44
_SERIES = 8
_NICE_STEPS = (0.02, 0.05, 0.1, 0.2, 0.25)
_MAX_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point. ``series`` selects its color and shape; ``low`` and ``high`` are the ends of its whisker."""

    x: float
    y: float
    series: int
    title: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line; ``points`` is the attribute of a polyline."""

    points: str
    series: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot.

    Attributes:
        x_ticks: Ticks on the horizontal axis.
        y_ticks: Ticks on the vertical axis.
        marks: Points.
        lines: Lines.
        diagonal: Ends of the line of chance or of perfect calibration: left and right, bottom and top.
        names: Names of the series, for the legend.
    """

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()
    diagonal: tuple[float, float, float, float] | None = None
    names: tuple[str, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class _Axes:
    """Ranges of the axes, which project values to px."""

    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        start, end = self.x_range
        return round(_LEFT + (value - start) / (end - start) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        start, end = self.y_range
        return round(HEIGHT - _BOTTOM - (value - start) / (end - start) * (HEIGHT - _TOP - _BOTTOM), 1)

    def line(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)


def plot_roc(evaluation: Evaluation, titles: Mapping[str, str]) -> Plot | None:
    """Plot recall over the false positive rate, label by label.

    The plot has the curves, if the evaluation has them, and a point for each seed at which the top label is the
    prediction. Without curves, the axes show the corner of the points.
    """
    marks, lines, seed_word = [], [], _("seed")
    labels = tuple(evaluation.first.by_label)
    axes = _Axes() if evaluation.first.curves.roc else _fit_axes(evaluation)
    for number, label in enumerate(labels):
        curve = evaluation.first.curves.roc.get(label, ())
        if curve:
            lines.append(Line(axes.line(curve), number % _SERIES))
        for name, seed in evaluation.seeds.items():
            figures = seed.by_label.get(label)
            if figures is not None and figures.recall is not None and figures.specificity is not None:
                rate = 1 - figures.specificity
                point = f"{figures.recall:.3f}, {rate:.3f}"
                title = f"{titles.get(label, label)}, {name.replace('seed', seed_word)}: {point}"
                marks.append(Mark(axes.x(rate), axes.y(figures.recall), number % _SERIES, title))
    if not marks and not lines:
        return None
    return _build_plot(
        axes,
        marks=marks,
        lines=lines,
        diagonal=bool(lines),
        names=tuple(titles.get(label, label) for label in labels),
    )


def plot_coverage(evaluation: Evaluation) -> Plot | None:
    """Plot accuracy over coverage, most confident pages first: the curve, if there is one, and the reported points."""
    points: list[tuple[float, float, float | None, float | None, int, str]] = []
    first = evaluation.first
    for series, (key, share) in enumerate((("accuracy", 1.0), ("right_at_coverage", first.coverage))):
        spread = evaluation.summary.get(key)
        if share is not None and spread is not None and spread.mean is not None:
            points.append((share, spread.mean, spread.least, spread.most, series, f"{share:.0%}: {spread.mean:.3f}"))
    if evaluation.calibration is not None:
        calibration = evaluation.calibration
        text = f"{calibration.answered:.0%}: {calibration.right_when_answered:.3f}"
        points.append((calibration.answered, calibration.right_when_answered, None, None, 2, text))
    curve = first.curves.coverage
    values = [value for one in points for value in one[1:4] if value is not None] + [right for _, right in curve]
    if not values:
        return None
    shares = [one[0] for one in points] + [share for share, _ in curve]
    axes = _Axes(x_range=(_floor(min(shares)), 1.0), y_range=(_floor(min(values)), 1.0))
    marks = [
        Mark(
            axes.x(share),
            axes.y(right),
            series,
            text,
            None if least is None else axes.y(least),
            None if most is None else axes.y(most),
        )
        for share, right, least, most, series, text in points
    ]
    lines = [Line(axes.line(curve), 0)] if curve else []
    return _build_plot(axes, marks=marks, lines=lines)


def plot_reliability(seed: Seed) -> Plot | None:
    """Plot accuracy over confidence, if the evaluation has the bins."""
    rows = seed.curves.reliability
    if not rows:
        return None
    axes = _Axes()
    marks = [
        Mark(axes.x(confidence), axes.y(right), 0, f"{format_probability(confidence)}: {right:.2f} ({pages})")
        for pages, confidence, right in rows
    ]
    line = Line(axes.line([(confidence, right) for _, confidence, right in rows]), 0)
    return _build_plot(axes, marks=marks, lines=[line], diagonal=True)


def project_interval(
    value: float | None, interval: tuple[float, float] | None, *, start: float, end: float, width: int = 160
) -> tuple[float, float, float] | None:
    """Project a value and the ends of its interval to a line from ``start`` to ``end``.

    Returns:
        Positions of the value and of both ends in px; without an interval, both ends are at the value.

    >>> project_interval(0.75, (0.5, 1.0), start=0.0, end=1.0, width=100)
    (75.0, 50.0, 100.0)
    """
    if value is None or not end > start:
        return None
    low, high = interval or (value, value)
    position, left, right = (
        round((min(max(each, start), end) - start) / (end - start) * width, 1) for each in (value, low, high)
    )
    return position, left, right


def _fit_axes(evaluation: Evaluation) -> _Axes:
    """Return axes for the corner in which the points are."""
    figures = [each for seed in evaluation.seeds.values() for each in seed.by_label.values()]
    recalls = [each.recall for each in figures if each.recall is not None]
    rates = [1 - each.specificity for each in figures if each.specificity is not None]
    return _Axes(
        x_range=(0.0, 1.0 - _floor(1.0 - max(rates, default=0.0))), y_range=(_floor(min(recalls, default=0.0)), 1.0)
    )


def _build_plot(
    axes: _Axes,
    *,
    marks: Sequence[Mark] = (),
    lines: Sequence[Line] = (),
    diagonal: bool = False,
    names: tuple[str, ...] = (),
) -> Plot:
    return Plot(
        x_ticks=tuple(Tick(axes.x(value), f"{value:.0%}") for value in _ticks(*axes.x_range)),
        y_ticks=tuple(Tick(axes.y(value), f"{value:.0%}") for value in _ticks(*axes.y_range)),
        marks=tuple(marks),
        lines=tuple(lines),
        diagonal=(axes.x(0.0), axes.x(1.0), axes.y(0.0), axes.y(1.0)) if diagonal else None,
        names=names,
    )


def _ticks(start: float, end: float) -> list[float]:
    step = next((each for each in _NICE_STEPS if (end - start) / each <= _MAX_TICKS), 0.25)
    return [start + number * step for number in range(round((end - start) / step) + 1)]


def _floor(value: float) -> float:
    """Return the next tenth below, so that the lowest point is not on the edge."""
    return max(0.0, (int(value * 10 - 0.2)) / 10)

"""Curves and intervals as numbers for SVG elements; no style and no script, so that the site's policy stays strict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ecglens.web.catalog.evaluations import Evaluation, Seed

__all__ = [
    "Drawing",
    "Mark",
    "Tick",
    "Trail",
    "coverage_drawing",
    "forest",
    "reliability_drawing",
    "roc_drawing",
]

WIDTH, HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 44
_SERIES = 8
_NICE_STEPS = (0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point. ``series`` chooses its colour and shape; ``low`` and ``high`` are the ends of its whisker."""

    x: float
    y: float
    series: int
    title: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Trail:
    """A line, as ``points`` of a polyline has it."""

    points: str
    series: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot.

    Attributes:
        across: Ticks on the horizontal axis.
        up: Ticks on the vertical axis.
        marks: Points.
        trails: Lines.
        diagonal: Ends of the line of chance or of perfect calibration, left and right, down and up.
        names: Of the series, for the legend.
    """

    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    marks: tuple[Mark, ...] = ()
    trails: tuple[Trail, ...] = ()
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
    """Where values stand."""

    across: tuple[float, float] = (0.0, 1.0)
    up: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        start, end = self.across
        return round(_LEFT + (value - start) / (end - start) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        start, end = self.up
        return round(HEIGHT - _BOTTOM - (value - start) / (end - start) * (HEIGHT - _TOP - _BOTTOM), 1)

    def line(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)


def roc_drawing(evaluation: Evaluation, titles: Mapping[str, str]) -> Drawing | None:
    """Recall over false alarms, label by label.

    Curves where the evaluation has them; and for each seed the point at which the likeliest label is the answer. Where
    there are no curves, the axes show the corner of the points.
    """
    marks, trails, word = [], [], _("seed")
    labels = tuple(evaluation.first.by_label)
    axes = _Axes() if evaluation.first.curves.roc else _around(evaluation)
    for number, label in enumerate(labels):
        curve = evaluation.first.curves.roc.get(label, ())
        if curve:
            trails.append(Trail(axes.line(curve), number % _SERIES))
        for name, seed in evaluation.seeds.items():
            found = seed.by_label.get(label)
            if found is not None and found.recall is not None and found.specificity is not None:
                alarms = 1 - found.specificity
                title = f"{titles.get(label, label)}, {name.replace('seed', word)}: {found.recall:.3f}, {alarms:.3f}"
                marks.append(Mark(axes.x(alarms), axes.y(found.recall), number % _SERIES, title))
    if not marks and not trails:
        return None
    return _drawing(
        axes,
        marks=marks,
        trails=trails,
        diagonal=bool(trails),
        names=tuple(titles.get(label, label) for label in labels),
    )


def coverage_drawing(evaluation: Evaluation) -> Drawing | None:
    """Share right over share answered, surest pages first: the curve where there is one, and the told points."""
    points: list[tuple[float, float, float | None, float | None, int, str]] = []
    first = evaluation.first
    for series, (key, share) in enumerate((("accuracy", 1.0), ("right_at_coverage", first.coverage))):
        spread = evaluation.summary.get(key)
        if share is not None and spread is not None and spread.mean is not None:
            points.append((share, spread.mean, spread.least, spread.most, series, f"{share:.0%}: {spread.mean:.3f}"))
    if evaluation.calibration is not None:
        told = evaluation.calibration
        text = f"{told.answered:.0%}: {told.right_when_answered:.3f}"
        points.append((told.answered, told.right_when_answered, None, None, 2, text))
    curve = first.curves.coverage
    values = [value for one in points for value in one[1:4] if value is not None] + [right for _, right in curve]
    if not values:
        return None
    shares = [one[0] for one in points] + [share for share, _ in curve]
    axes = _Axes(across=(_floor(min(shares)), 1.0), up=(_floor(min(values)), 1.0))
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
    trails = [Trail(axes.line(curve), 0)] if curve else []
    return _drawing(axes, marks=marks, trails=trails)


def reliability_drawing(seed: Seed) -> Drawing | None:
    """Share right over confidence, where the evaluation has the bins."""
    rows = seed.curves.reliability
    if not rows:
        return None
    axes = _Axes()
    marks = [
        Mark(axes.x(confidence), axes.y(right), 0, f"{confidence:.2f}: {right:.2f} ({pages})")
        for pages, confidence, right in rows
    ]
    trail = Trail(axes.line([(confidence, right) for _, confidence, right in rows]), 0)
    return _drawing(axes, marks=marks, trails=[trail], diagonal=True)


def forest(
    value: float | None, interval: tuple[float, float] | None, *, start: float, end: float, width: int = 160
) -> tuple[float, float, float] | None:
    """Where a figure and the ends of its interval stand on a line from ``start`` to ``end``.

    Returns:
        Figure, lower and upper end in the units of the line; both ends are the figure's place without an interval.

    >>> forest(0.75, (0.5, 1.0), start=0.0, end=1.0, width=100)
    (75.0, 50.0, 100.0)
    """
    if value is None or not end > start:
        return None
    low, high = interval or (value, value)
    place, left, right = (
        round((min(max(one, start), end) - start) / (end - start) * width, 1) for one in (value, low, high)
    )
    return place, left, right


def _around(evaluation: Evaluation) -> _Axes:
    """Axes to the corner in which the points stand."""
    found = [one for seed in evaluation.seeds.values() for one in seed.by_label.values()]
    recalls = [one.recall for one in found if one.recall is not None]
    alarms = [1 - one.specificity for one in found if one.specificity is not None]
    return _Axes(
        across=(0.0, 1.0 - _floor(1.0 - max(alarms, default=0.0))), up=(_floor(min(recalls, default=0.0)), 1.0)
    )


def _drawing(
    axes: _Axes,
    *,
    marks: Sequence[Mark] = (),
    trails: Sequence[Trail] = (),
    diagonal: bool = False,
    names: tuple[str, ...] = (),
) -> Drawing:
    return Drawing(
        across=tuple(Tick(axes.x(value), f"{value:.0%}") for value in _ticks(*axes.across)),
        up=tuple(Tick(axes.y(value), f"{value:.0%}") for value in _ticks(*axes.up)),
        marks=tuple(marks),
        trails=tuple(trails),
        diagonal=(axes.x(0.0), axes.x(1.0), axes.y(0.0), axes.y(1.0)) if diagonal else None,
        names=names,
    )


def _ticks(start: float, end: float) -> list[float]:
    step = next((one for one in _NICE_STEPS if (end - start) / one <= _MOST_TICKS), 0.25)
    return [start + number * step for number in range(round((end - start) / step) + 1)]


def _floor(value: float) -> float:
    """The next tenth below, so that the least point does not stand on the edge."""
    return max(0.0, (int(value * 10 - 0.2)) / 10)

"""Differences between two readings: figures with error bars, ST levels by lead, labels and statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

from django.utils.translation import gettext as _

from ecglens.layouts import STANDARD_LEADS
from ecglens.measurements import FIGURES, Measured, Measurements
from ecglens.measuring.presentation import show_figure
from ecglens.statements import Outcome, Statement
from ecglens.web.readings.facts import find_statements, read_measurements
from ecglens.web.readings.models import Reading
from ecglens.web.readings.numbers import localize
from ecglens.web.readings.titles import describe_result

__all__ = ["Change", "ErrorBar", "News", "list_changes", "list_news", "list_st_changes"]

_SIGNIFICANT = 2.0
"""Standard uncertainties beyond which two values count as different; about 95 % of equal ones are closer."""
_FULL_TURN_DEG = 360.0
_UNITS = {"deg": "°", "1/min": "/min"}


@dataclass(frozen=True, slots=True)
class ErrorBar:
    """A value with one standard uncertainty to each side, as shares in percent of the width of a drawing."""

    low: float
    value: float
    high: float

    @property
    def length(self) -> float:
        """Length of the bar."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Change:
    """A measurement on both pages, formatted.

    Attributes:
        title: Name of the measurement.
        before: Value on the first page, with its error.
        after: Value on the second page.
        unit: Unit of both values and the difference.
        difference: Difference with its sign and uncertainty; empty where one value is missing.
        is_significant: Whether the difference is larger than twice its uncertainty.
        bars: Both values on one axis; empty where one is missing.
    """

    title: str
    before: str
    after: str
    unit: str
    difference: str
    is_significant: bool
    bars: tuple[ErrorBar, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """Differences of result and criteria between two readings, in words.

    Attributes:
        before: Result of the first reading.
        after: Result of the second reading.
        is_new_result: Whether both have one, and they differ.
        begun: Criteria that are met on the second page only.
        ended: Criteria that are met on the first page only.
    """

    before: str
    after: str
    is_new_result: bool
    begun: tuple[str, ...]
    ended: tuple[str, ...]


def list_changes(first: Reading, second: Reading) -> tuple[Change, ...]:
    """Return each measurement of either page, with the difference between the pages and its uncertainty."""
    pair = _read(first), _read(second)
    changes = []
    for name, kind in FIGURES.items():
        values = tuple(getattr(each, name) for each in pair)
        if values == (None, None):
            continue
        texts = tuple(_show(each, name) for each in pair)
        changes.append(_compare(_(kind.title), values, texts))
    return tuple(changes)


def list_st_changes(first: Reading, second: Reading) -> tuple[Change, ...]:
    """Return the ST level at the J point in each lead of either page, with the difference between the pages."""
    levels = [_read(reading).st_j_mv for reading in (first, second)]
    leads = [lead for lead in STANDARD_LEADS if any(each.get(lead) is not None for each in levels)]
    return tuple(_compare_levels(lead, levels) for lead in leads)


def list_news(first: Reading, second: Reading) -> News:
    """Return what is new on the second page, and what is not there any more."""
    first_statements, second_statements = (_list_evaluated(reading) for reading in (first, second))
    before, after = describe_result(first), describe_result(second)
    return News(
        before,
        after,
        bool(before and after) and before != after,
        _list_only(second_statements, first_statements),
        _list_only(first_statements, second_statements),
    )


def _read(reading: Reading) -> Measurements:
    return read_measurements(reading.facts or {}) or Measurements()


def _show(measurements: Measurements, name: str) -> str:
    figure = show_figure(measurements, name)
    return "–" if figure is None else localize(f"{figure.value} {figure.error}")


def _compare_levels(lead: str, levels: list[Mapping[str, Measured | None]]) -> Change:
    values = tuple(each.get(lead) for each in levels)
    texts = tuple(
        "–" if value is None else localize(_sign(f"{value.value:.2f} ± {value.error:.2f}")) for value in values
    )
    return _compare(lead, values, texts)


def _compare(title: str, values: tuple[Measured | None, ...], texts: tuple[str, ...]) -> Change:
    one, other = values
    unit = next(each.unit for each in values if each is not None)
    unit = _UNITS.get(unit, unit)
    if one is None or other is None:
        return Change(title, texts[0], texts[1], unit, "", False)
    gap = other.value - one.value
    if one.unit == "deg":
        gap = (gap + _FULL_TURN_DEG / 2) % _FULL_TURN_DEG - _FULL_TURN_DEG / 2
    uncertainty = hypot(one.error, other.error)
    digits = max(_decimals(text) for text in texts)
    least = 10.0**-digits
    difference = localize(_sign(f"{gap:+.{digits}f} ± {max(uncertainty, least):.{digits}f}"))
    is_significant = abs(gap) > _SIGNIFICANT * uncertainty
    return Change(title, texts[0], texts[1], unit, difference, is_significant, _place_bars(one, other, gap))


def _place_bars(one: Measured, other: Measured, gap: float) -> tuple[ErrorBar, ...]:
    """Place both values on an axis that has room for both error bars, with a margin of 5 % at its ends."""
    values = (one.value, one.value + gap)
    errors = (one.error, other.error)
    low = min(value - error for value, error in zip(values, errors, strict=True))
    high = max(value + error for value, error in zip(values, errors, strict=True))
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(5 + 90 * (value - low) / span, 2)

    return tuple(
        ErrorBar(place(value - error), place(value), place(value + error))
        for value, error in zip(values, errors, strict=True)
    )


def _list_evaluated(reading: Reading) -> dict[str, Statement]:
    """Return the statements of a reading that could be evaluated, by the names of their criteria."""
    statements = find_statements(reading.facts or {})
    return {each.name: each for each in statements if each.outcome is not Outcome.CANNOT_BE_EVALUATED}


def _list_only(these: Mapping[str, Statement], others: Mapping[str, Statement]) -> tuple[str, ...]:
    """Return titles of criteria that are met among these and, where they were evaluated, not among the others."""
    met = [name for name, each in these.items() if each.outcome is Outcome.MET]
    return tuple(_(these[name].title) for name in met if name in others and others[name].outcome is not Outcome.MET)


def _decimals(text: str) -> int:
    number = text.partition(" ")[0].replace(",", ".")
    return len(number.partition(".")[2])


def _sign(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")

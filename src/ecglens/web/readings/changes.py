"""Differences between the measurements of two readings."""

from dataclasses import dataclass
from math import hypot

from django.utils.translation import gettext as _

from ecglens.measuring.presentation import list_figures
from ecglens.web.readings.facts import read_measurements
from ecglens.web.readings.models import Reading

__all__ = ["Change", "list_changes"]

_SIGNIFICANT = 2.0
"""Standard uncertainties beyond which two values count as different; about 95 % of equal ones are closer."""


@dataclass(frozen=True, slots=True)
class Change:
    """A measurement on both pages, formatted.

    Attributes:
        title: Name of the measurement.
        before: Value on the first page.
        after: Value on the second page.
        unit: Unit of both values and the difference.
        difference: Difference with its sign and uncertainty; empty where one value is missing.
        is_significant: Whether the difference is larger than twice its uncertainty.
    """

    title: str
    before: str
    after: str
    unit: str
    difference: str
    is_significant: bool


def list_changes(first: Reading, second: Reading) -> tuple[Change, ...]:
    """Return each measurement of either page, with the difference between the pages and its uncertainty."""
    figures = []
    for reading in (first, second):
        measurements = read_measurements(reading.facts)
        figures.append({} if measurements is None else {each.title: each for each in list_figures(measurements)})
    before, after = figures
    changes = []
    for title in dict.fromkeys([*before, *after]):
        one, other = before.get(title), after.get(title)
        unit = (one or other).unit  # type: ignore[union-attr]  # each title is of one of them
        difference, is_significant = "", False
        if one is not None and other is not None:
            gap = _number(other.value) - _number(one.value)
            uncertainty = hypot(_number(one.error), _number(other.error))
            digits = max(_decimals(one.value), _decimals(other.value))
            difference = f"{gap:+.{digits}f} ± {uncertainty:.{digits}f}".replace("-", "−")
            is_significant = abs(gap) > _SIGNIFICANT * uncertainty
        values = (one.value if one else "–", other.value if other else "–")
        changes.append(Change(_(title), *values, unit, difference, is_significant))
    return tuple(changes)


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("±", "").strip())


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])

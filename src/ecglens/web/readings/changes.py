"""What changed between two readings."""

from dataclasses import dataclass
from math import hypot

from django.utils.translation import gettext as _

from ecglens.measuring.presentation import list_figures
from ecglens.web.readings.facts import measured
from ecglens.web.readings.models import Reading

__all__ = ["Change", "changes"]

_SURE = 2.0
"""Standard uncertainties between two values that are called different; about 95 % of equal ones are nearer."""


@dataclass(frozen=True, slots=True)
class Change:
    """A figure on both pages, as it is shown.

    Attributes:
        title: What was measured.
        before: On the first page.
        after: On the second.
        unit: Of all three.
        difference: Signed, with its uncertainty; empty where one is missing.
        beyond: Whether it is larger than twice its uncertainty.
    """

    title: str
    before: str
    after: str
    unit: str
    difference: str
    beyond: bool


def changes(first: Reading, second: Reading) -> tuple[Change, ...]:
    """Each figure that was measured on either page, with the difference against its uncertainty."""
    figures = []
    for reading in (first, second):
        found = measured(reading.facts)
        figures.append({} if found is None else {figure.title: figure for figure in list_figures(found)})
    before, after = figures
    found_changes = []
    for title in dict.fromkeys([*before, *after]):
        one, other = before.get(title), after.get(title)
        unit = (one or other).unit  # type: ignore[union-attr]  # each title is of one of them
        difference, beyond = "", False
        if one is not None and other is not None:
            gap = _number(other.value) - _number(one.value)
            spread = hypot(_number(one.error), _number(other.error))
            digits = max(_digits(one.value), _digits(other.value))
            difference = f"{gap:+.{digits}f} ± {spread:.{digits}f}".replace("-", "−")
            beyond = abs(gap) > _SURE * spread
        found_changes.append(
            Change(_(title), one.value if one else "–", other.value if other else "–", unit, difference, beyond)
        )
    return tuple(found_changes)


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("±", "").strip())


def _digits(text: str) -> int:
    return len(text.partition(".")[2])

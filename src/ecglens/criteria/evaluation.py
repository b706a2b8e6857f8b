"""Evaluation of conditions: the truth of each, the figures that decided it, and what is missing where it is unknown."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ecglens.criteria.expressions import (
    Arithmetic,
    Comparison,
    Condition,
    Contiguous,
    EachLead,
    Figure,
    IsLead,
    IsSex,
    Joined,
    Negation,
    Number,
    Quantity,
    Reference,
)
from ecglens.criteria.figures import LEAD_NAMES, look_up, name_figure
from ecglens.criteria.truth import BORDERLINE, NO, UNKNOWN, YES, Truth
from ecglens.records import Measurements
from ecglens.statements import ComparedFigure, Person

__all__ = ["Finding", "World", "evaluate_condition"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a condition.

    Attributes:
        truth: Whether the condition holds.
        values: Figures that decided it.
        missing: Names of the figures that are needed to decide it.
    """

    truth: Truth
    values: tuple[ComparedFigure, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All that a condition may depend on.

    Attributes:
        measurements: Measurements of the record.
        person: The person, whose age and sex are known here.
        look_up_finding: Returns the finding of an earlier criterion or definition by its name.
        contiguous: Pairs of contiguous leads.
    """

    measurements: Measurements
    person: Person
    look_up_finding: Callable[[str], Finding]
    contiguous: tuple[tuple[str, str], ...]


def evaluate_condition(condition: Condition, world: World, lead: str | None = None) -> Finding:
    """Evaluate a condition.

    Args:
        condition: The condition.
        world: What it may depend on.
        lead: Lead of the figures that name none.
    """
    match condition:
        case Comparison():
            return _compare(condition, world, lead)
        case IsSex(sex=sex):
            return _from_person(None if world.person.sex is None else world.person.sex == sex)
        case IsLead(leads=leads):
            return Finding(YES if lead in leads else NO)
        case Reference(name=name):
            return world.look_up_finding(name)
        case Negation(part=part):
            finding = evaluate_condition(part, world, lead)
            return Finding(~finding.truth, finding.values, finding.missing)
        case Joined(quantifier=quantifier, parts=parts):
            return _join(quantifier, (evaluate_condition(part, world, lead) for part in parts))
        case EachLead(quantifier=quantifier, leads=leads, part=part):
            return _join(quantifier, (evaluate_condition(part, world, one) for one in leads))
        case Contiguous(part=part):
            names = dict.fromkeys(name for pair in world.contiguous for name in pair)
            each = {name: evaluate_condition(part, world, name) for name in names}
            return _join("any", (_join("all", (each[one], each[two])) for one, two in world.contiguous))


def _from_person(holds: bool | None) -> Finding:
    return Finding(UNKNOWN, missing=("sex",)) if holds is None else Finding(YES if holds else NO)


def _join(quantifier: str, findings: Iterable[Finding]) -> Finding:
    """Join findings by *and* (``all``) or *or* (``any``), with the values of those that decided the result."""
    parts = tuple(findings)
    truth = parts[0].truth
    for part in parts[1:]:
        truth = truth & part.truth if quantifier == "all" else truth | part.truth
    if not truth.is_known:
        # What is at least borderline is so by the parts that are, whatever the unknown ones would add.
        decides = [part.truth.low == truth.low == BORDERLINE.low or not part.truth.is_known for part in parts]
        return _merge(truth, [part for part, is_part in zip(parts, decides, strict=True) if is_part])
    # All parts decide where each must have its say; otherwise those with the degree of the result do.
    if truth == (YES if quantifier == "all" else NO):
        return _merge(truth, parts)
    deciding = [part for part in parts if part.truth == truth]
    # A lead or a sex that the condition is not about decides without any figure.
    return next((part for part in deciding if not part.values), None) or _merge(truth, deciding)


def _merge(truth: Truth, parts: Iterable[Finding]) -> Finding:
    values = dict.fromkeys(value for part in parts for value in part.values)
    missing = dict.fromkeys(name for part in parts for name in part.missing)
    return Finding(truth, tuple(values), () if truth.is_known else tuple(missing))


@dataclass(frozen=True, slots=True)
class _Amount:
    """A quantity with its error and unit; ``missing`` names the figures without which it is unknown."""

    value: float = np.nan
    error: float = 0.0
    unit: str = ""
    title: str = ""
    missing: tuple[str, ...] = ()


def _compare(comparison: Comparison, world: World, lead: str | None) -> Finding:
    left, right = (_measure(side, world, lead) for side in (comparison.left, comparison.right))
    if left.missing or right.missing:
        return Finding(UNKNOWN, missing=tuple(dict.fromkeys((*left.missing, *right.missing))))
    difference, error = left.value - right.value, float(np.hypot(left.error, right.error))
    if error > 0 and abs(difference) <= error:
        truth = BORDERLINE
    else:
        truth = YES if _RELATIONS[comparison.relation](difference) else NO
    figure = comparison.left
    own_lead = figure.lead or lead if isinstance(figure, Figure) and figure.name in LEAD_NAMES else None
    value = ComparedFigure(
        left.title, own_lead, left.value, error, left.unit or right.unit, comparison.relation, right.value
    )
    return Finding(truth, (value,) if left.title else ())


_RELATIONS: Mapping[str, Callable[[float], bool]] = {
    "<": lambda difference: difference < 0,
    "<=": lambda difference: difference <= 0,
    ">": lambda difference: difference > 0,
    ">=": lambda difference: difference >= 0,
}


def _measure(quantity: Quantity, world: World, lead: str | None) -> _Amount:
    match quantity:
        case Number(value=value):
            return _Amount(value)
        case Figure(name="age"):
            age = world.person.age
            return _Amount(missing=("age",)) if age is None else _Amount(age)
        case Figure(name=name, lead=own_lead):
            place = own_lead or lead if name in LEAD_NAMES else None
            measured = look_up(world.measurements, name, place)
            title = name_figure(name, place)
            if measured is None:
                return _Amount(missing=(title,))
            return _Amount(measured.value, measured.error, measured.unit, title)
        case Arithmetic(operator=operator, left=left, right=right):
            return _combine(operator, _measure(left, world, lead), _measure(right, world, lead))


def _combine(operator: str, left: _Amount, right: _Amount) -> _Amount:
    """Sum, difference or product, with the error of independent parts."""
    missing = (*left.missing, *right.missing)
    if missing:
        return _Amount(missing=missing)
    one, two = (part.title or f"{part.value:g}" for part in (left, right))
    title = f"{one} {operator} {two}"
    if operator == "*":
        title = f"{one} × ({two})" if "+" in two else f"{one} × {two}"
        unit = " ".join(filter(None, (right.unit, left.unit)))
        error = float(np.hypot(left.error * right.value, right.error * left.value))
        return _Amount(left.value * right.value, error, unit, title)
    value = left.value + (right.value if operator == "+" else -right.value)
    return _Amount(value, float(np.hypot(left.error, right.error)), left.unit or right.unit, title)

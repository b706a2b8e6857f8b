"""From measurements to statements: every criterion of the table, with its outcome and the figures that decided it."""

from collections.abc import Iterator

from ecglens.criteria.evaluation import Finding, World, evaluate_condition
from ecglens.criteria.expressions import Condition
from ecglens.criteria.table import CriteriaTable, Criterion, load_criteria
from ecglens.criteria.truth import Truth
from ecglens.records import Measurements
from ecglens.statements import SEXES, Outcome, Person, Statement

__all__ = ["ADULT_YEARS", "evaluate_criteria"]

ADULT_YEARS = 18
"""Age from which on the limits of adults hold."""


def evaluate_criteria(
    measurements: Measurements,
    *,
    age: float | None = None,
    sex: str | None = None,
    include_weak: bool = False,
    table: CriteriaTable | None = None,
) -> tuple[Statement, ...]:
    """Evaluate the criteria on the measurements of a record.

    Args:
        measurements: Measurements of the record.
        age: Age in years. Where it is unknown, the limits of adults hold.
        sex: ``"female"`` or ``"male"``. Where it is unknown, a criterion whose limit depends on it is evaluated for
            both, and can be evaluated where both agree.
        include_weak: Also return criteria that agreed too little with diagnoses (``benchmarks/criteria.md``).
        table: Criteria; those of the package by default.

    Returns:
        A statement for each criterion, in the order of the table.

    Raises:
        ArgumentError: The age is no number of 0 or more, or the sex is another word.

    >>> from ecglens.records import Measured
    >>> statements = evaluate_criteria(Measurements(rate_bpm=Measured(59.0, 2.0, "1/min")))
    >>> [str(statement.outcome) for statement in statements if statement.name == "bradycardia"]
    ['borderline']
    """
    person = Person(age, sex)
    criteria = load_criteria() if table is None else table
    statements = _evaluate_all(criteria, measurements, person)
    return tuple(statement for criterion, statement in statements if include_weak or not criterion.is_weak)


def _evaluate_all(
    table: CriteriaTable, measurements: Measurements, person: Person
) -> Iterator[tuple[Criterion, Statement]]:
    outcomes: dict[str, Outcome] = {}
    findings = _Findings(table, measurements)
    for criterion in table.criteria.values():
        beside = [table.criteria[name].title for name in criterion.unless if outcomes[name] is Outcome.MET]
        if person.age is not None and person.age < ADULT_YEARS and not criterion.any_age:
            statement = _make_statement(criterion, reason="The limits of this criterion hold for adults.")
        elif beside:
            statement = _make_statement(criterion, reason=f"The criterion does not hold beside: {', '.join(beside)}.")
        else:
            statement = _make_statement(criterion, _evaluate(criterion.condition, findings, person))
        outcomes[criterion.name] = statement.outcome
        yield criterion, statement


class _Findings:
    """Findings of conditions on one record; those of named conditions are evaluated once for each person."""

    def __init__(self, table: CriteriaTable, measurements: Measurements) -> None:
        self._table, self._measurements = table, measurements
        self._named: dict[tuple[str, Person], Finding] = {}

    def evaluate(self, condition: Condition, person: Person) -> Finding:
        """Evaluate a condition for a person of known age and sex, as far as it depends on them."""
        world = World(self._measurements, person, lambda name: self._look_up(name, person), self._table.contiguous)
        return evaluate_condition(condition, world)

    def possible_persons(self, condition: Condition, person: Person) -> list[Person]:
        """List the persons of each age and sex that is possible and makes a difference."""
        sexes = SEXES if person.sex is None and self._table.depends_on_sex(condition) else (person.sex,)
        limits = self._table.age_limits(condition)
        ages: tuple[float | None, ...] = (person.age,)
        if person.age is None and limits:
            # One age below and one at each limit stand for all ages.
            ages = (min(limits) - 1, *limits)
        return [Person(age, sex) for sex in sexes for age in ages]

    def _look_up(self, name: str, person: Person) -> Finding:
        key = name, person
        if key not in self._named:
            named = self._table.criteria.get(name)
            condition = self._table.definitions[name] if named is None else named.condition
            self._named[key] = self.evaluate(condition, person)
        return self._named[key]


def _evaluate(condition: Condition, findings: _Findings, person: Person) -> Finding:
    """Evaluate a condition for each sex and age that is possible."""
    possible = [findings.evaluate(condition, one) for one in findings.possible_persons(condition, person)]
    truth = Truth.span(finding.truth for finding in possible)
    if truth.is_known or len(possible) == 1:
        return possible[0]
    missing = dict.fromkeys(name for finding in possible for name in finding.missing)
    unknown = tuple(name for name, value in (("sex", person.sex), ("age", person.age)) if value is None)
    return Finding(truth, possible[0].values, tuple(missing) or unknown)


def _make_statement(criterion: Criterion, finding: Finding | None = None, *, reason: str = "") -> Statement:
    outcome = Outcome.CANNOT_BE_EVALUATED if finding is None else finding.truth.outcome
    is_evaluated = outcome is not Outcome.CANNOT_BE_EVALUATED
    values = finding.values if finding is not None and is_evaluated else ()
    return Statement(
        name=criterion.name,
        title=criterion.title,
        outcome=outcome,
        values=values,
        leads=tuple(dict.fromkeys(value.lead for value in values if value.lead is not None)),
        reason=reason or ("" if finding is None or is_evaluated else _describe_missing(finding.missing)),
        source=criterion.source,
        scp_code=criterion.scp_code,
        snomed_code=criterion.snomed_code,
    )


def _describe_missing(names: tuple[str, ...]) -> str:
    """Say in one sentence what is missing."""
    about_person = [name for name in names if name in ("sex", "age")]
    figures = [name for name in names if name not in about_person]
    if figures:
        return f"Not measured: {', '.join(figures)}."
    return (
        f"The limit depends on {' and '.join(about_person)}, which {'is' if len(about_person) == 1 else 'are'} unknown."
    )

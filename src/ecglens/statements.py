"""Statements by published criteria: what a criterion says about the measurements of a record."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ecglens.arguments import describe_value, is_number_in
from ecglens.errors import ArgumentError

__all__ = ["SEXES", "ComparedFigure", "Outcome", "Person", "Source", "Statement"]

SEXES = ("female", "male")
"""Sexes that limits of criteria tell apart."""


class Outcome(StrEnum):
    """Outcome of a criterion; borderline where a limit that decides lies within one error bar of the figure."""

    MET = "met"
    BORDERLINE = "borderline"
    NOT_MET = "not met"
    CANNOT_BE_EVALUATED = "cannot be evaluated"


@dataclass(frozen=True, slots=True)
class Person:
    """Person whom a record is from, as far as limits depend on it; ``None`` where it is unknown.

    Attributes:
        age: Age in years.
        sex: ``"female"`` or ``"male"``.

    Raises:
        ArgumentError: The age is no number of 0 or more, or the sex is another word.
    """

    age: float | None = None
    sex: str | None = None

    def __post_init__(self) -> None:
        if self.age is not None and not is_number_in(self.age, 0):
            raise ArgumentError(f"Expected an age in years of 0 or more, got {describe_value(self.age)}; correct it.")
        if self.sex is not None and self.sex not in SEXES:
            raise ArgumentError(
                f"Expected 'female' or 'male' as the sex, got {describe_value(self.sex)}; correct it, or leave it out."
            )


@dataclass(frozen=True, slots=True)
class Source:
    """Publication of a criterion.

    Attributes:
        title: Authors, year and short title.
        doi: Digital object identifier; empty where there is none.
        place: Table or section in it.
    """

    title: str
    doi: str
    place: str


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """A measured figure, or a sum of figures, against the limit of a criterion.

    Attributes:
        title: What was measured, such as ``"S wave in V1 + R wave in V5"``.
        lead: Lead of the figure; ``None`` where it has none or several.
        value: Measured value.
        error: One standard uncertainty, in the same unit.
        unit: Unit of value, error and limit; ``"1"`` for shares and counts.
        relation: ``"<"``, ``"<="``, ``">"`` or ``">="``, as the criterion compares the value with the limit.
        limit: Limit of the criterion.
    """

    title: str
    lead: str | None
    value: float
    error: float
    unit: str
    relation: str
    limit: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figure in plain types."""
        return {**asdict(self), "value": round(self.value, 4), "error": round(self.error, 4)}


@dataclass(frozen=True, slots=True)
class Statement:
    """Statement of a criterion about a record, for orientation; not a diagnosis.

    Attributes:
        name: Name of the criterion, such as ``"pr_prolonged"``.
        title: Title for people.
        outcome: Whether the criterion is met.
        values: Figures that decided, against their limits.
        leads: Leads of these figures.
        reason: Why the criterion cannot be evaluated, in one sentence; empty for the other outcomes.
        source: Where the criterion was published.
        scp_code: Code of SCP-ECG (EN 1064), ``None`` where there is no exact one.
        snomed_code: Concept of SNOMED CT, ``None`` where there is no exact one.
    """

    name: str
    title: str
    outcome: Outcome
    values: tuple[ComparedFigure, ...]
    leads: tuple[str, ...]
    reason: str
    source: Source
    scp_code: str | None = None
    snomed_code: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the statement in plain types."""
        return {
            "name": self.name,
            "title": self.title,
            "outcome": self.outcome.value,
            "values": [figure.to_dict() for figure in self.values],
            "leads": list(self.leads),
            "reason": self.reason,
            "source": asdict(self.source),
            "scp_code": self.scp_code,
            "snomed_code": self.snomed_code,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Statement":
        """Return the statement that :meth:`to_dict` wrote."""
        return cls(
            name=plain["name"],
            title=plain["title"],
            outcome=Outcome(plain["outcome"]),
            values=tuple(ComparedFigure(**figure) for figure in plain["values"]),
            leads=tuple(plain["leads"]),
            reason=plain["reason"],
            source=Source(**plain["source"]),
            scp_code=plain["scp_code"],
            snomed_code=plain["snomed_code"],
        )

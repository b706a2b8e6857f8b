"""The table of criteria, ``criteria.toml``, as dataclasses; every entry is checked when it is loaded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ecglens.criteria.expressions import (
    Comparison,
    Condition,
    Figure,
    IsSex,
    Number,
    Reference,
    Vocabulary,
    parse_condition,
    walk,
)
from ecglens.criteria.figures import LEAD_NAMES, RECORD_NAMES
from ecglens.documents import parse_toml
from ecglens.errors import DatasetError
from ecglens.layouts import STANDARD_LEADS
from ecglens.statements import Source

__all__ = ["CriteriaTable", "Criterion", "load_criteria", "parse_criteria"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One entry of the table.

    Attributes:
        name: Its name.
        title: Its title for people.
        text: Its condition as it is written.
        condition: The same, parsed.
        source: Where it was published.
        scp_code: Code of SCP-ECG, if there is an exact one.
        snomed_code: Concept of SNOMED CT, if there is an exact one.
        unless: Names of earlier criteria beside which it does not hold.
        is_weak: Whether it is left out unless weak criteria are requested.
        any_age: Whether it holds for children too.
        contradicts_normal: Whether a model's label "normal" disagrees with it.
    """

    name: str
    title: str
    text: str
    condition: Condition
    source: Source
    scp_code: str | None
    snomed_code: str | None
    unless: tuple[str, ...]
    is_weak: bool
    any_age: bool
    contradicts_normal: bool


@dataclass(frozen=True, slots=True)
class CriteriaTable:
    """All criteria.

    Attributes:
        criteria: Criteria by name; each names only earlier ones.
        definitions: Conditions that several criteria share.
        definition_texts: The same as they are written.
        contiguous: Pairs of contiguous leads.
    """

    criteria: Mapping[str, Criterion]
    definitions: Mapping[str, Condition]
    definition_texts: Mapping[str, str]
    contiguous: tuple[tuple[str, str], ...]

    def depends_on_sex(self, condition: Condition) -> bool:
        """Return whether a condition, or one that it names, asks for the sex."""
        return any(isinstance(node, IsSex) for node in self._walk(condition))

    def age_limits(self, condition: Condition) -> tuple[float, ...]:
        """Return the ages that a condition, or one that it names, compares the age with."""
        limits = {
            node.right.value
            for node in self._walk(condition)
            if isinstance(node, Comparison) and node.left == Figure("age") and isinstance(node.right, Number)
        }
        return tuple(sorted(limits))

    def _walk(self, condition: Condition) -> Iterator[object]:
        for node in walk(condition):
            yield node
            if isinstance(node, Reference):
                named = self.criteria.get(node.name)
                yield from self._walk(self.definitions[node.name] if named is None else named.condition)


@lru_cache(maxsize=1)
def load_criteria() -> CriteriaTable:
    """Load the table of this package."""
    return parse_criteria(resources.files("ecglens.criteria").joinpath("criteria.toml").read_text(encoding="utf-8"))


def parse_criteria(text: str) -> CriteriaTable:
    """Parse a table of criteria.

    Args:
        text: TOML with the tables ``groups``, ``contiguous``, ``definitions``, ``sources`` and ``criterion``.

    Raises:
        DatasetError: An entry is incomplete, names what is not there, or comes twice.
    """
    document = parse_toml(text)
    groups = {name: tuple(leads) for name, leads in document["groups"].items()}
    conditions: dict[str, Condition] = {}

    def parse(condition: str) -> Condition:
        figures = {*RECORD_NAMES, "age"}
        return parse_condition(condition, Vocabulary(figures, LEAD_NAMES, STANDARD_LEADS, groups, conditions))

    for name, condition in document["definitions"].items():
        conditions[name] = parse(condition)
    definitions = dict(conditions)
    criteria: dict[str, Criterion] = {}
    for entry in document["criterion"]:
        name = entry.get("name", "?")
        if name in conditions:
            raise DatasetError(f"Expected distinct names of criteria, got {name} twice.")
        try:
            criteria[name] = _make_criterion(entry, parse(entry["condition"]), document["sources"], criteria)
        except KeyError as error:
            raise DatasetError(f"Expected {error} in the criterion {name} or in what it names, got none.") from error
        conditions[name] = criteria[name].condition
    contiguous = tuple((one, two) for one, two in document["contiguous"]["pairs"])
    return CriteriaTable(criteria, definitions, document["definitions"], contiguous)


def _make_criterion(
    entry: Mapping[str, Any],
    condition: Condition,
    sources: Mapping[str, Mapping[str, str]],
    earlier: Mapping[str, Criterion],
) -> Criterion:
    source = sources[entry["source"]]
    unless = tuple(earlier[name].name for name in entry.get("unless", ()))
    return Criterion(
        name=entry["name"],
        title=entry["title"],
        text=" ".join(entry["condition"].split()),
        condition=condition,
        source=Source(source["title"], source["doi"], entry["place"]),
        scp_code=entry.get("scp"),
        snomed_code=entry.get("snomed"),
        unless=unless,
        is_weak=entry.get("weak", False),
        any_age=entry.get("any_age", False),
        contradicts_normal=entry.get("contradicts_normal", False),
    )

"""Conditions of criteria as small expressions: their grammar and the parser.

A condition compares figures with limits, such as ``qrs_ms >= 120`` or ``s_mv[V1] + r_mv[V5] >= 3.5``, and joins
comparisons with ``and``, ``or``, ``not`` and parentheses. ``any(V1, V2: r2_mv > 0.05)`` and ``all(limb: ...)`` repeat a
condition for each of some leads, whose figures then need no brackets; ``contiguous(...)`` holds where two contiguous
leads fulfill the condition, which may ask ``lead in (V2, V3)``. ``sex == female`` and ``age >= 40`` are about the
person, and the name of an earlier criterion is a condition too. Parentheses may begin a condition, not a quantity:
``qrs_ms * (s_mv[V3] + r_mv[aVL])`` is right.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ecglens.errors import DatasetError

__all__ = [
    "Arithmetic",
    "Comparison",
    "Condition",
    "Contiguous",
    "EachLead",
    "Figure",
    "IsLead",
    "IsSex",
    "Joined",
    "Negation",
    "Number",
    "Quantity",
    "Reference",
    "Vocabulary",
    "parse_condition",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure, of a lead where it has one; ``lead`` is ``None`` within a condition on each lead."""

    name: str
    lead: str | None = None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Sum, difference or product of two quantities; ``operator`` is ``+``, ``-`` or ``*``."""

    operator: str
    left: "Quantity"
    right: "Quantity"


Quantity = Number | Figure | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quantity against another; ``relation`` is ``<``, ``<=``, ``>`` or ``>=``."""

    left: Quantity
    relation: str
    right: Quantity


@dataclass(frozen=True, slots=True)
class IsSex:
    """Condition on the sex of the person."""

    sex: str


@dataclass(frozen=True, slots=True)
class IsLead:
    """Condition that the lead at hand is one of some leads."""

    leads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Name of an earlier criterion or definition as a condition."""

    name: str


@dataclass(frozen=True, slots=True)
class Negation:
    """Condition that another one does not hold."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which ``all`` or ``any`` must hold."""

    quantifier: str
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class EachLead:
    """A condition that must hold in ``all`` or ``any`` of some leads."""

    quantifier: str
    leads: tuple[str, ...]
    part: "Condition"


@dataclass(frozen=True, slots=True)
class Contiguous:
    """A condition that must hold in both of two contiguous leads."""

    part: "Condition"


Condition = Comparison | IsSex | IsLead | Reference | Negation | Joined | EachLead | Contiguous


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names that a condition may use.

    Attributes:
        figures: Figures that a record has once, and ``age``.
        lead_figures: Figures of each lead.
        leads: Names of leads.
        groups: Names of groups of leads.
        criteria: Earlier criteria and definitions.
    """

    figures: Collection[str]
    lead_figures: Collection[str]
    leads: Collection[str]
    groups: Mapping[str, tuple[str, ...]]
    criteria: Collection[str]


def parse_condition(text: str, vocabulary: Vocabulary) -> Condition:
    """Parse a condition.

    Args:
        text: The expression.
        vocabulary: Names that it may use.

    Raises:
        DatasetError: The text is no condition of these names.

    >>> parse_condition("qrs_ms >= 120", Vocabulary({"qrs_ms"}, (), (), {}, ()))
    Comparison(left=Figure(name='qrs_ms', lead=None), relation='>=', right=Number(value=120.0))
    """
    parser = _Parser(text, vocabulary)
    condition = parser.read_any_of()
    parser.expect_end()
    return condition


def walk(node: Condition | Quantity) -> Iterator[Condition | Quantity]:
    """Yield a node and all nodes within it."""
    yield node
    match node:
        case Comparison(left=left, right=right) | Arithmetic(left=left, right=right):
            yield from walk(left)
            yield from walk(right)
        case Joined(parts=parts):
            for part in parts:
                yield from walk(part)
        case Negation(part=part) | EachLead(part=part) | Contiguous(part=part):
            yield from walk(part)
        case _:
            pass


_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|[-+*<>()\[\],:]))")
_RELATIONS = ("<", "<=", ">", ">=")
_SEXES = ("female", "male")


class _Parser:
    """A parser by recursive descent, one method for each rule of the grammar."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text, self._vocabulary = text, vocabulary
        self._tokens = self._split(text)
        self._next = 0
        self._within_leads = False

    def _split(self, text: str) -> list[str]:
        tokens, position, stripped = [], 0, text.rstrip()
        while position < len(stripped):
            token = _TOKEN.match(stripped, position)
            if token is None:
                raise self._error(f"'{stripped[position:].strip()[:20]}'")
            tokens.append(token.group().strip())
            position = token.end()
        return tokens

    def _error(self, got: str, expected: str = "a condition") -> DatasetError:
        return DatasetError(f"Expected {expected} in '{' '.join(self._text.split())}', got {got}.")

    @property
    def _token(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, *expected: str) -> str:
        token = self._token
        if expected and token not in expected:
            raise self._error(f"'{token}'" if token else "its end", f"'{expected[0]}'")
        self._next += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._token != token:
            return False
        self._next += 1
        return True

    def expect_end(self) -> None:
        """Raise an error where something follows the condition."""
        if self._token:
            raise self._error(f"'{self._token}'", "its end")

    def read_any_of(self) -> Condition:
        """Read conditions joined by ``or``."""
        parts = [self._read_all_of()]
        while self._accept("or"):
            parts.append(self._read_all_of())
        return parts[0] if len(parts) == 1 else Joined("any", tuple(parts))

    def _read_all_of(self) -> Condition:
        parts = [self._read_one()]
        while self._accept("and"):
            parts.append(self._read_one())
        return parts[0] if len(parts) == 1 else Joined("all", tuple(parts))

    def _read_one(self) -> Condition:
        """Read one condition that ``and``, ``or`` and ``not`` join."""
        token = self._token
        if self._accept("not"):
            return Negation(self._read_one())
        if token in ("any", "all", "contiguous"):
            return self._read_condition_on_leads()
        if self._accept("sex"):
            self._take("==")
            return IsSex(self._take(*_SEXES))
        if self._accept("lead"):
            self._take("in")
            self._take("(")
            return IsLead(self._read_leads(")"))
        if token in self._vocabulary.criteria:
            return Reference(self._take())
        if self._accept("("):
            condition = self.read_any_of()
            self._take(")")
            return condition
        left = self._read_sum()
        return Comparison(left, self._take(*_RELATIONS), self._read_sum())

    def _read_condition_on_leads(self) -> Condition:
        quantifier = self._take()
        self._take("(")
        outer, self._within_leads = self._within_leads, True
        leads = () if quantifier == "contiguous" else self._read_leads(":")
        part = self.read_any_of()
        self._within_leads = outer
        self._take(")")
        return EachLead(quantifier, leads, part) if leads else Contiguous(part)

    def _read_leads(self, end: str) -> tuple[str, ...]:
        names = [self._take()]
        while self._accept(","):
            names.append(self._take())
        self._take(end)
        leads = tuple(lead for name in names for lead in self._vocabulary.groups.get(name, (name,)))
        for lead in leads:
            if lead not in self._vocabulary.leads:
                raise self._error(f"'{lead}'", "names of leads")
        return leads

    def _read_sum(self) -> Quantity:
        quantity = self._read_product()
        while self._token in ("+", "-"):
            quantity = Arithmetic(self._take(), quantity, self._read_product())
        return quantity

    def _read_product(self) -> Quantity:
        quantity = self._read_quantity()
        while self._accept("*"):
            quantity = Arithmetic("*", quantity, self._read_quantity())
        return quantity

    def _read_quantity(self) -> Quantity:
        token = self._take()
        if token == "(":
            quantity = self._read_sum()
            self._take(")")
            return quantity
        if token == "-" and self._token[:1].isdigit():
            return Number(-float(self._take()))
        if token[:1].isdigit():
            return Number(float(token))
        if token in self._vocabulary.figures:
            return Figure(token)
        if token in self._vocabulary.lead_figures:
            return self._read_lead_figure(token)
        raise self._error(f"'{token}'" if token else "its end", "a figure or a number")

    def _read_lead_figure(self, name: str) -> Figure:
        if self._accept("["):
            return Figure(name, self._read_leads("]")[0])
        if not self._within_leads:
            raise self._error(f"'{name}'", "a lead in brackets")
        return Figure(name)

"""Agreement of a reviewer with ecglens, from what both said when the reading was reviewed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ecglens.criteria.table import load_criteria
from ecglens.web.cases.models import Review

__all__ = ["Agreement", "LabelRow", "StatementRow", "count_agreement"]

NO_LABEL = ""
"""Place of readings to which the model or the reviewer gave no label."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Readings to which the model gave one label.

    Attributes:
        label: The model's label; empty where it gave none.
        counts: Number of readings by the reviewer's label, in the order of the columns.
    """

    label: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatementRow:
    """Counts of one statement, by criterion and reviewer.

    Attributes:
        name: Name of the criterion.
        title: Its title.
        both: Readings of which both said so.
        only_criterion: Readings of which only the criterion said so.
        only_reviewer: Readings of which only the reviewer said so.
    """

    name: str
    title: str
    both: int
    only_criterion: int
    only_reviewer: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over all reviews.

    Attributes:
        reviews: Number of reviews.
        labels: Labels by the reviewer, the columns of the table.
        rows: Its rows.
        answered: Readings to which both gave a label.
        agreeing: Readings to which both gave the same label.
        kappa: Cohen's kappa over these readings (doi:10.1177/001316446002000104); ``None`` without any, or where both
            used one and the same label only.
        statements: Statements that somebody made.
    """

    reviews: int
    labels: tuple[str, ...]
    rows: tuple[LabelRow, ...]
    answered: int
    agreeing: int
    kappa: float | None
    statements: tuple[StatementRow, ...]


def count_agreement(reviews: Iterable[Review]) -> Agreement:
    """Count how reviews agree with what ecglens said."""
    listed = list(reviews)
    pairs = Counter((each.model_label, each.label) for each in listed)
    columns = sorted({label for _, label in pairs}, key=lambda label: (label == NO_LABEL, label))
    rows = sorted({label for label, _ in pairs}, key=lambda label: (label == NO_LABEL, label))
    both = {pair: count for pair, count in pairs.items() if NO_LABEL not in pair}
    return Agreement(
        reviews=len(listed),
        labels=tuple(columns),
        rows=tuple(LabelRow(label, tuple(pairs[label, each] for each in columns)) for label in rows),
        answered=sum(both.values()),
        agreeing=sum(count for (model, person), count in both.items() if model == person),
        kappa=compute_kappa(both),
        statements=_count_statements(listed),
    )


def compute_kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Return Cohen's kappa of two raters, (p_o - p_e) / (1 - p_e).

    Args:
        pairs: Number of cases by the labels of both raters.

    >>> compute_kappa({("a", "a"): 20, ("a", "b"): 5, ("b", "a"): 10, ("b", "b"): 15})
    0.4
    """
    total = sum(pairs.values())
    if not total:
        return None
    first, second = Counter[str](), Counter[str]()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    expected = sum(first[label] * second[label] for label in first) / total**2
    observed = sum(count for (one, other), count in pairs.items() if one == other) / total
    return None if expected == 1 else round((observed - expected) / (1 - expected), 4)


def _count_statements(reviews: Iterable[Review]) -> tuple[StatementRow, ...]:
    both, only_criterion, only_reviewer = Counter[str](), Counter[str](), Counter[str]()
    for review in reviews:
        stated, met = set(review.statements), set(review.model_statements)
        both.update(stated & met)
        only_criterion.update(met - stated)
        only_reviewer.update(stated - met)
    names = {*both, *only_criterion, *only_reviewer}
    return tuple(
        StatementRow(name, criterion.title, both[name], only_criterion[name], only_reviewer[name])
        for name, criterion in load_criteria().criteria.items()
        if name in names
    )

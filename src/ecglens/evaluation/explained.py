"""Sections of a report on whether explanations of the model are meaningful."""

from ecglens.evaluation.guidelines import EXPLAINED
from ecglens.evaluation.sections import Section
from ecglens.records import ModelChecks

__all__ = ["explained_sections"]

_TEXT = (
    "Deletion and insertion: share of pages on which the method beats random maps. A method that failed a check says "
    "little about this model."
)


def explained_sections(checks: ModelChecks, *, stored: bool) -> tuple[Section, ...]:
    """Return checks of a model's explanations as sections of a report.

    Args:
        checks: Checks on some pages.
        stored: Whether they come with the model and were not made for this evaluation.
    """
    origin = " These checks come with the model and were not made for this evaluation." * stored
    texts = (f"{checks.model} {checks.model_version}.{origin} {_TEXT}", "", "")
    return tuple(
        Section(title, text, tuple(map(tuple, rows)), topic=EXPLAINED if text else "")
        for text, (title, rows) in zip(texts, checks.tables(), strict=False)
    )

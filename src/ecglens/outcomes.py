"""Outcomes of reading a page, the same on every surface: a label, or one of three reasons why there is none."""

from enum import StrEnum

__all__ = ["OUTCOME_TITLES", "Outcome", "find_outcome"]


class Outcome(StrEnum):
    """Outcome of reading a page."""

    ANSWERED = "answered"
    """A model gave a label."""
    NOT_SURE = "not_sure"
    """The model can read the page, and no label is probable enough, or two models disagree."""
    OUTSIDE = "outside"
    """The page is of a kind that the model has not learned; its signals may be read nevertheless."""
    NOT_READABLE = "not_readable"
    """The leads were not found, or the file could not be read."""


OUTCOME_TITLES = {
    Outcome.ANSWERED: "Answered",
    Outcome.NOT_SURE: "Not sure",
    Outcome.OUTSIDE: "Outside what the model has learned",
    Outcome.NOT_READABLE: "Not readable",
}
"""Titles of the outcomes."""

_OUTCOMES_BY_KIND = {"uncertain": Outcome.NOT_SURE, "unfamiliar": Outcome.OUTSIDE, "no_layout": Outcome.NOT_READABLE}


def find_outcome(label: str | None, abstention_kind: str | None) -> Outcome:
    """Return the outcome of a prediction.

    Args:
        label: Its label, or ``None``.
        abstention_kind: Kind of its abstention, as in :class:`ecglens.records.Abstention`, or ``None``.

    >>> find_outcome("normal", None).value, find_outcome(None, "unfamiliar").value
    ('answered', 'outside')
    """
    if label is not None:
        return Outcome.ANSWERED
    return _OUTCOMES_BY_KIND.get(abstention_kind or "", Outcome.NOT_SURE)

"""Names of labels and leads for people, in their language."""

from django.utils.translation import gettext as _

from ecglens.labels import SUPERCLASSES, TITLES, find_title
from ecglens.layouts import RHYTHM, STANDARD_LEADS
from ecglens.outcomes import OUTCOME_TITLES, Outcome
from ecglens.web.readings.models import Reading

__all__ = ["describe_result", "lead_position", "lead_title", "translate_label", "translate_outcome"]


def translate_label(label: str | None) -> str:
    """Return a label's title; empty where there is no label."""
    if label is not None and (label in TITLES or label in SUPERCLASSES):
        return _(find_title(label))
    return str(label or "").replace("_", " ")


def translate_outcome(outcome: str) -> str:
    """Return the title of an outcome of :class:`ecglens.outcomes.Outcome`; empty where there is none yet."""
    return _(OUTCOME_TITLES[Outcome(outcome)]) if outcome else ""


def describe_result(reading: Reading) -> str:
    """Return the title of a reading's label, or of its outcome where it has none."""
    return translate_label(reading.label) or translate_outcome(reading.outcome)


def lead_title(lead: str) -> str:
    """Return a lead's name; that of a rhythm strip says so."""
    return lead.replace(f"{RHYTHM}-", f" {_('rhythm')} ").replace(RHYTHM, " " + _("rhythm"))


def lead_position(lead: str) -> int:
    """Return a lead's position in the standard order; rhythm strips come last."""
    return STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS)

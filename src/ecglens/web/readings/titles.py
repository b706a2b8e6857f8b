"""Names of labels and leads for people, in their language."""

from django.utils.translation import gettext as _

from ecglens.labels import TITLES
from ecglens.layouts import RHYTHM, STANDARD_LEADS

__all__ = ["lead_position", "lead_title", "translate_label"]


def translate_label(label: str | None) -> str:
    """Return a label's title; empty where there is no label."""
    return _(TITLES[label]) if label is not None and label in TITLES else str(label or "").replace("_", " ")


def lead_title(lead: str) -> str:
    """Return a lead's name; that of a rhythm strip says so."""
    return lead.replace(f"{RHYTHM}-", f" {_('rhythm')} ").replace(RHYTHM, " " + _("rhythm"))


def lead_position(lead: str) -> int:
    """Return a lead's position in the standard order; rhythm strips come last."""
    return STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS)

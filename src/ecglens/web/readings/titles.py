"""Labels and leads as people call them, in their language."""

from django.utils.translation import gettext as _

from ecglens.labels import TITLES
from ecglens.layouts import RHYTHM, STANDARD_LEADS

__all__ = ["lead_name", "lead_place", "title_of"]


def title_of(label: str | None) -> str:
    """A label for people; empty where there is none."""
    return _(TITLES[label]) if label is not None and label in TITLES else str(label or "").replace("_", " ")


def lead_name(lead: str) -> str:
    """A lead's name for people."""
    return lead.replace(RHYTHM, " " + _("rhythm"))


def lead_place(lead: str) -> int:
    """In the usual order, rhythm strips last."""
    return STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS)

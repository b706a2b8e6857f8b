"""A model on labelled pages that are not its own: what it answers, which pages it has learnt, how damage hurts it.

The figures themselves are ``ecglens.evaluation``'s; this room reads the pages and adds what only pages can tell.
"""

from ecglens.external_validation.answers import Answered, Refused, answer_pages
from ecglens.external_validation.damage import Damaged, damage_pages, damage_section
from ecglens.external_validation.gallery import gallery

__all__ = [
    "Answered",
    "Damaged",
    "Refused",
    "answer_pages",
    "damage_pages",
    "damage_section",
    "gallery",
]

"""A model on labeled pages that are not its own: its predictions, the pages that it was trained on, effects of damage.

The figures themselves come from ``ecglens.evaluation``; this package reads the pages and adds what only pages can show.
"""

from ecglens.external_validation.answers import Answers, Refusal, answer_pages
from ecglens.external_validation.damage import DamageResult, damage_pages, damage_section
from ecglens.external_validation.gallery import gallery

__all__ = [
    "Answers",
    "DamageResult",
    "Refusal",
    "answer_pages",
    "damage_pages",
    "damage_section",
    "gallery",
]

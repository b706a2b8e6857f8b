"""The label vocabulary: the conditions of public data sets, their titles, and how probabilities are shown.

The order of ``LABELS`` is for display only. A model carries its own label order in its folder, and nothing here is
ever used to decode a model's output.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LABELS", "SUPERCLASSES", "TITLES", "find_title", "format_probability"]

LABELS: tuple[str, ...] = ("normal", "mi", "history_mi", "abnormal_heartbeat")

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "normal": "Normal",
        "mi": "Myocardial infarction",
        "history_mi": "History of myocardial infarction",
        "abnormal_heartbeat": "Abnormal heartbeat",
    }
)

SUPERCLASSES: Mapping[str, str] = MappingProxyType(
    {
        "NORM": "Normal ECG",
        "MI": "Myocardial infarction, new or old",
        "STTC": "ST or T wave change",
        "CD": "Conduction disturbance",
        "HYP": "Hypertrophy",
    }
)
"""Titles of PTB-XL's diagnostic superclasses (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6), several of which may
hold for one recording."""

_NEARLY_CERTAIN = 0.9995
"""Probability from which rounding would show 100.0 %, which no model may claim."""


def find_title(label: str) -> str:
    """Return the title of a label or superclass, or its name where it has none."""
    return TITLES.get(label) or SUPERCLASSES.get(label, label)


def format_probability(probability: float | None) -> str:
    """Format a probability for people: never as 0 or 100 %, which no model may claim.

    >>> format_probability(0.99978), format_probability(0.826), format_probability(0.0002)
    ('> 99.9 %', '82.6 %', '< 0.1 %')
    >>> format_probability(None)
    ''
    """
    if probability is None:
        return ""
    if probability >= _NEARLY_CERTAIN:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 1 - _NEARLY_CERTAIN else f"{100 * probability:.1f} %"

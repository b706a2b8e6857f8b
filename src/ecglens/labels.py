"""The label vocabulary: the four conditions of the public page images, and what to call them.

The order of ``LABELS`` is for display only. A model carries its own label order in its folder, and nothing here is
ever used to decode a model's output.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LABELS", "TITLES"]

LABELS: tuple[str, ...] = ("normal", "mi", "history_mi", "abnormal_heartbeat")

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "normal": "Normal",
        "mi": "Myocardial infarction",
        "history_mi": "History of myocardial infarction",
        "abnormal_heartbeat": "Abnormal heartbeat",
    }
)

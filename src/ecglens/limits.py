"""Thresholds as data: one frozen dataclass a step, whose fields carry unit, meaning, evidence and failure modes.

Each step declares its thresholds in a class whose name ends in ``Limits`` and reads them from one instance of it.
``docs/thresholds.md`` is generated from these classes, and ``make thresholds`` moves every field by 30 % in both
directions and reports which figures of the accuracy set change.
"""

from dataclasses import field
from typing import Any

__all__ = ["SWEEP", "threshold"]

SWEEP = "`make thresholds`"
"""Evidence of a threshold that rests on the accuracy set alone."""


def threshold(default: Any, unit: str, meaning: str, *, low: str, high: str, evidence: str = SWEEP) -> Any:
    """Declare a threshold as a field of a ``...Limits`` dataclass.

    Args:
        default: Value: a number or a tuple of numbers.
        unit: Unit such as ``"mV"``, or ``"1"`` for a ratio.
        meaning: What is compared with the value, in a sentence.
        low: What breaks where the value is lower.
        high: What breaks where the value is higher.
        evidence: Command and table that the value rests on.
    """
    metadata = {"unit": unit, "meaning": meaning, "low": low, "high": high, "evidence": evidence}
    return field(default=default, metadata=metadata)

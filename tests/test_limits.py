"""Thresholds as fields of frozen dataclasses that carry what a reader must know of them."""

from dataclasses import FrozenInstanceError, dataclass, fields

import pytest

from ecglens.limits import SWEEP, threshold


@dataclass(frozen=True)
class ExampleLimits:
    height: float = threshold(2.5, "mm", "Least height.", low="Dots count.", high="Low waves are lost.")
    span: tuple[int, int] = threshold((1, 4), "1", "Span.", low="A.", high="B.", evidence="benchmarks/quality.md")


def test_a_threshold_is_the_default_of_its_field() -> None:
    assert (ExampleLimits().height, ExampleLimits().span) == (2.5, (1, 4))
    assert ExampleLimits(height=3.0).height == 3.0


def test_a_field_carries_unit_meaning_failures_and_evidence() -> None:
    height, span = fields(ExampleLimits)
    assert dict(height.metadata) == {
        "unit": "mm",
        "meaning": "Least height.",
        "low": "Dots count.",
        "high": "Low waves are lost.",
        "evidence": SWEEP,
    }
    assert span.metadata["evidence"] == "benchmarks/quality.md"


def test_limits_cannot_be_changed_by_accident() -> None:
    with pytest.raises(FrozenInstanceError, match="height"):
        ExampleLimits().height = 9.0  # type: ignore[misc]

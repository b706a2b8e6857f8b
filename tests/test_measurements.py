"""Measurements and printed facts as plain data."""

import json
from dataclasses import fields

import pytest

from ecglens.measurements import FIGURES, Measured, Measurements, PrintedFacts


@pytest.mark.parametrize(
    ("reference", "position"),
    [
        ((90.0, 110.0), "within"),
        ((100.0, 100.0), "within"),
        ((None, 99.0), "above"),
        ((None, 101.0), "within"),
        ((101.0, None), "below"),
        (None, None),
    ],
)
def test_a_value_lies_below_within_or_above_its_range(
    reference: tuple[float | None, float | None] | None, position: str | None
) -> None:
    assert Measured(100.0, 1.0, "ms", reference).position == position


def test_measurements_come_back_from_json() -> None:
    level = Measured(0.125, 0.01, "mV", (None, 0.1))
    figures = {name: Measured(100.0 + number, 2.5, kind.unit) for number, (name, kind) in enumerate(FIGURES.items())}
    measurements = Measurements(
        **{**figures, "p_ms": None},  # type: ignore[arg-type]
        st_j_mv={"V1": level, "I": None},
        st_j60_mv={"V1": level},
        r_peaks_s=(0.5, 1.25),
        edges_s={"qrs_on": -0.04},
        warnings=("Two beats have another shape.",),
    )
    plain = json.loads(json.dumps(measurements.to_dict()))
    assert Measurements.from_dict(plain) == measurements
    assert plain["st_j_mv"] == {"V1": level.to_dict(), "I": None}
    assert plain["st_j_mv"]["V1"]["position"] == "above"
    assert Measurements.from_dict(Measurements().to_dict()) == Measurements()


def test_each_figure_is_a_field_of_the_measurements_with_a_title_of_its_own() -> None:
    names = [field.name for field in fields(Measurements)]
    assert names[: len(FIGURES)] == list(FIGURES)
    assert len({kind.title for kind in FIGURES.values()}) == len(FIGURES)
    assert {kind.unit for kind in FIGURES.values()} == {"1/min", "ms", "deg"}


def test_printed_facts_are_true_where_there_is_one_even_if_it_is_zero() -> None:
    assert not PrintedFacts()
    assert PrintedFacts(qtc_ms=400.0)
    assert PrintedFacts(high_pass_hz=0.0)
    assert PrintedFacts(rate_bpm=60.0).to_dict()["rate_bpm"] == 60.0

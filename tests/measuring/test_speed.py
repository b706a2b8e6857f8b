"""Paper speeds that the durations of a record put in doubt."""

from dataclasses import replace
from pathlib import Path

import pytest

from ecglens.formats.csv import read_csv
from ecglens.measuring.measure import measure
from ecglens.measuring.speed import doubt_speed, is_speed_plausible
from ecglens.records import Measured, Measurements

RECORD = read_csv(Path(__file__).parents[1] / "data" / "ptbxl_00001.csv")


def measurements_of(rate: float | None, qrs: float | None, qt: float | None, pr: float | None = None) -> Measurements:
    values = {"rate_bpm": rate, "qrs_ms": qrs, "qt_ms": qt, "pr_ms": pr}
    return Measurements(**{name: Measured(value, 5.0, "ms") for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    ("measurements", "other"),
    [
        (measurements_of(38, 164, 682), "50"),
        (measurements_of(50, 164, None), "50"),
        (measurements_of(45, 150, 640, pr=320), "50"),
        (measurements_of(32, 118, 670), "50"),
        (measurements_of(32, None, None), "50"),
        (measurements_of(150, 52, 190), "12.5"),
        (measurements_of(140, 60, None, pr=85), "12.5"),
    ],
)
def test_intervals_that_are_all_long_or_all_short_name_the_other_speed(measurements: Measurements, other: str) -> None:
    sentence = doubt_speed(measurements, 25.0)
    assert sentence is not None
    assert f"a page at {other} mm/s, but 25 mm/s was used; check the paper speed." in sentence
    assert not is_speed_plausible(measurements)


@pytest.mark.parametrize(
    ("name", "measurements"),
    [
        ("normal", measurements_of(63, 96, 400, pr=160)),
        ("bradycardia", measurements_of(38, 96, 480)),
        ("bundle branch block", measurements_of(70, 160, 440)),
        ("bundle branch block in bradycardia", measurements_of(48, 150, 500)),
        ("bundle branch block in bradycardia, QT unknown, PR normal", measurements_of(48, 160, None, pr=160)),
        ("long QT", measurements_of(60, 96, 580)),
        ("tachycardia", measurements_of(150, 86, 280)),
        ("narrow complexes", measurements_of(80, 70, 360)),
        ("nothing measured", measurements_of(None, None, None)),
        ("no QRS", measurements_of(44, None, 682)),
        ("block", measurements_of(32, 112, 560)),
        ("block with a normal PR", measurements_of(32, None, None, pr=160)),
    ],
)
def test_diseases_put_no_speed_in_doubt(name: str, measurements: Measurements) -> None:
    assert doubt_speed(measurements, 25.0) is None, name


def test_a_record_speaks_for_its_own_speed_alone() -> None:
    half = RECORD.signals_mv.shape[1] // 2
    stretched = measure(replace(RECORD, signals_mv=RECORD.signals_mv[:, :half], fs_hz=RECORD.fs_hz / 2))
    assert doubt_speed(measure(RECORD), 25.0) is None
    assert is_speed_plausible(measure(RECORD))
    assert "fit a page at 50 mm/s" in str(doubt_speed(stretched, 25.0))
    assert not is_speed_plausible(stretched)

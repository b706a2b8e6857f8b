"""ST levels and the frontal axis of a typical beat."""

import numpy as np
import pytest

from ecglens.measuring.levels import frontal_axis, measure_level

ANGLES_DEG = {"I": 0.0, "II": 60.0, "III": 120.0, "aVR": -150.0, "aVL": -30.0, "aVF": 90.0}
LENGTHS = {"aVR": 0.75**0.5, "aVL": 0.75**0.5, "aVF": 0.75**0.5}
"""Augmented leads are shorter than bipolar ones (Goldberger 1942)."""


def areas_of(axis_deg: float, *leads: str) -> dict[str, tuple[float, float]]:
    """Return the areas that a vector of length 1 has in the leads."""
    return {
        lead: (LENGTHS.get(lead, 1.0) * float(np.cos(np.radians(ANGLES_DEG[lead] - axis_deg))), 1.0) for lead in leads
    }


@pytest.mark.parametrize("axis_deg", [-170.0, -60.0, 0.0, 45.0, 90.0, 180.0])
@pytest.mark.parametrize("leads", [tuple(ANGLES_DEG), ("I", "aVF"), ("III", "aVR")])
def test_the_axis_is_that_of_the_vector_which_the_leads_show(axis_deg: float, leads: tuple[str, ...]) -> None:
    result = frontal_axis({**areas_of(axis_deg, *leads), "V1": (9.0, 9.0)})
    assert result is not None
    assert (result[0] - axis_deg + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)
    assert result[1] == pytest.approx(0, abs=1e-4)


def test_leads_that_disagree_make_the_axis_uncertain() -> None:
    areas = areas_of(45.0, *ANGLES_DEG)
    result = frontal_axis(areas | {"III": (areas["III"][0] + 0.3, 1.0)})
    assert result is not None
    assert 1 < result[1] < 20


def test_one_direction_or_hardly_any_area_has_no_axis() -> None:
    assert frontal_axis(areas_of(45.0, "I")) is None
    assert frontal_axis({"V1": (1.0, 1.0), "V2": (1.0, 1.0)}) is None
    assert frontal_axis({"aVR": (1.0, 1.0), "-aVR": (-1.0, 1.0)}) is None
    assert frontal_axis({"I": (0.05, 1.0), "aVF": (0.05, 1.0)}) is None
    assert frontal_axis({"I": (0.0, 0.0), "aVF": (0.0, 0.0)}) is None


def test_a_level_is_the_median_of_the_beats_around_one_sample() -> None:
    beats = np.zeros((5, 40))
    beats[:, 18:23] = np.array([0.1, 0.2, 0.2, 0.3, 0.2])[:, None]
    beats[:, 20] += 0.5
    level = measure_level(beats, 20, reach=2)
    assert level is not None
    assert level[0] == pytest.approx(0.3)
    assert level[1] == pytest.approx(0.0)
    spread = measure_level(np.array([[0.0], [0.1], [0.3]]) * np.ones(9), 4)
    assert spread == pytest.approx((0.1, 1.25 * 1.4826 * 0.1 / 3**0.5))


def test_beats_with_missing_samples_and_places_outside_the_window_are_left_out() -> None:
    beats = np.ones((3, 10))
    beats[0, 5] = np.nan
    assert measure_level(beats, 4) == (1.0, 0.0)
    beats[1, 4] = np.nan
    assert measure_level(beats, 4) is None
    assert measure_level(beats, 1) is None
    assert measure_level(beats, 8) is None

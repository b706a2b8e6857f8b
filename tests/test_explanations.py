import numpy as np
import pytest

from ecglens.records import Check, Explanation, ModelChecks

VERMILION, BLUE = (213, 94, 0), (0, 114, 178)


def explanation(heat, checks=()):
    size = (heat.shape[0] * 4, heat.shape[1] * 4)
    return Explanation("m", "mi", 0.9, "tiny", "1.0", heat, size, {"II": 1.0}, 0.0, (), "Done.", checks=checks)


@pytest.fixture
def heat():
    heat = np.zeros((20, 30), np.float32)
    heat[4:8, 4:8], heat[12:16, 20:24] = 1.0, -1.0
    return heat


def test_the_layer_is_vermilion_for_blue_against_and_clear_where_there_is_no_heat(heat):
    layer = explanation(heat).layer()
    assert layer.shape == (20, 30, 4)
    assert tuple(layer[6, 6, :3]) == VERMILION
    assert tuple(layer[14, 22, :3]) == BLUE
    assert layer[6, 6, 3] > 150 < layer[14, 22, 3]
    assert layer[0, 29, 3] == 0
    assert not explanation(np.zeros_like(heat)).layer()[..., 3].any()


def test_a_single_strong_cell_does_not_hide_the_others(heat):
    heat[0, 0] = 50.0
    assert explanation(heat).layer()[6, 6, 3] > 10


def test_black_stays_black_and_paper_without_heat_stays_gray(heat):
    pixels = np.full((80, 120, 3), 255, np.uint8)
    pixels[24, :] = 0
    view = explanation(heat).plot(pixels)
    assert view.shape == pixels.shape
    assert (view[24] == 0).all()
    assert (view[70, 10] == 255).all()
    red, _, blue = view[22, 22].astype(int)
    assert red > blue + 100


def test_an_explanation_passes_where_every_check_that_could_be_made_does(heat):
    good, bad, none = Check("a", True, ""), Check("b", False, ""), Check("c", None, "")
    assert explanation(heat).passed is None
    assert explanation(heat, (none,)).passed is None
    assert explanation(heat, (good, none)).passed is True
    assert explanation(heat, (good, bad)).passed is False


def test_checks_of_a_model_come_back_from_plain_types():
    explanation = {"class_map": (Check("deletion", True, "Yes.", {"better": 0.97}),)}
    changes = {"header white": {"stays": 1.0, "another": 0.0, "refused": 0.0}}
    result = ModelChecks("m", "1", "abc", 3, explanation, changes, {"class_map": {"class_map": 1.0}})
    assert ModelChecks.of_dict(result.to_dict()) == result

import numpy as np
import pytest

from ecglens.errors import RenderError
from ecglens.render.style import STYLES, PageStyle, choose_style, random_style


def test_changes_override_the_style_and_leave_it_unchanged():
    changed = choose_style("red-cart", {"dpi": 150.0, "names": None})
    assert (changed.dpi, changed.names, changed.font) == (150.0, None, "mono")
    assert STYLES["red-cart"].dpi == 200.0
    assert choose_style(PageStyle(font="serif"), {}).font == "serif"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"color": 1}, "Expected attributes out of speed_mm_s, .* got 'color'"),
        ({"dpi": 20}, "Expected dpi between 100 and 600, got 20"),
        ({"names": "left"}, "Expected names out of above, on-trace, below or none, got 'left'"),
    ],
)
def test_what_is_no_attribute_or_out_of_range_is_refused(changes, message):
    with pytest.raises(RenderError, match=message):
        choose_style("plain", changes)


def test_a_generator_draws_the_same_style_again():
    styles = [random_style(np.random.default_rng(seed), dpi=120) for seed in (4, 4, 5)]
    assert styles[0] == styles[1] != styles[2]
    assert styles[0].dpi == 120

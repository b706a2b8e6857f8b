"""Pages turned by quarters."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from ecglens.pages.geometry.orientation import apply_orientation, turn_by_quarters, turn_by_texts
from ecglens.records import Box, Page, PageText

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
PAGE = Page(PIXELS, curves=(np.zeros((2, 2), np.float32),), texts=(PageText("aVR", Box(1, 2, 2, 4), turns=1),))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(orientation: int) -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(apply_orientation(PIXELS, orientation), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("orientation", [-1, 0, 9, 70_000])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    assert apply_orientation(PIXELS, orientation) is PIXELS


def test_each_quarter_turn_says_how_the_page_was_and_moves_its_texts() -> None:
    once, thrice, twice = turn_by_quarters(PAGE)
    np.testing.assert_array_equal(once.pixels, np.rot90(PIXELS, -1))
    np.testing.assert_array_equal(thrice.pixels, np.rot90(PIXELS))
    np.testing.assert_array_equal(twice.pixels, np.rot90(PIXELS, 2))
    warnings = [view.warnings[-1] for view in (once, thrice, twice)]
    assert [text.split(";")[0].removeprefix("The page was ") for text in warnings] == [
        "on its left side",
        "on its right side",
        "upside down",
    ]
    assert [view.texts[0].turns for view in (once, thrice, twice)] == [2, 0, 3]
    assert once.texts[0].box == Box(2, 1, 4, 2)
    assert twice.texts[0].box == Box(1, 1, 2, 3)
    assert all(view.curves == () for view in (once, thrice, twice))


@pytest.mark.parametrize(("turns", "quarters"), [(1, 1), (2, 2), (3, 3)])
def test_most_of_the_letters_decide_which_side_is_up(turns: int, quarters: int) -> None:
    texts = (PageText("I", Box(0, 0, 1, 1)), PageText("Patient", Box(0, 0, 1, 1), turns=turns))
    page = replace(PAGE, texts=texts)
    turned = turn_by_texts(page)
    np.testing.assert_array_equal(turned.pixels, np.rot90(PIXELS, quarters))
    assert turned.texts[1].turns == 0


def test_a_page_whose_text_is_upright_or_missing_is_not_turned() -> None:
    upright = replace(PAGE, texts=(PageText("aVR", Box(0, 0, 1, 1)), PageText("ab", Box(0, 0, 1, 1), turns=2)))
    assert turn_by_texts(upright) is upright
    plain = replace(PAGE, texts=())
    assert turn_by_texts(plain) is plain

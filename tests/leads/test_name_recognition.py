"""Lead names among the print of a page whose pixels were classified."""

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.name_recognition import recognize_lead_names
from ecglens.render.ink import draw_text

PX_PER_MM = 6


def print_words(*words: tuple[str, int, int]) -> NDArray[np.uint8]:
    """Return the luma of a page with words at the given baselines and columns."""
    pixels = np.full((300, 500, 3), 255, np.uint8)
    for text, baseline, left in words:
        draw_text(pixels, text, left=left, baseline=baseline, size_px=2.4 * PX_PER_MM, font="sans", color=(0, 0, 0))
    return np.ascontiguousarray(pixels[..., 0])


def read_names(luma: NDArray[np.uint8]) -> dict[str, tuple[int, int]]:
    words = recognize_lead_names(luma, 255 - luma, px_per_mm=PX_PER_MM)
    assert len({word.name for word in words}) == len(words)
    assert all(0.5 <= word.score <= 1 for word in words)
    return {word.name: (word.bottom, word.left) for word in words}


def test_names_are_read_where_they_are_printed_and_other_words_are_not() -> None:
    names = read_names(print_words(("V4", 60, 40), ("aVF", 160, 40), ("aVR", 160, 300), ("25 mm/s", 260, 40)))
    assert set(names) == {"V4", "aVF", "aVR"}
    assert np.allclose(names["V4"], (60, 40), atol=3)
    assert np.allclose(names["aVR"], (160, 300), atol=3)


def test_a_name_whose_letters_are_set_apart_is_one_word() -> None:
    letters = [("I", 100, 60), ("I", 100, 68), ("I", 100, 76)]
    assert set(read_names(print_words(*letters))) == {"III"}


def test_only_print_is_read() -> None:
    luma = print_words(("V4", 60, 40), ("V5", 160, 40))
    printed = 255 - luma
    printed[:100] = 0
    assert [word.name for word in recognize_lead_names(luma, printed, px_per_mm=PX_PER_MM)] == ["V5"]
    assert recognize_lead_names(luma, np.zeros_like(luma), px_per_mm=PX_PER_MM) == []

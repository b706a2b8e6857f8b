"""Lead names read by the shape of their letters."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS
from ecglens.leads import name_shapes
from ecglens.leads.name_shapes import LIMITS, read_lead_names
from ecglens.records import Box
from ecglens.render.ink import draw_text

PX_PER_MM = 8


def print_words(words: list[str], *, size_mm: float = 2.4, font: str = "sans") -> tuple[NDArray[np.bool_], list[Box]]:
    """Return the ink of words in one column, and their boxes."""
    pixels = np.full((100 * len(words), 600, 3), 255, np.uint8)
    boxes = [
        draw_text(
            pixels,
            word,
            left=40,
            baseline=100 * row + 70,
            size_px=size_mm * PX_PER_MM,
            font=font,
            color=(0, 0, 0),
        )
        for row, word in enumerate(words)
    ]
    return np.asarray(pixels[..., 0] < 128), boxes


@pytest.mark.parametrize("font", ["sans", "serif"])
@pytest.mark.parametrize("size_mm", [1.8, 3.6])
def test_every_standard_name_is_read_in_any_size_with_the_box_of_its_ink(font: str, size_mm: float) -> None:
    black, boxes = print_words(list(STANDARD_LEADS), size_mm=size_mm, font=font)
    words = sorted(read_lead_names(black, px_per_mm=PX_PER_MM), key=lambda word: word.top)
    assert [word.name for word in words] == list(STANDARD_LEADS)
    for word, box in zip(words, boxes, strict=True):
        assert 0.55 <= word.score <= 1
        edges = (box.top, box.left, box.bottom, box.right)
        assert (word.top, word.left, word.bottom, word.right) == pytest.approx(edges, abs=2)


def test_other_words_and_sizes_and_blank_paper_hold_no_names() -> None:
    assert read_lead_names(print_words(["Hospital", "2024-03-01", "10 mm/mV"])[0], px_per_mm=PX_PER_MM) == []
    assert read_lead_names(print_words(["V1", "aVF"], size_mm=8.0)[0], px_per_mm=PX_PER_MM) == []
    assert read_lead_names(print_words(["V1", "aVF"], size_mm=0.8)[0], px_per_mm=PX_PER_MM) == []
    assert read_lead_names(np.zeros((50, 80), np.bool_), px_per_mm=PX_PER_MM) == []


def test_a_name_that_touches_a_trace_is_not_read_and_the_others_are() -> None:
    black, boxes = print_words(["V1", "V2"])
    black[round(boxes[0].bottom) - 4, :] = True
    assert [word.name for word in read_lead_names(black, px_per_mm=PX_PER_MM)] == ["V2"]


def test_of_a_page_full_of_names_only_the_clearest_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    black, _ = print_words(list(STANDARD_LEADS))
    names = read_lead_names(black, px_per_mm=PX_PER_MM)
    monkeypatch.setattr(name_shapes, "LIMITS", replace(LIMITS, max_names=2))
    assert read_lead_names(black, px_per_mm=PX_PER_MM) == names[:2]
    assert names[1].score >= names[2].score

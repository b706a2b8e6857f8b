"""Pictures of one or two levels, such as 1-bit scans: black, white, dithered, striped, and random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecglens.leads.layout import find_layout
from ecglens.pages.preprocessing import estimate_edge_level, extract_ink, extract_tint, remove_grid
from ecglens.records import Page

SIZE = (400, 520)


def two_levels(is_ink: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a picture with ink where ``is_ink`` is true."""
    return np.repeat(np.where(is_ink, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


ROWS, COLUMNS = np.indices(SIZE)
PICTURES = {
    "black": np.ones(SIZE, dtype=np.bool_),
    "white": np.zeros(SIZE, dtype=np.bool_),
    "half": SIZE[1] // 2 > COLUMNS,
    "checkered": (ROWS + COLUMNS) % 2 == 0,
    "striped": COLUMNS % 5 == 0,
    "lined": (ROWS % 8 == 0) | (COLUMNS % 8 == 0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_step_takes_two_levels(name: str) -> None:
    pixels = two_levels(PICTURES[name])
    ink = extract_ink(pixels)
    assert ink.shape == extract_tint(pixels).shape == remove_grid(pixels).shape == SIZE
    assert 0 < estimate_edge_level(ink) <= 255
    assert not find_layout(Page(pixels))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_every_share_of_ink_is_taken(seed: int, share: float) -> None:
    pixels = two_levels(np.random.default_rng(seed).random(SIZE) < share)
    assert extract_ink(pixels).shape == remove_grid(pixels).shape == SIZE

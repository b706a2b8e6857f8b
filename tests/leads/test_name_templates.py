"""Lead names in the print of the public set's recorder, compared with templates at the heads of the leads."""

from importlib.resources import files

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS
from ecglens.leads.name_templates import TILE, match_names, name_edges

ZERO, HEAD = 120.0, 60.0


def ink_with(name: str, *, down: int = 0, right: int = 0) -> NDArray[np.uint8]:
    """Return ink that shows the template of a name at the head of a lead, or beside that position."""
    data = files("ecglens.leads").joinpath("names.png").read_bytes()
    strip = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    tile = strip.reshape(len(STANDARD_LEADS), *TILE)[STANDARD_LEADS.index(name)]
    ink = np.zeros((200, 200), np.uint8)
    top, left, bottom, stop = (round(edge) for edge in name_edges(ZERO, HEAD))
    ink[top + down : bottom + down, left + right : stop + right] = tile
    return ink


@pytest.mark.parametrize("name", STANDARD_LEADS)
def test_the_printed_name_matches_best_with_its_offset(name: str) -> None:
    matches = match_names(ink_with(name, down=2, right=-3), row=ZERO, column=HEAD)
    assert set(matches) == set(STANDARD_LEADS)
    assert max(matches, key=lambda one: matches[one].score) == name
    assert matches[name].score == pytest.approx(1, abs=1e-4)
    assert (matches[name].down, matches[name].right) == (2, -3)


def test_a_name_beyond_the_reach_does_not_match() -> None:
    ink = ink_with("V3", down=5)
    assert match_names(ink, row=ZERO, column=HEAD, reach=6)["V3"].score > 0.99
    assert match_names(ink, row=ZERO, column=HEAD, reach=2)["V3"].score < 0.9


def test_blank_paper_matches_no_name_and_the_edge_of_a_page_is_no_error() -> None:
    blank = np.zeros((40, 50), np.uint8)
    for row, column in ((20.0, 20.0), (0.0, 0.0), (39.0, 49.0)):
        assert all(match.score == 0 for match in match_names(blank, row=row, column=column).values())


def test_a_name_has_the_size_of_a_tile_above_its_zero_line() -> None:
    top, left, bottom, right = name_edges(ZERO, HEAD)
    assert (bottom - top, right - left) == TILE
    assert bottom < ZERO
    assert left == HEAD - 1

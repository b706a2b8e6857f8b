"""The layout and its lines by the lattice of lead names."""

import numpy as np
import pytest
from ink_lines import draw_line
from numpy.typing import NDArray

from ecglens.layouts import plan
from ecglens.leads.name_lattice import Lattice, find_lattice, find_lines_of_lattice
from ecglens.leads.name_shapes import Word

FEET = 80 + 100 * np.arange(6)
LEFTS = 60 + 250 * np.arange(4)
BLACK = 90


def words_of(layout: str, *, column_px: int = 250, score: float = 0.95) -> list[Word]:
    """Return the names of a layout's rows where a page prints them."""
    return [
        Word(name, score, int(FEET[row]) - 10, 60 + column_px * column, int(FEET[row]), 60 + column_px * column + 14)
        for row, names in enumerate(plan(layout).rows)
        for column, name in enumerate(names)
    ]


def ink_of(lattice: Lattice, *, below: int, strips: int = 0) -> NDArray[np.uint8]:
    """Return lines of traces below the names of a lattice, and strips below them."""
    ink = np.zeros((700, 1100), np.uint8)
    zeros = [*lattice.feet, *(lattice.feet[-1] + 100 * (1 + np.arange(strips)))]
    for zero in zeros:
        draw_line(ink, zero=round(zero) + below, left=60, right=1060, beats=np.arange(100, 1060, 90))
    return ink


@pytest.mark.parametrize(("layout", "column_px"), [("3x4", 250), ("6x2", 500), ("6x1-limb", 250), ("3x2-limb", 500)])
def test_the_layout_is_that_in_whose_lattice_most_names_lie(layout: str, column_px: int) -> None:
    lattice = find_lattice(words_of(layout, column_px=column_px))
    assert lattice is not None
    assert lattice.plan.name == layout
    assert lattice.named == pytest.approx(0.95)
    assert lattice.feet == pytest.approx(FEET[: len(plan(layout).rows)])
    assert lattice.lefts == pytest.approx(60 + column_px * np.arange(plan(layout).columns))
    assert {word.name for word in lattice.words} == set(plan(layout).leads)


def test_missing_and_stray_names_do_not_change_the_lattice() -> None:
    stray = [Word("V2", 0.99, 620, 900, 630, 914), Word("I", 0.9, 5, 500, 15, 504)]
    lattice = find_lattice(words_of("3x4")[:2] + words_of("3x4")[4:-1] + stray)
    assert lattice is not None
    assert lattice.plan.name == "3x4"
    assert lattice.feet == pytest.approx(FEET[:3])
    assert lattice.lefts == pytest.approx(LEFTS)
    assert not set(stray) & set(lattice.words)


def test_too_few_names_make_no_layout() -> None:
    assert find_lattice([]) is None
    assert find_lattice(words_of("3x4")[:1]) is None
    assert find_lattice([word for word in words_of("3x4") if word.name in ("I", "V5", "aVL")]) is None
    assert find_lattice(words_of("3x4", score=0.3)) is None


def test_a_layout_that_is_given_is_the_only_one_searched() -> None:
    assert find_lattice(words_of("3x4"), only="12x1") is None
    lattice = find_lattice(words_of("3x4"), only="3x4+1")
    assert lattice is not None
    assert lattice.plan.rows == plan("3x4").rows


@pytest.mark.parametrize("below", [-20, 24])
@pytest.mark.parametrize("strips", [0, 1, 2])
def test_lines_above_or_below_the_names_are_found_and_strips_follow(below: int, strips: int) -> None:
    lattice = find_lattice(words_of("3x4"))
    assert lattice is not None
    zeros = find_lines_of_lattice(ink_of(lattice, below=below, strips=strips), lattice, BLACK)
    assert zeros is not None
    assert zeros == pytest.approx([80 + below + 100 * line for line in range(3 + strips)], abs=3)


def test_names_without_traces_have_no_lines() -> None:
    lattice = find_lattice(words_of("3x4"))
    assert lattice is not None
    assert find_lines_of_lattice(np.zeros((700, 1100), np.uint8), lattice, BLACK) is None

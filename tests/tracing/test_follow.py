"""Following traces through ink."""

import numpy as np
import pytest

from ecglens.tracing.follow import HIDDEN, find_runs, follow_lines
from ecglens.tracing.pen import find_outline, find_pen_radius


def test_runs_are_followed_through_a_gap_and_past_a_speck() -> None:
    black = np.zeros((60, 50), dtype=bool)
    black[30:33] = True
    black[30:33, 20:24] = False
    black[5:7, 21] = True
    runs = find_runs(black)
    path = follow_lines(runs, np.array([31.0]), px_per_mm=4.0, reach_px=40)
    assert (path[0, 20:24] == HIDDEN).all()
    assert (path[0, :20] != HIDDEN).all()
    assert (path[0, 24:] != HIDDEN).all()
    top, bottom = np.full(50, 30.0), np.full(50, 32.0)
    upper, lower = find_outline((black * 255).astype(np.uint8), top, bottom, level=128)
    assert find_pen_radius((upper, lower)) == pytest.approx(1.5, abs=0.3)


def test_a_trace_reaches_its_tip_across_a_letter() -> None:
    black = np.zeros((120, 60), dtype=bool)
    black[20:22] = True
    black[20:22, 30:41] = False
    for column in range(30, 41):  # an S wave down to row 110
        first = 20 + 18 * min(column - 30, 40 - column)
        black[first : first + 20, column] = True
    for column in range(31, 41):  # a stroke of a letter from one of its flanks to the other
        black[36 + (column - 31) // 2, column] = True
    runs = find_runs(black)
    lowest = []
    for names in ((), ((34.0, 30.0, 44.0, 42.0),)):
        (path,) = follow_lines(runs, np.array([21.0]), px_per_mm=8.0, reach_px=200, names=names)
        lowest.append(runs.bottom[35, path[35]])
    assert lowest == [pytest.approx(39, abs=2), pytest.approx(119, abs=2)]

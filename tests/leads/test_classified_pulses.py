"""Pulses among the pixels that a network classified as pulses."""

import numpy as np
import pytest
from ink_lines import draw_pulse
from numpy.typing import NDArray

from ecglens.leads.classified_pulses import find_classified_pulses, find_pulses_of_lines

ZEROS = np.array([100.0, 220.0, 340.0])


def blank() -> NDArray[np.uint8]:
    return np.zeros((420, 1100), np.uint8)


def column_of_pulses(lefts: tuple[int, ...], lines: int = len(ZEROS), **changes: float | bool) -> NDArray[np.uint8]:
    pulse = blank()
    for zero in ZEROS[:lines]:
        for left in lefts:
            draw_pulse(pulse, zero=int(zero), left=left, **changes)  # type: ignore[arg-type]
    return pulse


def test_each_piece_of_the_size_of_a_pulse_is_outlined_top_to_bottom() -> None:
    pulses = find_classified_pulses(column_of_pulses((60,)))
    assert [pulse.bottom for pulse in pulses] == pytest.approx(ZEROS + 0.5, abs=1)
    for pulse in pulses:
        assert pulse.height_mm == pytest.approx(10, abs=0.3)
        assert (pulse.left, pulse.right) == pytest.approx((60, 82), abs=1)


def test_faint_small_and_large_pieces_are_no_pulses() -> None:
    pulse = column_of_pulses((60,))
    assert find_classified_pulses(np.asarray(pulse * 0.4, dtype=np.uint8)) == []
    assert find_classified_pulses(column_of_pulses((60,), height_mm=2.5, width_mm=2.0)) == []
    assert find_classified_pulses(column_of_pulses((60,), height_mm=25.0)) == []
    assert find_classified_pulses(blank()) == []


def test_sizes_are_measured_at_the_resolution_that_is_given() -> None:
    coarse = blank()
    draw_pulse(coarse, zero=220, left=60, height_mm=2.5, width_mm=1.5)
    assert find_classified_pulses(coarse) == []
    (pulse,) = find_classified_pulses(coarse, px_per_mm=2.0)
    assert pulse.bottom - pulse.top == pytest.approx(10, abs=1)


def test_pulses_of_known_lines_are_grouped_by_columns_left_to_right() -> None:
    columns = find_pulses_of_lines(column_of_pulses((60, 560)), ZEROS, np.array([90.0, 590.0]))
    assert [[pulse.bottom for pulse in column] for column in columns] == [list(ZEROS)] * 2
    assert [column[0].left for column in columns] == pytest.approx([60, 560], abs=1.5)


def test_a_known_line_needs_no_roof() -> None:
    columns = find_pulses_of_lines(column_of_pulses((60,), roof=False), ZEROS, np.array([90.0]))
    assert [len(column) for column in columns] == [3]


def test_one_line_alone_and_strokes_far_from_the_names_are_no_column() -> None:
    lefts = np.array([90.0, 590.0])
    assert find_pulses_of_lines(column_of_pulses((60,), lines=1), ZEROS, lefts) == []
    assert find_pulses_of_lines(column_of_pulses((300,)), ZEROS, lefts) == []
    assert len(find_pulses_of_lines(column_of_pulses((1040,)), ZEROS, lefts)) == 1

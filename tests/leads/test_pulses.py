"""Calibration pulses by their shape: two flanks of one height, a roof, and nothing between the feet."""

import numpy as np
import pytest
from ink_lines import draw_line, draw_pulse
from numpy.typing import NDArray

from ecglens.leads.pulses import find_pulses

ZEROS = (100, 220, 340, 460)


def blank() -> NDArray[np.uint8]:
    return np.zeros((520, 1100), np.uint8)


@pytest.mark.parametrize(("left", "count"), [(30, 4), (1050, 3)])
def test_the_pulses_of_a_column_are_outlined_along_the_middle_of_the_pen(left: int, count: int) -> None:
    ink, zeros = blank(), ZEROS[:count]
    for zero, shift in zip(zeros, (2, 1, 0, 0), strict=False):  # the lowest begins first
        draw_pulse(ink, zero=zero, left=left + shift)
    pulses = find_pulses(ink)
    assert [pulse.bottom for pulse in pulses] == pytest.approx([zero + 0.5 for zero in zeros], abs=1)
    for pulse in pulses:
        assert pulse.height_mm == pytest.approx(10, abs=0.3)
        assert (pulse.left, pulse.right) == pytest.approx((left + 1.5, left + 21.5), abs=2)


@pytest.mark.parametrize("height_mm", [5.0, 10.0, 20.0])
def test_pulses_of_each_typical_gain_are_found_and_others_are_not(height_mm: float) -> None:
    ink, other = blank(), blank()
    draw_pulse(ink, zero=220, left=30, height_mm=height_mm)
    draw_pulse(other, zero=220, left=30, height_mm=1.4 * height_mm)
    (pulse,) = find_pulses(ink)
    assert pulse.height_mm == pytest.approx(height_mm, abs=0.3)
    assert find_pulses(other) == ()


@pytest.mark.parametrize(
    ("left", "changes"),
    [(30, {"roof": False}), (30, {"filled": True}), (500, {}), (30, {"width_mm": 9.0})],
    ids=["no roof", "filled", "amid the traces", "too wide"],
)
def test_what_only_resembles_a_pulse_is_none(left: int, changes: dict[str, float | bool]) -> None:
    ink = blank()
    draw_pulse(ink, zero=220, left=left, **changes)  # type: ignore[arg-type]
    assert find_pulses(ink) == ()


def test_beats_and_blank_paper_hold_no_pulses() -> None:
    ink = blank()
    assert find_pulses(ink) == ()
    draw_line(ink, zero=220, left=10, right=1090, beats=np.arange(30, 1090, 20), height_mm=10)
    assert find_pulses(ink) == ()

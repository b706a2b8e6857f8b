"""Lines of traces on a normalized page, and the layout that they form."""

from dataclasses import replace

import numpy as np
import pytest
from ink_lines import draw_line, normalized_from
from numpy.typing import NDArray

from ecglens.layouts import plan
from ecglens.leads.pulses import Pulse
from ecglens.leads.trace_lines import (
    Rows,
    build_layout,
    columns_between_pulses,
    describe_cut,
    find_longest_run,
    find_span,
    find_zero_lines,
    remove_rules,
    trace_centers,
)

ZEROS = np.array([100.0, 200.0, 300.0])
ROWS = Rows(zeros=ZEROS, pulses=())
LEFT, RIGHT = 40, 1040
PULSE = Pulse(top=60.0, left=10.0, bottom=100.0, right=30.0)
END_PULSE = replace(PULSE, left=1060.0, right=1080.0)


def lines(*, right: int = RIGHT) -> NDArray[np.uint8]:
    ink = np.zeros((400, 1100), np.uint8)
    for zero in ZEROS:
        draw_line(ink, zero=int(zero), left=LEFT, right=right)
    return ink


def test_long_upright_lines_are_removed_and_complexes_are_not() -> None:
    ink = np.zeros((300, 200), np.uint8)
    ink[50:250, 60] = 255
    ink[50:130, 120] = 255
    bare = remove_rules(ink)
    assert not bare[51:, 60].any()
    np.testing.assert_array_equal(bare[:, 120], ink[:, 120])
    assert ink[100, 60] == 255


def test_the_center_of_a_trace_is_given_from_its_zero_line_where_it_has_ink() -> None:
    ink = np.zeros((400, 1100), np.uint8)
    ink[90:93, :500] = 255
    curves, covered = trace_centers(ink, ROWS)
    assert curves.shape == covered.shape == (3, 1100)
    np.testing.assert_allclose(curves[0, :500], -9)
    assert covered[0, :500].all()
    assert not covered[0, 500:].any()
    assert not covered[1:].any()
    assert not curves[1:].any()


def test_the_longest_run_bridges_short_gaps_only() -> None:
    covered = np.zeros(100, np.bool_)
    covered[2:10] = covered[20:40] = covered[43:60] = True
    assert find_longest_run(covered, gap=3) == (20, 60, 37 / 40)
    assert find_longest_run(covered, gap=2) == (20, 40, 1.0)
    assert find_longest_run(np.zeros(9, np.bool_), gap=2) == (0, 0, 0.0)


def test_zero_lines_are_the_rows_along_which_the_traces_run() -> None:
    ink = lines()
    for zero in ZEROS:  # an irregular pen
        ink[int(zero) - 3 : int(zero), LEFT:RIGHT:3] = ink[int(zero) : int(zero) + 6, LEFT:RIGHT:4] = 255
    (first, *_) = find_zero_lines(ink, counts=(3,))
    assert first == pytest.approx(ZEROS, abs=3)
    assert [len(zeros) for zeros in find_zero_lines(ink, counts=(1, 3))] == [3, 1]
    assert find_zero_lines(ink, counts=(4,)) == []


def test_a_span_of_nearly_ten_seconds_ends_where_its_line_does_and_a_short_line_is_reported() -> None:
    ink = lines()
    ink[180:220, 900:] = 0
    (start, stop), are_whole = find_span(ink, ROWS, ends=(0, ink.shape[1]))
    assert (start, stop) == pytest.approx((LEFT, RIGHT), abs=2)
    assert list(are_whole) == [True, False, True]


def test_traces_run_beside_the_pulses() -> None:
    assert columns_between_pulses((), 1100) == (0, 1100)
    assert columns_between_pulses((PULSE,), 1100) == (32, 1100)
    assert columns_between_pulses((END_PULSE,), 1100) == (0, 1058)


def test_the_part_of_the_columns_beyond_the_page_is_described() -> None:
    normalized = normalized_from(lines())
    columns = np.array([-80.0, 500.0, 1220.0])
    text = describe_cut(normalized, columns, width=1100)
    assert "20 mm of them beyond its left edge and 30 mm of them beyond its right edge" in text
    assert describe_cut(normalized, np.array([0.0, 1100.0]), width=1100) == ""


def test_a_layout_has_its_boxes_on_the_upright_page() -> None:
    normalized = replace(normalized_from(lines()), scale=(2.0, 3.0), origin=(5.0, 7.0))
    rows = Rows(zeros=np.array([100.0, 200.0, 300.0, 380.0]), pulses=(PULSE,))
    columns = np.linspace(LEFT, RIGHT, 5)
    layout = build_layout(normalized, rows, columns, plan("3x4+1"), (PULSE,))
    assert [lead.lead for lead in layout.leads][:5] == ["I", "aVR", "V1", "V4", "II"]
    assert layout.rhythm_leads == ("II",)
    assert layout.leads[0].baseline_px == 5 + 2 * 100
    assert (layout.leads[0].box.left, layout.leads[0].box.right) == (7 + 3 * 40, 7 + 3 * 290)
    assert (layout.leads[-1].box.left, layout.leads[-1].box.right) == (7 + 3 * 40, 7 + 3 * 1040)
    assert layout.pulse_mm == pytest.approx(10)
    assert layout.warnings == ()
    assert layout.trace_area.left == 7 + 3 * (PULSE.left - 8)


@pytest.mark.parametrize(
    ("pulses", "source", "warning"),
    [
        ((), "grid", "No calibration pulse was found"),
        ((replace(PULSE, top=80.0),), "grid", "pulse is 5.0 mm high by the grid"),
        ((PULSE,), "pulse", "No grid was found"),
        ((), "none", "the scale is unknown"),
    ],
)
def test_a_layout_says_what_its_scale_relies_on(pulses: tuple[Pulse, ...], source: str, warning: str) -> None:
    columns = np.linspace(LEFT, RIGHT, 5)
    layout = build_layout(normalized_from(lines()), ROWS, columns, plan("3x4"), pulses, source=source)
    assert any(warning in text for text in layout.warnings)

import numpy as np
import pytest

from ecglens.errors import RenderError
from ecglens.layouts import LAYOUTS
from ecglens.records import EcgRecord
from ecglens.render.sheet import Sheet, find_lead_signal, lay_out_segments
from ecglens.render.style import STYLES, PageStyle

RECORD = EcgRecord(np.float32([np.arange(4), np.ones(4)]), 2.0, ("I", "II"))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("layout", ["3x4+1", "12x1"])
def test_the_grid_is_a_whole_number_of_large_squares_and_holds_every_trace(layout, style):
    sheet = Sheet.from_style(LAYOUTS[layout], style)
    top, left, bottom, right = sheet.grid_area
    for side in (bottom - top, right - left):
        squares = side / sheet.px / 5
        assert squares == pytest.approx(round(squares))
    assert top < sheet.baseline(0) < sheet.baseline(LAYOUTS[layout].lines - 1) < bottom
    assert left < sheet.trace_x
    assert sheet.trace_x + sheet.seconds * style.speed_mm_s * sheet.px < right


def test_a_limb_lead_is_computed_and_a_missing_lead_is_named():
    assert find_lead_signal(RECORD, "aVL").tolist() == [-0.5, 0.5, 1.5, 2.5]
    with pytest.raises(RenderError, match="Expected lead V1 in the record, but it has only I, II"):
        find_lead_signal(RECORD, "V1")


def test_segments_of_a_row_show_the_next_time_or_the_same():
    style = PageStyle(seconds=2.0)
    plan = LAYOUTS["3x4"]
    signals = dict.fromkeys(plan.leads, RECORD.signals_mv[0])
    sheet = Sheet.from_style(plan, style)
    assert [part.start_s for part in lay_out_segments(plan, sheet, style, signals, 2.0)[:4]] == [0.0, 0.5, 1.0, 1.5]
    same = PageStyle(seconds=2.0, simultaneous=True)
    assert {part.start_s for part in lay_out_segments(plan, sheet, same, signals, 2.0)} == {0.0}
    with pytest.raises(RenderError, match="the record ends before it begins"):
        lay_out_segments(plan, sheet, style, dict.fromkeys(plan.leads, np.zeros(0, np.float32)), 2.0)

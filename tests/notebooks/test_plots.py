import numpy as np
import pytest
from synthetic_ecgs import page_of

from ecglens.errors import RecordError
from ecglens.layouts import STANDARD_LEADS
from ecglens.notebooks.plots import plot_record
from ecglens.notebooks.svg import draw_record
from ecglens.records import EcgRecord

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def _without_display():
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def whole() -> EcgRecord:
    signals = np.tile(np.sin(np.arange(5000) / 50).astype(np.float32), (12, 1))
    return EcgRecord(signals, 500.0, STANDARD_LEADS)


def count_lines(ax) -> int:
    return len([line for line in ax.lines if len(line.get_xdata())])


def test_simultaneous_leads_have_a_row_each_and_do_not_overlap(whole):
    ax = plot_record(whole, seconds=4.0)
    levels = [np.nanmean(line.get_ydata()) for line in ax.lines]
    assert len(levels) == 12
    assert np.all(np.diff(levels) <= -2.0)
    assert ax.get_xlim() == pytest.approx((0.0, 4.0), abs=0.01)


def test_leads_of_a_page_share_the_rows_of_the_page(whole):
    ax = plot_record(page_of(whole))
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert heights["I"] == heights["aVR"] == heights["V1"] == heights["V4"]
    assert len(set(heights.values())) == 4


def test_a_millimeter_is_as_long_down_as_across(whole):
    ax = plot_record(whole, seconds=5.0)
    width, height = ax.get_position().size * ax.figure.get_size_inches()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert (right - left) * 25 / width == pytest.approx((top - bottom) * 10 / height, rel=1e-3)


def test_the_scale_and_the_axis_of_one_lead_are_inside_of_its_picture(whole):
    ax = plot_record(EcgRecord(whole.signals_mv[:1], whole.fs_hz, ("I",)))
    ax.figure.canvas.draw()
    inside = ax.get_tightbbox().transformed(ax.figure.transFigure.inverted())
    assert inside.y0 >= 0
    assert inside.y1 <= 1


def test_infinite_samples_are_not_plotted(whole):
    signals = whole.signals_mv.copy()
    signals[0, 5] = np.inf
    record = EcgRecord(signals, whole.fs_hz, whole.leads)
    assert np.isfinite(plot_record(record).get_ylim()).all()
    assert "inf" not in draw_record(record)


def test_a_part_begins_where_it_is_asked_for_and_given_axes_are_used(whole):
    _, own = matplotlib.pyplot.subplots()
    ax = whole.plot(start_s=2.0, seconds=1.0, ax=own)
    assert ax is own
    assert ax.get_xlim() == pytest.approx((2.0, 3.0), abs=0.01)


@pytest.mark.parametrize("signals", [np.full((2, 100), np.nan), np.zeros((1, 1)), np.full((1, 50), 3.0)])
def test_unknown_short_and_flat_signals_are_plotted(signals):
    record = EcgRecord(signals.astype(np.float32), 100.0, tuple("II" if i else "I" for i in range(len(signals))))
    assert len(plot_record(record).lines) == len(signals)


@pytest.mark.parametrize(("start_s", "seconds"), [(100.0, 10.0), (-1.0, 10.0), (0.0, 0.0), (0.0, float("nan"))])
def test_a_part_outside_of_the_recording_is_refused(start_s, seconds):
    record = EcgRecord(np.zeros((1, 5000), np.float32), 500.0, ("I",))
    with pytest.raises(RecordError, match="Expected a part of the 10 s of the recording"):
        plot_record(record, start_s=start_s, seconds=seconds)

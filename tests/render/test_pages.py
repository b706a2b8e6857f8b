import json

import numpy as np
import pytest

from ecglens.errors import RenderError
from ecglens.layouts import LAYOUTS, STANDARD_LEADS
from ecglens.records import EcgRecord
from ecglens.render import GRIDS, STYLES, PageStyle, random_style, render_page

FS_HZ = 500.0


def record(seconds: float = 10.0, leads: tuple[str, ...] = STANDARD_LEADS) -> EcgRecord:
    """Return smooth waves that differ from lead to lead, with limb leads that obey Einthoven."""
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    waves = [0.6 * np.sin(2 * np.pi * (0.7 + 0.1 * i) * t + i) + 0.2 * np.sin(2 * np.pi * 7 * t) for i in range(8)]
    by_lead = dict(zip(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), waves, strict=True))
    signals = [by_lead[lead] for lead in leads if lead in by_lead]
    return EcgRecord(np.array(signals, np.float32), FS_HZ, tuple(lead for lead in leads if lead in by_lead))


def darkness(pixels: np.ndarray) -> np.ndarray:
    return 255.0 - pixels.max(axis=2).astype(np.float64)


def test_a_pulse_of_1_mv_is_10_mm_high_within_half_a_pixel_at_200_dpi():
    page = render_page(record(), grid="none", names=None, footer=None, dpi=200, ink=(0, 0, 0))
    dark = darkness(page.page.pixels) / 255
    assert page.truth.pulses
    for box in page.truth.pulses:
        middle = dark[:, round((box.left + box.right) / 2)]
        top = middle[round(box.top) - 6 : round(box.top) + 7]
        foot = dark[round(box.bottom) - 6 : round(box.bottom) + 7, round(box.left) + 2]
        rows = np.arange(-6, 7)
        height = (round(box.bottom) + np.average(rows, weights=foot)) - (round(box.top) + np.average(rows, weights=top))
        assert height == pytest.approx(10 * 200 / 25.4, abs=0.5)
        assert height == pytest.approx(10 * 200 / 25.4, abs=0.1)  # what this renderer reaches


@pytest.mark.parametrize("dpi", [100, 200, 300])
@pytest.mark.parametrize("pen_mm", [0.2, 0.4])
def test_the_center_of_the_drawn_trace_is_the_truth_to_a_fraction_of_a_pixel(dpi, pen_mm):
    # Waves wider than the pen: no pen can draw a peak that is narrower than itself.
    t = np.arange(5000) / FS_HZ
    source = EcgRecord(
        np.float32([0.8 * np.sin(2 * np.pi * 1.3 * t), 0.4 * np.sin(2 * np.pi * 1.9 * t)]), FS_HZ, ("I", "II")
    )
    bare = {"grid": "none", "names": None, "pulse": None, "separators": None, "footer": None}
    page = render_page(source, layout="6x1-limb", dpi=dpi, pen_mm=pen_mm, ink=(0, 0, 0), row_mm=40, **bare)
    dark = darkness(page.page.pixels)
    for segment in page.truth.leads:
        x, y = page.truth.trace(segment).T
        columns = np.arange(int(x[0]) + 8, int(x[-1]) - 8)
        top, bottom = round(segment.box.top), round(segment.box.bottom)
        weights = dark[top:bottom, columns]
        center = (weights * np.arange(top, bottom)[:, None]).sum(axis=0) / weights.sum(axis=0)
        error = center - np.interp(columns, x, y)
        assert np.sqrt(np.mean(error**2)) < 0.2
        assert abs(error.mean()) < 0.01


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_draws_each_lead_in_its_box_at_its_time(layout):
    page = render_page(record(), layout=layout, dpi=100)
    plan = LAYOUTS[layout]
    assert [segment.lead for segment in page.truth.leads if not segment.rhythm] == [x for row in plan.rows for x in row]
    assert [segment.lead for segment in page.truth.leads if segment.rhythm] == list(plan.rhythm)
    assert len(page.truth.pulses) == plan.lines
    for segment in page.truth.leads:
        column = round((segment.box.left - page.truth.leads[0].box.left) / segment.box.width)
        assert segment.start_s == pytest.approx(column * 10 / plan.columns if not segment.rhythm else 0, abs=1 / FS_HZ)
        x, y = page.truth.trace(segment).T
        assert segment.box.left - 1e-6 <= x[0]
        assert x[-1] <= segment.box.right
        assert np.all((y > 0) & (y < page.page.height))
        seconds = len(segment.signal_mv) / FS_HZ
        assert seconds == pytest.approx(10 if segment.rhythm else 10 / plan.columns, abs=1.5 / FS_HZ)


def test_signals_on_the_page_are_the_record_s_at_their_start():
    source = record()
    page = render_page(source, layout="3x4+1", dpi=100)
    v4 = next(segment for segment in page.truth.leads if segment.lead == "V4")
    assert v4.start_s == 7.5
    np.testing.assert_array_equal(v4.signal_mv, source.signals_mv[source.leads.index("V4"), 3750:5000])
    back = page.truth.record()
    assert back.start_s[back.leads.index("V4")] == 7.5


def test_limb_leads_follow_einthoven_and_goldberger():
    source = record()
    truth = render_page(source, layout="12x1", dpi=100).truth
    signals = {segment.lead: segment.signal_mv for segment in truth.leads}
    first, second = source.signals_mv[0], source.signals_mv[1]
    np.testing.assert_allclose(signals["III"], second - first, atol=1e-6)
    np.testing.assert_allclose(signals["aVR"], -(first + second) / 2, atol=1e-6)
    np.testing.assert_allclose(signals["aVL"], first - second / 2, atol=1e-6)
    np.testing.assert_allclose(signals["aVF"], second - first / 2, atol=1e-6)
    cabrera = render_page(source, layout="12x1-cabrera", dpi=100).truth
    np.testing.assert_allclose(
        next(segment.signal_mv for segment in cabrera.leads if segment.lead == "-aVR"), -signals["aVR"], atol=1e-6
    )


@pytest.mark.parametrize("speed", [25.0, 50.0])
@pytest.mark.parametrize("gain", [5.0, 10.0, 20.0])
def test_speed_and_gain_set_the_scale(speed, gain):
    page = render_page(record(), speed_mm_s=speed, gain_mm_mv=gain, dpi=100)
    segment = page.truth.leads[-1]
    points = page.truth.trace(segment)
    assert points[500, 0] - points[0, 0] == pytest.approx(speed * 100 / 25.4)
    rise = (points[0, 1] - points[:, 1]) / (segment.signal_mv - segment.signal_mv[0] + 1e-30)
    assert np.median(rise[1:]) == pytest.approx(gain * 100 / 25.4, rel=1e-4)
    assert page.truth.pulses[0].height == pytest.approx(gain * 100 / 25.4)


@pytest.mark.parametrize("dpi", [100, 600])
def test_resolution_scales_the_page(dpi):
    page = render_page(record(), layout="1x1", dpi=dpi)
    assert page.page.width == pytest.approx(page.truth.px_per_mm * 286, abs=1)


@pytest.mark.parametrize("grid", GRIDS)
def test_there_is_a_major_line_every_5_mm(grid):
    page = render_page(record(), grid=grid, dpi=200, layout="1x1", names=None, footer=None, pulse=None)
    profile = 255.0 - page.page.pixels[:100].min(axis=2).mean(axis=0)
    if grid == "none":
        assert not profile.any()
        return
    phase = np.arange(len(profile)) * 25.4 / 200 / 5

    def at(periods):
        return abs(np.sum((profile - profile.mean()) * np.exp(2j * np.pi * phase * periods)))

    strength, off = at(1.0), at(1.013)
    assert strength > 2 * off


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_every_style_draws_and_its_truth_is_plain_json(style):
    page = render_page(record(), style=style, dpi=100)
    written = json.loads(json.dumps(page.to_dict()))
    assert written["truth"]["layout"] == "3x4+1"
    assert len(written["truth"]["leads"]) == 13
    for text in page.truth.texts:
        assert text.box.width > 0, text
        ink = darkness(page.page.pixels)[
            round(text.box.top) : round(text.box.bottom), round(text.box.left) : round(text.box.right)
        ]
        assert ink.max() > 60, text  # fmt: skip


def test_print_is_invented_from_the_generator_alone():
    pages = [
        render_page(record(), style="dotted-report", dpi=100, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    ]
    assert np.array_equal(pages[0].page.pixels, pages[1].page.pixels)
    assert pages[0].truth.texts != pages[2].truth.texts
    printed = render_page(record(), style="dotted-report", dpi=100, rate_bpm=72).truth.texts
    assert any("\N{BLACK HEART SUIT}72" in text.text for text in printed)


def test_random_styles_all_draw():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        render_page(record(), layout=list(LAYOUTS)[seed % len(LAYOUTS)], style=random_style(rng, dpi=100), rng=rng)


def test_missing_samples_lift_the_pen():
    source = record()
    signals = source.signals_mv.copy()
    signals[1, 1000:2000] = np.nan
    page = render_page(
        EcgRecord(signals, FS_HZ, source.leads), layout="1x1", grid="none", names=None, footer=None, dpi=100, pulse=None
    )
    x = page.truth.leads[0].x0_px + np.array([2.2, 3.8]) * page.truth.px_per_s
    assert not darkness(page.page.pixels)[:, int(x[0]) : int(x[1])].any()
    assert np.isnan(page.truth.leads[0].signal_mv[1000:2000]).all()


def test_a_single_lead_strip_shows_the_lead_that_there_is():
    page = render_page(EcgRecord(np.zeros((1, 3600), np.float32), 360.0, ("MLII",)), layout="1x1", dpi=100)
    assert [segment.lead for segment in page.truth.leads] == ["MLII"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "5x5"}, "Expected a layout out of 3x4.* got '5x5'"),
        ({"style": "x"}, "Expected a style out of plain"),
        ({"color": 1}, "Expected attributes out of speed_mm_s.* got 'color'"),
        ({"dpi": 50}, "Expected dpi between 100 and 600, got 50"),
        ({"grid": "tartan"}, "Expected a grid out of pink-dotted.* got 'tartan'"),
        ({"pulse": "top"}, "Expected pulse out of left, right or none, got 'top'"),
        ({"header": "x"}, "Expected a header out of report, cart, line or none, got 'x'"),
        ({"font": "none.ttf"}, "Expected a font out of sans, serif, mono or the path"),
        ({"rhythm": ("II", "V1")}, r"Expected 1 rhythm leads for 3x4\+1, got 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(options, message):
    with pytest.raises(RenderError, match=message):
        render_page(record(), **options)


def test_a_record_without_the_leads_needed_says_which():
    with pytest.raises(
        RenderError,
        match=r"leads of the layout 3x4\+1 in the record, got no V1, .*; choose the layout 6x1-limb or 3x2-limb or 1x1",
    ):
        render_page(record(leads=("I", "II")))
    with pytest.raises(RenderError, match="Expected a record with at least one lead of two samples"):
        render_page(EcgRecord(np.zeros((0, 0), np.float32), 500.0, ()))


def test_a_style_of_your_own_is_used():
    assert render_page(record(), style=PageStyle(dpi=120)).truth.dpi == 120

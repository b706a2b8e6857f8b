"""Lines of traces on rendered pages with exact truth."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.leads.locate import locate_flat_leads
from ecglens.records import Layout
from ecglens.render import RenderedPage, damage, render_page
from ecglens.tracing.trace import trace_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
PALE = 0.6
"""Share of its ink that a pale stroke retains."""


def test_blurred_traces_begin_where_sharp_ones_do() -> None:
    rendered = damage(render_page(RECORD), kind="blur", strength=0.5, seed=3)
    tracing = digitize_page(rendered.page)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 12  # 8 where blur moves the beginning


def with_bars(rendered: RenderedPage) -> RenderedPage:
    """Return the page with a bar of 7 x 0.8 mm at each border of two leads."""
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    left = min(segment.box.left for segment in rendered.truth.leads)
    for segment in rendered.truth.leads:
        if segment.box.left > left + 1:
            rows, columns = (int(value) for value in (segment.baseline_px, segment.box.left))
            tall, wide = round(3.5 * px_per_mm), round(0.4 * px_per_mm)
            pixels[rows - tall : rows + tall, columns - wide : columns + wide] = 0
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


def with_pulses_at_the_traces(rendered: RenderedPage) -> RenderedPage:
    """Return the page with a pulse before each line whose falling flank lies where the line begins."""
    pixels, px_per_mm = rendered.page.pixels.copy(), rendered.truth.px_per_mm
    left = min(segment.box.left for segment in rendered.truth.leads)
    for segment in rendered.truth.leads:
        if segment.box.left < left + 1:
            zero, end = round(segment.baseline_px), round(segment.box.left)
            roof, begin, pen = zero - round(10 * px_per_mm), end - round(5 * px_per_mm), round(0.3 * px_per_mm)
            pixels[roof : roof + pen, begin:end] = 0
            pixels[roof:zero, begin : begin + pen] = pixels[roof:zero, end - pen : end] = 0
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


def test_bars_between_leads_are_not_read_as_waves() -> None:
    rendered = render_page(RECORD)
    clean, barred = (compute_snr_by_lead(page, digitize_page(page.page)) for page in (rendered, with_bars(rendered)))
    assert min(barred[lead] - clean[lead] for lead in clean) > -3


def test_traces_begin_at_the_flank_of_the_pulse_before_them() -> None:
    rendered = with_pulses_at_the_traces(render_page(RECORD, pulse=None))
    tracing = digitize_page(rendered.page)
    assert tracing.layout.pulse_mm == pytest.approx(10, abs=0.3)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 16


def with_pale_flanks(rendered: RenderedPage) -> RenderedPage:
    """Return the page with the steep strokes of its trace paler, as scans and pictures of the web show thin flanks."""
    pixels = rendered.page.pixels.astype(np.float32)
    for segment in rendered.truth.leads:
        points = rendered.truth.trace(segment)
        for (left, first), (right, last) in pairwise(points[~np.isnan(points).any(axis=1)]):
            if abs(last - first) > 3 * (right - left) and abs(last - first) > 2:
                rows = slice(max(0, int(min(first, last))), int(max(first, last)) + 1)
                part = pixels[rows, max(0, int(left) - 1) : int(right) + 3]
                part += (1 - PALE) * (255 - part) * (part < 200)
    return replace(rendered, page=replace(rendered.page, pixels=pixels.astype(np.uint8)))


def test_pale_flanks_are_followed_to_their_tips() -> None:
    rendered = with_pale_flanks(render_page(RECORD))
    located = locate_flat_leads(rendered.page)
    assert isinstance(located.layout, Layout)
    tracing = trace_page(replace(located.page, classes=None), located.layout)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 10  # 4 where pale flanks stay hidden


@pytest.mark.parametrize("layout", ["12x1", "6x2"])
def test_a_lead_that_ends_early_does_not_go_on_along_its_neighbor(layout: str) -> None:
    signals = RECORD.signals_mv.copy()
    middle = signals.shape[1] // (2 if layout == "12x1" else 4)
    row = RECORD.leads.index("aVF")
    signals[row, middle:] = np.nan
    tracing = digitize_page(render_page(replace(RECORD, signals_mv=signals), layout=layout).page)
    assert tracing.record is not None
    read, slack = tracing.record.signals_mv[tracing.record.leads.index("aVF")], 60
    assert np.isnan(read[middle + slack :]).all()  # up to 3 mV of the neighbor's trace where it goes on
    assert np.nanmax(np.abs(read[:middle] - RECORD.signals_mv[row, :middle])) < 0.5

"""Lines of traces on rendered pages with exact truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import RenderedPage, damage, render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


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

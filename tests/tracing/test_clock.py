"""The clock of photographed pages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import damage, render_page
from ecglens.tracing.clock import Clock, find_clock
from ecglens.tracing.lines import group_by_lines, trace_lines

RENDERED = render_page(read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv"))


def clock_of(rendered=RENDERED):
    tracing = digitize_page(rendered.page)
    lines = group_by_lines(tracing.layout)
    traced = trace_lines(tracing.page, tracing.layout, lines)
    across = tracing.layout.px_per_mm[1]
    return find_clock(traced, lines, px_per_mm=across, px_per_s=25 * across, fs_hz=500.0)


@pytest.mark.parametrize(("kind", "strength"), [(None, 0.0), ("blur", 0.3), ("blur", 0.8)])
def test_both_ends_give_the_start_whatever_the_blur(kind, strength):
    clock = clock_of(RENDERED if kind is None else damage(RENDERED, kind, strength, seed=2))
    assert clock is not None
    assert clock.start_px == pytest.approx(RENDERED.truth.leads[0].x0_px, abs=0.25)
    assert clock.px_per_s == pytest.approx(RENDERED.truth.px_per_s, rel=5e-4)
    assert clock.part_s == 2.5


def test_a_lead_begins_at_a_whole_part_of_the_traces_only_if_it_is_near():
    clock = Clock(100.0, 200.0, 2.5)
    assert clock.start_of(603.0) == 600.0
    assert clock.start_of(615.0) == 615.0


def test_traces_whose_ends_are_outside_the_picture_have_no_clock():
    page = RENDERED.page
    cut = replace(page, pixels=np.ascontiguousarray(page.pixels[:, :2000]))
    tracing = digitize_page(cut, layout="3x4+1") if cut.width else None
    lines = group_by_lines(tracing.layout)
    traced = trace_lines(tracing.page, tracing.layout, lines)
    across = tracing.layout.px_per_mm[1]
    assert find_clock(traced, lines, px_per_mm=across, px_per_s=25 * across, fs_hz=500.0) is None

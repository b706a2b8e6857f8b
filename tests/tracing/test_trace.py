"""Signals against the exact truth of rendered pages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead, snr_db

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.pages import read_page
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.parametrize("dpi", [150, 300])
def test_signals_do_not_depend_on_the_resolution(dpi: int) -> None:
    rendered = render_page(RECORD, dpi=dpi)
    tracing = digitize_page(rendered.page, fs_hz=RECORD.fs_hz)
    assert tracing.layout.px_per_mm == pytest.approx((dpi / 25.4,) * 2, rel=1e-3)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "share"), [("recorder", 0.93), ("recorder", 0.95), ("render", 0.85), ("render", 0.9)]
)
def test_leads_of_a_cut_page_keep_their_signals(source: str, share: float) -> None:
    page = render_page(RECORD, pen_mm=0.3).page if source == "render" else read_page(DATA / "Normal_1.jpg")
    cut = replace(page, pixels=np.ascontiguousarray(page.pixels[:, : int(share * page.width)]))
    whole, part = digitize_page(page).record, digitize_page(cut)
    assert any("may be cut" in warning for warning in part.warnings)
    assert whole is not None
    assert part.record is not None
    for lead in ("II", "aVL", "V3"):
        before, after = (record.signals_mv[record.leads.index(lead)] for record in (whole, part.record))
        visible = min(len(before), len(after))
        assert snr_db(before[:visible].astype(np.float64), after[:visible].astype(np.float64)) > 12


def test_each_lead_starts_with_its_column() -> None:
    record = digitize_page(render_page(RECORD).page).record
    assert record is not None
    starts = dict(zip(record.leads, record.start_s, strict=True))
    assert starts["I"] == starts["II-rhythm"] == 0
    assert starts["V1"] == pytest.approx(5.0, abs=0.03)
    assert record.on_one_clock().duration_s == pytest.approx(10, abs=0.03)


def test_a_pdf_is_read_from_its_vectors() -> None:
    page = read_page(DATA / "00009_hr.pdf")
    assert len(page.curves) == 13
    tracing = digitize_page(page)
    assert tracing.record is not None
    assert min(tracing.record.quality) > 0.9
    assert tracing.einthoven_mv is not None
    assert tracing.einthoven_mv < 0.005

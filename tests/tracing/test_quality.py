"""Quality of traced leads."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.records import EcgRecord
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_leads_that_are_cut_off_at_the_side_get_a_low_quality() -> None:
    page = render_page(RECORD).page
    cut = replace(page, pixels=np.ascontiguousarray(page.pixels[:, : int(0.8 * page.width)]))
    tracing = digitize_page(cut)
    assert tracing.record is not None
    poor = {lead for lead, value in zip(tracing.record.leads, tracing.record.quality, strict=True) if value < 0.5}
    assert poor == {"V4", "V5", "V6"}
    assert all(any(f"Lead {lead} could not be followed" in text for text in tracing.warnings) for lead in poor)


def test_a_flat_lead_gets_a_low_quality_and_a_warning() -> None:
    signals = RECORD.signals_mv.copy()
    signals[RECORD.leads.index("V3")] = 0
    page = render_page(EcgRecord(signals, RECORD.fs_hz, RECORD.leads)).page
    tracing = digitize_page(page)
    assert tracing.record is not None
    quality = dict(zip(tracing.record.leads, tracing.record.quality, strict=True))
    assert quality["V3"] < 0.5
    assert any("V3" in warning and "flat" in warning for warning in tracing.warnings)

"""Quality of traced leads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.records import EcgRecord, Page
from ecglens.render import render_page
from ecglens.tracing.quality import LIMITS, LeadFacts, PageFacts, find_effective_bend, lead_quality

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


def test_a_lead_on_paper_that_was_not_flattened_well_fails() -> None:
    signal = np.sin(np.arange(1000) / 20)[None].astype(np.float32)
    record = EcgRecord(signal, 500.0, ("V1",))
    page = PageFacts(0.2, 0.5, 0.0, 8.0, is_classified=False, has_grid=True)
    facts = LeadFacts(np.ones(1000), 0.0, 0.0, 0.0)
    good = lead_quality(record, [facts], page)[0]
    assert good > 0.5
    assert lead_quality(record, [replace(facts, unsettled=LIMITS.max_unsettled)], page)[0] == good
    assert lead_quality(record, [replace(facts, unsettled=LIMITS.max_unsettled + 0.01)], page)[0] < 0.5


def test_a_tangled_rhythm_strip_passes_where_its_lead_confirms_it() -> None:
    strip = RECORD.signals_mv[1]
    column = np.full(len(strip), np.nan, np.float32)
    column[:1250] = strip[:1250]
    page = PageFacts(0.2, 0.5, 0.0, 8.0, is_classified=False, has_grid=True)
    facts = [LeadFacts(np.ones(1250), 0.0, 0.0, 0.0), LeadFacts(np.ones(len(strip)), 0.1, 0.9, 0.0)]
    record = EcgRecord(np.stack([column, strip]), 500.0, ("II", "II-rhythm"), start_s=(0.0, 0.0))
    assert lead_quality(record, facts, page)[1] >= 0.5
    other = EcgRecord(np.stack([column, RECORD.signals_mv[6]]), 500.0, ("II", "II-rhythm"), start_s=(0.0, 0.0))
    assert lead_quality(other, facts, page)[1] < 0.5


def test_what_is_left_of_a_bend_counts_on_a_page_that_was_flattened() -> None:
    page = Page(np.zeros((9, 9, 3), np.uint8), bend_mm=6.0)
    assert find_effective_bend(page) == 6.0
    assert find_effective_bend(replace(page, residual_mm=0.02)) == pytest.approx(0.02 * LIMITS.bend_per_residual)

"""Relations of limb leads."""

from pathlib import Path

import numpy as np
import pytest

import ecglens
from ecglens.formats.csv import read_csv
from ecglens.records import EcgRecord
from ecglens.tracing.lead_relations import einthoven_rmse, fill_gaps_by_relations, strip_agreements

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_limb_leads_add_up_on_a_public_page() -> None:
    tracing = ecglens.digitize(DATA / "HB_1.jpg")
    assert tracing.einthoven_mv is not None
    assert tracing.einthoven_mv < 0.03
    assert tracing.gain_mm_mv == 10
    assert tracing.record is not None
    assert min(tracing.record.quality) > 0.4


def test_a_short_gap_is_filled_from_the_other_limb_leads() -> None:
    signals = RECORD.signals_mv[:3].copy()
    gap = slice(500, 540)
    truth = signals[0, gap].copy()
    signals[0, gap] = np.nan
    record = EcgRecord(signals, RECORD.fs_hz, RECORD.leads[:3], (0.0,) * 3, confidence=np.ones_like(signals))
    whole = fill_gaps_by_relations(record)
    assert whole.signals_mv[0, gap] == pytest.approx(truth, abs=0.01)
    assert whole.confidence is not None
    assert (whole.confidence[0, gap] == 0.5).all()
    assert np.isnan(record.signals_mv[0, gap]).all()
    assert einthoven_rmse(whole) == pytest.approx(0, abs=0.01)


def strip_record(*, strip: np.ndarray, start_s: float = 2.5) -> EcgRecord:
    """Return a record of lead II in the second column, and a strip of ten seconds."""
    column = np.full(len(strip), np.nan, np.float32)
    column[:1250] = RECORD.signals_mv[1, 1250:2500]
    return EcgRecord(np.stack([column, strip]).astype(np.float32), 500.0, ("II", "II-rhythm"), start_s=(start_s, 0.0))


def test_a_lead_and_its_rhythm_strip_confirm_each_other() -> None:
    strip = RECORD.signals_mv[1].copy()
    noisy = strip + np.random.default_rng(0).normal(0, 0.1 * strip.std(), strip.shape)
    agreements = strip_agreements(strip_record(strip=noisy))
    assert set(agreements) == {"II", "II-rhythm"}
    assert agreements["II"] == pytest.approx(20, abs=1.5)
    late = strip_agreements(strip_record(strip=strip, start_s=2.506))
    assert late["II-rhythm"] > 40, "a pixel between the columns does not matter"


def test_a_strip_of_another_lead_or_that_leaves_its_line_confirms_nothing() -> None:
    assert strip_agreements(strip_record(strip=RECORD.signals_mv[6]))["II"] < 6
    wandering = RECORD.signals_mv[1].copy()
    wandering[3000:3500] -= 3.0
    assert strip_agreements(strip_record(strip=wandering)) == {}
    assert strip_agreements(RECORD) == {}

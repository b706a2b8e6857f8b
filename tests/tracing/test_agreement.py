"""Agreement of traces with the strokes that a network sees: shares of true, shifted and cut traces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.records import Agreement, Tracing
from ecglens.render import render_page
from ecglens.tracing.agreement import compare_with_strokes, is_contradicted, is_replaced

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
BARE = {"grid": "none", "names": None, "header": None, "footer": None, "separators": None}


@pytest.fixture(scope="module")
def tracing() -> Tracing:
    return digitize_page(render_page(RECORD).page)


@pytest.fixture(scope="module")
def strokes() -> np.ndarray:
    """Return the traces alone, as a perfect network would see them."""
    ink = 255.0 - render_page(RECORD, **BARE).page.pixels[..., 0]
    return np.rint(255 * ink / ink.max()).astype(np.uint8)


def move_down(tracing: Tracing, mm: float) -> list:
    """Return the traces, lower on the page by some millimeters."""
    px = mm * tracing.layout.px_per_mm[0]
    return [replace(trace, rows_px=trace.rows_px + px) for trace in tracing.traces]


def test_true_traces_lie_on_the_strokes_and_leave_none(tracing, strokes):
    agreements = compare_with_strokes(tracing.traces, tracing.layout, strokes)
    assert len(agreements) == len(tracing.traces)
    assert min(agreement.on_stroke for agreement in agreements) > 0.95
    assert max(agreement.stray for agreement in agreements) < 0.05
    assert not is_contradicted(agreements)


def test_traces_beside_the_strokes_are_contradicted_and_replaced(tracing, strokes):
    true = compare_with_strokes(tracing.traces, tracing.layout, strokes)
    wrong = compare_with_strokes(move_down(tracing, 3), tracing.layout, strokes)
    assert max(agreement.on_stroke for agreement in wrong) < 0.5
    assert min(agreement.stray for agreement in wrong) > 0.3
    assert is_contradicted(wrong)
    assert is_replaced(wrong, true)
    assert not is_replaced(true, wrong)


def test_a_cut_complex_is_a_stray_stroke(tracing, strokes):
    cut = [
        replace(trace, rows_px=np.maximum(trace.rows_px, trace.baseline_px - 2 * tracing.layout.px_per_mm[0]))
        for trace in tracing.traces
    ]
    lead = tracing.record.leads.index("V5")
    true, wrong = (compare_with_strokes(traces, tracing.layout, strokes)[lead] for traces in (tracing.traces, cut))
    assert wrong.stray > true.stray + 0.05


def test_a_hidden_trace_leaves_all_strokes(tracing, strokes):
    hidden = [replace(trace, rows_px=np.full(len(trace.rows_px), np.nan)) for trace in tracing.traces]
    agreements = compare_with_strokes(hidden, tracing.layout, strokes)
    assert {agreement.on_stroke for agreement in agreements} == {0.0}
    assert {agreement.stray for agreement in agreements} == {1.0}


def test_traces_that_are_doubted_by_little_are_kept():
    little, less = [Agreement(0.98, 0.01)] * 12, [Agreement(1.0, 0.0)] * 12
    much, as_much = [Agreement(0.8, 0.3)] * 12, [Agreement(0.85, 0.2)] * 12
    assert not is_replaced(little, less)
    assert is_replaced(much, less)
    assert not is_replaced(much, as_much)
    assert not is_contradicted(())

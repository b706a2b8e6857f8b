"""Pages that cannot be read whole give a reason, a warning and a low quality, and nothing is invented."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgLensError, EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.pages import read_page
from ecglens.records import EcgRecord, Page, Tracing
from ecglens.render import damage_page, render_page
from ecglens.tracing.overlay import draw_overlay

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
PIXELS = render_page(RECORD).page.pixels
HEIGHT, WIDTH = PIXELS.shape[:2]


def part(pixels: NDArray[np.uint8]) -> Page:
    return Page(np.ascontiguousarray(pixels))


def without(lead: str, value: float) -> EcgRecord:
    signals = RECORD.signals_mv.copy()
    signals[RECORD.leads.index(lead)] = value
    return replace(RECORD, signals_mv=signals)


def quality_of(tracing: Tracing) -> dict[str, float]:
    assert tracing.record is not None
    return dict(zip(tracing.record.leads, tracing.record.quality, strict=True))


@pytest.mark.slow
def test_without_grid_and_pulse_traces_are_in_pixels_and_no_millivolts_are_invented() -> None:
    rendered = render_page(RECORD, style="bare", pulse=None)
    tracing = digitize_page(rendered.page)
    assert tracing.record is None
    assert (tracing.gain_mm_mv, tracing.gain_source, tracing.layout.px_per_mm_source) == (None, None, "none")
    assert any("traces are in pixels, there are no millivolts" in warning for warning in tracing.warnings)
    assert tracing.to_dict()["record"] is None
    (truth,) = (segment for segment in rendered.truth.leads if segment.lead == "V2")
    (trace,) = (trace for trace in tracing.traces if trace.lead == "V2")
    ours = np.interp(np.linspace(0.05, 0.95, 200), np.linspace(0, 1, len(trace.rows_px)), trace.rows_px)
    theirs = np.interp(np.linspace(0.05, 0.95, 200), np.linspace(0, 1, len(truth.signal_mv)), -truth.signal_mv)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    assert draw_overlay(tracing).shape == rendered.page.pixels.shape


def digitize_or_say_why(page: Page) -> Tracing | str:
    try:
        return digitize_page(page)
    except EcgReadError as error:
        return str(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS[:, : WIDTH // 2],
        PIXELS[:, WIDTH // 2 :],
        PIXELS[:, : 3 * WIDTH // 4],
        PIXELS[: HEIGHT // 2],
        PIXELS[HEIGHT // 2 :],
    ],
    ids=["left half", "right half", "three quarters", "upper half", "lower half"],
)
def test_half_a_page_is_refused_or_its_lost_leads_are_distrusted(pixels: NDArray[np.uint8]) -> None:
    tracing = digitize_or_say_why(part(pixels))
    if isinstance(tracing, str):
        assert re.search("half a page|no traces were found beside them|do not make up a known layout", tracing)
        return
    assert any("may be cut" in warning for warning in tracing.warnings)
    assert {"V4", "V5", "V6"} <= {lead for lead, quality in quality_of(tracing).items() if quality < 0.5}


@pytest.mark.parametrize("lead", ["V3", "aVL", "I"])
def test_an_empty_lead_is_named_and_distrusted(lead: str) -> None:
    tracing = digitize_page(render_page(without(lead, np.nan)).page)
    assert quality_of(tracing)[lead] < 0.5
    assert any("shares its ink" in text or "could not be followed" in text for text in tracing.warnings)
    assert any(text.startswith("May be wrong, with a quality below 0.5") and lead in text for text in tracing.warnings)


def test_a_lead_of_good_quality_is_not_warned_about() -> None:
    tracing = digitize_page(part(PIXELS))
    assert min(quality_of(tracing).values()) > 0.5
    assert not any("May be wrong" in text for text in tracing.warnings)


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 3])
def test_leads_that_run_into_their_neighbours_are_named_and_distrusted(times: int) -> None:
    rendered = render_page(replace(RECORD, signals_mv=RECORD.signals_mv * times), layout="12x1")
    tracing = digitize_page(rendered.page)
    quality, snr = quality_of(tracing), compute_snr_by_lead(rendered, tracing)
    assert not [lead for lead in quality if quality[lead] >= 0.5 and snr[lead] < 10]
    (warning,) = (text for text in tracing.warnings if text.startswith("Complexes overlap"))
    named = warning.rstrip(".").partition(": ")[2].split(", ")
    assert named
    assert all(quality[lead] < 0.5 for lead in named)


def test_two_pages_side_by_side_are_said_to_be_two() -> None:
    tracing = digitize_page(part(np.concatenate([PIXELS, PIXELS], axis=1)))
    assert any("as if the picture showed two pages" in text for text in tracing.warnings)


@pytest.mark.slow
def test_two_pages_one_above_the_other_are_refused_or_said_to_be_two() -> None:
    rendered = digitize_page(part(np.concatenate([PIXELS, PIXELS])))
    assert any("as if the picture showed two pages" in text for text in rendered.warnings)
    public = read_page(DATA / "HB_1.jpg").pixels
    tracing = digitize_page(part(np.concatenate([public, public])))
    assert any("as if the picture showed two pages" in text for text in tracing.warnings)


@pytest.mark.parametrize("name", ["HB_1.jpg", "MI_26.jpg", "Normal_1.jpg"])
def test_one_page_is_not_said_to_be_two(name: str) -> None:
    assert not any("two pages" in text for text in digitize_page(read_page(DATA / name)).warnings)


def test_half_the_gain_without_a_mark_is_warned_about() -> None:
    tracing = digitize_page(render_page(RECORD, gain_mm_mv=5.0, pulse=None, footer=None).page)
    assert tracing.gain_source == "default"
    assert any("10 mm/mV is assumed, and all amplitudes depend on this" in text for text in tracing.warnings)


def whole_or_refused(pixels: NDArray[np.uint8]) -> Tracing | None:
    """Return the tracing, or ``None`` where the page is refused; check that only missing samples are NaN."""
    try:
        tracing = digitize_page(part(pixels))
    except EcgLensError:
        return None
    assert draw_overlay(tracing).ndim == 3
    if tracing.record is None:
        assert tracing.layout.px_per_mm_source == "none"
        return tracing
    signals, confidence = tracing.record.signals_mv, tracing.record.confidence
    assert confidence is not None
    assert not np.isinf(signals).any()
    assert (confidence[np.isnan(signals)] == 0).all()
    assert all(0 <= quality <= 1 for quality in tracing.record.quality)
    for row, quality in zip(signals, tracing.record.quality, strict=True):
        assert quality < 0.5 or not np.isnan(row).all()
    return tracing


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (40, 60), (300, 300), (300, 4000), (4000, 300), (700, 1000)], ids=str)
@pytest.mark.parametrize("kind", ["white", "black", "noise"])
def test_odd_sizes_are_refused_in_a_sentence(shape: tuple[int, int], kind: str) -> None:
    pixels = np.full((*shape, 3), 255 if kind == "white" else 0, np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert whole_or_refused(pixels) is None


@pytest.mark.slow
def test_a_photograph_of_many_megapixels_is_flattened_at_fewer() -> None:
    curled = damage_page(Page(PIXELS), "curl", 0.5, 3, dpi=200.0).pixels
    tracing = whole_or_refused(np.asarray(cv2.resize(curled, None, fx=3.2, fy=3.2), dtype=np.uint8))
    assert tracing is not None
    assert tracing.page.bend_mm > 1
    assert 5e6 < tracing.page.height * tracing.page.width <= 24e6


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_on_its_side_or_head_is_turned_and_never_read_as_it_stands(turns: int) -> None:
    tracing, upright = whole_or_refused(np.rot90(PIXELS, turns)), whole_or_refused(PIXELS)
    assert tracing is not None
    assert upright is not None
    assert "it was turned" in tracing.page.warnings[0]
    assert tracing.record is not None
    assert upright.record is not None
    np.testing.assert_allclose(tracing.record.signals_mv, upright.record.signals_mv, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=pytest.mark.nightly)])
def test_mutated_pages_are_read_or_refused_and_never_raise(examples: int) -> None:
    @given(
        cut=st.tuples(*[st.floats(0, 0.6)] * 4),
        scale=st.floats(0.15, 1.0),
        noise=st.integers(0, 60),
        turn=st.floats(-12, 12),
        seed=st.integers(0, 99),
    )
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(cut: tuple[float, float, float, float], scale: float, noise: int, turn: float, seed: int) -> None:
        top, left = int(cut[0] * HEIGHT), int(cut[1] * WIDTH)
        bottom, right = max(top + 2, int((1 - 0.5 * cut[2]) * HEIGHT)), max(left + 2, int((1 - 0.5 * cut[3]) * WIDTH))
        pixels = PIXELS[top:bottom, left:right]
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
        turned = cv2.warpAffine(pixels, matrix, (width, height), borderValue=(255, 255, 255))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(turned, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        grain = np.random.default_rng(seed).integers(-noise, noise + 1, pixels.shape)
        whole_or_refused(np.clip(pixels.astype(np.int64) + grain, 0, 255).astype(np.uint8))

    check()

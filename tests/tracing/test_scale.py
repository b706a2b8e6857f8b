"""Gain and time scale."""

from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_without_a_grid_pulses_give_the_scale_with_a_warning() -> None:
    rendered = render_page(RECORD, style="bare")
    tracing = digitize_page(rendered.page)
    assert tracing.layout.px_per_mm_source == "pulse"
    assert any("No grid was found" in warning for warning in tracing.warnings)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 8


def test_the_pulse_gives_half_the_gain() -> None:
    rendered = render_page(RECORD, gain_mm_mv=5.0)
    tracing = digitize_page(rendered.page)
    assert (tracing.gain_mm_mv, tracing.gain_source) == (5.0, "pulse")
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 12


def test_without_a_pulse_a_warning_says_so_and_a_given_gain_is_used() -> None:
    page = render_page(RECORD, gain_mm_mv=5.0, pulse=None).page
    guessed = digitize_page(page)
    assert guessed.gain_source == "default"
    assert any("10 mm/mV is assumed" in warning for warning in guessed.warnings)
    explicit = digitize_page(page, gain_mm_mv=5.0)
    assert explicit.record is not None
    assert guessed.record is not None
    assert np.nanmax(explicit.record.signals_mv[0]) == pytest.approx(
        2 * np.nanmax(guessed.record.signals_mv[0]), rel=0.01
    )

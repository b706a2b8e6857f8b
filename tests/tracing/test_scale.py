"""Gain and time scale."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import render_page
from ecglens.tracing.scale import find_gain

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


def test_a_pulse_that_fits_no_standard_gain_gives_none() -> None:
    layout = digitize_page(render_page(RECORD).page).layout
    gain, source, warnings = find_gain(replace(layout, pulse_mm=4.0), None, None)
    assert (gain, source) == (10.0, "default")
    assert warnings == (
        "A pulse of 4.0 mm fits no standard gain: 10 mm/mV is assumed, and all amplitudes depend on this.",
    )
    assert find_gain(replace(layout, pulse_mm=4.0), None, 5.0)[:2] == (5.0, "printed")
    assert find_gain(replace(layout, pulse_mm=5.5), None, None)[:2] == (5.0, "pulse")

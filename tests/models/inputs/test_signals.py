from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import resample_poly
from tiny_models import ecg_page

from ecglens.errors import ModelError
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads import find_layout
from ecglens.models.inputs import (
    LeadSignals,
    PageAndSignal,
    compute_known_share,
    find_mismatch,
    make_input,
    make_signal_array,
)
from ecglens.records import EcgRecord
from ecglens.tracing.trace import trace_page

FS = 100.0


def record_of(signals: np.ndarray, leads: tuple[str, ...], fs_hz: float = FS, **remaining) -> EcgRecord:
    return EcgRecord(np.asarray(signals, np.float32), fs_hz, leads, **remaining)


def two_leads(samples: int) -> LeadSignals:
    return LeadSignals(leads=("I", "II"), fs_hz=FS, seconds=samples / FS)


def test_signals_lose_their_median_and_what_is_hidden_is_marked():
    waves = np.array([[1, 1, np.nan, 1, 4] * 10, [-2.0] * 50])
    array = make_signal_array(record_of(waves, ("I", "II")), two_leads(60))
    assert array.shape == (4, 60)
    np.testing.assert_array_equal(array[0, :5], [0, 0, 0, 0, 3])
    np.testing.assert_array_equal(array[1], 0)
    np.testing.assert_array_equal(array[2], [1, 1, 0, 1, 1] * 10 + [0] * 10)
    np.testing.assert_array_equal(array[3], [1] * 50 + [0] * 10)
    assert compute_known_share(array) == pytest.approx((40 + 50) / 120)


def test_what_is_longer_than_the_input_is_cut():
    array = make_signal_array(record_of([np.arange(90), np.zeros(90)], ("I", "II")), two_leads(50))
    np.testing.assert_allclose(array[0], np.arange(50) - 44.5)
    assert compute_known_share(array) == 1


def test_a_lead_that_the_record_lacks_is_not_known_and_avr_is_made_from_its_opposite():
    recipe = LeadSignals(leads=("aVR", "V1"), fs_hz=FS, seconds=0.5)
    ramp = np.linspace(-1, 1, 51)[:50]
    array = make_signal_array(record_of([ramp], ("-aVR",)), recipe)
    np.testing.assert_allclose(array[0], np.median(ramp) - ramp, atol=1e-6)
    np.testing.assert_array_equal(array[1], 0)
    assert array[2].all()
    assert not array[3].any()


@pytest.mark.parametrize("fs_hz", [500.0, 250.0, 128.0, 50.0])
def test_another_sampling_rate_gives_the_same_signal(fs_hz):
    def wave(rate_hz: float) -> np.ndarray:
        seconds = np.arange(round(5 * rate_hz)) / rate_hz
        return np.sin(2 * np.pi * 3 * seconds) + 0.5 * np.sin(2 * np.pi * 11 * seconds + 1)

    recipe = two_leads(500)
    expected = make_signal_array(record_of([wave(FS)] * 2, ("I", "II")), recipe)
    got = make_signal_array(record_of([wave(fs_hz)] * 2, ("I", "II"), fs_hz), recipe)
    assert got[2:].all()
    assert np.abs(got - expected)[:, 20:-20].max() < 0.05


def test_resampling_agrees_with_a_filtered_one_where_all_is_known():
    noise = np.random.default_rng(0).normal(size=1250)
    array = make_signal_array(record_of([noise, noise], ("I", "II"), 500.0), two_leads(250))
    valid = resample_poly(noise - np.median(noise), 1, 5, padtype="line")
    np.testing.assert_allclose(array[0], valid, atol=1e-5)


def test_hidden_samples_stay_hidden_at_another_rate():
    signal = np.sin(np.arange(1000) / 40)
    signal[400:600] = np.nan
    array = make_signal_array(record_of([signal, signal], ("I", "II"), 500.0), two_leads(200))
    assert not array[2, 80:120].any()
    assert array[2, :80].all()
    assert array[2, 120:].all()
    assert not array[0, 80:120].any()


def test_each_lead_begins_where_it_does_on_the_page():
    page = ecg_page(dpi=150)
    layout = find_layout(page)
    record = trace_page(page, layout).record
    array = make_input(page, layout, LeadSignals(), record)["signal"][0]
    assert array.shape == (24, 250)
    assert compute_known_share(array) > 0.95
    v2 = record.signals_mv[record.leads.index("V2")]
    result = np.nan_to_num((v2 - np.nanmedian(v2))[: 250 * 5 : 5])
    assert np.corrcoef(array[7], result)[0, 1] > 0.97


def test_page_and_signal_come_together():
    page = ecg_page(dpi=150)
    layout = find_layout(page)
    record = trace_page(page, layout).record
    arrays = make_input(page, layout, PageAndSignal(), record)
    assert {name: array.shape for name, array in arrays.items()} == {
        "page": (1, 1, 304, 512),
        "signal": (1, 24, 250),
    }


def test_without_a_record_or_a_lead_nothing_is_made_up():
    page = ecg_page()
    layout = find_layout(page)
    for recipe in (LeadSignals(), PageAndSignal()):
        with pytest.raises(ModelError, match="Expected signals for this model, got none for this page"):
            make_input(page, layout, recipe)
        short = replace(layout, leads=tuple(lead for lead in layout.leads if lead.lead != "V3"))
        assert find_mismatch(short, recipe) == (
            f"The model reads the leads {', '.join(STANDARD_LEADS)}, and this page has no V3."
        )
    turned = tuple(replace(lead, lead="-aVR") if lead.lead == "aVR" else lead for lead in layout.leads)
    assert find_mismatch(replace(layout, leads=turned), LeadSignals()) is None


def test_a_record_is_not_changed():
    signals = np.full((2, 50), np.nan, np.float32)
    signals[0] = 1
    record = record_of(signals, ("I", "II"))
    make_signal_array(record, two_leads(50))
    np.testing.assert_array_equal(record.signals_mv, signals)


def test_no_page_is_needed_for_a_recorded_signal():
    assert make_signal_array(record_of(np.zeros((12, 1000)), STANDARD_LEADS), LeadSignals(seconds=10)).shape == (
        24,
        1000,
    )

import numpy as np
import pytest
from tiny_models import ecg_page

from ecglens.errors import ModelError
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads import find_layout
from ecglens.models.inputs import LeadBeats, find_mismatch, make_beat_array, make_input, parse_recipe
from ecglens.models.inputs.beats import UNKNOWN_SCALE, describe_rhythm, find_r_peaks, make_typical_beat
from ecglens.records import EcgRecord
from ecglens.tracing.trace import trace_page

RECIPE = LeadBeats()
LEADS, SAMPLES = 12, 75


def make_signals(fs_hz: float = 100.0, seconds: float = 10.0, rr_s: float = 0.9) -> np.ndarray:
    """Make leads of different heights with an R peak at 0.5 s and each RR interval after it, and T waves."""
    times = np.arange(round(fs_hz * seconds)) / fs_hz
    since = (times - 0.5) % rr_s
    since = np.where(since > rr_s / 2, since - rr_s, since)
    beat = np.exp(-0.5 * (since / 0.012) ** 2) + 0.2 * np.exp(-0.5 * ((since - 0.28) / 0.05) ** 2)
    return (np.linspace(-1, 1.5, LEADS)[:, None] * beat).astype(np.float32)


def make_record(**options: float) -> EcgRecord:
    return EcgRecord(make_signals(**options), options.get("fs_hz", 100.0), STANDARD_LEADS)


@pytest.mark.parametrize("rr_s", [0.5, 0.9, 1.4])
def test_r_peaks_are_found_and_t_waves_are_not(rr_s):
    peaks = find_r_peaks(make_signals(rr_s=rr_s), 100.0)
    expected = np.arange(50, 990, 100 * rr_s)
    assert len(peaks) == len(expected)
    assert np.abs(peaks - expected).max() <= 2


def test_a_flat_line_has_no_peaks():
    assert len(find_r_peaks(np.zeros((3, 1000), np.float32), 100.0)) == 0
    assert len(find_r_peaks(np.zeros((3, 10), np.float32), 100.0)) == 0


def test_the_beat_is_the_record_s_own_and_its_mask_is_whole():
    array = make_beat_array(make_record(), RECIPE)
    assert array.shape == (2 * LEADS + 3, SAMPLES)
    assert (array[LEADS : 2 * LEADS] == 1).all()
    assert array[11].max() == pytest.approx(1.5, abs=0.1)
    assert abs(int(array[11].argmax()) - RECIPE.before) <= 2
    assert array[0].min() == pytest.approx(-1, abs=0.1)
    np.testing.assert_allclose(array[2 * LEADS :, 0], [0.1, 0, 1], atol=0.02)


@pytest.mark.parametrize("fs_hz", [250.0, 500.0])
def test_another_sampling_rate_gives_the_same_beat(fs_hz):
    difference = make_beat_array(make_record(fs_hz=fs_hz), RECIPE) - make_beat_array(make_record(), RECIPE)
    assert np.abs(difference[:LEADS]).mean() < 0.02


def test_columns_that_follow_each_other_give_the_same_beat_as_the_whole():
    whole = make_signals()
    columns = np.stack([row[250 * (lead // 3) : 250 * (lead // 3) + 250] for lead, row in enumerate(whole)])
    starts = tuple(2.5 * (lead // 3) for lead in range(LEADS))
    page = make_beat_array(EcgRecord(columns, 100.0, STANDARD_LEADS, start_s=starts), RECIPE)
    expected = make_beat_array(make_record(), RECIPE)
    # The R peaks of single columns may lie a sample apart.
    for lead in (0, 5, 11):
        assert max(np.corrcoef(np.roll(page[lead], lag), expected[lead])[0, 1] for lag in (-2, -1, 0, 1, 2)) > 0.98
    assert page[-1].all()


def test_a_median_of_beats_is_numpy_s_where_samples_are_missing():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(2, 400)).astype(np.float32)
    signals[0, 100:130] = np.nan
    peaks = np.array([90, 180, 270, 330])
    beats, masks = make_typical_beat(signals, peaks, RECIPE)
    stacked = np.stack([signals[:, peak - 30 : peak + 45] for peak in peaks])
    expected = np.nanmedian(stacked, axis=0)
    np.testing.assert_allclose(beats, expected - np.median(expected, axis=1, keepdims=True), atol=1e-6)
    assert masks.all()


def test_a_lead_that_the_record_lacks_is_missing_and_avr_is_made_from_its_opposite():
    signals = make_signals()[3:5]
    array = make_beat_array(EcgRecord(-signals, 100.0, ("-aVR", "aVL")), RECIPE)
    valid = array[LEADS : 2 * LEADS].all(axis=1)
    assert [lead for lead, is_valid in zip(STANDARD_LEADS, valid, strict=True) if is_valid] == ["aVR", "aVL"]
    expected = make_beat_array(EcgRecord(signals, 100.0, ("aVR", "V1")), RECIPE)
    np.testing.assert_allclose(array[3], expected[3], atol=1e-5)


def test_a_record_without_beats_is_empty():
    array = make_beat_array(EcgRecord(np.full((12, 1000), np.nan, np.float32), 100.0, STANDARD_LEADS), RECIPE)
    assert not array.any()


def test_signals_of_unknown_scale_are_marked():
    array = make_beat_array(make_record(), RECIPE, is_scale_known=False)
    assert (array[LEADS : 2 * LEADS] == UNKNOWN_SCALE).all()


def test_the_rhythm_of_one_beat_is_unknown():
    assert not describe_rhythm(np.empty(0)).any()


def test_a_page_gives_the_beats_of_its_leads():
    page = ecg_page(dpi=150)
    layout = find_layout(page)
    array = make_input(page, layout, RECIPE, trace_page(page, layout).record)["signal"][0]
    assert array.shape == (27, SAMPLES)
    assert array[LEADS : 2 * LEADS].mean() > 0.9
    assert find_mismatch(layout, RECIPE) is None


def test_all_leads_cannot_be_missing():
    with pytest.raises(ModelError, match="expected fewer missing leads than leads"):
        parse_recipe({"kind": "lead_beats", "missing_leads": 12})

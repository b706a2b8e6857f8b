from dataclasses import replace

import numpy as np
import pytest

from ecglens.models.inputs import LeadBeats, make_beat_array
from ecglens.models.inputs.beats import UNKNOWN_SCALE
from ecglens.models.train.cut_beats import BeatCutter, CutLimits, filter_records
from ecglens.models.train.signal_set import SIGNALS, SignalSet
from ecglens.records import EcgRecord

LEADS = 12
PLAIN = CutLimits(hide_scale=0, hide_rhythm=0, missing_leads=0, half=0, shift=0, gain=0, noise_mv=0, wander_mv=0)
ROWS = np.arange(6)


@pytest.fixture(scope="module")
def data() -> SignalSet:
    times = np.arange(1000) / 100
    since = (times[None] - np.linspace(0.4, 0.6, len(ROWS))[:, None]) % 0.85
    beats = np.exp(-0.5 * ((since - 0.1) / 0.02) ** 2)[:, None] * np.linspace(0.5, 1.5, LEADS)[None, :, None]
    none = (None,) * len(ROWS)
    is_in_mv = ROWS < 4
    signals = np.where(is_in_mv[:, None, None], beats, 4 * beats).astype(np.float32)
    targets = np.zeros((len(ROWS), 5), np.float32)
    return SignalSet(ROWS, signals, is_in_mv, targets, ROWS.astype(str), none, none, np.full(len(ROWS), np.nan))


def cut(data: SignalSet, limits: CutLimits, *, seed: int = 0, variants: int = 1, rows: np.ndarray = ROWS) -> np.ndarray:
    cutter = BeatCutter(data, LeadBeats(), rng=np.random.default_rng(0), variants=variants, limits=limits)
    return cutter.cut(rows, np.random.default_rng(seed))


def test_whole_records_are_those_of_serving(data):
    cutter = BeatCutter(data, LeadBeats(), rng=np.random.default_rng(0), variants=1)
    arrays = cutter.cut_whole(ROWS[:4])
    for array, signals in zip(arrays, data.signals, strict=False):
        served = make_beat_array(EcgRecord(signals, SIGNALS.fs_hz, SIGNALS.leads), LeadBeats())
        np.testing.assert_allclose(array, served, atol=1e-5)


@pytest.mark.parametrize("kind", range(4))
def test_every_layout_shows_the_same_beats(data, kind):
    shares = tuple(float(kind == each) for each in range(4))
    array = cut(data, replace(PLAIN, layouts=shares))
    whole = cut(data, replace(PLAIN, layouts=(1.0, 0.0, 0.0, 0.0)))
    assert np.abs(array[:4, :LEADS] - whole[:4, :LEADS]).mean() < 0.03


def test_a_record_of_unknown_scale_is_marked_so(data):
    masks = cut(data, PLAIN)[:, LEADS : 2 * LEADS]
    assert (masks[:4] == 1).all()
    assert (masks[4:] == UNKNOWN_SCALE).all()


def test_missing_leads_are_zero_and_so_are_their_masks(data):
    array = cut(data, replace(PLAIN, missing_leads=1.0))
    valid = array[:, LEADS : 2 * LEADS].any(axis=2)
    missing = (~valid).sum(axis=1)
    assert missing.min() >= 1
    assert missing.max() <= 4
    assert not array[:, :LEADS][~valid].any()


def test_a_half_has_the_limb_or_the_chest_leads_alone(data):
    valid = cut(data, replace(PLAIN, half=1.0), rows=np.tile(ROWS, 4))[:, LEADS : 2 * LEADS].any(axis=2)
    assert {tuple(row) for row in valid.tolist()} == {(True,) * 6 + (False,) * 6, (False,) * 6 + (True,) * 6}


def test_a_hidden_rhythm_is_zero(data):
    assert not cut(data, replace(PLAIN, hide_rhythm=1.0))[:, 2 * LEADS :].any()
    assert cut(data, PLAIN)[:, -1].all()


def test_the_same_seed_gives_the_same_beats(data):
    np.testing.assert_array_equal(cut(data, CutLimits(), seed=5), cut(data, CutLimits(), seed=5))
    assert np.abs(cut(data, CutLimits(), seed=5) - cut(data, CutLimits(), seed=6)).max() > 0.05


def test_a_filter_takes_away_drift_and_keeps_polarity(data):
    drifting = data.signals + np.linspace(0, 3, 1000, dtype=np.float32)
    filtered = filter_records(drifting, 100.0, np.random.default_rng(0), CutLimits(high_pass_hz=(0.5, 0.6)))
    assert filtered.shape == drifting.shape
    middle = filtered[:, :, 200:800]
    assert np.abs(middle.mean(axis=2)).max() < 0.5
    assert (middle.max(axis=2) > -middle.min(axis=2)).all()

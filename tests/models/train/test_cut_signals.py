from dataclasses import replace

import numpy as np
import pytest

from ecglens.models.inputs.signals import UNKNOWN_SCALE
from ecglens.models.train.cut_signals import CutLimits, cut_records

FS_HZ, WINDOW, LEADS = 100.0, 250, 12
PLAIN = CutLimits(
    high_pass_hz=(1e-4, 1.1e-4),
    low_pass_hz=(90, 100),
    causal=0,
    hide_scale=0,
    missing_leads=0,
    half=0,
    hidden=0,
    short=0,
    gain=0,
    noise_mv=0,
    wander_mv=0,
)


def make_records(records: int = 4) -> np.ndarray:
    seconds = np.arange(1000) / FS_HZ
    return np.stack([[np.sin(2 * np.pi * (1 + 0.5 * lead) * seconds) for lead in range(LEADS)]] * records).astype(
        np.float32
    )


def cut(limits: CutLimits, *, records: int = 4, is_in_mv: bool = True, seed: int = 0) -> np.ndarray:
    return cut_records(
        make_records(records),
        np.full(records, is_in_mv),
        window=WINDOW,
        fs_hz=FS_HZ,
        rng=np.random.default_rng(seed),
        limits=limits,
    )


def test_a_record_that_nothing_happens_to_is_cut_where_it_was():
    array = cut(replace(PLAIN, columns=(1.0, 0.0, 0.0)))
    assert array.shape == (4, 2 * LEADS, WINDOW)
    assert (array[:, LEADS:] == 1).all()
    lead = array[0, 0] - array[0, 0].mean()
    whole = make_records()[0, 0]
    best = max(float(np.corrcoef(lead, whole[start : start + WINDOW])[0, 1]) for start in range(750))
    assert best > 0.999


@pytest.mark.parametrize(("columns", "together"), [((1.0, 0, 0), 12), ((0, 1.0, 0), 3), ((0, 0, 1.0), 6)])
def test_the_leads_of_a_column_begin_together_and_columns_in_turn(columns, together):
    seconds = np.arange(1000, dtype=np.float32)
    ramps = np.broadcast_to(np.cumsum(np.sin(seconds / 7) + 1.5), (1, LEADS, 1000)).astype(np.float32)
    array = cut_records(
        ramps,
        np.array([True]),
        window=WINDOW,
        fs_hz=FS_HZ,
        rng=np.random.default_rng(1),
        limits=replace(PLAIN, columns=columns),
    )
    shapes = array[0, :LEADS] - array[0, :LEADS, :1]
    equal = [np.abs(shapes[lead] - shapes[0]).max() < 0.5 for lead in range(LEADS)]
    assert sum(equal) == together


def test_a_record_of_unknown_scale_is_marked_so():
    array = cut(PLAIN, is_in_mv=False)
    assert (array[:, LEADS:] == UNKNOWN_SCALE).all()


def test_missing_leads_are_zero_and_so_are_their_masks():
    array = cut(replace(PLAIN, missing_leads=1.0), records=20)
    valid = array[:, LEADS:].any(axis=2)
    missing = (~valid).sum(axis=1)
    assert missing.min() >= 1
    assert missing.max() <= 4
    assert not array[:, :LEADS][~valid].any()


def test_a_half_has_the_limb_or_the_chest_leads_alone():
    valid = cut(replace(PLAIN, half=1.0), records=20)[:, LEADS:].any(axis=2)
    assert {tuple(row) for row in valid.tolist()} == {(True,) * 6 + (False,) * 6, (False,) * 6 + (True,) * 6}


def test_the_same_seed_gives_the_same_cuts():
    np.testing.assert_array_equal(cut(CutLimits(), seed=5), cut(CutLimits(), seed=5))
    assert np.abs(cut(CutLimits(), seed=5) - cut(CutLimits(), seed=6)).max() > 0.1


def test_polarity_is_kept():
    signals = np.zeros((8, LEADS, 1000), np.float32)
    signals[..., ::80] = 2.0
    array = cut_records(
        signals, np.full(8, True), window=WINDOW, fs_hz=FS_HZ, rng=np.random.default_rng(0), limits=CutLimits()
    )
    leads = array[:, :LEADS][array[:, LEADS:].any(axis=2)]
    assert (leads.max(axis=1) > -leads.min(axis=1)).mean() > 0.95

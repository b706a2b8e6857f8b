"""Finding beats: what is none although it is steep."""

import numpy as np
import pytest
from synthetic_ecgs import synthesize_ecg

from ecglens.measuring.beats import find_beats
from ecglens.measuring.signals import FS_HZ

RECORD = synthesize_ecg(seconds=10.0)
SIGNALS = np.asarray(RECORD.signals_mv, dtype=np.float64)


def in_columns(step_mv: float, away_s: float) -> np.ndarray:
    """Return leads in four columns of 2.5 s, each but the last with a step a little before its end."""
    signals = np.full_like(SIGNALS, np.nan)
    quarter = round(2.5 * FS_HZ)
    for column in range(4):
        rows, part = slice(3 * column, 3 * column + 3), slice(column * quarter, (column + 1) * quarter)
        signals[rows, part] = SIGNALS[rows, part]
        if column < 3:
            signals[rows, (column + 1) * quarter - round(away_s * FS_HZ) : (column + 1) * quarter] += step_mv
    return signals


@pytest.mark.parametrize("step_mv", [0.0, 0.4, 1.0])
def test_a_step_between_two_columns_is_no_beat(step_mv):
    assert RECORD.fs_hz == FS_HZ
    expected = find_beats(in_columns(0.0, 0.0)).samples
    beats = find_beats(in_columns(step_mv, 0.03)).samples
    assert len(beats) == len(expected)
    assert np.abs(beats - expected).max() < 0.03 * FS_HZ


def test_a_beat_at_the_border_of_two_columns_is_kept():
    peaks = find_beats(SIGNALS).samples
    shift = round(2.5 * FS_HZ - peaks[2])  # the third beat comes to lie on the first border
    rolled = np.roll(SIGNALS, shift, axis=1)
    columns = np.full_like(rolled, np.nan)
    quarter = round(2.5 * FS_HZ)
    for column in range(4):
        rows, part = slice(3 * column, 3 * column + 3), slice(column * quarter, (column + 1) * quarter)
        columns[rows, part] = rolled[rows, part]
    beats = find_beats(columns).samples
    assert np.abs(beats - 2.5 * FS_HZ).min() < 0.1 * FS_HZ

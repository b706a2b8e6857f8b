"""Pacing spikes on made records, at heights that are known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_ecgs import synthesize_ecg

from ecglens.measuring.signals import FS_HZ
from ecglens.measuring.spikes import remove_spikes

ONSETS_S = np.arange(0.5, 9.5, 0.8)


def paced_signals(spike_mv: float) -> NDArray[np.float64]:
    """Return twelve leads with a spike of 4 ms, 40 ms before each complex."""
    signals = synthesize_ecg(ONSETS_S, p_mv=0.0).signals_mv.astype(np.float64)
    for onset_s in ONSETS_S:
        at = round((onset_s - 0.04) * FS_HZ)
        signals[:, at : at + 2] += spike_mv
    return signals


@pytest.mark.parametrize("spike_mv", [0.14, 0.2, 0.25])
def test_small_pacing_spikes_are_taken_out(spike_mv: float) -> None:
    clean, spikes = remove_spikes(paced_signals(spike_mv))
    assert spikes == len(ONSETS_S)
    assert np.abs(clean - paced_signals(0.0)).max() < 0.01


@pytest.mark.parametrize("spike_mv", [0.05, 0.1])
def test_jumps_of_less_than_a_spike_are_left_alone(spike_mv: float) -> None:
    signals = paced_signals(spike_mv)
    clean, spikes = remove_spikes(signals)
    assert spikes == 0
    np.testing.assert_array_equal(clean, signals)

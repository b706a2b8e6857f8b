"""The filters and peaks of ``scipy.signal``, without its import."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal

from ecglens.measuring.filters import find_peaks, savitzky_golay


@pytest.mark.parametrize(("extend", "mode"), [(True, "nearest"), (False, "interp")])
@pytest.mark.parametrize("derivative", [0, 1])
@pytest.mark.parametrize("width", [11, 41])
def test_the_filter_is_scipys(width, derivative, extend, mode):
    rows = np.random.default_rng(3).normal(size=(2, 3, 300))
    expected = signal.savgol_filter(rows, width, 2, deriv=derivative, delta=0.002, axis=-1, mode=mode)
    result = savitzky_golay(rows, width, derivative=derivative, delta=0.002, extend=extend)
    np.testing.assert_allclose(result, expected, atol=1e-9 * np.abs(expected).max())


@given(arrays(np.float64, st.integers(1, 60), elements=st.integers(0, 5).map(float)))
def test_the_peaks_are_scipys_with_plateaus(values):
    assert find_peaks(values).tolist() == signal.find_peaks(values)[0].tolist()


@given(st.permutations(range(40)), st.integers(1, 9))
def test_of_close_peaks_the_higher_stays_as_in_scipy(order, distance):
    values = np.array(order, dtype=np.float64)
    assert find_peaks(values, distance=distance).tolist() == signal.find_peaks(values, distance=distance)[0].tolist()

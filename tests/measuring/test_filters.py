"""The filters and peaks of ``scipy.signal``, without its import."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage, signal

from ecglens.measuring.filters import find_peaks, moving_average, resample, savitzky_golay


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


@pytest.mark.parametrize(("up", "down"), [(1, 5), (5, 18), (125, 128), (2, 1), (7, 7), (25, 9)])
@pytest.mark.parametrize("samples", [2, 37, 2500])
def test_resampling_is_scipys_with_the_line_beyond_the_ends(up, down, samples):
    values = np.random.default_rng(samples).normal(size=samples).cumsum()
    expected = signal.resample_poly(values, up, down, padtype="line")
    np.testing.assert_allclose(resample(values, up, down), expected, atol=1e-9 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("width", [1, 2, 7, 9])
def test_averages_are_scipys(width):
    values = np.random.default_rng(0).normal(size=200)
    np.testing.assert_allclose(moving_average(values, width), ndimage.uniform_filter1d(values, width), atol=1e-12)


def test_one_sample_stands_for_itself():
    assert resample(np.array([0.5]), 5, 2) == pytest.approx([0.5, 0.5, 0.5], abs=0.01)


def test_a_long_signal_is_resampled_in_parts():
    values = np.sin(np.arange(400_000) / 50)
    expected = signal.resample_poly(values, 1, 5, padtype="line")
    np.testing.assert_allclose(resample(values, 1, 5), expected, atol=1e-9)

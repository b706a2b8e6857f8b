"""Sliding windows against those of ``scipy.ndimage``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from ecglens.pages.sliding import dilate_mask, open_mask, sliding_maximum, sliding_minimum

VALUES = arrays(np.float64, st.integers(1, 80), elements=st.floats(-1e6, 1e6))
MASKS = arrays(np.bool_, st.integers(1, 80))


@given(VALUES, st.integers(0, 9))
def test_windows_are_scipys(values, half):
    width = 2 * half + 1
    assert sliding_maximum(values, width).tolist() == ndimage.maximum_filter1d(values, width).tolist()
    assert sliding_minimum(values, width).tolist() == ndimage.minimum_filter1d(values, width).tolist()


@given(MASKS, st.integers(1, 9))
def test_masks_are_scipys(mask, size):
    assert dilate_mask(mask, size).tolist() == ndimage.binary_dilation(mask, iterations=size).tolist()
    assert open_mask(mask, size).tolist() == ndimage.binary_opening(mask, np.ones(size)).tolist()

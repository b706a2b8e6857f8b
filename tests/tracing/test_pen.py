"""From outlines to center lines."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.tracing.pen import OVERSAMPLE, find_center_line


@given(st.floats(0.8, 3.0), st.floats(-30, 30), st.floats(4, 30))
@settings(max_examples=40)
def test_the_center_line_is_the_curve_that_the_pen_followed(radius: float, height: float, width: float) -> None:
    places = np.arange(120 * OVERSAMPLE) / OVERSAMPLE
    curve = 60 + height * np.exp(-(((places - 60) / width) ** 2))
    reach = int(radius * OVERSAMPLE)
    shifts = range(-reach, reach + 1)
    lifts = [np.sqrt(max(radius**2 - (shift / OVERSAMPLE) ** 2, 0)) for shift in shifts]
    padded = np.pad(curve, reach, mode="edge")
    windows = [padded[reach + shift : reach + shift + len(curve)] for shift in shifts]
    upper = np.min([window - lift for window, lift in zip(windows, lifts, strict=True)], axis=0)
    lower = np.max([window + lift for window, lift in zip(windows, lifts, strict=True)], axis=0)
    center, _ = find_center_line((upper, lower), radius)
    inner = slice(4 * reach, -4 * reach)
    assert np.abs(center - curve)[inner].max() < 0.35 + 0.5 * abs(height) / width

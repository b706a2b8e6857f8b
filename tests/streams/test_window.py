"""The ring of the last samples."""

import numpy as np
import pytest

from ecglens.streams.packets import StreamInfo
from ecglens.streams.window import Window

INFO = StreamInfo("x", ("I", "II"), 100.0)


def test_a_window_holds_the_last_samples_by_their_numbers() -> None:
    rng, window, truth = np.random.default_rng(1), Window(INFO, 2.0), np.full((2, 5000), np.nan, np.float32)
    end = 0
    while end < 4000:
        first = end + (int(rng.integers(1, 300)) if rng.random() < 0.1 else 0)
        block = rng.standard_normal((2, int(rng.integers(1, 400)))).astype(np.float32)
        window.append(first, block)
        truth[:, first : first + block.shape[1]] = block
        end = first + block.shape[1]
        low = max(end - 200, 0)
        np.testing.assert_array_equal(window.cut(low, end), truth[:, low:end])
        np.testing.assert_array_equal(window.cut(low - 50, end + 10)[:, :50], np.full((2, 50), np.nan))


def test_samples_out_of_order_are_refused() -> None:
    window = Window(INFO, 2.0)
    window.append(0, np.zeros((2, 10)))
    with pytest.raises(ValueError, match="samples from number 10 on, got 5"):
        window.append(5, np.zeros((2, 1)))


def test_a_record_of_the_window_is_short_while_the_stream_is() -> None:
    window = Window(INFO, 2.0)
    window.append(0, np.ones((2, 50)))
    record = window.to_record()
    assert (record.duration_s, record.leads, record.fs_hz) == (0.5, ("I", "II"), 100.0)

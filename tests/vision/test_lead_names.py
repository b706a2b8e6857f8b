"""Lead names: what the shipped network reads in windows of print."""

import cv2
import numpy as np
import pytest

from ecglens.vision.lead_names import NAMES, OTHER, WINDOW, classify_windows, cut_window


def print_word(text: str, size: float) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    page = np.full((200, 400), 255, np.uint8)
    cv2.putText(page, text, (60, 120), cv2.FONT_HERSHEY_DUPLEX, size, 0, 1, cv2.LINE_AA)
    rows, columns = np.nonzero(page < 128)
    return page, (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)


@pytest.mark.parametrize("size", [0.6, 0.9, 1.5])
def test_names_are_read_at_any_size(size):
    windows = np.stack([cut_window(*print_word(name, size)) for name in NAMES if name != "-aVR"])
    read = [NAMES[number] if number != OTHER else "" for number in classify_windows(windows).argmax(axis=1)]
    assert sum(a == b for a, b in zip(read, (name for name in NAMES if name != "-aVR"), strict=True)) >= 11


def test_other_print_is_no_name():
    words = ["25mm/s", "ID 4711", "Rate", "10mm/mV", "2024-03-01", "QRS", "Dr. X"]
    probabilities = classify_windows(np.stack([cut_window(*print_word(word, 0.9)) for word in words]))
    assert (probabilities.argmax(axis=1) == OTHER).sum() >= 6
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_no_windows_have_no_probabilities():
    assert classify_windows(np.zeros((0, *WINDOW), np.uint8)).shape == (0, OTHER + 1)

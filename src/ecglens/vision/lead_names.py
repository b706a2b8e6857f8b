"""Recognize lead names with the network of this package: the name, if any, of each piece of print."""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.layouts import CABRERA_LEADS, STANDARD_LEADS

__all__ = ["GRAPH_FILE", "NAMES", "OTHER", "WINDOW", "classify_windows", "cut_window"]

GRAPH_FILE = "lead_names.onnx"

NAMES: tuple[str, ...] = tuple(dict.fromkeys((*STANDARD_LEADS, *CABRERA_LEADS)))
"""Names that the network knows, in the order of its output."""

OTHER = len(NAMES)
"""Output for a piece of print that is no lead name."""

WINDOW = (32, 80)
"""Height and width of the network's input in px."""

_TEXT_PX = 18
"""Height of the box of the print in the window; the rest shows its surroundings."""


def cut_window(gray: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Cut the window around a piece of print, at one size and contrast.

    Args:
        gray: ``(height, width)`` uint8, luma of the page.
        box: Top, left, bottom and right of the print.

    Returns:
        ``WINDOW`` uint8, 0 for the paper and 255 for the darkest ink in the window.
    """
    top, left, bottom, right = box
    zoom = _TEXT_PX / max(2, bottom - top)
    middle = ((left + right) / 2, (top + bottom) / 2)
    matrix = np.array(
        [
            [zoom, 0, WINDOW[1] / 2 - zoom * middle[0]],
            [0, zoom, WINDOW[0] / 2 - zoom * middle[1]],
        ]
    )
    source = gray
    if zoom < 0.6:
        source = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.4 / zoom), dtype=np.uint8)
    window = cv2.warpAffine(source, matrix, WINDOW[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    paper, darkest = (float(value) for value in np.percentile(window, (80, 1)))
    ink = (paper - window.astype(np.float32)) * (255.0 / max(paper - darkest, 12.0))
    return np.asarray(np.clip(ink, 0, 255), dtype=np.uint8)


def classify_windows(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the probability of each name, and of none, for windows ``(windows, *WINDOW)``."""
    if not len(windows):
        return np.zeros((0, OTHER + 1), dtype=np.float32)
    planes = np.asarray(windows, dtype=np.float32)[:, None] / np.float32(255)
    (logits,) = _session().run(["logits"], {"windows": planes})
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    graph = files("ecglens.vision").joinpath(GRAPH_FILE).read_bytes()
    return onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])

"""Classify the pixels of a page with the network of this package: trace, print, grid and pulse."""

from dataclasses import replace
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.records import Page, PixelClasses

__all__ = ["GRAPH_FILE", "classify_page", "run_graph"]

GRAPH_FILE = "pixel_classes.onnx"

_MAX_PX = 1_700_000
"""Pixels to which a page is reduced: 280 x 210 mm of paper with 5.4 px/mm, 0.4 s on one core."""
_MIN_PX = 500_000
"""Pixels below which a page is enlarged to twice its width: the network was not trained below 2.3 px/mm."""
_BLOCK_PX = 32
"""Height and width of the graph's input are multiples of this."""


def classify_page(page: Page) -> Page:
    """Classify the pixels of a page.

    Args:
        page: Any view of a page.

    Returns:
        The page with the classes of its pixels; a small page is enlarged to twice its width, and loses its curves and
        texts.
    """
    if page.height * page.width < _MIN_PX:
        doubled = np.asarray(cv2.resize(page.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        page = replace(page, pixels=doubled, curves=(), texts=())
    zoom = min(1.0, (_MAX_PX / (page.height * page.width)) ** 0.5)
    if zoom == 1:
        return replace(page, classes=PixelClasses(*run_graph(page.pixels)))
    size = (round(page.width * zoom), round(page.height * zoom))
    work = np.asarray(cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    maps = (
        np.asarray(cv2.resize(one, (page.width, page.height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        for one in run_graph(work)
    )
    return replace(page, classes=PixelClasses(*maps))


def run_graph(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Run the network on pixels at its resolution: ``(classes, height, width)``, 255 where a class covers a pixel."""
    height, width = pixels.shape[:2]
    whole = cv2.copyMakeBorder(pixels, 0, -height % _BLOCK_PX, 0, -width % _BLOCK_PX, cv2.BORDER_REPLICATE)
    planes = np.ascontiguousarray(whole.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
    (logits,) = _session().run(["logits"], {"pixels": planes})
    shares = 0.5 + 0.5 * np.tanh(0.5 * logits[0, :, :height, :width])
    return np.asarray(np.rint(255 * shares), dtype=np.uint8)


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    graph = files("ecglens.vision").joinpath(GRAPH_FILE).read_bytes()
    return onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])

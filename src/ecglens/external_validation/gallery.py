"""Pages of an evaluation to look at: some of each label with truth, answer and confidence, and every wrong one."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import EcgLensError, EcgReadError
from ecglens.evaluation.predictions import Predictions
from ecglens.evaluation.sections import Picture, Section
from ecglens.explaining import explain_page
from ecglens.labels import TITLES, format_probability
from ecglens.leads.layout import find_layout
from ecglens.models.explain import default_methods
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page
from ecglens.records import Layout, NotFound, Page

__all__ = ["gallery"]

_WIDTH_PX = 560
_QUALITY = 80
_RANDOM, _EACH_LABEL, _MOST_WRONG = 8, 4, 200


def gallery(
    predictions: Predictions,
    paths: Sequence[Path],
    *,
    rng: np.random.Generator,
    runtime: Runtime | None = None,
) -> tuple[Section, ...]:
    """Return sections of pictures for a report; pages are cropped to their traces, so that a report shows no name.

    Args:
        predictions: Predictions, one a page.
        paths: File of each page.
        rng: Random generator of the samples.
        runtime: The model, if it should explain the wrong pages.
    """
    right = predictions.probabilities.argmax(axis=1) == predictions.targets
    wrong = np.flatnonzero(~right)
    most_confident = wrong[np.argsort(-predictions.probabilities[wrong].max(axis=1), kind="stable")]
    order = rng.permutation(len(predictions))
    samples = order[:_RANDOM]
    by_label = {
        label: [row for row in order.tolist() if predictions.targets[row] == number][:_EACH_LABEL]
        for number, label in enumerate(predictions.labels)
    }
    displayed = most_confident[:_MOST_WRONG]
    left_out = f" The {_MOST_WRONG} most confident of {len(wrong)} are shown." if len(wrong) > _MOST_WRONG else ""
    explained = (
        "" if runtime is None else " Colors show what contributed to the wrong answer (orange) and against it (blue)."
    )
    sections = [
        Section(
            "Wrong pages",
            f"{len(wrong)} of {len(right)} pages, the most confident first.{left_out}{explained}"
            if len(wrong)
            else "No page was answered wrongly.",
            gallery=tuple(_picture("wrong", predictions, int(row), paths, runtime) for row in displayed),
        ),
        Section(
            "Pages at random",
            "",
            gallery=tuple(_picture("random", predictions, int(row), paths, None) for row in samples),
        ),
    ]
    sections += [
        Section(
            f"Pages of {TITLES.get(label, label)}",
            "Sampled at random.",
            gallery=tuple(_picture(f"label-{label}", predictions, row, paths, None) for row in rows),
        )
        for label, rows in by_label.items()
        if rows
    ]
    return tuple(sections)


def _picture(kind: str, predictions: Predictions, row: int, paths: Sequence[Path], runtime: Runtime | None) -> Picture:
    probabilities = predictions.probabilities[row]
    answer, truth = predictions.labels[int(probabilities.argmax())], predictions.labels[predictions.targets[row]]
    caption = (
        f"{predictions.pages[row]}: {TITLES.get(truth, truth)}, answered {TITLES.get(answer, answer)} with "
        f"{format_probability(float(probabilities.max()))}"
    )
    try:
        page = read_page(paths[row])
    except EcgReadError as error:
        return Picture(f"{kind}-{row}", f"{caption}. {error}", b"")
    return Picture(f"{kind}-{row}", caption, _jpeg(*_view(page, answer, runtime)))


def _view(page: Page, answer: str, runtime: Runtime | None) -> tuple[NDArray[np.uint8], Layout | None]:
    """Return the page, with an explanation of its prediction if there is a model, and its layout."""
    if runtime is None:
        return page.pixels, _layout_or_none(find_layout(page))
    reading = examine_page(page, runtime)
    for method in default_methods(runtime.card):
        try:
            explanation = explain_page(reading, runtime, method=method, label=answer, checks=False)
        except EcgLensError:
            continue
        return explanation.plot(reading.page.pixels), _layout_or_none(reading.layout)
    return reading.page.pixels, _layout_or_none(reading.layout)


def _layout_or_none(layout: Layout | NotFound) -> Layout | None:
    return layout if isinstance(layout, Layout) else None


def _jpeg(pixels: NDArray[np.uint8], layout: Layout | None) -> bytes:
    """Return the traces of a page as a small picture; without a layout the middle of the page."""
    height, width = pixels.shape[:2]
    rows = slice(height // 8, height - height // 8)
    if layout is not None:
        rows = slice(max(0, int(layout.trace_area.top)), max(1, int(layout.trace_area.bottom)))
    cut = pixels[rows]
    scale = _WIDTH_PX / width
    small = cv2.resize(cut, (_WIDTH_PX, max(1, round(cut.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return bytes(coded)

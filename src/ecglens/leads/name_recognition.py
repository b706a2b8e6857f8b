"""Lead names on a page whose pixels were classified, recognized by the network of :mod:`ecglens.vision.lead_names`.

Pieces of print close to each other are a word. Each word is tried in two widths, because some recorders set the letters
of ``I I I`` far apart and others print close to a name.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.leads.name_shapes import LIMITS as SHAPES
from ecglens.leads.name_shapes import Word
from ecglens.limits import threshold
from ecglens.vision.lead_names import NAMES, OTHER, classify_windows, cut_window

__all__ = ["LIMITS", "RecognitionLimits", "recognize_lead_names"]


@dataclass(frozen=True)
class RecognitionLimits:
    """Thresholds of recognizing lead names."""

    print_share: int = threshold(
        90,
        "share of 255",
        "Share of a pixel that print covers from which it is print.",
        low="Neighboring words are joined.",
        high="Pale names are not read.",
    )
    gaps_mm: tuple[float, float] = threshold(
        (0.5, 1.6),
        "mm",
        "Widest gaps between the letters of a word, for the two widths that are tried.",
        low="Names with wide spacing are torn.",
        high="Neighboring print belongs to a name.",
    )
    min_probability: float = threshold(
        0.5,
        "1",
        "Least probability of a name.",
        low="Other print counts as names.",
        high="Blurred names are not read.",
    )
    max_words: int = threshold(
        600,
        "words",
        "Number of pieces of print that are looked at, the ones nearest to the size of a name first.",
        low="Names on pages with much print are not read.",
        high="Pages full of print take long.",
    )
    name_mm: float = threshold(
        2.4,
        "mm",
        "Usual height of a name.",
        low="Small print is looked at first.",
        high="Headings are looked at first.",
    )


LIMITS = RecognitionLimits()


def recognize_lead_names(luma: NDArray[np.uint8], printed: NDArray[np.uint8], *, px_per_mm: float) -> list[Word]:
    """Recognize lead names.

    Args:
        luma: ``(height, width)`` uint8, brightness of the page.
        printed: The same shape, share of each pixel that print covers.
        px_per_mm: Pixels per millimeter.

    Returns:
        Every piece of print that is a lead name, without overlaps, in no order.
    """
    boxes = np.concatenate([_find_boxes(printed, gap_mm, px_per_mm) for gap_mm in LIMITS.gaps_mm])
    if not len(boxes):
        return []
    boxes = np.unique(boxes, axis=0)
    heights = (boxes[:, 2] - boxes[:, 0]) / px_per_mm
    boxes = boxes[np.argsort(np.abs(np.log(heights / LIMITS.name_mm)), kind="stable")][: LIMITS.max_words]
    windows = np.stack([cut_window(luma, (int(a), int(b), int(c), int(d))) for a, b, c, d in boxes])
    chances = classify_windows(windows)
    best = chances[:, :OTHER].argmax(axis=1)
    scores = chances[np.arange(len(best)), best]
    words: list[Word] = []
    for place in np.argsort(-scores, kind="stable"):
        top, left, bottom, right = (int(edge) for edge in boxes[place])
        if scores[place] < LIMITS.min_probability:
            break
        overlaps = any(
            min(right, word.right) > max(left, word.left) and min(bottom, word.bottom) > max(top, word.top)
            for word in words
        )
        if not overlaps:
            words.append(Word(NAMES[int(best[place])], float(scores[place]), top, left, bottom, right))
    return words


def _find_boxes(printed: NDArray[np.uint8], gap_mm: float, px_per_mm: float) -> NDArray[np.int32]:
    """``(words, 4)``, top, left, bottom and right of pieces of print of the size of a name."""
    letters = np.asarray(printed >= LIMITS.print_share, dtype=np.uint8)
    kernel = np.ones((1, max(1, round(gap_mm * px_per_mm)) | 1), np.uint8)
    joined = cv2.morphologyEx(letters, cv2.MORPH_CLOSE, kernel)
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    left, top, width, height = (stats[1:, column] for column in range(4))
    boxes = np.stack([top, left, top + height, left + width], axis=1)
    low, high = (side * px_per_mm for side in SHAPES.word_height_mm)
    is_name = (height >= low) & (height <= high) & (width <= SHAPES.max_width_mm * px_per_mm)
    return np.asarray(boxes[is_name], dtype=np.int32)

"""Descriptions of pages whose leads were not found, for the message that refuses them."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.name_shapes import Word
from ecglens.leads.normalized import PX_PER_MM, NormalizedPage
from ecglens.leads.trace_lines import LIMITS as LINES
from ecglens.leads.trace_lines import remove_rules
from ecglens.limits import threshold
from ecglens.records import Page

__all__ = ["LIMITS", "DescriptionLimits", "describe_page"]


@dataclass(frozen=True)
class DescriptionLimits:
    """Thresholds of describing a page."""

    min_along: float = threshold(
        0.25,
        "1",
        "Least share of the page's width along which a line of traces runs.",
        low="Print counts as lines.",
        high="Short lines are not counted.",
    )
    apart_mm: float = threshold(
        6.0,
        "mm",
        "Least distance of two lines.",
        low="One line with a wandering baseline counts twice.",
        high="Dense lines count once.",
    )
    low_px_per_mm: float = threshold(
        2.2,
        "px/mm",
        "Resolution below which a page is called coarse; the network was not trained below 2.3 px/mm.",
        low="Coarse pages are refused without that hint.",
        high="Fine pages are called coarse.",
    )


LIMITS = DescriptionLimits()

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_HINT = (
    " Turn a page that lies on its side or upside down; where the layout or the paper's corners are known, give them."
)
_EXTRA_LEAD = re.compile(r"V[3-6][rR]|V[7-9][rR]?|V[XYZxyz]")


def describe_page(page: Page, normalized: NormalizedPage, words: list[Word]) -> str:
    """Describe what is on a page instead of the leads of a known layout.

    Args:
        page: View whose pixels were classified.
        normalized: The page at a common scale.
        words: Lead names that were read.
    """
    lines = _count_lines(remove_rules(normalized.ink))
    names = sorted({word.name for word in words})
    extra = sorted({text.text for text in page.texts if _EXTRA_LEAD.fullmatch(text.text)})
    if not lines:
        has_print = page.classes is not None and (page.classes.print > LINES.black).mean() > 0.001
        return "Print was seen, but no traces: this may be a cover page." if has_print else "No traces were seen."
    summary = f"{_say(lines).capitalize()} line{'s of traces were' if lines > 1 else ' of traces was'} seen"
    coarse = min(normalized.scale) * PX_PER_MM < LIMITS.low_px_per_mm
    size = " The picture is too coarse to read them: use one of at least twice the size." if coarse else ""
    if extra:
        return f"{summary}, with the additional leads {', '.join(extra)} only, which are not read."
    if not names:
        return f"{summary}, but no lead names could be read beside them.{size or _HINT}"
    only = "the lead name" if len(names) == 1 else "the lead names"
    return f"{summary}, and {only} {', '.join(names)}, which do not make up a known layout.{size}"


def _say(number: int) -> str:
    return _COUNTS[number] if number < len(_COUNTS) else str(number)


def _count_lines(bare: NDArray[np.uint8]) -> int:
    """Count the lines along which traces run over much of the page's width."""
    reach = round(LIMITS.apart_mm * PX_PER_MM / 2)
    black = np.asarray(bare > LINES.black, dtype=np.float64)
    steps = np.concatenate([np.zeros((1, bare.shape[1])), np.cumsum(black, axis=0)])
    rows = np.arange(bare.shape[0])
    top, bottom = np.maximum(rows - PX_PER_MM, 0), np.minimum(rows + PX_PER_MM + 1, bare.shape[0])
    along = ((steps[bottom] - steps[top]) > 0).mean(axis=1)
    count = 0
    while along.size and along.max() >= LIMITS.min_along:
        peak = int(along.argmax())
        along[max(0, peak - reach) : peak + reach + 1] = 0
        count += 1
    return count

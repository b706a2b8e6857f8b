"""From a page to a model's array, in training and in serving alike.

A recipe is a small dictionary that travels inside the model folder: ``kind`` names the function, the rest are its
parameters. A model can therefore not be served with another preprocessing than its own.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecglens.errors import ModelError
from ecglens.records import Layout, LeadBox

__all__ = ["TraceCanvas", "make_input", "parse_recipe", "unsuitable"]

_PX_PER_MM = 4
_CANVAS_LAYOUT = "3x4+1"


class TraceCanvas(BaseModel):
    """The traces alone, on a canvas of fixed scale: one strip a line, its zero line in the middle.

    Every line of the page spans the whole width, so that a pixel is the same time on every page; heights keep the
    page's mm. Header, footer, pulses and grid do not reach the canvas.

    Attributes:
        known_print: Whether the model answers only for pages in the print of the public set's recorder, as it must
            where it has seen no other.
        width: Width of the canvas in px, for the length of a line (10 s).
        height: Height in px, shared by the lines.
        strip_mm: What one line shows, in mm on paper.
        mean: Subtracted from the ink, which is 0 for paper and 1 for the blackest.
        std: What is left is divided by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["trace_canvas"] = "trace_canvas"
    known_print: bool = True
    width: Annotated[int, Field(ge=32, le=4096)] = 512
    height: Annotated[int, Field(ge=32, le=4096)] = 304
    strip_mm: Annotated[float, Field(gt=5, le=100)] = 38.0
    mean: float = 0.0
    std: Annotated[float, Field(gt=0)] = 0.25

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of the array."""
        return 1, self.height, self.width


def parse_recipe(recipe: Mapping[str, Any]) -> TraceCanvas:
    """Check a recipe.

    Raises:
        ModelError: The kind is unknown or a parameter cannot be used.
    """
    try:
        return TraceCanvas.model_validate(dict(recipe))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"The model's input recipe cannot be used: {where}: {first['msg']}.") from error


def unsuitable(layout: Layout, recipe: TraceCanvas) -> str | None:
    """Why a page is none that a model with this recipe can read, or ``None``."""
    if layout.name != _CANVAS_LAYOUT:
        return f"The model reads pages of the layout {_CANVAS_LAYOUT}, and this one is {layout.name}."
    if recipe.known_print and not layout.known_print:
        return "The model has only learned pages of one recorder, and this one is in another print."
    return None


def make_input(layout: Layout, recipe: TraceCanvas) -> NDArray[np.float32]:
    """Build the array that a model reads.

    Args:
        layout: Where the page's leads were found, with the page's ink.
        recipe: From the model folder.

    Returns:
        ``recipe.shape`` float32.

    Raises:
        ModelError: The page is none that the model can read.
    """
    reason = unsuitable(layout, recipe)
    if reason is not None:
        raise ModelError(reason)
    canvas = trace_canvas(layout, recipe)
    return ((canvas.astype(np.float32) / 255.0 - recipe.mean) / recipe.std)[None]


def trace_canvas(layout: Layout, recipe: TraceCanvas) -> NDArray[np.uint8]:
    """The canvas before scaling, ``(height, width)`` uint8: 0 for paper, 255 for the blackest ink."""
    size = (2 * recipe.width, round(recipe.strip_mm * _PX_PER_MM))
    canvas = np.vstack([_strip(layout, *line, size) for line in _lines(layout)])
    return np.asarray(cv2.resize(canvas, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lines(layout: Layout) -> list[tuple[LeadBox, LeadBox]]:
    """First and last lead of each line, top to bottom."""
    lines: dict[float, list[LeadBox]] = {}
    for lead in layout.leads:
        lines.setdefault(lead.baseline_px, []).append(lead)
    return [
        (min(leads, key=lambda lead: lead.box.left), max(leads, key=lambda lead: lead.box.right))
        for _, leads in sorted(lines.items())
    ]


def _strip(layout: Layout, first: LeadBox, last: LeadBox, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One line of the canvas, cut and scaled in one step."""
    dark = layout.ink
    left, right = dark.column(first.box.left), dark.column(last.box.right)
    across = size[0] / (right - left)
    down = _PX_PER_MM * dark.scale[0] / layout.px_per_mm[0]
    zero = dark.row(first.baseline_px)
    matrix = np.array([[across, 0.0, -left * across], [0.0, down, size[1] / 2 - zero * down]])
    return np.asarray(cv2.warpAffine(dark.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0), dtype=np.uint8)

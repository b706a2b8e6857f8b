"""From a page to a model's arrays, in training and in serving alike.

The recipe travels inside the model folder, so that a model cannot be served with another preprocessing than its own.
"""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.errors import ModelError
from ecglens.faults import describe_struct_faults
from ecglens.models.inputs.beats import make_beat_array
from ecglens.models.inputs.canvas import make_trace_canvas
from ecglens.models.inputs.images import make_lead_crops, make_page_image, map_lead_boxes
from ecglens.models.inputs.recipes import (
    CANVAS_LAYOUT,
    InputRecipe,
    LeadBeats,
    LeadCrops,
    LeadSignals,
    PageAndSignal,
    PageImage,
    TraceCanvas,
)
from ecglens.models.inputs.signals import compute_known_share, make_signal_array
from ecglens.models.inputs.views import View, make_views
from ecglens.records import EcgRecord, Layout, Page

__all__ = [
    "InputRecipe",
    "LeadBeats",
    "LeadCrops",
    "LeadSignals",
    "PageAndSignal",
    "PageImage",
    "TraceCanvas",
    "View",
    "compute_known_share",
    "dump_recipe",
    "find_mismatch",
    "make_beat_array",
    "make_input",
    "make_lead_crops",
    "make_page_image",
    "make_signal_array",
    "make_stored_input",
    "make_trace_canvas",
    "make_views",
    "needs_record",
    "parse_recipe",
    "scale_input",
]

_RECIPES: dict[str, type[InputRecipe]] = {kind.__struct_config__.tag: kind for kind in get_args(InputRecipe)}


def parse_recipe(recipe: Mapping[str, Any]) -> InputRecipe:
    """Build a recipe from plain values.

    Args:
        recipe: Field ``kind``, and the fields of that recipe.

    Raises:
        ModelError: The kind is unknown or a field cannot be used.
    """
    name = recipe.get("kind", "")
    kind = _RECIPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _make_error(f"expected a kind out of {', '.join(_RECIPES)}, got '{name}'")
    fields = kind.__struct_fields__
    unknown = [name for name in recipe if name not in {"kind", *fields}]
    if unknown:
        from difflib import get_close_matches

        likely = get_close_matches(unknown[0], fields, n=1)
        hint = f"the most similar one is {likely[0]}" if likely else f"expected one of {', '.join(fields)}"
        raise _make_error(f"there is no field '{unknown[0]}'; {hint}")
    try:
        return msgspec.convert(dict(recipe), kind)
    except msgspec.ValidationError as error:
        raise _make_error(describe_struct_faults(recipe, kind, error)) from error


def dump_recipe(recipe: InputRecipe) -> dict[str, Any]:
    """Return the recipe as :func:`parse_recipe` takes it, in the types that JSON has."""
    values: dict[str, Any] = parse_json(msgspec.json.encode(recipe))
    return values


def needs_record(recipe: InputRecipe) -> bool:
    """Return whether a model with this recipe reads signals."""
    return "signal" in recipe.shapes


def find_mismatch(layout: Layout, recipe: InputRecipe) -> str | None:
    """Return why a model with this recipe cannot read a page, or ``None`` if it can."""
    if isinstance(recipe, PageAndSignal):
        return find_mismatch(layout, recipe.page) or find_mismatch(layout, recipe.signal)
    if not isinstance(recipe, LeadSignals | LeadBeats):
        layouts = (CANVAS_LAYOUT,) if isinstance(recipe, TraceCanvas) else recipe.layouts
        if layout.name not in layouts:
            return f"The model reads pages of the layout {' or '.join(layouts)}, and this one is {layout.name}."
    if isinstance(recipe, LeadCrops | LeadSignals | LeadBeats):
        missing = [name for name in recipe.leads if name not in _leads(layout, recipe)]
        if len(missing) > (recipe.missing_leads if isinstance(recipe, LeadBeats) else 0):
            return f"The model reads the leads {', '.join(recipe.leads)}, and this page has no {missing[0]}."
    if recipe.known_print and not layout.known_print:
        return "The model has only learned pages of one recorder, and this one is in another print."
    return None


def make_stored_input(
    page: Page, layout: Layout, recipe: InputRecipe, record: EcgRecord | None = None
) -> dict[str, NDArray[np.generic]]:
    """Build the arrays that a model reads, in the units in which they are stored.

    Args:
        page: Original page.
        layout: Positions of its leads, with the page's ink.
        recipe: Input recipe of the model.
        record: Signals of the page, for recipes that read them.

    Returns:
        Arrays by input of the graph: ``(rows, *shape)``, uint8 for pixels and float32 in mV for signals.

    Raises:
        ModelError: The model cannot read such a page, or the page's signals are missing.
    """
    reason = find_mismatch(layout, recipe)
    if reason is not None:
        raise ModelError(reason)
    if isinstance(recipe, TraceCanvas):
        return {"page": make_trace_canvas(layout, recipe)[None, None]}
    if isinstance(recipe, PageImage):
        return {"page": make_page_image(page, layout, recipe)[None]}
    if isinstance(recipe, LeadCrops):
        return {"page": make_lead_crops(page, layout, recipe)}
    if record is None:
        raise ModelError("Expected signals for this model, got none for this page; digitize it and pass its record.")
    if isinstance(recipe, LeadSignals):
        return {"signal": make_signal_array(record, recipe)[None]}
    if isinstance(recipe, LeadBeats):
        return {"signal": make_beat_array(record, recipe)[None]}
    return {**make_stored_input(page, layout, recipe.page), "signal": make_signal_array(record, recipe.signal)[None]}


def make_input(
    page: Page, layout: Layout, recipe: InputRecipe, record: EcgRecord | None = None
) -> dict[str, NDArray[np.float32]]:
    """Build the arrays that a model reads: :func:`make_stored_input`, scaled.

    Returns:
        Arrays by input of the graph: ``(rows, *shape)`` float32.

    Raises:
        ModelError: The model cannot read such a page, or the page's signals are missing.
    """
    return scale_input(make_stored_input(page, layout, recipe, record), recipe)


def scale_input(stored: Mapping[str, NDArray[np.generic]], recipe: InputRecipe) -> dict[str, NDArray[np.float32]]:
    """Convert stored values to the unit of the graph's input."""
    arrays = {}
    for name, values in stored.items():
        mean, std = recipe.scaling(name)
        array = values.astype(np.float32)
        array -= mean
        array /= std
        arrays[name] = array
    return arrays


def _make_error(reason: str) -> ModelError:
    return ModelError(f"The model's input recipe cannot be used: {reason}.", detail=reason)


def _leads(layout: Layout, recipe: LeadCrops | LeadSignals | LeadBeats) -> set[str]:
    names = set(map_lead_boxes(layout))
    return names | {"aVR"} if not isinstance(recipe, LeadCrops) and "-aVR" in names else names

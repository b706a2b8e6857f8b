"""From a page to a model's arrays, in training and in serving alike.

The recipe travels inside the model folder, so that a model cannot be served with another preprocessing than its own.
"""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.models.inputs.canvas import trace_canvas
from ecglens.models.inputs.images import lead_boxes, lead_crops, page_image
from ecglens.models.inputs.recipes import (
    CANVAS_LAYOUT,
    InputRecipe,
    LeadCrops,
    LeadSignals,
    PageAndSignal,
    PageImage,
    TraceCanvas,
)
from ecglens.models.inputs.signals import known_share, signal_array
from ecglens.models.inputs.views import View, views
from ecglens.records import EcgRecord, Layout, Page

__all__ = [
    "InputRecipe",
    "LeadCrops",
    "LeadSignals",
    "PageAndSignal",
    "PageImage",
    "TraceCanvas",
    "View",
    "dump_recipe",
    "known_share",
    "lead_crops",
    "make_input",
    "needs_record",
    "page_image",
    "parse_recipe",
    "scaled",
    "signal_array",
    "stored_input",
    "trace_canvas",
    "unsuitable",
    "views",
]

_RECIPES: dict[str, type[InputRecipe]] = {kind.__struct_config__.tag: kind for kind in get_args(InputRecipe)}


def parse_recipe(recipe: Mapping[str, Any]) -> InputRecipe:
    """Build a recipe from plain values.

    Args:
        recipe: Field ``kind``, and the fields of that recipe.

    Raises:
        ModelError: The kind is unknown or a field cannot be used.
    """
    kind = _RECIPES.get(recipe.get("kind", ""))
    if kind is None:
        raise _refused(f"expected a kind out of {', '.join(_RECIPES)}, got '{recipe.get('kind', '')}'")
    fields = kind.__struct_fields__
    unknown = [name for name in recipe if name not in {"kind", *fields}]
    if unknown:
        from difflib import get_close_matches

        likely = get_close_matches(unknown[0], fields, n=1)
        hint = f"the most similar one is {likely[0]}" if likely else f"expected one of {', '.join(fields)}"
        raise _refused(f"there is no field '{unknown[0]}'; {hint}")
    try:
        return msgspec.convert(dict(recipe), kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error


def dump_recipe(recipe: InputRecipe) -> dict[str, Any]:
    """Return the recipe as :func:`parse_recipe` takes it, in the types that JSON has."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(recipe))
    return values


def needs_record(recipe: InputRecipe) -> bool:
    """Whether a model with this recipe reads signals."""
    return "signal" in recipe.shapes


def unsuitable(layout: Layout, recipe: InputRecipe) -> str | None:
    """Why a page is none that a model with this recipe can read, or ``None``."""
    if isinstance(recipe, PageAndSignal):
        return unsuitable(layout, recipe.page) or unsuitable(layout, recipe.signal)
    if not isinstance(recipe, LeadSignals):
        layouts = (CANVAS_LAYOUT,) if isinstance(recipe, TraceCanvas) else recipe.layouts
        if layout.name not in layouts:
            return f"The model reads pages of the layout {' or '.join(layouts)}, and this one is {layout.name}."
    if isinstance(recipe, LeadCrops | LeadSignals):
        missing = [name for name in recipe.leads if name not in _leads(layout, recipe)]
        if missing:
            return f"The model reads the leads {', '.join(recipe.leads)}, and this page has no {missing[0]}."
    if recipe.known_print and not layout.known_print:
        return "The model has only learned pages of one recorder, and this one is in another print."
    return None


def stored_input(
    page: Page, layout: Layout, recipe: InputRecipe, record: EcgRecord | None = None
) -> dict[str, NDArray[np.generic]]:
    """Build what a model reads in the unit that is worth keeping.

    Args:
        page: As it came.
        layout: Where its leads were found, with the page's ink.
        recipe: From the model folder.
        record: The page's signals, for recipes that read them.

    Returns:
        By the graph's input: ``(rows, *shape)``, uint8 for pixels and float32 in mV for signals.

    Raises:
        ModelError: The page is none that the model can read, or its signals are missing.
    """
    reason = unsuitable(layout, recipe)
    if reason is not None:
        raise ModelError(reason)
    if isinstance(recipe, TraceCanvas):
        return {"page": trace_canvas(layout, recipe)[None, None]}
    if isinstance(recipe, PageImage):
        return {"page": page_image(page, layout, recipe)[None]}
    if isinstance(recipe, LeadCrops):
        return {"page": lead_crops(page, layout, recipe)}
    if record is None:
        raise ModelError("The model reads signals, but none of this page came; digitize it and give its record.")
    if isinstance(recipe, LeadSignals):
        return {"signal": signal_array(record, recipe)[None]}
    return {**stored_input(page, layout, recipe.page), "signal": signal_array(record, recipe.signal)[None]}


def make_input(
    page: Page, layout: Layout, recipe: InputRecipe, record: EcgRecord | None = None
) -> dict[str, NDArray[np.float32]]:
    """Build the arrays that a model reads: :func:`stored_input`, scaled.

    Returns:
        By the graph's input: ``(rows, *shape)`` float32.

    Raises:
        ModelError: The page is none that the model can read, or its signals are missing.
    """
    return scaled(stored_input(page, layout, recipe, record), recipe)


def scaled(stored: Mapping[str, NDArray[np.generic]], recipe: InputRecipe) -> dict[str, NDArray[np.float32]]:
    """Stored values in the graph's unit."""
    arrays = {}
    for name, values in stored.items():
        mean, std = recipe.scaling(name)
        array = values.astype(np.float32)
        array -= mean
        array /= std
        arrays[name] = array
    return arrays


def _refused(reason: str) -> ModelError:
    return ModelError(f"The model's input recipe cannot be used: {reason}.", detail=reason)


def _leads(layout: Layout, recipe: LeadCrops | LeadSignals) -> set[str]:
    names = set(lead_boxes(layout))
    return names | {"aVR"} if isinstance(recipe, LeadSignals) and "-aVR" in names else names

"""Readings of the demo pages: made when the first visitor asks, and stored in the site's cache for all others."""

import base64
import logging
from dataclasses import asdict
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext as _

from ecglens import __version__
from ecglens.demo import DemoPage, demo_pages
from ecglens.labels import LABELS
from ecglens.models.registry import list_default_models
from ecglens.pages.read import read_page
from ecglens.settings import load_settings
from ecglens.web.readings.pictures import PictureFile
from ecglens.web.readings.pipeline import Options
from ecglens.web.readings.titles import translate_label
from ecglens.web.readings.visitors import FirstLook, Result, look_at

__all__ = ["compare_with_truth", "find_demo", "load_result", "look_at_demo", "store_result"]

_LOG = logging.getLogger(__name__)
_LASTING_S = 30 * 24 * 3600
_MEMORY: dict[str, Result] = {}
"""Results that this process has loaded or made; as many as there are demo pages."""


def find_demo(name: str) -> DemoPage | None:
    """Return a demo page by its name, or ``None``."""
    return next((each for each in demo_pages() if each.name == name), None)


def look_at_demo(page: DemoPage) -> FirstLook:
    """Let the default models read a demo page."""
    return look_at(read_page(page.path), page.path.name, Options())


def load_result(page: DemoPage) -> Result | None:
    """Return the stored result of a demo page; ``None`` if nobody has asked for it yet."""
    key = _key(page)
    if key not in _MEMORY and (plain := cache.get(key)) is not None:
        _MEMORY[key] = _unpack(plain)
    return _MEMORY.get(key)


def store_result(page: DemoPage, result: Result) -> None:
    """Store the result of a demo page, for every process of the site."""
    key = _key(page)
    _MEMORY[key] = result
    try:
        cache.set(key, _pack(result), _LASTING_S)
    except (DatabaseError, InterfaceError):
        _LOG.warning("The result of a demo page could not be stored for other processes.")


def compare_with_truth(page: DemoPage, label: str | None) -> dict[str, Any]:
    """Compare the answer for a demo page with the diagnosis of its record.

    Args:
        page: The page.
        label: Label of the first model, or ``None``.

    Returns:
        ``diagnosis`` of the record, its ``label`` in words, its ``record`` number, and ``agrees``, which is ``None``
        without an answer, and where the answer is of other labels.
    """
    agrees = label == page.label if label in LABELS else None
    return {"diagnosis": _(page.title), "label": translate_label(page.label), "record": page.record, "agrees": agrees}


def _key(page: DemoPage) -> str:
    """Return a key that changes with the version and the models."""
    models = "+".join([load_settings().model, *list_default_models()])
    return f"demo:{__version__}:{models}:{page.name}".replace(" ", "_")[:200]


def _pack(result: Result) -> dict[str, Any]:
    pictures = {
        name: {**asdict(file), "content": base64.b64encode(file.content).decode()}
        for name, file in result.pictures.items()
    }
    signals = None if result.signals is None else result.signals.decode()
    return {
        "name": result.name,
        "facts": result.facts,
        "predictions": result.predictions,
        "explanations": result.explanations,
        "pictures": pictures,
        "signals": signals,
    }


def _unpack(plain: dict[str, Any]) -> Result:
    pictures = {
        name: PictureFile(**{**file, "content": base64.b64decode(file["content"])})
        for name, file in plain["pictures"].items()
    }
    signals = plain["signals"]
    return Result(**{**plain, "pictures": pictures, "signals": None if signals is None else signals.encode()})

"""The whole path: file to page, page to leads, leads to prediction. Every surface calls this."""

import os
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from ecglens.leads.find import find_layout
from ecglens.models.cards import sha256_of
from ecglens.models.registry import find_model
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.records import Abstention, Layout, NotFound, Page, Prediction, Reading
from ecglens.settings import load_settings

__all__ = ["examine", "examine_page", "load_runtime", "read"]

Source = str | os.PathLike[str] | bytes | BinaryIO


def read(source: Source, *, model: str | os.PathLike[str] | None = None, page: int = 1) -> Prediction:
    """Read one ECG page.

    Args:
        source: Path, bytes or binary file of a JPEG, PNG, TIFF, BMP, WebP, HEIC or PDF.
        model: Name or folder of a model; the settings' one when ``None``.
        page: Which page of the file, from 1.

    Returns:
        Label or abstention, calibrated probabilities, layout and warnings.

    Raises:
        EcgReadError: The file is not a page that can be read.
        ModelError: The model cannot be used.
    """
    return examine(source, model=model, page=page).prediction


def examine(source: Source, *, model: str | os.PathLike[str] | None = None, page: int = 1) -> Reading:
    """Like :func:`read`, with the page and its layout beside the prediction."""
    runtime = load_runtime(model)
    return examine_page(read_page(source, page=page, max_megapixels=load_settings().max_megapixels), runtime)


def examine_page(page: Page, runtime: Runtime) -> Reading:
    """Find the leads of a page and let a loaded model answer."""
    layout = find_layout(page)
    prediction = runtime.predict(page, layout) if isinstance(layout, Layout) else _refusal(page, layout, runtime)
    return Reading(page=page, layout=layout, prediction=prediction)


def load_runtime(model: str | os.PathLike[str] | None = None) -> Runtime:
    """A model, loaded once for each folder and graph.

    Raises:
        ModelError: The model cannot be used.
    """
    card = find_model(model)
    return _runtime(card.folder, sha256_of(card.folder / "model.json"))


@lru_cache(maxsize=8)
def _runtime(folder: Path, card_sha256: str) -> Runtime:
    return Runtime(find_model(folder))


def _refusal(page: Page, reason: NotFound, runtime: Runtime) -> Prediction:
    return Prediction(
        label=None,
        probabilities=None,
        abstention=Abstention("no_layout", f"This was not recognized as an ECG page that can be read. {reason.reason}"),
        model=runtime.card.name,
        model_version=runtime.card.version,
        warnings=page.warnings,
    )

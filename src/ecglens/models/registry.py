"""Find models by name or path: shipped models, those in the user's models folder, or any model folder."""

import os
from pathlib import Path

from ecglens.arguments import check_type
from ecglens.errors import MissingModelError, ModelError
from ecglens.models.cards import CARD_FILE, GRAPH_FILE, ModelCard, load_card
from ecglens.settings import load_settings

__all__ = [
    "AUTO",
    "PAGE_MODEL",
    "SIGNAL_MODEL",
    "explain_unusable",
    "find_model",
    "list_default_models",
    "list_models",
    "name_model",
]

AUTO = "auto"
"""Name for the page model on pages of its own recorder, and the signal model on all others."""
PAGE_MODEL, SIGNAL_MODEL = "compact_cnn", "any_recorder"

SHIPPED = Path(__file__).resolve().parent.parent / "weights"


def list_models() -> list[ModelCard]:
    """List the cards of all models that have a name, shipped ones first.

    Folders that cannot be used are left out; :func:`explain_unusable` says why.
    """
    cards: dict[str, ModelCard] = {}
    for folder in _folders():
        try:
            card = load_card(folder)
        except ModelError:
            continue
        cards.setdefault(card.name, card)
    return list(cards.values())


def list_default_models() -> tuple[str, ...]:
    """Return the names of the models that answer when none is named."""
    model = load_settings().model
    return (PAGE_MODEL, SIGNAL_MODEL) if model == AUTO else (model,)


def explain_unusable() -> list[str]:
    """Return a sentence for each folder among the models that cannot be used."""
    reasons = []
    for folder in _folders(with_damaged=True):
        try:
            load_card(folder)
        except ModelError as error:
            reasons.append(str(error))
    return reasons


def find_model(model: str | os.PathLike[str] | None = None) -> ModelCard:
    """Find a model and load its card.

    Args:
        model: Name, path of a model folder, or ``None`` for the model of the settings; ``auto`` gives the page model.

    Raises:
        MissingModelError: There is no such model.
        ModelError: Its folder cannot be used.
        ArgumentError: As for :func:`name_model`.
    """
    requested = name_model(model)
    if requested == AUTO:
        requested = PAGE_MODEL
    for folder in _folders():
        if folder.name == requested:
            return load_card(folder)
    for card in list_models():
        if card.name == requested:
            return card
    # A fine-tuned model lies beside its training, in the folder that the user named.
    for folder in (Path(requested), Path(requested) / "model"):
        if (folder / CARD_FILE).is_file():
            return load_card(folder)
    names = ", ".join(card.name for card in list_models()) or "none"
    raise MissingModelError(
        f"Expected a model's name or folder, but {requested!r} is neither; installed models: {names}."
    )


def name_model(model: str | os.PathLike[str] | None) -> str:
    """Return the name or folder of a model as text; the model of the settings where it is ``None``.

    Raises:
        ArgumentError: It is neither text nor a path.
    """
    if model is None:
        return load_settings().model
    check_type(model, (str, os.PathLike), "the name or the folder of a model")
    return os.fspath(model)


def _folders(*, with_damaged: bool = False) -> list[Path]:
    """List the folders with a card; with damaged ones, also those with a graph alone."""
    files = (CARD_FILE, GRAPH_FILE) if with_damaged else (CARD_FILE,)
    roots = [SHIPPED, load_settings().models_dir]
    subfolders = [sorted(root.iterdir()) for root in roots if root.is_dir()]
    return [folder for folders in subfolders for folder in folders if any((folder / name).is_file() for name in files)]

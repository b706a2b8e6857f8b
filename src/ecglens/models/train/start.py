"""Weights from which a training starts: those of a model folder or of a run, as far as they fit the new model."""

from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.models.cards import GRAPH_FILE
from ecglens.models.registry import find_model
from ecglens.models.train.checkpoint import match_memory_order
from ecglens.models.train.loop import BEST, LAST
from ecglens.models.train.recipe import Recipe
from ecglens.models.zoo.compact_cnn import load_compact_cnn

__all__ = ["is_run", "load_start", "read_run_recipe"]


def is_run(folder: str) -> bool:
    """Return whether a folder is a run of ``ecglens train``."""
    return (Path(folder) / "recipe.json").is_file()


def read_run_recipe(run: Path) -> Recipe:
    """Read the recipe of a run.

    Raises:
        TrainingError: It cannot be read.
    """
    try:
        return Recipe.model_validate_json((run / "recipe.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(f"Expected a run folder of ecglens train with its recipe.json, got '{run}'.") from error


def load_start(start: str, model: nn.Module) -> None:
    """Copy the weights of a model or run into a model; those of another shape, such as the last layer, are left.

    Args:
        start: Name or folder of a shipped or exported ``compact_cnn``, or a run folder.
        model: The model that is trained next.

    Raises:
        ModelError: There is no such model, or its graph is not that of a ``compact_cnn``.
        TrainingError: No weight fits.
    """
    own = model.state_dict()
    fitting = {
        name: value for name, value in _read_weights(start).items() if name in own and own[name].shape == value.shape
    }
    if not any(value.is_floating_point() and value.ndim > 1 for value in fitting.values()):
        raise TrainingError(f"Expected weights of the same network in '{start}', got none that fit; leave 'start' out.")
    with torch.no_grad():
        for name, value in fitting.items():
            own[name].copy_(match_memory_order(value, own[name]))


def _read_weights(start: str) -> dict[str, Tensor]:
    if not is_run(start):
        return load_compact_cnn(find_model(start).folder / GRAPH_FILE).state_dict()
    recipe = read_run_recipe(Path(start))
    path = Path(start) / "final" / (BEST if recipe.selection.keep == "best" else LAST)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"'{start}' has no model that was fitted on all recordings; finish the run with --fit --resume."
        ) from error

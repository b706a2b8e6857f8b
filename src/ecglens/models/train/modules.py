"""Load models as torch modules, for explanations that follow gradients."""

from pathlib import Path

from torch import nn

from ecglens.errors import ModelError
from ecglens.models.cards import GRAPH_FILE, ModelCard
from ecglens.models.explain import ModuleRuntime
from ecglens.models.inputs import dump_recipe
from ecglens.models.train.run import load_final
from ecglens.models.train.start import read_run_recipe
from ecglens.models.zoo.compact_cnn import load_compact_cnn

__all__ = ["load_module", "load_run_model"]

_UNCALIBRATED = "This model of a run is not calibrated, and it never abstains because of a low confidence."


def load_run_model(run: Path) -> ModuleRuntime:
    """Load the model that a run fitted on all recordings, for predictions and gradients.

    Raises:
        TrainingError: The folder is not a run folder, or the run has no such model.
    """
    recipe = read_run_recipe(run)
    module = load_final(recipe, run)
    card = ModelCard(
        name=recipe.model.replace(":", "-"),
        version="run",
        title=recipe.title,
        labels=recipe.labels,
        input=dump_recipe(recipe.input),
        temperature=1.0,
        abstain_below=0.0,
        parameters=sum(weight.numel() for weight in module.parameters()),
        trained_on="",
        license="",
        graph_sha256="",
        warnings=(_UNCALIBRATED,),
        folder=run,
    )
    return ModuleRuntime(card, module)


def load_module(card: ModelCard) -> nn.Module:
    """Load the torch module of a model folder, if it can be rebuilt from the graph.

    Raises:
        ModelError: The module cannot be rebuilt; use a run instead.
    """
    try:
        return load_compact_cnn(card.folder / GRAPH_FILE)
    except ModelError as error:
        raise ModelError(
            f"Gradients cannot be followed through the graph of '{card.name}'; pass the run that trained it with --run."
        ) from error

"""``ecglens search``: search for the hyperparameters of a recipe."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.sources import Rules, Scheme, load_training
from ecglens.cli.train import Cache, Changes, Device
from ecglens.settings import load_settings

__all__ = ["command"]


class Metric(StrEnum):
    """Metric by which trials are compared."""

    loss = "loss"
    accuracy = "accuracy"
    balanced_accuracy = "balanced_accuracy"


def command(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file.")],
    data: Annotated[Path, typer.Option(help="CSV of recordings, such as ecglens audit writes, or folder by label.")],
    out: Annotated[Path, typer.Option(help="Folder of the study; an existing study is continued.")],
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of keys with values to try; by default learning rate, decay, smoothing and batch size."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Total number of trials.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="Number of inner splits to evaluate each trial on.")] = 2,
    metric: Annotated[Metric, typer.Option(help="Metric on the inner splits.")] = Metric.loss,
    fold: Annotated[
        str | None,
        typer.Option(metavar="SEED,FOLD", help="Use only the training side of one fold of the honest protocol."),
    ] = None,
    changes: Changes = None,
    labels: Rules = None,
    scheme: Scheme = None,
    seed: Annotated[int, typer.Option(help="Random seed of the sampler, the splits and the weights.")] = 0,
    device: Device = "auto",
    cache: Cache = None,
) -> None:
    """Search for the hyperparameters of a recipe, and write the best to best.toml in the folder of the study."""
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.cli.training import show_training
    from ecglens.models.train.devices import ALONE, World, choose_device
    from ecglens.models.train.recipe import load_recipe
    from ecglens.models.train.run import RunContext, check_recipe
    from ecglens.models.train.search import DEFAULT_SPACE, load_space, search

    loaded = load_recipe(recipe, changes=changes or ())
    values, only_fold = DEFAULT_SPACE if space is None else load_space(space), None if fold is None else _pair(fold)
    check_recipe(loaded)  # before the data, which may take minutes to list
    recordings = load_training(data, labels, scheme, signals=set(loaded.input.shapes) == {"signal"})
    world = World(ALONE.rank, ALONE.size, choose_device(device))
    with show_training(is_visible=True) as listener:
        best = search(
            recordings,
            loaded,
            out,
            context=RunContext(world, cache or load_settings().cache_dir, listener, os.cpu_count() or 1),
            space=values,
            trials=trials,
            repeats=repeats,
            metric=metric.value,
            seed=seed,
            fold=only_fold,
        )
    say = Console(stderr=True, highlight=False).print
    say(f"Best of {best.trials} trials: {metric.value} {best.value:.4f}; the recipe is {out / 'best.toml'}.")


def _pair(text: str) -> tuple[int, int]:
    try:
        seed, number = (int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"expected a seed and a fold from 0, such as 0,3, got '{text}'") from error
    return seed, number

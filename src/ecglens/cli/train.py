"""``ecglens train``: cross-validate a recipe and train it on all recordings."""

import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.choices import complete_from
from ecglens.cli.sources import Rules, Scheme, load_training
from ecglens.settings import load_settings

__all__ = ["Cache", "Changes", "Device", "command", "parse_seeds"]

Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, such as optimization.epochs=5; repeatable."),
]
Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", autocompletion=complete_from(("auto", "cpu", "cuda", "mps"))),
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder for preprocessed pages; the setting ECGLENS_CACHE_DIR by default.", show_default=False),
]


def command(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file.")],
    data: Annotated[Path, typer.Option(help="CSV of recordings, such as ecglens audit writes, or folder by label.")],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    changes: Changes = None,
    labels: Rules = None,
    scheme: Scheme = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="honest, as-published, given, leave-one-out:COLUMN, or a file with a split.",
            autocompletion=complete_from(("honest", "as-published", "given", "leave-one-out:")),
        ),
    ] = "honest",
    seeds: Annotated[str, typer.Option(help="Seeds of the folds, separated by commas.")] = "0,1,2",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of the honest protocol.")] = 5,
    fit: Annotated[bool, typer.Option("--fit/--no-fit", help="Also train one model on all recordings.")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    device: Device = "auto",
    cache: Cache = None,
    board: Annotated[bool, typer.Option("--tensorboard", help="Also write events for TensorBoard.")] = False,
) -> None:
    """Train a recipe: cross-validate it on held-out pages, then train one model on all recordings.

    Start it with torchrun to use several GPUs or machines.
    """
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.cli.training import show_training
    from ecglens.models.train import run
    from ecglens.models.train.devices import training_world
    from ecglens.models.train.folder import Plan, lock_run, start_run
    from ecglens.models.train.recipe import load_recipe

    loaded = load_recipe(recipe, changes=changes or ())
    plan, numbers, command_line = Plan(protocol, folds), parse_seeds(seeds), "ecglens " + shlex.join(sys.argv[1:])
    run.check_recipe(loaded)  # before the data, which may take minutes to list
    recordings = load_training(data, labels, scheme, signals=set(loaded.input.shapes) == {"signal"})
    run.check_data(recordings, loaded, plan, numbers)
    with training_world(device) as world, lock_run(out) if world.is_first else nullcontext():
        if world.is_first:
            start_run(recordings, loaded, out, plan, command=command_line, resume=resume)
        world.wait()
        with show_training(world.is_first, resume_hint="The same command with --resume continues.") as listener:
            context = run.RunContext(world, cache or load_settings().cache_dir, listener, os.cpu_count() or 1, board)
            run.cross_validate(recordings, loaded, out, plan, seeds=numbers, context=context)
            if fit:
                run.fit_all(recordings, loaded, out, seed=0, context=context)
        if world.is_first:
            Console(stderr=True, highlight=False).print(f"The run is complete in {out}.", soft_wrap=True)


def parse_seeds(text: str) -> list[int]:
    """Return the whole numbers of a list separated by commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected whole numbers separated by commas, got '{text}'") from error
